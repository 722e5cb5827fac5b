# SPDX-License-Identifier: ISC
"""Yahoo, iCloud, GMX and Proton's Bridge, as PROVIDERS knew them in the autumn
of 2026.  Where nobody wrote down a server's words, ours stand."""
import re

from lookalike import Provider
from lookalike_servers import ImapFront, PopFront, SmtpFront, author

# --- Yahoo ----------------------------------------------------------------

YAHOO = ("imap.mail.yahoo.com", "pop.mail.yahoo.com", "smtp.mail.yahoo.com")


class YahooImap(ImapFront):
    """No command processes more than 1,000 messages (RFC 9738): the highest
    are taken, and the tagged response says how far it came.  UIDs are 1, 2,
    ... here, so that a set can be counted without asking."""
    LIMIT = 1000
    GREETING = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 " \
        "AUTH=OAUTHBEARER ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS " \
        "LITERAL+ CHILDREN] IMAP4rev1 Hello"
    BEFORE = ("IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID "
              "MOVE NAMESPACE UIDPLUS LITERAL+ CHILDREN")
    AFTER = ("IMAP4rev1 ID MOVE NAMESPACE UIDPLUS LITERAL+ CHILDREN UNSELECT "
             "IDLE ENABLE OBJECTID CONDSTORE APPENDLIMIT=41697280 "
             "MESSAGELIMIT=1000 PARTIAL UIDONLY")
    MECHANISMS = ("PLAIN", "XOAUTH2", "OAUTHBEARER")
    CONNECTIONS = 5

    def __init__(self, *args, **more):
        self.exists = 0
        self.cut = []         # commands that asked for too much
        super().__init__(*args, **more)

    def new_session(self, sock):
        session = super().new_session(sock)
        session.lowest = {}   # tag: UID
        return session

    def uids(self, text):
        out = set()
        for part in text.split(","):
            first, _, last = part.partition(":")
            ends = sorted(self.exists if n == "*" else int(n)
                          for n in (first, last or first))
            out |= set(range(ends[0], min(ends[1], self.exists) + 1))
        return sorted(out)

    def on_command(self, session, tag, command):
        found = re.match(r"(UID (?:SEARCH UID|FETCH|STORE|COPY|MOVE|EXPUNGE)) "
                         r"([\d:,*]+)(.*)", command)
        if not found and not command.startswith("UID SEARCH"):
            return command
        verb, text, rest = found.groups() if found else (
            "UID SEARCH UID", "1:*", command[len("UID SEARCH"):])
        uids = self.uids(text)
        if len(uids) <= self.LIMIT:
            return command
        self.cut.append(command)
        lowest = uids[-self.LIMIT]
        if "COPY" in verb:
            self.answer(session, "%s NO [MESSAGELIMIT %d] too many messages"
                        % (tag, self.LIMIT))
            return None
        session.lowest[tag] = lowest
        return "%s %s%s" % (verb, ",".join(
            str(u) for u in uids if u >= lowest) if len(uids) < uids[-1]
            else "%d:%d" % (lowest, uids[-1]), rest)

    def on_response(self, session, response):
        found = re.match(rb"\* (\d+) EXISTS", response)
        if found:
            self.exists = int(found.group(1))
        return response

    def on_done(self, session, tag, command, rest):
        lowest = session.lowest.pop(tag, None)
        if lowest is None:
            return rest
        return b"OK [MESSAGELIMIT %d %d] a part of it is done\r\n" % (
            self.LIMIT, lowest)


class Yahoo(Provider):
    WRONG = "[AUTHENTICATIONFAILED] LOGIN Invalid credentials"

    def __init__(self, stage, dovecot):
        super().__init__()
        self.imap = YahooImap(stage, YAHOO[0], self, dovecot)
        self.pop3 = PopFront(stage, YAHOO[1], self, dovecot)
        self.smtp = SmtpFront(stage, YAHOO[2], self, tls="implicit")
        self.submission = SmtpFront(stage, YAHOO[2], self)


# --- iCloud ---------------------------------------------------------------

ICLOUD = ("imap.mail.me.com", "smtp.mail.me.com")


class ICloudImap(ImapFront):
    """The items of a FETCH come in another order each time, with others that
    nobody asked for, and between them responses about something else.  The
    first time that an odd message is asked for, what comes is no body."""
    GREETING = "* OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR " \
        "AUTH=ATOKEN AUTH=PLAIN] iSCREAM ready to rumble"
    BEFORE = "XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN"
    AFTER = ("XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ NAMESPACE "
             "UIDPLUS CHILDREN BINARY UNSELECT SORT CATENATE URLAUTH LANGUAGE "
             "ESEARCH ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES CONDSTORE "
             "ENABLE CONTEXT=SEARCH CONTEXT=SORT WITHIN SASL-IR SEARCHRES "
             "XSENDER ID IDLE")
    CONNECTIONS = 10

    def __init__(self, *args, **more):
        # UID: what comes instead of its body, until it was seen once
        self.odd = {}
        super().__init__(*args, **more)

    def on_response(self, session, response):
        found = re.match(rb"\* (\d+) FETCH \(UID (\d+) BODY\[\] (\{\d+\}\r\n"
                         rb".*)\)\r\n$", response, re.S)
        if not found:
            return response
        number, uid, body = found.groups()
        session.bodies += 1
        other = self.odd.pop(int(uid), None)
        items = [b"UID " + uid, b"BODY[] " + (other or body),
                 b"FLAGS ($NotJunk \\Seen)", b"MODSEQ (%d)" % (70 + int(uid)),
                 b"RFC822.SIZE 17"]
        turn = session.bodies % len(items)
        flags = b"* %s FETCH (FLAGS (\\Seen) UID %s)\r\n" % (number, uid)
        return flags * (turn == 1) + b"* %s FETCH (%s)\r\n" % (
            number, b" ".join(items[turn:] + items[:turn])) \
            + flags * (turn == 2)


class ICloud(Provider):
    WRONG = "[AUTHENTICATIONFAILED] Authentication failed"

    def __init__(self, stage, dovecot):
        super().__init__()
        self.imap = ICloudImap(stage, ICLOUD[0], self, dovecot)
        self.smtp = SmtpFront(stage, ICLOUD[1], self)


# --- GMX ------------------------------------------------------------------

GMX = ("imap.gmx.net", "pop.gmx.net", "mail.gmx.net")


class GmxSmtp(SmtpFront):
    WRONG = "535 %s"

    def ask(self, stage, session, message, usual):
        if stage == "mail" and message.sender.lower() != session.who.user:
            return "550 Requested action not taken: mailbox unavailable. " \
                "Sender address is not allowed."
        return super().ask(stage, session, message, usual)

    def sender(self, who, message):
        if author(message) != who.user:
            return "554 Transaction failed: Sender address is not allowed."
        return None


class Gmx(Provider):
    """Access over IMAP and POP is off at first; and who fails too often is
    locked out, with the right password too."""
    WRONG = "authentication failed"
    FAILURES = 3

    def __init__(self, stage, dovecot):
        super().__init__()
        self.enabled = True
        self.imap = ImapFront(stage, GMX[0], self, dovecot)
        self.pop3 = PopFront(stage, GMX[1], self, dovecot)
        self.smtp = GmxSmtp(stage, GMX[2], self, tls="implicit")
        self.submission = GmxSmtp(stage, GMX[2], self)

    def judge(self, service, who, password, token):
        if who and len(who.refused) >= self.FAILURES:
            return "account is locked after too many failed logins"
        why = super().judge(service, who, password, token)
        if not why and not self.enabled and service != "smtp":
            return "%s access is disabled for this mailbox" % {
                "imap": "IMAP", "pop3": "POP3"}[service]
        return why


# --- Proton Bridge --------------------------------------------------------

BRIDGE = ("127.0.0.1",)


class BridgeImap(ImapFront):
    GREETING = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN ID IDLE UNSELECT " \
        "UIDPLUS MOVE] Proton Mail Bridge 03.14.00 ready"
    BEFORE = AFTER = "IMAP4rev1 AUTH=PLAIN ID IDLE UNSELECT UIDPLUS MOVE"

    def serve(self, session):
        """As it is with STARTTLS: it greets, and what comes is no command."""
        if not session.in_tls:
            session.send("* OK [CAPABILITY IMAP4rev1 STARTTLS ID] Proton "
                         "Mail Bridge 03.14.00 ready")
            while True:
                session.line()
        super().serve(session)


class Bridge(Provider):
    """On the machine itself, with a certificate that nobody signed."""
    WRONG = "no such user"

    def __init__(self, stage, dovecot):
        super().__init__()
        self.imap = BridgeImap(stage, BRIDGE[0], self, dovecot, port=1143,
                               cert="selfsigned")
        self.smtp = SmtpFront(stage, BRIDGE[0], self, tls="implicit",
                              port=1025, cert="selfsigned")

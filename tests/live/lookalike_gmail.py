# SPDX-License-Identifier: ISC
"""Gmail, as PROVIDERS knew it in the autumn of 2026."""
import re
import time

from lookalike import Provider
from lookalike_servers import (ImapFront, OAuth, PopFront, SmtpFront, author)

IMAP, POP, SMTP = "imap.gmail.com", "pop.gmail.com", "smtp.gmail.com"
LOGIN = "oauth2.googleapis.com"
NAMES = (IMAP, POP, SMTP, LOGIN)
ALL_MAIL = "[Gmail]/All Mail"  # and in Dovecot it is "All"


class GmailImap(ImapFront):
    GREETING = "* OK Gimap ready for requests from 127.0.0.1"
    BEFORE = ("IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN "
              "X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN "
              "AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER")
    AFTER = ("IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN "
             "X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE CONDSTORE "
             "ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- "
             "SPECIAL-USE APPENDLIMIT=35651584")
    MECHANISMS = ("PLAIN", "XOAUTH2", "OAUTHBEARER")
    CONNECTIONS = 15

    def on_command(self, session, tag, command):
        return command.replace(ALL_MAIL, "All")

    def on_response(self, session, response):
        found = re.match(rb'\* LIST \(([^)]*)\) "[^"]*" (.*)\r\n', response)
        if not found:
            return response
        flags, name = found.groups()
        if name.strip(b'"') == b"All":
            return b'* LIST (\\All %s) "/" "%s"\r\n' % (
                flags, ALL_MAIL.encode())
        return b'* LIST (%s) "/" %s\r\n' % (flags, name)


class GmailPop(PopFront):
    """What was retrieved in a session that ended with QUIT is not shown in
    the next; logins come 300 seconds apart, or are refused."""
    GREETING = "+OK Gpop ready for requests from 127.0.0.1"
    DELAY = 300
    CAPA = ("USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY %d" % DELAY,
            "TOP", "UIDL", "X-GOOGLE-RICO")
    MECHANISMS = ("PLAIN", "XOAUTH2", "OAUTHBEARER")
    TWO_LINES = False
    last = None           # login
    too_early = 0

    def admit(self, session, user, **proof):
        now = time.monotonic()
        if self.last is not None and now - self.last < self.DELAY:
            self.too_early += 1
            session.send("-ERR [LOGIN-DELAY] wait a while")
            return
        super().admit(session, user, **proof)
        if session.who:
            self.last = now

    def on_quit(self, session):
        self.hidden |= session.retrieved


class GmailSmtp(SmtpFront):
    """A foreign From is changed, and the message goes on."""
    MECHANISMS = ("LOGIN", "PLAIN", "XOAUTH2", "PLAIN-CLIENTTOKEN",
                  "OAUTHBEARER", "XOAUTH")
    WRONG = "535-5.7.8 %s\r\n535 5.7.8 https://support.google.com/mail/ gsmtp"

    def sender(self, who, message):
        if author(message) == who.user:
            return None
        message.raw = re.sub(
            rb"^From: ([^\r]*)", b"From: <%s>\r\nX-Google-Original-From: \\1"
            % who.user.encode(), message.raw, count=1, flags=re.M)
        return "250 2.0.0 OK gsmtp"


class Gmail(Provider):
    APP = ("Application-specific password required: "
           "https://support.google.com/accounts/answer/185833 (Failure)")

    def __init__(self, stage, dovecot):
        super().__init__(OAuth(stage, LOGIN))
        self.imap = GmailImap(stage, IMAP, self, dovecot)
        self.pop3 = GmailPop(stage, POP, self, dovecot)
        self.smtp = GmailSmtp(stage, SMTP, self, tls="implicit")
        self.submission = GmailSmtp(stage, SMTP, self, tls="starttls")

    def judge(self, service, who, password, token):
        """The password of the account itself is one that Gmail knows, and
        does not take."""
        if password == "pw-of-the-account":
            return {"imap": "[ALERT] ", "pop3": "[AUTH] ", "smtp": ""}[
                service] + self.APP
        why = super().judge(service, who, password, token)
        return why and {
            "imap": "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            "pop3": "[AUTH] Username and password not accepted.",
            "smtp": "Username and Password not accepted."}[service]

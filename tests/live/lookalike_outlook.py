# SPDX-License-Identifier: ISC
"""Outlook.com, as PROVIDERS knew it in the autumn of 2026."""
import re

from fakes import Gone
from lookalike import Provider
from lookalike_servers import (ImapFront, OAuth, PopFront, SmtpFront, author)

MAIL, SUBMISSION = "outlook.office365.com", "smtp-mail.outlook.com"
LOGIN = "login.microsoftonline.com"
NAMES = (MAIL, SUBMISSION, LOGIN)
SCOPES = {"imap": "IMAP.AccessAsUser.All", "pop3": "POP.AccessAsUser.All",
          "smtp": "SMTP.Send"}


class MicrosoftLogin(OAuth):
    def covers(self, scope, service):
        return "https://outlook.office.com/" + SCOPES[service] in \
            scope.split()


class OutlookImap(ImapFront):
    GREETING = "* OK The Microsoft Exchange IMAP4 service is ready."
    BEFORE = ("IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE "
              "ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+")
    AFTER = BEFORE
    MECHANISMS = ("PLAIN", "XOAUTH2")
    DISABLED = "Basic authentication is disabled"
    expire_after = None   # bodies, then the access token ends, once
    throttle_after = None  # bodies, then it is too much, once; -1: log-ins
    throttle_how = "BAD"  # or NO, or BYE
    connected = True      # False: what follows the login is refused

    def admit(self, session, tag, service, user, **proof):
        if "password" in proof:
            session.send("%s NO %s" % (tag, self.DISABLED))
            return
        if self.throttle_after == -1:
            self.throttle(session, tag)
            return
        super().admit(session, tag, service, user, **proof)

    def throttle(self, session, tag):
        self.throttle_after = None
        text = "Request is throttled. Suggested Backoff Time: 93768 " \
            "milliseconds"
        if self.throttle_how == "BYE":
            session.send("* BYE " + text)
            raise Gone("throttled")
        session.send("%s %s %s" % (tag, self.throttle_how, text))

    def on_command(self, session, tag, command):
        verb = command.upper()
        if not self.connected and not verb.startswith("LOGOUT"):
            self.answer(session, tag + " BAD User is authenticated but not "
                        "connected.")
            return None
        if self.throttle_after is not None and "BODY" in verb and \
                session.bodies >= self.throttle_after:
            self.settle(session)
            self.throttle(session, tag)
            return None
        return command

    def on_response(self, session, response):
        if not re.match(rb"\* \d+ FETCH [^{]*BODY\[\]", response):
            return response
        if session.bodies == self.expire_after:
            self.expire_after = None
            self.provider.oauth.expire(session.who.user)
            session.send("* BYE Session invalidated - AccessTokenExpired")
            raise Gone("expired")
        session.bodies += 1
        return response


class OutlookPop(PopFront):
    GREETING = "+OK The Microsoft Exchange POP3 service is ready."
    CAPA = ("TOP", "UIDL", "USER")
    MECHANISMS = ("PLAIN", "XOAUTH2")
    DISABLED = "Logon failure: basic authentication is disabled."

    def admit(self, session, user, **proof):
        if "password" in proof:
            session.send("-ERR " + self.DISABLED)
            return
        super().admit(session, user, **proof)


class OutlookSmtp(SmtpFront):
    EXTENSIONS = ("SIZE 157286400", "PIPELINING", "DSN",
                  "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME",
                  "CHUNKING", "SMTPUTF8")
    MECHANISMS = ("LOGIN", "XOAUTH2")

    def sender(self, who, message):
        if author(message) == who.user.lower():
            return None
        return ("554 5.2.252 SendAsDenied; %s not allowed to send as %s; "
                "STOREDRV.Submission.Exception:SendAsDeniedException."
                "MapiExceptionSendAsDenied" % (who.user, author(message)))


class Outlook(Provider):
    WRONG = "AUTHENTICATE failed."

    def __init__(self, stage, dovecot):
        super().__init__(MicrosoftLogin(stage, LOGIN))
        self.imap = OutlookImap(stage, MAIL, self, dovecot)
        self.pop3 = OutlookPop(stage, MAIL, self, dovecot)
        self.smtp = OutlookSmtp(stage, SUBMISSION, self)

    def judge(self, service, who, password, token):
        if password is not None:
            return "5.7.139 Authentication unsuccessful, basic " \
                "authentication is disabled."
        return super().judge(service, who, password, token)

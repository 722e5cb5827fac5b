# SPDX-License-Identifier: ISC
"""IMAP, POP3, submission and OAuth2 as a provider shows them.

IMAP and POP3 are Dovecot behind a front: greeting, capabilities and login are
the front's, then it passes commands and responses, and may change each.
"""
import base64
import email.utils
import hashlib
import json
import re
import select
import socket
import ssl
import urllib.parse

import servers
from fakes import DROP, PATIENCE, Gone, RecordingSmtp, Session, TlsServer
from lookalike import OnStage


def bearer(data):
    """(user, token) of an XOAUTH2 or OAUTHBEARER (RFC 7628) response."""
    found = re.fullmatch(
        rb"(?:user=([^\x01]*)|n,a=([^,\x01]*),\x01host=[^\x01]+\x01port=\d+)"
        rb"\x01auth=Bearer ([^\x01]+)\x01\x01", data)
    if not found:
        return "", ""
    return (found.group(1) or found.group(2)).decode(), \
        found.group(3).decode()


BEARERS = ("XOAUTH2", "OAUTHBEARER")


def plain(data):
    return [part.decode() for part in data.split(b"\0")[1:]]


def unbase64(line):
    try:
        return base64.b64decode(line, validate=True)
    except ValueError as e:
        raise Gone("not base64") from e


# What a server says to a token it does not take, before the client gives up.
DENIED = base64.b64encode(json.dumps(
    {"status": "400", "schemes": "Bearer", "scope": "mail"}).encode())


class Upstream:
    """A connection to Dovecot, past the login."""

    def __init__(self, port, certs):
        context = ssl.create_default_context(cafile=certs.ca)
        sock = socket.create_connection((servers.HOST, port), PATIENCE)
        self.sock = context.wrap_socket(sock, server_hostname="localhost")
        self.got = bytearray()

    def receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            raise Gone("upstream: %s" % e) from e
        if not data:
            raise Gone("upstream ended")
        self.got += data

    def take(self, length):
        out = bytes(self.got[:length])
        del self.got[:length]
        return out

    def line(self):
        while b"\r\n" not in self.got:
            self.receive()
        return self.take(self.got.index(b"\r\n") + 2)

    def whole(self):
        """The length of the response of IMAP, with its literals, that is
        here; 0: there is none."""
        end = start = 0
        while True:
            end = self.got.find(b"\r\n", start)
            if end < 0:
                return 0
            end += 2
            found = re.search(rb"\{(\d+)\}\r\n$", self.got[start:end])
            if not found:
                return end
            start = end + int(found.group(1))
            if start > len(self.got):
                return 0

    def response(self):
        while not self.whole():
            self.receive()
        return self.take(self.whole())

    def say(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()


class FrontSession(Session):
    def __init__(self, sock):
        super().__init__(sock)
        self.commands = []    # without secrets
        self.who = None
        self.upstream = None
        self.open = {}        # tag: command, of what Dovecot must answer
        self.bodies = 0       # that were handed out


class ImapFront(OnStage, TlsServer):
    GREETING = "* OK ready"
    BEFORE = "IMAP4rev1 SASL-IR AUTH=PLAIN"
    AFTER = "IMAP4rev1 SASL-IR UIDPLUS"
    MECHANISMS = ("PLAIN",)
    CONNECTIONS = 1000        # of one person at once
    TOO_MANY = "[ALERT] Too many simultaneous connections. (Failure)"
    DISABLED = None           # what LOGIN is answered with

    def __init__(self, stage, name, provider, dovecot, port=993, **more):
        self.provider, self.dovecot = provider, dovecot
        self.most = 0         # sessions that one person had at once
        super().__init__(stage, name, port, **more)

    def new_session(self, sock):
        return FrontSession(sock)

    def serve(self, session):
        session.send(self.GREETING)
        while not session.who:
            self.command(session, session.line())
        self.count(session)
        try:
            self.pass_on(session)
        finally:
            session.upstream.close()

    def command(self, session, line):
        tag, verb, *words = line.decode("latin-1").split(" ")
        session.commands.append(verb.upper())
        verb = verb.upper()
        if verb == "CAPABILITY":
            session.send("* CAPABILITY " + self.BEFORE)
        elif verb == "ID":
            session.send("* ID NIL")
        elif verb == "LOGOUT":
            session.send("* BYE")
            session.send(tag + " OK")
            raise Gone("logout")
        elif verb == "AUTHENTICATE":
            self.authenticate(session, tag, words)
            return
        elif verb == "LOGIN":
            words = [w.strip('"') for w in words]
            if self.DISABLED:
                session.send(tag + " NO " + self.DISABLED)
            else:
                self.admit(session, tag, "imap", words[0], password=words[1])
            return
        session.send(tag + " OK done")

    def authenticate(self, session, tag, words):
        mechanism = words[0].upper()
        if mechanism not in self.MECHANISMS:
            session.send(tag + " NO Unsupported authentication mechanism")
            return
        if len(words) > 1:
            data = unbase64(words[1])
        else:
            session.send("+ ")
            data = unbase64(session.line())
        if mechanism in BEARERS:
            user, token = bearer(data)
            self.admit(session, tag, "imap", user, token=token)
        else:
            user, password = plain(data)
            self.admit(session, tag, "imap", user, password=password)

    def admit(self, session, tag, service, user, **proof):
        who, why = self.provider.admit(service, user, **proof)
        if who and self.sessions_of(who) >= self.CONNECTIONS:
            why = self.TOO_MANY
        elif who:
            session.upstream = self.log_in(who)
            session.send("%s OK [CAPABILITY %s] welcome" % (tag, self.AFTER))
            session.who = who
            return
        if "token" in proof and not who:
            session.send(b"+ " + DENIED + b"\r\n")
            session.line()
        session.send("%s NO %s" % (tag, why))

    def sessions_of(self, who):
        return sum(1 for s in list(self.sessions)
                   if s.who is who and not s.closed)

    def count(self, session):
        with self.lock:
            now = sum(1 for s in self.sessions
                      if s.who is session.who and not s.closed)
            self.most = max(self.most, now)

    def log_in(self, who):
        upstream = Upstream(self.dovecot.ports["imaps"], self.stage.certs)
        upstream.line()
        upstream.say(b'a LOGIN "%s" "%s"\r\n' % (
            who.box.encode(), servers.PASSWORD.encode()))
        if not upstream.response().startswith((b"* CAPA", b"a OK")):
            raise Gone("Dovecot refuses")
        return upstream

    def pass_on(self, session):
        """Both ways in one thread: an SSL object bears no two."""
        upstream = session.upstream
        while True:
            while b"\r\n" in session.pending:
                self.forth(session, session.line())
            while upstream.whole():
                self.back(session, upstream.response())
            if session.sock.pending():
                session.receive()
                continue
            if upstream.sock.pending():
                upstream.receive()
                continue
            ready, _, _ = select.select([session.sock, upstream.sock], [], [],
                                        PATIENCE)
            if session.sock in ready:
                session.receive()
            if upstream.sock in ready:
                upstream.receive()
            if not ready:
                raise Gone("silence")

    def forth(self, session, line):
        tag, _, command = line.decode("latin-1").partition(" ")
        if command:
            session.commands.append(command)
            other = self.on_command(session, tag, command)
            if other is None:
                return
            session.open[tag] = command
            line = ("%s %s" % (tag, other)).encode("latin-1")
        session.upstream.say(line + b"\r\n")

    def back(self, session, response):
        tag, _, rest = response.partition(b" ")
        tag = tag.decode("latin-1")
        if tag in session.open:
            rest = self.on_done(session, tag, session.open.pop(tag), rest)
            response = tag.encode() + b" " + rest
        elif rest.startswith(b"CAPABILITY"):
            response = b"* CAPABILITY %s\r\n" % self.AFTER.encode()
        else:
            response = self.on_response(session, response)
        if response:
            session.send(response)

    def settle(self, session):
        """Until Dovecot owes nothing, so that an answer of ours is in turn."""
        while session.open:
            self.back(session, session.upstream.response())

    def answer(self, session, text):
        self.settle(session)
        session.send(text)

    # What a provider has of its own.

    def on_command(self, session, tag, command):
        """The command to pass on, or None: it was answered here."""
        return command

    def on_response(self, session, response):
        """What an untagged response becomes; Gone ends the session."""
        return response

    def on_done(self, session, tag, command, rest):
        """What a tagged one becomes, without its tag."""
        return rest

    def asked(self, pattern):
        """The commands that match, of all sessions."""
        return [c for s in list(self.sessions) for c in s.commands
                if re.search(pattern, c)]


class PopFront(OnStage, TlsServer):
    """Shows what its person may see: numbers and lists are the front's, so
    that it can hide a message."""
    GREETING = "+OK ready"
    CAPA = ("TOP", "UIDL", "USER")
    MECHANISMS = ()
    TWO_LINES = True          # of AUTH XOAUTH2; one line is refused
    DISABLED = None

    def __init__(self, stage, name, provider, dovecot, port=995, **more):
        self.provider, self.dovecot = provider, dovecot
        self.hidden = set()   # UIDLs
        self.ahead = 0        # commands that came before they were due
        super().__init__(stage, name, port, **more)

    def new_session(self, sock):
        session = FrontSession(sock)
        session.retrieved, session.quit = set(), False
        return session

    def serve(self, session):
        session.send(self.GREETING)
        try:
            while True:
                line = session.line()
                if session.pending:
                    self.ahead += 1
                words = line.decode("latin-1").split(" ")
                verb = words[0].upper()
                session.commands.append(
                    verb if verb in ("PASS", "AUTH") else " ".join(words))
                if verb == "CAPA":
                    session.send("\r\n".join(
                        ("+OK", *self.capabilities(), ".")))
                elif verb == "QUIT":
                    self.quit(session)
                elif session.who:
                    self.transaction(session, verb, words[1:])
                else:
                    self.log_in(session, verb, words[1:])
        finally:
            if session.upstream:
                session.upstream.close()

    def capabilities(self):
        sasl = ("SASL " + " ".join(self.MECHANISMS),) * bool(self.MECHANISMS)
        return (*self.CAPA, *sasl)

    def log_in(self, session, verb, words):
        if verb == "USER":
            session.user = words[0]
            session.send("+OK")
        elif verb == "PASS" and self.DISABLED:
            session.send("-ERR " + self.DISABLED)
        elif verb == "PASS":
            self.admit(session, session.user, password=words[0])
        elif verb == "AUTH" and words and \
                words[0].upper() in self.MECHANISMS:
            self.auth(session, words)
        else:
            session.send("-ERR Command is not valid in this state.")

    def auth(self, session, words):
        if len(words) > 1 and self.TWO_LINES and words[0].upper() != "PLAIN":
            session.send("-ERR Protocol error. 14")
            return
        if len(words) == 1:
            session.send("+ ")
            data = unbase64(session.line())
        else:
            data = unbase64(words[1])
        if words[0].upper() in BEARERS:
            user, token = bearer(data)
            self.admit(session, user, token=token)
        else:
            user, password = plain(data)
            self.admit(session, user, password=password)

    def admit(self, session, user, **proof):
        who, why = self.provider.admit("pop3", user, **proof)
        if not who:
            session.send("-ERR " + why)
            return
        upstream = Upstream(self.dovecot.ports["pop3s"], self.stage.certs)
        upstream.line()
        for line in (b"USER " + who.box.encode(),
                     b"PASS " + servers.PASSWORD.encode()):
            upstream.say(line + b"\r\n")
            if not upstream.line().startswith(b"+OK"):
                raise Gone("Dovecot refuses")
        session.upstream = upstream
        session.listed = self.look(upstream)
        session.who = who
        session.send("+OK welcome")

    def look(self, upstream):
        """[(number at Dovecot, UIDL, size)] of what is to be seen."""
        out = []
        uidls = list(self.listing(upstream, b"UIDL"))
        sizes = list(self.listing(upstream, b"LIST"))
        for (number, uidl), (_, size) in zip(uidls, sizes):
            if uidl not in self.hidden:
                out.append((number, uidl, size))
        return out

    def listing(self, upstream, command):
        upstream.say(command + b"\r\n")
        upstream.line()
        while True:
            line = upstream.line().decode()
            if line == ".\r\n":
                return
            yield line.split()

    def transaction(self, session, verb, words):
        number = int(words[0]) if words else 0
        if number > len(session.listed):
            session.send("-ERR no such message")
        elif verb == "STAT":
            session.send("+OK %d %d" % (len(session.listed), sum(
                int(size) for _, _, size in session.listed)))
        elif verb in ("LIST", "UIDL"):
            at = 2 if verb == "LIST" else 1
            session.send("\r\n".join(["+OK"] + [
                "%d %s" % (i, m[at])
                for i, m in enumerate(session.listed, 1)] + ["."]))
        elif verb in ("RETR", "TOP") and number:
            real, uidl, _ = session.listed[number - 1]
            session.upstream.say(" ".join(
                [verb, real] + words[1:]).encode() + b"\r\n")
            self.multiline(session)
            if verb == "RETR":
                session.bodies += 1
                session.retrieved.add(uidl)
        elif verb == "DELE" and number:
            session.upstream.say(b"DELE %s\r\n" % (
                session.listed[number - 1][0].encode()))
            session.send(session.upstream.line())
        elif verb in ("NOOP", "RSET"):
            session.send("+OK")
        else:
            session.send("-ERR what?")

    def multiline(self, session):
        while True:
            line = session.upstream.line()
            session.send(line)
            if line == b".\r\n" or line.startswith(b"-ERR"):
                return

    def quit(self, session):
        session.quit = True
        if session.who:
            session.upstream.say(b"QUIT\r\n")
            session.upstream.line()
            self.on_quit(session)
        session.send("+OK bye")
        raise Gone("quit")

    def on_quit(self, session):
        pass


class SmtpFront(OnStage, RecordingSmtp):
    """EXTENSIONS inside TLS, AUTH by the provider's people, and its rule for
    From: sender(who, message) answers with a reply to the dot, or None."""
    EXTENSIONS = ("SIZE 35882577", "PIPELINING", "ENHANCEDSTATUSCODES",
                  "8BITMIME", "CHUNKING", "SMTPUTF8")
    MECHANISMS = ("PLAIN", "LOGIN")
    WRONG = "535 5.7.8 %s"

    def __init__(self, stage, name, provider, tls="starttls", port=None,
                 **more):
        self.provider = provider
        port = port or (587 if tls == "starttls" else 465)
        super().__init__(stage, name, port, tls=tls,
                         extensions=self.EXTENSIONS, **more)

    def ehlo(self, session):
        lines = [self.name] + self.extensions
        if session.in_tls:
            lines.append("AUTH " + " ".join(self.MECHANISMS))
        else:
            lines.append("STARTTLS")
        session.send("\r\n".join(
            "250%s%s" % (" " if i == len(lines) - 1 else "-", text)
            for i, text in enumerate(lines)))

    def auth(self, session, line):
        words = line.decode("latin-1").split(" ")
        mechanism = words[1].upper()
        session.auth_tries += 1

        def challenge(text=""):
            session.send("334 " + text)
            return unbase64(session.line())
        if mechanism not in self.MECHANISMS:
            session.send("504 5.7.4 Unrecognized authentication type")
            return
        if mechanism == "LOGIN":
            user = challenge("VXNlcm5hbWU6").decode()
            proof = {"password": challenge("UGFzc3dvcmQ6").decode()}
        else:
            data = unbase64(words[2]) if len(words) > 2 else challenge()
            if mechanism in BEARERS:
                user, token = bearer(data)
                proof = {"token": token}
            else:
                user, password = plain(data)
                proof = {"password": password}
        who, why = self.provider.admit("smtp", user, **proof)
        if who:
            session.auth, session.who = user, who
            session.send("235 2.7.0 Accepted")
        else:
            if "token" in proof:
                session.send("334 " + DENIED.decode())
                session.line()
            session.send(self.WRONG % why)

    def ask(self, stage, session, message, usual):
        reply = super().ask(stage, session, message, usual)
        if stage == "dot" and reply == usual:
            reply = self.sender(session.who, message) or usual
        if reply == DROP:
            raise Gone("dropped at " + stage)
        return reply

    def sender(self, who, message):
        return None


def author(message):
    """The address in From."""
    field = re.search(rb"^From:((?:[^\r\n]|\r\n[ \t])*)", message.raw,
                      re.M | re.I)
    text = field.group(1).decode("latin-1") if field else ""
    return email.utils.parseaddr(text.replace("\r\n", ""))[1].lower()


class OAuth(OnStage, TlsServer):
    """Token and device endpoint: every refresh gives a new refresh token and
    ends the old one.  Whoever is asked for says yes after `slow` polls."""

    def __init__(self, stage, name, client="client-1", life=3600, **more):
        self.client, self.life = client, life
        self.user = None      # who signs in next
        self.slow = 1
        self.devices, self.codes = {}, {}
        self.refresh, self.access = {}, {}
        self.stale = 0        # refresh tokens that were used again
        self.asked = []       # grant types, in order
        self.made = 0
        self.paths = set()
        super().__init__(stage, name, 443, **more)

    def serve(self, session):
        method, path, _ = session.line().decode().split(" ")
        length = 0
        while True:
            line = session.line()
            if not line:
                break
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        while len(session.pending) < length:
            session.receive()
        form = dict(urllib.parse.parse_qsl(session.pending[:length].decode()))
        self.paths.add(path)
        with self.lock:
            status, out = self.handle(method, path, form)
        body = json.dumps(out).encode()
        session.send(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
                     % (status, len(body), body))

    def handle(self, method, path, form):
        if method != "POST" or form.get("client_id") != self.client:
            return 400, {"error": "invalid_client"}
        if path.endswith(("/devicecode", "/device/code")):
            return 200, self.device(form)
        if not path.endswith("/token"):
            return 404, {"error": "not_found"}
        grant = form.get("grant_type", "").rpartition(":")[2]
        self.asked.append(grant)
        if grant == "device_code":
            return self.poll(form)
        if grant == "authorization_code":
            return self.redeem(form)
        if grant == "refresh_token":
            return self.renew(form)
        return 400, {"error": "unsupported_grant_type"}

    def device(self, form):
        self.made += 1
        code = "device-%d" % self.made
        self.devices[code] = [self.user, form.get("scope", ""), self.slow]
        return {"device_code": code, "user_code": "ABCD-%04d" % self.made,
                "verification_uri": "https://%s/device" % self.name,
                "expires_in": 900, "interval": 1,
                "message": "enter the code"}

    def authorize(self, url):
        """What a browser does, with a person who says yes: the address that
        he is sent to."""
        form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert form["response_type"] == "code"
        assert form["code_challenge_method"] == "S256"
        assert form["client_id"] == self.client
        self.made += 1
        code = "code-%d" % self.made
        self.codes[code] = (form["code_challenge"], form["redirect_uri"],
                            form.get("scope", ""))
        return form["redirect_uri"] + "?" + urllib.parse.urlencode(
            {"code": code, "state": form["state"]})

    def redeem(self, form):
        challenge, uri, scope = self.codes.pop(form.get("code"), (0, 0, 0))
        proof = base64.urlsafe_b64encode(hashlib.sha256(
            form.get("code_verifier", "").encode()).digest())
        if proof.rstrip(b"=").decode() != challenge or \
                form.get("redirect_uri") != uri:
            return 400, {"error": "invalid_grant"}
        return 200, self.grant(self.user, scope)

    def poll(self, form):
        device = self.devices.get(form.get("device_code"))
        if not device:
            return 400, {"error": "bad_verification_code"}
        if device[2] > 0:
            device[2] -= 1
            return 400, {"error": "authorization_pending"}
        del self.devices[form["device_code"]]
        return 200, self.grant(*device[:2])

    def renew(self, form):
        old = self.refresh.pop(form.get("refresh_token"), None)
        if not old:
            self.stale += 1
            return 400, {"error": "invalid_grant",
                         "error_description": "AADSTS70000: expired"}
        return 200, self.grant(*old)

    def grant(self, user, scope):
        self.made += 1
        access, refresh = ("%s-%d-%s" % (kind, self.made, "x" * 900)
                           for kind in ("access", "refresh"))
        self.refresh[refresh] = (user, scope)
        self.access[access] = (user, scope)
        return {"token_type": "Bearer", "expires_in": self.life,
                "access_token": access, "refresh_token": refresh,
                "scope": scope}

    # What the servers ask, and the test.

    def good(self, user, token, service):
        with self.lock:
            found = self.access.get(token)
        return bool(found) and found[0] == user and \
            self.covers(found[1], service)

    def covers(self, scope, service):
        return True

    def expire(self, user):
        """All access tokens of the user."""
        with self.lock:
            for token in [t for t, v in self.access.items() if v[0] == user]:
                del self.access[token]

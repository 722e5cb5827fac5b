# SPDX-License-Identifier: ISC
"""Servers that misbehave on purpose, or write down what they saw.

Each is a thread per connection around one TLS socket; everything a client
says inside TLS is kept in its session, so a test reads there whether a byte
of a credential was sent.  Every read has a time limit.
"""
import base64
import hashlib
import re
import select
import socket
import ssl
import struct
import threading
import time

HOST = "127.0.0.1"
USER, PASSWORD = "submit", "pw-Submit.1"
PATIENCE = 60.0  # seconds that a server waits for its client


class Gone(Exception):
    """The client closed the connection, or we want to."""


def readable(sockets, seconds=None):
    """Those of them that have something to read, within that time."""
    ready = [s for s in sockets if isinstance(s, ssl.SSLSocket) and
             s.pending()]
    if ready:
        return ready
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN)
    found = poll.poll(None if seconds is None else max(seconds, 0) * 1000)
    return [s for s in sockets if s.fileno() in dict(found)]


class Session:
    """One connection: plain (before TLS) and secure (inside), as received."""

    def __init__(self, sock):
        self.sock = sock
        self.plain, self.secure = bytearray(), bytearray()
        self.in_tls = False
        self.resumed = None   # an earlier TLS session
        self.error = None     # why the handshake failed
        self.pending = bytearray()
        self.early = False    # the client spoke before its reply was there
        self.keep = True      # plain and secure
        self.closed = False
        self.started = time.monotonic()

    def receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone("end of file")
        if self.keep and self.in_tls:
            self.secure += data
        elif self.keep:
            self.plain += data
        self.pending += data

    def line(self):
        """One line without its CRLF; a bare LF does not end it."""
        while True:
            end = self.pending.find(b"\r\n")
            if end >= 0:
                break
            self.receive()
        line = bytes(self.pending[:end])
        del self.pending[:end + 2]
        return line

    def send(self, data):
        if isinstance(data, str):
            data = data.encode() + b"\r\n"
        if self.pending:
            self.early = True
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from e

    def start_tls(self, context):
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except (OSError, ValueError) as e:
            self.error = str(e)
            raise Gone(self.error) from e
        self.in_tls = True
        self.resumed = self.sock.session_reused

    def leave(self):
        """The end of the connection."""
        try:
            self.sock.close()
        except OSError:
            pass


class TlsServer:
    """Accepts on a free port; serve(session) talks."""
    host = HOST

    def __init__(self, certs, cert="server", implicit=True):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.cert(cert), certs.key(cert))
        self.implicit = implicit
        self.hang = False     # accept and never answer
        self.sessions = []
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.listener = self.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def listen(self):
        """Where it is found."""
        return socket.create_server((self.host, 0))

    def accept(self):
        while not self.stopped.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            # Short replies in a row: Nagle would wait 40 ms for each.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = self.new_session(sock)
            with self.lock:
                self.sessions.append(session)
            threading.Thread(target=self.run, args=(session,),
                             daemon=True).start()

    def new_session(self, sock):
        return Session(sock)

    def run(self, session):
        try:
            if self.hang:
                self.stopped.wait(PATIENCE)
                return
            if self.implicit:
                session.start_tls(self.context)
            self.serve(session)
        except Gone:
            pass
        finally:
            session.leave()
            session.closed = True

    def serve(self, session):
        raise NotImplementedError

    def close(self):
        self.stopped.set()
        # close() alone would leave accept() asleep.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for session in list(self.sessions):
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def said(self):
        """All that any client said inside TLS."""
        return b"".join(bytes(s.secure) for s in self.sessions)


class TlsTrap(TlsServer):
    """Greets like a server of its protocol and writes down what comes."""
    GREETING = {"pop3": b"+OK ready\r\n", "imap": b"* OK ready\r\n",
                "smtp": b"220 trap.test ESMTP\r\n"}

    def __init__(self, certs, protocol, cert="server"):
        self.greeting = self.GREETING[protocol]
        super().__init__(certs, cert)

    def serve(self, session):
        session.send(self.greeting)
        while True:
            session.receive()


class Message:
    """One message as an SMTP server saw it."""

    def __init__(self, session, sender, options, keep=None):
        self.session, self.sender, self.options = session, sender, options
        self.recipient, self.rcpt_options = None, []
        self.number = None    # of its transaction on the connection, from 1
        self.chunks = None    # of BDAT; None: it came by DATA
        self.failed = False   # nothing but RSET helps this transaction
        self.reply = None     # to the end of data
        self.when = None
        self.size = 0
        self.digest = hashlib.sha256()
        self.keep = keep      # bytes at its beginning; None: all
        self.parts = []

    def take(self, data):
        """The next bytes; dots are taken out."""
        if self.keep is None or self.size < self.keep:
            self.parts.append(data)
        self.size += len(data)
        self.digest.update(data)

    @property
    def raw(self):
        self.parts = [b"".join(self.parts)]
        return self.parts[0]

    @raw.setter
    def raw(self, data):
        self.parts = [data]

    @property
    def accepted(self):
        return bool(self.reply) and self.reply.startswith("2")

    def trace(self):
        """The value of our trace header."""
        found = re.search(rb"^X-Mailhaul-Trace: ([^\r]*(?:\r\n[ \t][^\r]*)*)",
                          self.raw, re.M | re.I)
        return found.group(1).decode() if found else None

    def envid(self):
        """What MAIL said it is; None: nothing."""
        return next((o[6:] for o in self.options if o.startswith("ENVID=")),
                    None)

    def header(self, name):
        """The first field of that name; None: there is none."""
        found = re.search(rb"^%s: ([^\r\n]*)" % name.encode(), self.raw,
                          re.M | re.I)
        return found.group(1).decode() if found else None


class Pace:
    """How replies go out: each after delay seconds, as from far away; with
    hold all at once when the client has been silent for that long; bytewise
    each byte in a TLS record of its own."""

    def __init__(self, delay=0.0, hold=0.0, bytewise=False):
        self.delay, self.hold, self.bytewise = delay, hold, bytewise


class SmtpSession(Session):
    def __init__(self, sock):
        super().__init__(sock)
        self.auth = None        # user name that logged in
        self.auth_tries = 0
        self.commands = []      # verbs, in order
        self.transactions = 0   # MAIL commands
        self.message = None     # of the open transaction
        self.flights = 0        # of what the client had to say
        self.said = True        # something since the last of them
        self.pace = Pace()
        self.due = []           # replies that wait: when, bytes
        self.rude = False       # leaves with a reset

    def send(self, data):
        if isinstance(data, str):
            data = data.encode() + b"\r\n"
        if self.pending:
            self.early = True
        self.due.append((time.monotonic() + self.pace.delay, data))
        if not self.pace.delay and not self.pace.hold:
            self.flush()

    def flush(self, until=None):
        """Writes what is due then; None: all."""
        now = [d for when, d in self.due if until is None or when <= until]
        del self.due[:len(now)]
        now = b"".join(now)
        step = 1 if self.pace.bytewise else max(len(now), 1)
        self.said = self.said or bool(now)
        try:
            for at in range(0, len(now), step):
                self.sock.sendall(now[at:at + step])
        except (OSError, ValueError) as e:
            raise Gone(str(e)) from e

    def receive(self):
        """What is due goes out meanwhile."""
        try:
            while self.due:
                if self.pace.hold:
                    if readable([self.sock], self.pace.hold):
                        break
                    self.flush()
                    break
                self.flush(time.monotonic())
                if self.due and readable(
                        [self.sock], self.due[0][0] - time.monotonic()):
                    break
        except (OSError, ValueError) as e:
            raise Gone(str(e)) from e
        super().receive()
        self.flights += self.said
        self.said = False

    def start_tls(self, context):
        self.flush()
        super().start_tls(context)

    def leave(self):
        """What was said arrives: who closes with something left to read resets
        the connection, and that may overtake it."""
        try:
            if self.rude:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
            else:
                self.flush()
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.settimeout(2)
                while self.sock.recv(65536):
                    pass
        except (OSError, ValueError, Gone):
            pass
        super().leave()


DROP = "drop"    # what a hook answers to close the connection at once
RESET = "reset"  # and without waiting for what it said to arrive


class RecordingSmtp(TlsServer):
    """A submission server that keeps every byte, or the first so many of each
    message.

    on(stage, hook): the hook is asked with (session, message) and answers
    with a reply line, DROP, RESET, or None for the usual; after a 421 the
    connection is closed.  Stages are auth, mail, rcpt, data, chunk (BDAT), dot
    (the end of data, by DATA or by BDAT LAST), and body, before each line or
    chunk of a body is read.
    after_starttls is written in one piece with the 220 of STARTTLS.

    It is as strict as RFC 5321 and 3030 let it be: no MAIL in a transaction,
    and one of which a chunk was refused, the last too, lasts until RSET.
    """

    def __init__(self, certs, tls="starttls", cert="server",
                 extensions=("PIPELINING", "SIZE 62914560", "8BITMIME"),
                 chunking=False, pace=None, keep=None):
        self.extensions = list(extensions) + ["CHUNKING"] * chunking
        self.pace, self.keep = pace or Pace(), keep
        self.messages = []
        self.after_starttls = b""
        self.offer_starttls = True
        self.hooks = {}
        super().__init__(certs, cert, implicit=tls == "implicit")

    def new_session(self, sock):
        return SmtpSession(sock)

    def on(self, stage, hook):
        self.hooks[stage] = hook

    def ask(self, stage, session, message, usual):
        hook = self.hooks.get(stage)
        reply = hook(session, message) if hook else None
        session.rude = reply == RESET
        if reply in (DROP, RESET):
            raise Gone("dropped at " + stage)
        return reply or usual

    @staticmethod
    def say(session, reply):
        """True: it is a yes."""
        session.send(reply)
        if reply.startswith("421"):
            raise Gone("421")
        return reply.startswith("2")

    def accepted(self):
        with self.lock:
            return [m for m in self.messages if m.accepted]

    def serve(self, session):
        session.pace, session.keep = self.pace, self.keep is None
        session.send("220 recorder.test ESMTP")
        while True:
            line = session.line()
            verb = line.split(b" ")[0].upper().decode("latin-1")
            session.commands.append(verb)
            if verb == "EHLO":
                self.ehlo(session)
            elif verb == "STARTTLS" and not session.in_tls:
                session.send(b"220 go ahead\r\n" + self.after_starttls)
                session.pending.clear()
                session.start_tls(self.context)
            elif verb == "AUTH":
                self.auth(session, line)
            elif verb == "MAIL":
                self.mail(session, line)
            elif verb == "RCPT":
                self.rcpt(session, session.message, line)
            elif verb == "DATA":
                self.data(session, session.message)
            elif verb == "BDAT" and "CHUNKING" in self.extensions:
                self.bdat(session, session.message, line)
            elif verb in ("RSET", "NOOP"):
                if verb == "RSET":
                    session.message = None
                session.send("250 2.0.0 Ok")
            elif verb == "QUIT":
                session.send("221 2.0.0 Bye")
                raise Gone("quit")
            else:
                session.send("500 5.5.1 What?")

    def ehlo(self, session):
        lines = ["recorder.test"]
        if session.in_tls:
            lines += self.extensions + ["AUTH PLAIN LOGIN"]
        else:
            lines += ["PIPELINING"] + ["STARTTLS"] * self.offer_starttls
        session.send("\r\n".join(
            "250%s%s" % (" " if i == len(lines) - 1 else "-", text)
            for i, text in enumerate(lines)))

    def auth(self, session, line):
        words = line.decode("latin-1").split(" ")
        session.auth_tries += 1

        def challenge(text):
            session.send("334 " + text)
            return base64.b64decode(session.line())
        if words[1].upper() == "PLAIN":
            data = base64.b64decode(words[2]) if len(words) > 2 \
                else challenge("")
            _, user, password = data.split(b"\0")
        else:
            user = challenge("VXNlcm5hbWU6")
            password = challenge("UGFzc3dvcmQ6")
        good = (user, password) == (USER.encode(), PASSWORD.encode())
        reply = self.ask("auth", session, None, "235 2.7.0 Welcome" if good
                         else "535 5.7.8 No such user or wrong password")
        if reply.startswith("235"):
            session.auth = user.decode()
        self.say(session, reply)

    def mail(self, session, line):
        found = re.fullmatch(rb"MAIL FROM:<([^>]*)>((?: [^ ]+)*)", line, re.I)
        session.transactions += 1
        if not found or not session.auth:
            session.send("530 5.7.0 Log in first" if found else "501 5.5.4 ?")
            return
        if session.message:
            session.send("503 5.5.1 One at a time")
            return
        options = found.group(2).decode().split()
        message = Message(session, found.group(1).decode(), options, self.keep)
        message.number = session.transactions
        if self.say(session, self.ask("mail", session, message,
                                      "250 2.1.0 Ok")):
            session.message = message

    def rcpt(self, session, message, line):
        found = re.fullmatch(rb"RCPT TO:<([^>]+)>((?: [^ ]+)*)", line, re.I)
        if not found or not message or message.chunks is not None:
            session.send("503 5.5.1 MAIL first")
            return
        if self.say(session, self.ask("rcpt", session, message,
                                      "250 2.1.5 Ok")):
            message.recipient = found.group(1).decode()
            message.rcpt_options = found.group(2).decode().split()

    def data(self, session, message):
        if not message or message.chunks is not None:
            session.send("503 5.5.1 MAIL first")
            return
        if not message.recipient:
            session.send("554 5.5.1 No valid recipients")
            return
        reply = self.ask("data", session, message, "354 Go on")
        self.say(session, reply)
        if not reply.startswith("354"):
            return
        while True:
            self.ask("body", session, message, "")
            line = session.line()
            if line == b".":
                break
            message.take((line[1:] if line.startswith(b".") else line) +
                         b"\r\n")
        session.message = None
        self.end(session, message)

    def bdat(self, session, message, line):
        """RFC 3030: the bytes are read whatever is said to them."""
        found = re.fullmatch(rb"BDAT (\d+)( LAST)?", line, re.I)
        if not found:
            session.send("501 5.5.4 ?")
            raise Gone("no way to know where the next command begins")
        good = message and message.recipient and not message.failed
        if good:
            self.ask("body", session, message, "")
            message.chunks = (message.chunks or 0) + 1
        self.chunk(session, message if good else None, int(found.group(1)))
        if not good:
            session.send("503 5.5.1 MAIL and RCPT first")
            return
        message.failed = True
        if not found.group(2):
            message.failed = not self.say(session, self.ask(
                "chunk", session, message, "250 2.0.0 Ok: more"))
        elif self.end(session, message):
            session.message = None

    @staticmethod
    def chunk(session, message, left):
        while left > 0:
            if not session.pending:
                session.receive()
            data = bytes(session.pending[:left])
            del session.pending[:left]
            left -= len(data)
            if message:
                message.take(data)

    def end(self, session, message):
        message.when = time.monotonic()
        with self.lock:
            self.messages.append(message)
        message.reply = self.ask("dot", session, message,
                                 "250 2.0.0 Ok: recorded")
        return self.say(session, message.reply)


class Pop3Session(Session):
    def __init__(self, sock):
        super().__init__(sock)
        self.commands = []
        self.marked = set()
        self.quit = False


class FakePop3(TlsServer):
    """What Dovecot will not do.  messages: a list of bytes, CRLF.

    uidl: "ok", "none" (-ERR) or "cut" (the list ends with the connection);
    capa: the capabilities, None for -ERR; sizes: what LIST says instead;
    on_retr(session, number) may answer with bytes to send instead, or None;
    on_top likewise; on_pass(session) with the reply to PASS; on_auth(session,
    words) likewise.
    """
    on_auth = None

    def __init__(self, certs, messages, cert="server", uidl="ok",
                 capa=("USER", "UIDL", "TOP", "RESP-CODES"), sizes=None):
        self.mailbox = {"uid-%d" % i: raw
                        for i, raw in enumerate(messages, 1)}
        self.uidl, self.capa, self.sizes = uidl, capa, sizes or {}
        self.on_retr = self.on_top = self.on_pass = None
        super().__init__(certs, cert)

    def new_session(self, sock):
        return Pop3Session(sock)

    def serve(self, session):
        uids = list(self.mailbox)
        session.send("+OK fake ready")
        while True:
            words = session.line().decode("latin-1").split(" ")
            verb = words[0].upper()
            session.commands.append(" ".join(words) if verb != "PASS"
                                    else verb)
            number = int(words[1]) if len(words) > 1 and \
                words[1].isdigit() else 0
            if verb == "CAPA" and self.capa is not None:
                self.listing(session, self.capa)
            elif verb == "PASS" and self.on_pass:
                session.send(self.on_pass(session))
            elif verb == "AUTH" and self.on_auth:
                session.send(self.on_auth(session, words))
            elif verb in ("USER", "PASS", "NOOP"):
                session.send("+OK")
            elif verb == "STAT":
                session.send("+OK %d %d" % (len(uids), sum(
                    len(self.mailbox[u]) for u in uids)))
            elif verb == "LIST":
                self.listing(session, ["%d %d" % (
                    i, self.sizes.get(i, len(self.mailbox[u])))
                    for i, u in enumerate(uids, 1)])
            elif verb == "UIDL" and self.uidl != "none":
                self.listing(session, ["%d %s" % (i, u)
                                       for i, u in enumerate(uids, 1)],
                             cut=self.uidl == "cut")
            elif verb == "TOP" and "TOP" in (self.capa or ()) and \
                    0 < number <= len(uids):
                header = self.mailbox[uids[number - 1]].partition(
                    b"\r\n\r\n")[0] + b"\r\n\r\n"
                other = self.on_top(session, number) if self.on_top else None
                session.send(other or b"+OK\r\n" + header + b".\r\n")
            elif verb == "RETR" and 0 < number <= len(uids):
                self.retr(session, number, self.mailbox[uids[number - 1]])
            elif verb == "DELE" and 0 < number <= len(uids):
                session.marked.add(uids[number - 1])
                session.send("+OK marked")
            elif verb == "RSET":
                session.marked.clear()
                session.send("+OK")
            elif verb == "QUIT":
                session.quit = True
                for uid in session.marked:
                    self.mailbox.pop(uid, None)
                session.send("+OK bye")
                raise Gone("quit")
            else:
                session.send("-ERR what?")

    def count(self, verb):
        return sum(c.startswith(verb) for s in list(self.sessions)
                   for c in s.commands)

    def listing(self, session, lines, cut=False):
        session.send("+OK")
        for line in lines[:len(lines) // 2 if cut else None]:
            session.send(line)
        if cut:
            raise Gone("cut off")
        session.send(".")

    def retr(self, session, number, raw):
        other = self.on_retr(session, number) if self.on_retr else None
        if other is not None:
            session.send(other)
            return
        if not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        stuffed = re.sub(rb"^\.", b"..", raw, flags=re.M)
        session.send(b"+OK\r\n" + stuffed + b".\r\n")


class FakeImap(TlsServer):
    """Lists the folders it is given as they are (bytes, quoted where need be);
    each is empty.  on_list(session) is called before each list."""

    def __init__(self, certs, folders, cert="server"):
        self.folders = folders
        self.commands = []
        self.on_list = None
        super().__init__(certs, cert)

    def serve(self, session):
        session.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready")
        while True:
            line = session.line()
            tag, verb = line.decode("latin-1").split(" ")[:2]
            self.commands.append(line.partition(b" ")[2].decode("latin-1"))
            if verb == "CAPABILITY":
                session.send("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR")
            elif verb == "LIST":
                if self.on_list:
                    self.on_list(session)
                for name in self.folders:
                    session.send(b'* LIST () "/" ' + name + b"\r\n")
            elif verb in ("SELECT", "EXAMINE"):
                session.send("* 0 EXISTS")
                session.send("* OK [UIDVALIDITY 1] ok")
                session.send("* OK [UIDNEXT 1] ok")
            elif b"SEARCH" in line:
                session.send("* SEARCH")
            elif verb == "LOGOUT":
                session.send("* BYE")
            session.send(tag + " OK done")


class TlsProxy(TlsServer):
    """In front of a real server with TLS: passes all on, both ways, and shows
    what its server said to see(data) before the client has it."""

    def __init__(self, certs, port, see):
        self.target, self.see = port, see
        self.client = ssl.create_default_context(cafile=certs.ca)
        super().__init__(certs)

    def serve(self, session):
        plain = socket.create_connection((HOST, self.target), PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.client.wrap_socket(plain, server_hostname=HOST) as server:
            to = {session.sock: server, server: session.sock}
            # One thread: no TLS connection stands two at a time.
            while True:
                for one in readable(list(to)):
                    self.pass_on(one, to[one], one is server)

    def pass_on(self, one, other, from_server):
        try:
            data = one.recv(65536)
            if data and from_server:
                self.see(data)
            if data:
                other.sendall(data)
        except (OSError, ValueError) as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone("end of file")

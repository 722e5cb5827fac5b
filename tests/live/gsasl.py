# SPDX-License-Identifier: ISC
"""SCRAM servers, with channel binding: libgsasl's own server side, over the
three protocols.  Debian 12's Dovecot has no -PLUS, and no server will lie
about its signature.

Python's ssl gives tls-unique but not tls-exporter, so that is asked of the
libssl that Python itself has loaded, through the SSL * of the socket.
"""
import base64
import ctypes
import ctypes.util

import fakes
from fakes import Gone

OK, NEEDS_MORE, NO_CALLBACK = 0, 1, 51
NO_UNIQUE, NO_EXPORTER = 65, 69
PASSWORD, ITERATIONS = 3, 15
UNIQUE, EXPORTER = 18, 25

LABEL = b"EXPORTER-Channel-Binding"

lib = ctypes.CDLL(ctypes.util.find_library("gsasl"))
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                            ctypes.c_int)
lib.gsasl_property_set.argtypes = (ctypes.c_void_p, ctypes.c_int,
                                   ctypes.c_char_p)
lib.gsasl_callback_set.argtypes = (ctypes.c_void_p, CALLBACK)
lib.gsasl_server_start.argtypes = (ctypes.c_void_p, ctypes.c_char_p,
                                   ctypes.POINTER(ctypes.c_void_p))
lib.gsasl_step64.argtypes = (ctypes.c_void_p, ctypes.c_char_p,
                             ctypes.POINTER(ctypes.c_void_p))
lib.gsasl_finish.argtypes = lib.gsasl_done.argtypes = (ctypes.c_void_p,)
lib.gsasl_free.argtypes = (ctypes.c_void_p,)


def exporter(sock):
    """RFC 9266, of a server's TLS 1.3 socket."""
    libssl = ctypes.CDLL("libssl.so.3")
    libssl.SSL_get_version.restype = ctypes.c_char_p
    # PyObject_HEAD, PyObject *Socket, SSL *ssl
    at = id(sock._sslobj) + 3 * ctypes.sizeof(ctypes.c_void_p)
    ssl = ctypes.c_void_p(ctypes.c_void_p.from_address(at).value)
    assert libssl.SSL_get_version(ssl).decode() == sock.version()
    out = ctypes.create_string_buffer(32)
    assert libssl.SSL_export_keying_material(
        ssl, out, ctypes.c_size_t(32), LABEL, ctypes.c_size_t(len(LABEL)),
        None, ctypes.c_size_t(0), 0) == 1
    return out.raw


class Login:
    """One login, the server's side.  binding: (property, bytes) or None."""

    def __init__(self, mechanism, password, binding, iterations=None):
        self.password, self.binding = password, binding
        self.iterations = iterations
        self.library, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.callback = CALLBACK(self.ask)
        assert lib.gsasl_init(ctypes.byref(self.library)) == OK
        lib.gsasl_callback_set(self.library, self.callback)
        assert lib.gsasl_server_start(
            self.library, mechanism.encode(),
            ctypes.byref(self.session)) == OK

    def ask(self, _, session, prop):
        if prop == PASSWORD:
            return lib.gsasl_property_set(session, prop,
                                          self.password.encode())
        if prop == ITERATIONS and self.iterations:
            return lib.gsasl_property_set(session, prop,
                                          str(self.iterations).encode())
        if self.binding and prop == self.binding[0]:
            return lib.gsasl_property_set(
                session, prop, base64.b64encode(self.binding[1]))
        return {UNIQUE: NO_UNIQUE, EXPORTER: NO_EXPORTER}.get(prop,
                                                              NO_CALLBACK)

    def step(self, line):
        """(code, challenge), both sides in base64."""
        out = ctypes.c_void_p()
        code = lib.gsasl_step64(self.session, line, ctypes.byref(out))
        if code not in (OK, NEEDS_MORE):
            return code, ""
        text = ctypes.string_at(out).decode()
        lib.gsasl_free(out)
        return code, text

    def close(self):
        lib.gsasl_finish(self.session)
        lib.gsasl_done(self.library)


def tampered(challenge):
    """Another signature, as long as the right one."""
    text = base64.b64decode(challenge)
    assert text.startswith(b"v="), text
    wrong = bytes(b ^ 1 for b in base64.b64decode(text[2:]))
    return base64.b64encode(b"v=" + base64.b64encode(wrong)).decode()


class Scram:
    """What the three servers below have in common.  lie: None, "signature",
    "no-proof" (yes instead of the proof) or "iterations"."""
    MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
                  "SCRAM-SHA-256-PLUS")

    def offer(self, mechanisms=MECHANISMS, lie=None,
              password=fakes.PASSWORD):
        self.mechanisms, self.lie, self.password = mechanisms, lie, password
        self.used = []      # mechanism of every try ...
        self.first = []     # ... and the client's first word
        self.believed = 0   # clients that proved themselves
        return self

    def binding(self, session):
        if session.sock.version() == "TLSv1.3":
            return EXPORTER, exporter(session.sock)
        return UNIQUE, session.sock.get_channel_binding("tls-unique")

    def converse(self, session, mechanism, initial, challenge):
        """True: the client may come in.  challenge(text) answers with the
        client's line."""
        self.used.append(mechanism)
        login = Login(mechanism, self.password, self.binding(session)
                      if mechanism.endswith("-PLUS") else None)
        try:
            line = initial if initial is not None else challenge("")
            self.first.append(base64.b64decode(line))
            code, text = login.step(line)
            while code == NEEDS_MORE:
                if self.lie == "iterations":
                    text = base64.b64encode(base64.b64decode(text).replace(
                        b",i=", b",i=2147483648,x=")).decode()
                code, text = login.step(challenge(text))
            if code != OK:
                return False
            self.believed += 1
            if self.lie == "no-proof":
                return True
            if self.lie == "signature":
                text = tampered(text)
            return challenge(text) == b""
        finally:
            login.close()


class ScramSmtp(Scram, fakes.RecordingSmtp):
    def ehlo(self, session):
        if not session.in_tls:
            super().ehlo(session)
            return
        session.send("\r\n".join(
            ["250-" + e for e in ["recorder.test"] + self.extensions] +
            ["250 AUTH " + " ".join(self.mechanisms)]))

    def auth(self, session, line):
        words = line.split(b" ")
        session.auth_tries += 1

        def challenge(text):
            session.send("334 " + text)
            return session.line()
        if self.converse(session, words[1].decode(),
                         words[2] if len(words) > 2 else None, challenge):
            session.auth = fakes.USER
            session.send("235 2.7.0 Welcome")
        else:
            session.send("535 5.7.8 No such user or wrong password")


class ScramPop3(Scram, fakes.FakePop3):
    def serve(self, session):
        session.send("+OK ready")
        while True:
            words = session.line().split(b" ")
            session.commands.append(words[0].decode())
            if words[0] == b"CAPA":
                self.listing(session, ["UIDL", "SASL " + " ".join(
                    self.mechanisms)])
            elif words[0] == b"AUTH":
                if self.log_in(session, words):
                    break
                session.send("-ERR [AUTH] no")
            else:
                session.send("-ERR log in first")
        session.send("+OK welcome")
        super().serve(Quiet(session))

    def log_in(self, session, words):
        def challenge(text):
            session.send("+ " + text)
            return session.line()
        return self.converse(session, words[1].decode(),
                             words[2] if len(words) > 2 else None, challenge)


class Quiet:
    """A session whose greeting was said already."""

    def __init__(self, session):
        self.__dict__.update(session=session, greeted=False)

    def __getattr__(self, name):
        return getattr(self.session, name)

    def __setattr__(self, name, value):
        if name == "greeted":
            self.__dict__[name] = value
        else:
            setattr(self.session, name, value)

    def send(self, data):
        if self.greeted:
            self.session.send(data)
        self.greeted = True


class ScramImap(Scram, fakes.TlsServer):
    """Lets clients in, and has no mailbox for them."""
    initial_response = True

    def __init__(self, certs):
        self.commands = []
        super().__init__(certs)

    def serve(self, session):
        session.send("* OK ready")
        while True:
            words = session.line().split(b" ")
            tag, verb = words[0].decode(), words[1].decode().upper()
            self.commands.append(verb)
            if verb == "CAPABILITY":
                session.send("* CAPABILITY IMAP4rev1 %s%s" % (
                    "SASL-IR " * self.initial_response,
                    " ".join("AUTH=" + m for m in self.mechanisms)))
                session.send(tag + " OK done")
            elif verb == "AUTHENTICATE":
                assert self.initial_response or len(words) == 3

                def challenge(text):
                    session.send("+ " + text)
                    return session.line()
                good = self.converse(
                    session, words[2].decode(),
                    words[3] if len(words) > 3 else None, challenge)
                session.send(tag + (" OK in" if good else
                                    " NO [AUTHENTICATIONFAILED] no"))
            elif verb == "LOGOUT":
                session.send("* BYE bye\r\n%s OK bye" % tag)
                raise Gone("logout")
            else:
                session.send(tag + " NO nothing here")

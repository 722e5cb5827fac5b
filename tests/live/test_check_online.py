# SPDX-License-Identifier: ISC
"""mailhaul check --online, against settings that are wrong in all the ways
people get them wrong: the first line of each failure names cause and cure.

What is printed is kept in golden/; MAILHAUL_GOLDEN=write keeps it anew.
"""
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import corpus
import fakes
from fakes import FakePop3, Gone, RecordingSmtp, Session, TlsServer, TlsTrap
from haul import MAILHAUL, OK, Result
from servers import free_ports, wait_for

SKIPPED, FAILED, NOINPUT, USAGE, CONFIG = 75, 69, 66, 64, 78
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")

NORMAL = (
    (r"^(  \S) +[0-9.]+ m?s  ", r"\1     TIME  "),
    (r"^  \S     TIME  place .*\n", ""),
    (r"(name          )[0-9a-f:., ]+$", r"\1ADDRESSES"),
    (r"port \d{4,}", "port N"),
    (r"user user\d+$", "user USER"),
    (r"\(-?\d+ days\)", "(N days)"),
    (r"good until \d{4}-\d\d-\d\d", "good until DAY"),
    (r"expires on \d{4}-\d\d-\d\d", "expires on DAY"),
    (r"local clock \d{4}-\d\d-\d\d", "local clock DAY"),
    (r"\b[0-9a-f]{64}\b", "FINGERPRINT"),
    (r"\(\d\.\d+ \+ \d\.\d+ secs\)", "(TIME)"),
    (r"\b127\.\d+\.\d+\.\d+", "127.0.0.1"),
    (r"another \d+ minutes", "another N minutes"),
    (r"/\S+/haul/", "/HAUL/"),
)


def normal(text):
    for pattern, new in NORMAL:
        text = re.sub(pattern, new, text, flags=re.M)
    return text


def assert_golden(name, text):
    path = os.path.join(GOLDEN, name + ".txt")
    if os.environ.get("MAILHAUL_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(normal(text))
    with open(path, encoding="utf-8") as f:
        assert normal(text) == f.read(), text


def check(haul, *argv, prefix=(), timeout=60):
    haul.write()
    env = haul.env()
    env["LC_ALL"] = "C.UTF-8"
    done = subprocess.run(
        [*prefix, MAILHAUL, "-c", haul.conf, "--state", haul.state, "check",
         "--online", *argv], stdin=subprocess.DEVNULL, timeout=timeout,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
        check=False)
    return Result(done.returncode, done.stdout.decode())


def failures(result):
    """The lines of steps that are not good."""
    return [line for line in result.log.splitlines()
            if re.match(r"  [✗–!]", line)]


def assert_says(result, *words, code=FAILED):
    """One step failed, and its first line says all this."""
    assert result.code == code, result.log
    line, = failures(result)
    for word in words:
        assert re.search(word, line), (word, result.log)


# --- servers that are needed here alone

class PlainServer(TlsServer):
    """Speaks first, and knows no TLS."""
    def __init__(self, certs, greeting):
        self.greeting = greeting
        super().__init__(certs, implicit=False)

    def serve(self, session):
        session.send(self.greeting)
        while True:
            session.receive()


class FakeImap(TlsServer):
    """As far as the login, which it answers with refusal."""

    def __init__(self, certs, refusal, greeting="* OK ready", cert="server"):
        self.refusal, self.greeting = refusal, greeting
        super().__init__(certs, cert)

    def serve(self, session):
        session.logins = 0
        session.send(self.greeting)
        while True:
            tag, verb = session.line().decode().split(" ")[:2]
            if verb == "CAPABILITY":
                session.send("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR")
                session.send(tag + " OK done")
            elif verb == "AUTHENTICATE":
                session.logins += 1
                session.send(tag + " " + self.refusal)
            else:
                session.send(tag + " BAD what?")


class Names:
    """A name server on port 53 of an address of its own: what it knows has an
    address; "empty." names have none; all else does not exist."""

    def __init__(self, path):
        self.address = own_address(53)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, 53))
        self.conf = os.path.join(path, "resolv.conf")
        with open(self.conf, "w") as f:
            f.write("nameserver %s\n" % self.address)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, peer = self.sock.recvfrom(2000)
            except OSError:
                return
            exists = data[12:].startswith(b"\x05empty")
            self.sock.sendto(data[:2] + struct.pack(
                ">HHHHH", 0x8180 | (0 if exists else 3), 1, 0, 0, 0) +
                data[12:], peer)

    def prefix(self):
        """In front of a command that is to ask it."""
        return ("unshare", "-m", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.conf)


def own_address(last):
    pid = os.getpid()
    return "127.%d.%d.%d" % (1 + (pid >> 8) % 250, pid % 256, last)


@pytest.fixture(scope="session")
def names(tmp_path_factory):
    return Names(str(tmp_path_factory.mktemp("names")))


@pytest.fixture(scope="session")
def certs(world):
    certs = world.certs
    certs.sign("future", certs.GOOD, "20480101000000Z", "20491231000000Z")
    soon = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 9 * 86400))
    certs.sign("soon", certs.GOOD, "20200101000000Z", soon)
    return certs


@pytest.fixture
def home(haul, certs):
    """A destination that nothing is wrong with, for who needs one."""
    with RecordingSmtp(certs) as recorder:
        haul.to_recorder(recorder)
        yield recorder
        assert not recorder.messages


def nothing_said(server):
    return all(not s.secure for s in server.sessions)


# --- what is well

def test_good(world, haul, port, certs):
    box = world.dovecot.mailbox("checkgood")
    for i in range(3):
        box.add(corpus.header(i, "m%d" % i) + b"\r\nx\r\n")
    before = box.names()
    haul.account("checkgood", "imap", port("imap"),
                 folders=("INBOX",))
    haul.account("checkpop", "pop3", port("pop3"), first="new")
    haul.destination(world.postfix.ports["submission"])
    haul.destination(world.postfix.ports["submissions"], name="other",
                     tls="implicit")
    result = check(haul)
    assert result.code == OK, result.log
    assert_golden("good", result.log)
    assert box.names() == before
    assert not os.path.exists(haul.state)  # a look does not make one
    # The same for programs, and what the words of the text stand for.
    done = json.loads(check(haul, "--json").log)
    assert done["outcome"] == "good"
    assert [(c["kind"], c["name"], c["outcome"]) for c in done["checks"]] == [
        ("account", "checkgood", "good"), ("account", "checkpop", "good"),
        ("destination", "home", "good"), ("destination", "other", "good")]
    first = done["checks"][0]
    assert (first["protocol"], first["host"], first["user"]) == \
        ("imap", "localhost", "checkgood")
    steps = {(s["step"], s["folder"]): s for s in first["steps"]}
    assert [s["step"] for s in first["steps"]] == [
        "name", "connect", "TLS", "greeting", "capabilities", "login",
        "folder", "goodbye"]
    inbox = steps["folder", "INBOX"]
    assert (inbox["messages"], inbox["new"]) == (3, 3)
    tls = steps["TLS", None]["tls"]
    assert tls["trust"] == "ca_file" and tls["subject"] == "localhost"
    assert tls["days_left"] > 365
    assert all(s["cure"] is None and s["words"] is None
               for c in done["checks"] for s in c["steps"])
    pop = done["checks"][1]["steps"][-2]
    assert (pop["folder"], pop["messages"], pop["new"]) == (None, 0, 0)


def test_counts_what_is_new(world, haul, user, port, certs):
    box = world.dovecot.mailbox(user)
    for i in range(3):
        box.add(corpus.header(i, "m%d" % i) + b"\r\nx\r\n")
    with RecordingSmtp(certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.account(user + "p", "pop3", port("pop3"), user=user,
                     host="127.0.0.1")
        haul.to_recorder(recorder)
        haul.once()
        before = len(recorder.messages)
        for i in range(2):
            box.add(corpus.header(i, "later%d" % i) + b"\r\nx\r\n")
        dump = haul.sql("SELECT * FROM delivery")
        done = json.loads(check(haul, "--json").log)
        for account in done["checks"][:2]:
            folder = account["steps"][-2]
            assert (folder["messages"], folder["new"]) == (5, 2), account
        assert haul.sql("SELECT * FROM delivery") == dump
        assert len(recorder.messages) == before
        haul.once()
        assert len(recorder.messages) == before + 4


def test_one_name(haul, user, port, home):
    haul.account(user, "imap", port("imap"))
    assert "destination" not in check(haul, user).log
    assert "account" not in check(haul, "home").log
    result = check(haul, "nobody")
    assert result.code == NOINPUT and result.lines("nobody"), result.log
    assert check(haul, "--what").code == USAGE
    assert check(haul, "one", "two").code == USAGE


# --- names, addresses, ports

def test_no_such_name(haul, home, names):
    haul.account("me", "imap", 993, host="mail.nowhere.test")
    result = check(haul, "me", prefix=names.prefix())
    assert_says(result, "no such name", "check host")
    assert_golden("no-such-name", result.log)


def test_name_without_address(haul, home, names):
    haul.account("me", "imap", 993, host="empty.example.test")
    result = check(haul, "me", prefix=names.prefix())
    assert_says(result, "it has no address", "check host")
    assert_golden("name-without-address", result.log)


def test_refused_connection(haul, home):
    haul.account("me", "imap", free_ports(1)[0])
    result = check(haul, "me")
    assert_says(result, "Connection refused",
                "nothing listens on that port: check host and port")
    assert_golden("connection-refused", result.log)


def test_no_route(haul, home):
    haul.account("me", "pop3", 995, host="192.0.2.1")
    result = check(haul, "me", prefix=("unshare", "-n"))
    assert_says(result, "unreachable", "check that this machine has network")
    assert_golden("no-route", result.log)


@pytest.mark.parametrize("protocol, number, right", (
    ("imap", 143, 993), ("pop3", 110, 995)))
def test_port_of_old(haul, home, protocol, number, right):
    """So well known that the configuration itself is refused."""
    haul.account("me", protocol, number)
    result = check(haul, "me")
    assert result.code == CONFIG
    assert result.lines("port %d" % number, "without TLS", str(right))
    assert_golden("port-%d" % number, result.log)


@pytest.mark.parametrize("protocol, greeting, cure", (
    ("imap", b"* OK ready\r\n", "IMAP speaks TLS on port 993"),
    ("pop3", b"+OK ready\r\n", "POP3 speaks TLS on port 995"),
))
def test_port_without_tls(haul, home, certs, protocol, greeting, cure):
    with PlainServer(certs, greeting) as plain:
        haul.account("me", protocol, plain.port)
        result = check(haul, "me")
        assert plain.sessions
    assert_says(result, "port %d speaks without TLS" % plain.port, cure)
    assert_golden("without-tls-" + protocol, result.log)


def test_starttls_port_as_implicit(world, haul):
    haul.account("me", "imap", 1)  # nobody asks about it
    haul.destination(world.postfix.ports["submission"], tls="implicit")
    result = check(haul, "home")
    assert_says(result, "speaks without TLS", 'use tls = "starttls"')
    assert_golden("starttls-port-as-implicit", result.log)


def test_implicit_port_as_starttls(world, haul):
    haul.account("me", "imap", 1)  # nobody asks about it
    haul.options["reply_timeout"] = "2s"
    haul.destination(world.postfix.ports["submissions"], tls="starttls")
    result = check(haul, "home")
    assert_says(result, "no answer", 'use tls = "implicit"')
    assert_golden("implicit-port-as-starttls", result.log)


@pytest.mark.parametrize("mine, other, cure", (
    ("imap", "pop3", "IMAP is port 993, POP3 995"),
    ("pop3", "imap", "POP3 is port 995, IMAP 993"),
))
def test_another_protocol(haul, user, port, home, mine, other, cure):
    haul.account("me", mine, port(other), user=user)
    result = check(haul, "me")
    assert_says(result, "does not speak", cure)
    assert_golden("%s-asks-%s" % (mine, other), result.log)


def test_imap_as_submission(haul, port):
    haul.account("me", "imap", 1)  # nobody asks about it
    haul.destination(port("imap"), tls="implicit")
    result = check(haul, "home")
    assert_says(result, "does not speak SMTP", "check port")
    assert_golden("smtp-asks-imap", result.log)


def test_silence(haul, certs, home):
    with TlsTrap(certs, "imap") as trap:
        trap.hang = True
        haul.options["connect_timeout"] = "2s"
        haul.account("me", "imap", trap.port)
        result = check(haul, "me")
    assert_says(result, "no answer from localhost", "check port")
    assert_golden("silence", result.log)


# --- certificates

BAD = {
    "expired": ("expired on 2021-01-01", "the server must renew"),
    "future": ("not valid before 2048-01-01", "clock"),
    "wrongname": ("is mail.elsewhere.test, not localhost", "check host"),
    "selfsigned": ("self-signed", "pin_sha256"),
}


@pytest.mark.parametrize("cert", sorted(BAD))
def test_certificate(haul, certs, home, cert):
    with TlsTrap(certs, "imap", cert) as trap:
        haul.account("me", "imap", trap.port)
        result = check(haul, "me")
        assert nothing_said(trap)
    assert_says(result, *BAD[cert])
    assert_golden("certificate-" + cert, result.log)


def test_certificate_of_destination(haul, certs):
    haul.account("me", "imap", 1)  # nobody asks about it
    with RecordingSmtp(certs, cert="wrongname") as recorder:
        haul.to_recorder(recorder)
        result = check(haul, "home")
        assert nothing_said(recorder)
    assert_says(result, *BAD["wrongname"])
    assert_golden("certificate-of-destination", result.log)


def test_unknown_authority(haul, certs, home):
    with TlsTrap(certs, "imap") as trap:
        haul.account("me", "imap", trap.port, ca_file=None)
        result = check(haul, "me")
        assert nothing_said(trap)
    assert_says(result, '"mailhaul test CA", whom nobody here trusts',
                "ca_file")
    assert_golden("unknown-authority", result.log)


def test_wrong_pin(haul, certs, home):
    with TlsTrap(certs, "imap") as trap:
        haul.account("me", "imap", trap.port, pin_sha256=certs.pin("expired"))
        result = check(haul, "me")
        assert nothing_said(trap)
    assert_says(result, "not the pinned one", certs.pin("server"),
                "set pin_sha256")
    assert_golden("wrong-pin", result.log)


def test_certificate_that_ends_soon(haul, certs, home):
    with FakePop3(certs, [], cert="soon") as pop:
        haul.account("me", "pop3", pop.port)
        result = check(haul, "me")
        assert_says(result, "expires on", "must renew it", code=OK)
        assert_golden("certificate-ends-soon", result.log)
        done = json.loads(check(haul, "me", "--json").log)
        assert done["outcome"] == "warning"
        tls = [s for s in done["checks"][0]["steps"] if s["step"] == "TLS"][0]
        assert tls["tls"]["days_left"] == 8


# --- logins

@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_wrong_password(haul, user, port, home, protocol):
    haul.account("me", protocol, port(protocol), user=user,
                 password=haul.secret("wrong", "not it"))
    haul.once(expect=None)  # makes the state
    haul.later()
    haul.command("resume", "me")
    result = check(haul, "me")
    assert_says(result, "refused", "check user and password", "app password")
    assert result.lines("the server said:"), result.log
    assert_golden("wrong-password-" + protocol, result.log)
    # It counts: nobody tries again before the pause is over.
    result = check(haul, "me")
    assert_says(result, "not tried", "mailhaul resume me", code=SKIPPED)
    assert_golden("not-tried-" + protocol, result.log)


@pytest.mark.parametrize("name, refusal, words", (
    ("imap-disabled", "NO [UNAVAILABLE] IMAP access is disabled for your "
     "domain.", ("IMAP access is disabled",)),
    ("imap-app-password", "NO [ALERT] Application-specific password required",
     ("Application-specific password",)),
))
def test_imap_refusal(haul, certs, home, name, refusal, words):
    with FakeImap(certs, refusal) as imap:
        haul.account("me", "imap", imap.port)
        result = check(haul, "me")
        session, = imap.sessions
        assert session.logins == 1
    assert result.code == FAILED
    assert result.lines("✗", "login", ";"), result.log
    assert result.lines("the server said", *words), result.log
    assert_golden(name, result.log)


def test_pop_disabled(haul, certs, home):
    with FakePop3(certs, []) as pop:
        pop.on_pass = lambda session: \
            "-ERR [AUTH] POP is not enabled for this user"
        haul.account("me", "pop3", pop.port)
        result = check(haul, "me")
        assert pop.count("PASS") == 1
    assert_says(result, "refused", "POP")
    assert_golden("pop-disabled", result.log)


def test_mailbox_in_use(haul, certs, home):
    with FakePop3(certs, []) as pop:
        pop.on_pass = lambda session: "-ERR [IN-USE] Do you have another POP " \
            "session running?"
        haul.account("me", "pop3", pop.port)
        result = check(haul, "me")
    assert_says(result, "refused", "another session has the mailbox open")
    assert_golden("mailbox-in-use", result.log)


def test_login_delay(haul, certs, home):
    with FakePop3(certs, [], capa=("USER", "UIDL", "LOGIN-DELAY 300")) as pop:
        haul.account("me", "pop3", pop.port)
        haul.once()
        assert pop.count("PASS") == 1
        result = check(haul, "me")
        assert pop.count("PASS") == 1
        assert_says(result, "not tried", "300 seconds between logins",
                    "check again", code=SKIPPED)
        assert_golden("login-delay", result.log)
        # A login of a check counts as any other.
        haul.later()
        assert check(haul, "me").code == OK
        assert check(haul, "me").code == SKIPPED
        assert pop.count("PASS") == 2
        haul.once()
        assert pop.count("PASS") == 2


def test_missing_secret(haul, port, home):
    haul.account("me", "imap", port("imap"), password="credential:nothing")
    result = check(haul, "me")
    assert_says(result, "login", "CREDENTIALS_DIRECTORY is not set; .*; ask")
    assert_golden("missing-secret", result.log)


def test_missing_secret_file(haul, port, home):
    haul.account("me", "imap", port("imap"),
                 password="file:" + os.path.join(haul.path, "nothing"))
    result = check(haul, "me")
    assert result.code == CONFIG, result.log
    assert result.lines("password", "nothing", "No such file"), result.log
    assert_golden("missing-secret-file", result.log)


def test_open_secret(haul, port, home):
    reference = haul.secret("open", "x")
    haul.account("me", "imap", port("imap"), password=reference)
    haul.write()
    os.chmod(reference[5:], 0o644)
    result = check(haul, "me")
    assert_golden("open-secret", result.log)
    assert result.lines("chmod"), result.log


@pytest.mark.parametrize("protocol, greeting", (
    ("imap", b"* BYE Too many connections from your address\r\n"),
    ("pop3", b"-ERR [SYS/TEMP] Down for maintenance\r\n"),
))
def test_turned_away(haul, certs, home, protocol, greeting):
    with TlsTrap(certs, protocol) as trap:
        trap.greeting = greeting
        haul.account("me", protocol, trap.port)
        result = check(haul, "me")
    line, = failures(result)
    assert "greeting" in line, result.log
    assert result.lines("the server said:"), result.log
    assert_golden("turned-away-" + protocol, result.log)


# --- folders

def test_missing_folder(haul, user, port, home):
    haul.account("me", "imap", port("imap"), user=user,
                 folders=("INBOX", "Newsletters", "\\Sent"))
    result = check(haul, "me")
    assert result.code == FAILED
    missing, warned = failures(result)
    if "Sent" in missing:
        missing, warned = warned, missing
    assert "Newsletters: the folder is not there; there are: INBOX" in missing
    assert "the server lists no folder" in warned
    assert_golden("missing-folder", result.log)


# --- destinations

def refusing(certs, stage, reply, **options):
    recorder = RecordingSmtp(certs, **options)
    recorder.on(stage, lambda session, message: reply)
    return recorder


@pytest.mark.parametrize("name, stage, reply, words", (
    ("sender-refused", "mail", "553 5.7.1 Sender address rejected: not owned "
     "by user", ("sender", "check mail_from")),
    ("recipient-refused", "rcpt", "550 5.1.1 User unknown",
     ("recipient", "check recipient")),
    ("recipient-later", "rcpt", "451 4.7.1 Greylisted", ("recipient",)),
    ("closing", "mail", "421 4.7.0 Too many messages", ("sender",)),
    ("password-refused", "auth", "535 5.7.8 Username and Password not "
     "accepted", ("login", "app password or OAuth2")),
    ("password-wrong", "auth", "535 5.7.8 Error: authentication failed",
     ("login", "check user and password", "app password")),
))
def test_submission(haul, certs, name, stage, reply, words):
    haul.account("me", "imap", 1)  # nobody asks about it
    with refusing(certs, stage, reply) as recorder:
        haul.to_recorder(recorder)
        result = check(haul, "home")
        assert not recorder.messages
        session, = recorder.sessions
        assert "DATA" not in session.commands
        assert session.auth_tries == 1
    assert_says(result, "refused with " + reply[:3], *words)
    assert result.lines("the server said", reply[4:]), result.log
    assert_golden(name, result.log)


def test_what_is_said_to_a_destination(haul, home):
    haul.account("me", "imap", 1)  # nobody asks about it
    for extensions in ([], ["PIPELINING"]):
        home.extensions = extensions
        assert check(haul, "home").code == OK
        assert home.sessions[-1].commands == [
            "EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "RSET",
            "QUIT"]


def test_starttls_not_offered(haul, certs):
    haul.account("me", "imap", 1)  # nobody asks about it
    with RecordingSmtp(certs) as recorder:
        recorder.offer_starttls = False
        haul.to_recorder(recorder)
        result = check(haul, "home")
        assert recorder.said() == b""
    assert_says(result, "does not offer STARTTLS", "port 465")
    assert_golden("starttls-not-offered", result.log)


class NoAuth(RecordingSmtp):
    def ehlo(self, session):
        session.send("250-recorder.test\r\n250 " + (
            "SIZE 1000000" if session.in_tls else "STARTTLS"))


def test_no_auth_offered(haul, certs):
    haul.account("me", "imap", 1)  # nobody asks about it
    with NoAuth(certs) as recorder:
        haul.to_recorder(recorder)
        result = check(haul, "home")
    line, = failures(result)
    assert "login" in line and ";" in line, result.log
    assert_golden("no-auth-offered", result.log)


# --- beside a daemon that goes on

def test_beside_a_daemon(world, haul, user, port, certs):
    box = world.dovecot.mailbox(user)
    box.add(corpus.header(1, "one") + b"\r\nx\r\n")
    with RecordingSmtp(certs) as recorder, FakePop3(certs, []) as pop:
        haul.account(user, "imap", port("imap"), idle=True, interval="1h")
        haul.account("pop", "pop3", pop.port, interval="1h")
        haul.to_recorder(recorder)
        haul.options["host_spacing"] = "0s"
        running = haul.start()
        wait_for("the first message", lambda: len(recorder.accepted()) == 1)
        wait_for("the watch", lambda: "watching" in haul.command(
            "status").log)
        logins = pop.count("PASS")
        result = check(haul)
        assert result.code == OK, result.log
        assert result.lines("INBOX: 1 message, 0 new"), result.log
        assert pop.count("PASS") == logins + 1
        assert not pop.count("DELE") and not pop.count("RETR")
        # It goes on watching.
        box.add(corpus.header(2, "two") + b"\r\nx\r\n")
        wait_for("the second", lambda: len(recorder.accepted()) == 2)
        assert check(haul, "nobody").code == NOINPUT
        assert check(haul, "home", "--json").code == OK
        running.stop()


def test_daemon_remembers(haul, certs, home):
    """A refused login of a check protects the next one of a poll."""
    refuse = []
    with FakePop3(certs, []) as pop:
        pop.on_pass = lambda session: \
            "-ERR [AUTH] no" if refuse else "+OK"
        haul.account("me", "pop3", pop.port, interval="1h")
        running = haul.start()
        wait_for("a poll", lambda: "waiting" in haul.command("status").log)
        refuse.append(True)
        assert_says(check(haul, "me"), "refused", "check user and password")
        assert_says(check(haul, "me"), "not tried", code=SKIPPED)
        assert pop.count("PASS") == 2
        assert haul.command("poll", "me").code != OK
        haul.command("resume", "me")
        wait_for("another try", lambda: pop.count("PASS") >= 3)
        running.stop()


def test_client_leaves(haul, certs, home):
    """The daemon goes on when nobody watches any more."""
    with TlsTrap(certs, "imap") as trap:
        haul.account("me", "imap", trap.port, interval="1h")
        haul.options["reply_timeout"] = "60s"
        running = haul.start()
        wait_for("a session", lambda: trap.sessions)
        haul.command("pause", "me")
        before = len(trap.sessions)
        child = subprocess.Popen(
            [MAILHAUL, "-c", haul.conf, "--state", haul.state, "check",
             "--online", "me"], stdout=subprocess.DEVNULL, env=haul.env())
        wait_for("the check", lambda: len(trap.sessions) > before)
        child.kill()
        child.wait()
        wait_for("its end", lambda: trap.sessions[-1].closed)
        assert check(haul, "home").code == OK
        running.stop()

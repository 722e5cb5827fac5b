# SPDX-License-Identifier: ISC
"""TLS sessions are resumed, and only where a full handshake would do."""
import datetime
import ssl
import time

import pytest

import corpus
import servers
from fakes import FakePop3, RecordingSmtp
from haul import OK
from servers import wait_for


def message(i):
    return corpus.header(i, "number %d" % i) + b"\r\nx\r\n"


class Scene:
    """A daemon that polls "me" when it is told to."""

    def __init__(self, world, haul, pop, recorder):
        self.world, self.haul = world, haul
        self.pop, self.recorder = pop, recorder
        haul.account("me", "pop3", pop.port, interval="1h")
        haul.options["host_spacing"] = "0s"
        haul.to_recorder(recorder)
        self.running = None

    def start(self):
        self.running = self.haul.start()
        return self.over(1)

    def over(self, n):
        """The n-th session has ended."""
        wait_for("session %d" % n, lambda: len(self.pop.sessions) >= n and
                 self.pop.sessions[n - 1].closed)
        return self.pop.sessions[n - 1]

    def poll(self):
        n = len(self.pop.sessions) + 1
        done = self.haul.command("poll", "me")
        assert done.code == OK, done.log
        return self.over(n)

    def reload(self, **options):
        self.haul.accounts[0].update(options)
        self.haul.write()
        done = self.haul.command("reload")
        assert done.code == OK, done.log


@pytest.fixture
def scene(world, haul):
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        yield Scene(world, haul, pop, recorder)


def test_polls(scene):
    assert scene.start().resumed is False
    for _ in range(4):
        assert scene.poll().resumed
    assert scene.running.stop().code == OK


def test_submission(world, haul):
    """Two destinations that are one server."""
    with FakePop3(world.certs, [message(1)]) as mine, \
            FakePop3(world.certs, []) as yours, \
            RecordingSmtp(world.certs) as recorder:
        haul.account("me", "pop3", mine.port, interval="1h")
        haul.account("you", "pop3", yours.port, interval="1h",
                     destination="other")
        haul.to_recorder(recorder)
        haul.to_recorder(recorder, name="other")
        running = haul.start()
        wait_for("the first", lambda: len(recorder.accepted()) == 1)
        wait_for("an empty mailbox", lambda: yours.sessions and
                 yours.sessions[0].closed)
        yours.mailbox["new"] = message(2)
        assert haul.command("poll", "you").code == OK
        wait_for("the second", lambda: len(recorder.accepted()) == 2)
        assert [s.resumed for s in recorder.sessions] == [False, True]
        assert running.stop().code == OK


def test_real_servers(world, haul, user):
    """Dovecot tells each step of its handshakes, Postfix what it reused."""
    def verbose(conf):
        return conf + "verbose_ssl = yes\n"

    def said(log, words):
        with open(log, encoding="utf-8", errors="replace") as f:
            return f.read().count(words)

    postfix = world.postfix
    before = said(postfix.log, "Reusing old session")
    work = servers.WorkDir()
    dovecot = servers.Dovecot(work, world.certs, verbose)
    try:
        haul.account("me" + user, "imap", dovecot.ports["imaps"],
                     interval="1h", idle=False)
        haul.account("you" + user, "imap", dovecot.ports["imaps"],
                     interval="1h", idle=False, destination="other")
        haul.options["host_spacing"] = "0s"
        for name in ("home", "other"):
            haul.destination(postfix.ports["submission"], name=name,
                             recipient="%s@example.test" % user)
        running = haul.start()
        boxes = [dovecot.mailbox(who + user) for who in ("me", "you")]
        inbox = world.dovecot.mailbox(user)
        for i in range(3):
            for who, box in zip(("me", "you"), boxes):
                box.add(message(i))
                wait_for("the socket", lambda who=who: haul.command(
                    "poll", who + user).code == OK)
            wait_for("mail", lambda i=i: len(inbox) == 2 * (i + 1))
        assert running.stop().code == OK
        certificates = said(dovecot.log, "write server certificate verify")
        handshakes = said(dovecot.log, "SSL negotiation finished")
        assert handshakes > certificates > 0
        assert said(postfix.log, "Reusing old session") > before
    finally:
        dovecot.close()
        work.close()


@pytest.mark.parametrize("changed", ("pin_sha256", "ca_file", "nothing"))
def test_changed_trust(scene, changed):
    """A reload forgets, and what was decided otherwise is decided anew."""
    certs = scene.world.certs
    scene.start()
    if changed == "pin_sha256":
        scene.reload(pin_sha256=certs.pin("selfsigned"))
        assert not scene.over(2).secure
        scene.reload(pin_sha256=certs.pin("server"))
    elif changed == "ca_file":
        scene.reload(ca_file=certs.cert("selfsigned"))
        assert not scene.over(2).in_tls
        scene.reload(ca_file=certs.ca)
    else:
        scene.reload()
        scene.poll()
    last = scene.over(len(scene.pop.sessions))
    if changed != "nothing":
        last = scene.over(3)
    assert last.resumed is False
    assert scene.poll().resumed
    assert scene.running.stop().code == OK


def restart(pop, certs, name):
    """The server comes back with another certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.cert(name), certs.key(name))
    pop.context = context


def test_changed_certificate(scene):
    scene.start()
    assert scene.poll().resumed
    restart(scene.pop, scene.world.certs, "wrongname")
    assert not scene.poll().secure
    restart(scene.pop, scene.world.certs, "server")
    assert scene.poll().resumed is False
    assert scene.poll().resumed
    said = scene.running.stop().lines("me", "name on the certificate")
    assert said


def test_expired(world, haul):
    """The server would resume; the certificate has run out meanwhile."""
    end = datetime.datetime.utcnow() + datetime.timedelta(seconds=8)
    world.certs.sign("short", world.certs.GOOD, "20200101000000Z",
                     end.strftime("%Y%m%d%H%M%SZ"))
    with FakePop3(world.certs, [], "short") as pop, \
            RecordingSmtp(world.certs) as recorder:
        scene = Scene(world, haul, pop, recorder)
        assert scene.start().resumed is False
        assert scene.poll().resumed
        time.sleep(max(0, (end - datetime.datetime.utcnow()).total_seconds()))
        time.sleep(1)
        session = scene.poll()
        assert session.resumed is None and not session.secure
        assert scene.running.stop().lines("me", "certificate expired on")


def test_a_check_sees_the_certificate(scene):
    """Of a running daemon, which would resume."""
    scene.start()
    scene.haul.command("check", "--online", "me")
    assert scene.over(2).resumed is False
    assert scene.poll().resumed
    assert scene.running.stop().code == OK

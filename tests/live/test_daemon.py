# SPDX-License-Identifier: ISC
"""What the process itself promises: signals, instances, configuration."""
import re
import subprocess
import threading
import time

import pytest

import corpus
from fakes import RecordingSmtp
from haul import BUSY, CONFIG, OK
from servers import wait_for


def fill(world, user, count, body=b"x\r\n"):
    box = world.dovecot.mailbox(user)
    for i in range(count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\n" + body)
    return box


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_dry_run(world, haul, user, port, protocol):
    box = fill(world, user, 4)
    before = box.names()
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        dry = haul.once("--dry-run")
        assert recorder.messages == []
        assert box.names() == before
        assert len(dry.lines(user, "would")) >= 4, dry.log
        haul.once()
        assert len(recorder.messages) == 4 and len(box) == 0


def test_interval(world, haul, user, port):
    box = fill(world, user, 2)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"), after="delete",
                     interval="10s")
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("the first poll", lambda: len(recorder.accepted()) == 2)
        box.add(corpus.header(9, "later") + b"\r\nx\r\n")
        wait_for("the second poll", lambda: len(recorder.accepted()) == 3, 20)
        wait_for("an empty mailbox", lambda: len(box) == 0, 15)
        started = time.monotonic()
        assert running.stop().code == OK
        assert time.monotonic() - started < 5


def test_second_instance(world, haul, user, port):
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"), interval="1h")
        haul.to_recorder(recorder)
        world.dovecot.mailbox(user)
        running = haul.start()
        wait_for("the state", lambda: "LOCK" in running.text()
                 or re.search(user, running.text()))
        haul.once(expect=BUSY)
        running.child.check()
        assert running.stop().code == OK
        haul.once()


def test_one_account_only(world, haul, user, port):
    for name in (user, user + "b"):
        fill(world, name, 2)
        haul.account(name, "imap", port("imap"))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once("--account", user + "b")
        assert len(recorder.messages) == 2
        haul.once()
        assert len(recorder.messages) == 4
        haul.once("--account", "nobody", expect=None)


def test_sigterm_during_a_body(world, haul, user, port):
    """What has no dot yet was not sent: it comes whole in the next run."""
    # More than the socket buffers of both ends hold.
    fill(world, user, 1, (b"0123456789" * 7 + b"\r\n") * 400_000)
    go_on, in_body = threading.Event(), threading.Event()

    def stall(_session, _message):
        in_body.set()
        go_on.wait(30)
    haul.options["shutdown_grace"] = "5s"
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("body", stall)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        running = haul.start()
        assert in_body.wait(30)
        time.sleep(0.5)
        running.stop(20)
        go_on.set()
        wait_for("the end of the session",
                 lambda: all(s.closed for s in recorder.sessions))
        assert recorder.messages == []
        haul.once()
        assert len(recorder.accepted()) == 1
        assert "duplicate" not in recorder.messages[0].trace()


def test_sigterm_after_the_dot(world, haul, user, port):
    """The reply is waited for and recorded: no second copy."""
    fill(world, user, 3)
    at_dot = threading.Event()

    def late(_session, _message):
        at_dot.set()
        time.sleep(2)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", late)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        running = haul.start()
        assert at_dot.wait(30)
        assert running.stop(30).code == OK
        sent = len(recorder.messages)
        assert sent < 3 and recorder.messages[0].accepted
        recorder.on("dot", lambda *_: None)
        haul.once()
        assert len(recorder.messages) == 3
        assert not [m for m in recorder.messages if "dupl" in m.trace()]


def test_sigkill_after_the_dot(world, haul, user, port):
    """Killed without a chance: in doubt, and the second copy says so."""
    fill(world, user, 2)
    at_dot = threading.Event()

    def never(_session, _message):
        at_dot.set()
        time.sleep(2)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", never)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        running = haul.start()
        assert at_dot.wait(30)
        running.child.process.kill()
        running.child.process.wait(10)
        recorder.on("dot", lambda *_: None)
        haul.once(expect=None)
        haul.once()
        again = [m for m in recorder.messages[1:] if m.trace().split(";")[0]
                 == recorder.messages[0].trace().split(";")[0]]
        assert len(again) == 1 and len(recorder.messages) == 3
        assert "attempt=2; possible-duplicate=yes" in again[0].trace()


BROKEN = {  # what is replaced in a good file, by what, and what is said
    "unknown key": ("interval", "intervall", r"interval"),
    "wrong type": ('interval = "1h"', "interval = true", r"interval"),
    "range": ("port = 1993", "port = 70000", r"port"),
    "wraps": ("port = 1993", "port = 4294967296", r"port|digits"),
    "literal password": (r'"file:[^"]*pw-a"', '"secret1"', r"password"),
    "missing": (r"host = [^;]*;", "", r"host"),
    "no such destination": ('destination = "home"', 'destination = "hme"',
                            r"hme"),
    "syntax": ("accounts = ", "accounts ", r"syntax"),
    "port of POP3": ("port = 1993", "port = 110", r"110|995|993"),
    "port of SMTP": ("port = 1587", "port = 25", r"25|587"),
    "unknown value": ('first = "all"', 'first = "al"', r"first|al"),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_bad_configuration(world, haul, case):
    old, new, said = BROKEN[case]
    haul.account("a", "imap", 1993, interval="1h")
    haul.destination(1587)
    haul.write()
    assert haul.check().code == OK, haul.check().log
    text, count = re.subn(old, new, haul.text())
    assert count
    haul.write(text)
    for result in (haul.check(), run_raw(haul)):
        assert result.code == CONFIG, result.log
        lines = [line for line in result.log.splitlines()
                 if re.search(r"mailhaul\.conf:\d+: .*(%s)" % said, line)]
        assert lines, result.log


def run_raw(haul):
    """mailhauld with the file as it lies there."""
    done = subprocess.run(haul.argv("--once"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, env=haul.env(), check=False)
    from haul import Result
    return Result(done.returncode, done.stdout.decode())


def test_same_mailbox_twice(world, haul):
    haul.account("a", "imap", 1993)
    haul.account("b", "imap", 1993, user="a")
    haul.destination(1587)
    haul.write()
    result = haul.check()
    assert result.code == CONFIG
    assert re.search(r"mailhaul\.conf:\d+: ", result.log), result.log


def test_secret_that_others_can_read(world, haul):
    haul.account("a", "imap", 1993)
    haul.destination(1587)
    haul.secret("pw-a", "x", mode=0o644)
    haul.write()
    result = haul.check()
    assert result.code == CONFIG
    assert re.search(r"mailhaul\.conf:\d+: .*pw-a", result.log), result.log


def test_usage(haul):
    done = subprocess.run(haul.argv("--no-such-option"), timeout=30,
                          stdin=subprocess.DEVNULL, env=haul.env(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert done.returncode == 64

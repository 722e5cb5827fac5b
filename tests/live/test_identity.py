# SPDX-License-Identifier: ISC
"""Mailboxes whose UIDs changed: nothing is relayed twice, nothing is lost.

MAILHAUL_LARGE=1 takes the numbers of a large mailbox: 10,000 relayed and kept,
5,000 known, 1,000 that go from one protocol to the other.
"""
import collections
import json
import os
import re
import time

import pytest

import corpus
from fakes import FakePop3, Gone, RecordingSmtp
from haul import FAILED, OK
from servers import wait_for

LARGE = os.environ.get("MAILHAUL_LARGE")
COUNT = 10000 if LARGE else 300
KNOWN = 5000 if LARGE else 300
MOVED = 1000 if LARGE else 100
PROTOCOLS = ("pop3", "imap")


def message(number, what="message"):
    return (corpus.header(number, "%s %d" % (what, number))
            + b"\r\nbody of %s %d\r\n" % (what.encode(), number)
            + b"a line that should not be downloaded again\r\n" * 50)


def fill(box, numbers, what="message", age=3600):
    """Messages that the server got a while ago."""
    for number in numbers:
        box.add(message(number, what))
    then = time.time() - age
    for name in box.names():
        path = os.path.join(box.path, name)
        if what.encode() in open(path, "rb").read(400):
            os.utime(path, (then, then))


def renumber(box):
    """A new UIDVALIDITY, hence new UIDs and UIDLs; not in the old second."""
    time.sleep(1.1)
    for name in os.listdir(box.path):
        if name.startswith("dovecot"):
            os.unlink(os.path.join(box.path, name))


def replace(box, numbers, what):
    for name in box.names():
        os.unlink(os.path.join(box.path, name))
    fill(box, numbers, what)
    renumber(box)


def subjects(recorder):
    return collections.Counter(
        re.search(rb"^Subject: (.*?)\r$", m.raw, re.M).group(1).decode()
        for m in recorder.accepted())


def told(result):
    """(unknown, recognised, known, new, bytes) of the log, or None."""
    found = re.search(r"(\d+) messages in INBOX have other UIDs.*?(\d+) were "
                      r"recognised, (\d+) .*? known, (\d+) are new; (\d+) "
                      r"bytes of headers", result.log)
    print(found and found.group(0))
    return found and tuple(int(n) for n in found.groups())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_renumbered(world, haul, user, port, protocol):
    """All were relayed and kept; then every UID is another one."""
    box = world.dovecot.mailbox(user)
    fill(box, range(COUNT))
    haul.account(user, protocol, port(protocol), after="keep")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once(timeout=600)
        assert len(recorder.accepted()) == COUNT
        renumber(box)
        fill(box, (COUNT, COUNT + 1))
        second = haul.once(timeout=600)
        seen = subjects(recorder)
        assert len(recorder.accepted()) == COUNT + 2
        assert set(seen.values()) == {1}
        unknown, recognised, known, new, size = told(second)
        assert (unknown, recognised, known, new) == (COUNT + 2, COUNT, 0, 2)
        assert size < sum(len(message(i)) for i in range(COUNT)) / 4
        haul.once(timeout=600)
        assert len(recorder.accepted()) == COUNT + 2
    assert len(box) == COUNT + 2


def test_known_over_imap(world, haul, user, port):
    """What was there before the first poll is recognised by its date."""
    box = world.dovecot.mailbox(user)
    fill(box, range(KNOWN))
    haul.account(user, "imap", port("imap"), first="new")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once(timeout=600)
        renumber(box)
        fill(box, (1, 2), what="fresh", age=-5)
        second = haul.once(timeout=600)
        assert set(subjects(recorder)) == {"fresh 1", "fresh 2"}
        assert told(second)[:4] == (KNOWN + 2, 0, KNOWN, 2)
        haul.once(timeout=600)
        assert len(recorder.accepted()) == 2


def test_known_over_pop3(world, haul, user, port):
    """Nothing tells that they were known: a person is asked."""
    box = world.dovecot.mailbox(user)
    fill(box, range(KNOWN))
    haul.account(user, "pop3", port("pop3"), first="new", after="delete")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once(timeout=600)
        renumber(box)
        paused = haul.once(expect=FAILED, timeout=600)
        assert paused.lines("%d of the %d" % (KNOWN, KNOWN), "accept", "--as-known")
        haul.once(expect=FAILED, timeout=600)
        fill(box, (1,), what="meanwhile")
        assert haul.accept(user, "--as-known").code == OK
        haul.once(timeout=600)
        haul.once(timeout=600)
        assert subjects(recorder) == {"meanwhile 1": 1}
        assert len(box) == KNOWN
        # From now on they have fingerprints.
        renumber(box)
        assert told(haul.once(timeout=600))[:2] == (KNOWN, KNOWN)
        assert len(recorder.accepted()) == 1
        assert haul.accept(user, "--as-known").code != OK
    assert len(box) == KNOWN


def test_asks_after_a_restart(world, haul, user, port):
    """Nobody is told that an account fails which waits for an answer."""
    box = world.dovecot.mailbox(user)
    fill(box, range(50))
    haul.account(user, "pop3", port("pop3"), first="new")

    def state():
        done = haul.command("status", "--json")
        return done.code == OK and json.loads(
            done.log)["accounts"][0]["state"]

    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        replace(box, range(100, 160), "private")
        haul.once(expect=FAILED)
        for _ in range(2):
            running = haul.start()
            wait_for("a status", state)
            # Not polled again, so the record alone can tell.
            assert state() == "asks", running.text()
            assert "of the 60 messages" not in running.text().split(
                "not polled for another")[0]
            running.stop()
        assert haul.accept(user, "--as-known").code == OK
        running = haul.start()
        wait_for("the end of it", lambda: state() == "waiting")
        running.stop()


@pytest.mark.parametrize("how", ("--as-known", "--relay"))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_persons(world, haul, user, port, protocol, how):
    """The mailbox was replaced: not one of it is relayed unasked."""
    box = world.dovecot.mailbox(user)
    fill(box, range(50))
    haul.account(user, protocol, port(protocol), after="delete",
                 first="new" if protocol == "pop3" else "all")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        before = len(recorder.accepted())
        replace(box, range(100, 160), "private")
        haul.once(expect=FAILED)
        paused = haul.once(expect=FAILED)
        assert paused.lines("60 of the 60", "mailhaul accept " + user)
        assert len(recorder.accepted()) == before and len(box) == 60
        assert haul.accept(user, how).code == OK
        haul.once()
        haul.once()
        relayed = len(recorder.accepted()) - before
        assert (relayed, len(box)) == (
            (0, 60) if how == "--as-known" else (60, 0))


@pytest.mark.parametrize("source, target", (("pop3", "imap"),
                                            ("imap", "pop3")))
def test_other_protocol(world, haul, user, port, source, target):
    box = world.dovecot.mailbox(user)
    fill(box, range(MOVED))
    haul.account(user, source, port(source))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once(timeout=600)
        for protocol in (target, source, target):
            haul.accounts[0].update(protocol=protocol, port=port(protocol))
            box.add(message(10000 + len(box), "later"))
            assert told(haul.once(timeout=600))[3] == 1
            haul.once(timeout=600)
        seen = subjects(recorder)
        assert len(seen) == MOVED + 3 and set(seen.values()) == {1}


def test_mailbox_fills_slowly(world, haul, user, port):
    """A mailbox that was made anew and is copied back, bit by bit."""
    box = world.dovecot.mailbox(user)
    fill(box, range(60))
    haul.account(user, "imap", port("imap"))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        replace(box, (), "nothing")
        haul.once()
        for part in (range(0, 5), range(5, 40), range(40, 61)):
            fill(box, part)
            haul.once()
        assert subjects(recorder) == {"message %d" % i: 1 for i in range(61)}


@pytest.mark.parametrize("capa", (("UIDL", "TOP"), ("UIDL",)))
def test_uidls_of_a_moved_server(world, haul, user, capa):
    """With TOP they are recognised; without, a person is asked."""
    old = [message(i) for i in range(40)]
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        with FakePop3(world.certs, old, capa=capa) as pop3:
            haul.account(user, "pop3", pop3.port)
            haul.once()
            assert len(recorder.accepted()) == 40
            pop3.mailbox = {"moved-%d" % i: raw for i, raw in enumerate(
                reversed(old))}
            pop3.mailbox["fresh"] = message(41)
            if "TOP" in capa:
                haul.once()
                assert len(recorder.accepted()) == 41
                haul.once()
            else:
                haul.once(expect=FAILED)
                haul.accept(user, "--as-known")
                pop3.mailbox["fresher"] = message(42)
                haul.once()
            assert len(recorder.accepted()) == 41


def test_broken_off_among_the_headers(world, haul, user):
    """Whatever breaks there, nothing was concluded from half of them."""
    old = [message(i) for i in range(40)]

    def cut(_session, number):
        if number == 20:
            raise Gone("cut")
    with RecordingSmtp(world.certs) as recorder, \
            FakePop3(world.certs, old) as pop3:
        haul.to_recorder(recorder)
        haul.account(user, "pop3", pop3.port)
        haul.once()
        pop3.mailbox = {"moved-%d" % i: raw for i, raw in enumerate(old)}
        pop3.mailbox["fresh"] = message(41)
        for hook in (cut, lambda *_: b"-ERR [SYS/TEMP] not now\r\n"):
            pop3.on_top = hook
            haul.once(expect=FAILED)
            assert len(recorder.accepted()) == 40
        pop3.on_top = None
        seen = haul.once("--dry-run")
        assert len(seen.lines("would relay")) == 1
        haul.once()
        assert len(recorder.accepted()) == 41
        assert subjects(recorder)["message 41"] == 1


def test_an_outage_shows_an_empty_mailbox(world, haul, user):
    """Twice in a row, so that all seem gone; then they are back."""
    there = [message(i) for i in range(5)]
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        with FakePop3(world.certs, there) as pop3:
            haul.account(user, "pop3", pop3.port)
            haul.once()
            mailbox, pop3.mailbox = pop3.mailbox, {}
            haul.once()
            haul.once()
            pop3.mailbox = dict(mailbox)
            # The same UIDL, but another message (P12).
            pop3.mailbox["uid-2"] = message(77)
            haul.once()
            haul.once()
        assert len(recorder.accepted()) == 6
        assert subjects(recorder)["message 77"] == 1


def test_many_new_messages_are_no_question(world, haul, user, port):
    """An empty mailbox, and then a night's mail."""
    box = world.dovecot.mailbox(user)
    fill(box, range(3))
    haul.account(user, "pop3", port("pop3"), after="delete")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        fill(box, range(100, 150))
        haul.once()
        assert len(recorder.accepted()) == 53

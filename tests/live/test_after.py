# SPDX-License-Identifier: ISC
"""What happens to a message once it is relayed: each policy at a real server,
and never to what was there before."""
import contextlib
import os
import re
import sqlite3
import time

import pytest

import corpus
import servers
from fakes import RecordingSmtp
from haul import CONFIG, FAILED

DAY = 86400


def fill(box, count, first=0):
    box.count = first
    for i in range(first, first + count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody\r\n")


@pytest.fixture(name="recorder")
def _recorder(world):
    with RecordingSmtp(world.certs) as recorder:
        yield recorder


def limited(world, capability):
    """A server that offers no more than that."""
    work = servers.WorkDir()
    conf = servers.DOVECOT_CONF
    servers.DOVECOT_CONF += "\nimap_capability = %s\n" % capability
    try:
        dovecot = servers.Dovecot(work, world.certs)
    finally:
        servers.DOVECOT_CONF = conf
    yield dovecot
    dovecot.close()
    work.close()


@pytest.fixture(name="plain", scope="module")
def _plain(world):
    yield from limited(world, "IMAP4rev1 ID")


@pytest.fixture(name="uidplus", scope="module")
def _uidplus(world):
    yield from limited(world, "IMAP4rev1 UIDPLUS")


def flags(box):
    """Of each message, from its file name."""
    return [name.rpartition(":2,")[2] if ":2," in name else ""
            for name in box.names()]


def subjects(messages):
    return sorted(re.search(rb"^Subject: (.*?)\r$", raw, re.M).group(1)
                  for raw in messages)


def in_folder(box, name):
    out = []
    for sub in ("cur", "new"):
        path = os.path.join(box.path, "." + name, sub)
        for entry in os.listdir(path):
            with open(os.path.join(path, entry), "rb") as f:
                out.append(f.read())
    return out


def make_folder(box, name):
    for sub in ("", "cur", "new", "tmp"):
        path = os.path.join(box.path, "." + name, sub)
        os.makedirs(path, exist_ok=True)
        os.chown(path, *box.ids)


@contextlib.contextmanager
def database(haul):
    """Edited while nobody runs."""
    db = sqlite3.connect(os.path.join(haul.state, "state.db"))
    with contextlib.closing(db), db:
        yield db


def start(haul, box, count=3):
    """Two that are there before, then some that are relayed."""
    fill(box, 2)
    haul.accounts[-1]["first"] = "new"
    haul.once()
    fill(box, count, 2)
    return haul.once()


# --- delete-after ---------------------------------------------------------------

def age(haul, days, which="1"):
    with database(haul) as db:
        # As if the whole installation were older.
        db.execute("UPDATE meta SET created = created - ?", (days * DAY,))
        return db.execute(
            "UPDATE delivery SET changed = changed - ?1, first_seen = "
            "first_seen - ?1 WHERE " + which, (days * DAY,)).rowcount


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_delete_after(world, haul, user, port, recorder, protocol):
    box = world.dovecot.mailbox(user)
    haul.account(user, protocol, port(protocol), after="delete-after 30d")
    haul.to_recorder(recorder)
    start(haul, box)
    assert len(recorder.accepted()) == 3 and len(box) == 5
    seen(haul)
    assert age(haul, 29.99) >= 3
    haul.once()
    assert len(box) == 5
    last = "uid IN (SELECT max(uid) FROM delivery WHERE state = 'relayed')"
    assert age(haul, 0.02, "state = 'relayed' AND NOT " + last) == 2
    haul.once()
    assert len(box) == 3
    age(haul, 1)
    haul.once()
    # What was there before stays, however old.
    assert subjects(box.messages()) == [b"number 0", b"number 1"]
    age(haul, 400)
    haul.once()
    assert subjects(box.messages()) == [b"number 0", b"number 1"]
    assert len(recorder.messages) == 3


def seen(haul, ago=0):
    """When the clock was looked at the last time."""
    with database(haul) as db:
        db.execute("UPDATE meta SET clock_seen = ?",
                   (int(time.time()) - ago * DAY,))


@pytest.mark.parametrize("ago", (8, -1))
def test_D10_delete_after_and_the_clock(world, haul, user, port, recorder,
                                        ago):
    """Nothing is deleted by a clock that moved, also not at the next poll."""
    box = world.dovecot.mailbox(user)
    haul.account(user, "imap", port("imap"), after="delete-after 30d")
    haul.to_recorder(recorder)
    start(haul, box)
    age(haul, 31)
    seen(haul, ago)
    said = haul.once()
    assert said.lines("the clock moved", "delete-after"), said.log
    assert len(box) == 5
    said = haul.once()
    assert not said.lines("the clock moved")
    assert len(box) == 5
    with database(haul) as db:
        db.execute("UPDATE meta SET clock_since = clock_since - ?",
                   (31 * DAY,))
    haul.once()
    assert len(box) == 2


def test_not_relayed_is_not_deleted(world, haul, user, port, recorder):
    """Held and deferred ones stay, however old."""
    box = world.dovecot.mailbox(user)
    haul.account(user, "imap", port("imap"), after="delete-after 30d")
    haul.to_recorder(recorder)
    recorder.on("dot", lambda _s, m: "550 5.7.1 No"
                if b"number 3\r" in m.raw else None)
    start(haul, box)
    seen(haul)
    age(haul, 100)
    haul.once()
    assert subjects(box.messages()) == [b"number 0", b"number 1",
                                        b"number 3"]


# --- seen -------------------------------------------------------------------------

def test_seen(world, haul, user, port, recorder):
    box = world.dovecot.mailbox(user)
    haul.account(user, "imap", port("imap"), after="seen")
    haul.to_recorder(recorder)
    recorder.on("dot", lambda _s, m: "550 5.7.1 No"
                if b"number 4\r" in m.raw else None)
    start(haul, box, 40)
    assert len(recorder.accepted()) == 39 and len(box) == 42
    read = [name.rpartition(":2,")[2] == "S" for name in box.names()]
    assert sum(read) == 39
    unread = [raw for raw, is_read in zip(box.messages(), read)
              if not is_read]
    assert subjects(unread) == [b"number 0", b"number 1", b"number 4"]
    haul.once()
    assert len(recorder.accepted()) == 39


# --- move -------------------------------------------------------------------------

@pytest.mark.parametrize("name,on_disk", (
    ("Old mail", "Old mail"), ("R&D Entw\u00fcrfe", "R&-D Entw&APw-rfe")),
    ids=("plain", "localised"))
@pytest.mark.parametrize("server", ("move", "uidplus"))
def test_move(world, haul, user, port, recorder, uidplus, server, name,
              on_disk):
    dovecot = world.dovecot if server == "move" else uidplus
    box = dovecot.mailbox(user)
    make_folder(box, on_disk)
    haul.account(user, "imap", dovecot.ports["imaps"], after="move " + name)
    haul.to_recorder(recorder)
    # Marked by another client: not ours to remove.
    fill(box, 2)
    box.add(corpus.header(90, "marked") + b"\r\nx\r\n", flags="T")
    haul.accounts[-1]["first"] = "new"
    haul.once()
    fill(box, 40, 3)
    haul.once()
    assert len(recorder.accepted()) == 40
    assert subjects(box.messages()) == [b"marked", b"number 0", b"number 1"]
    assert subjects(in_folder(box, on_disk)) == sorted(
        b"number %d" % i for i in range(3, 43))
    haul.once()
    assert len(in_folder(box, on_disk)) == 40
    assert len(recorder.messages) == 40


def test_move_without_folder(world, haul, user, port, recorder):
    """Relayed all the same; it says what is missing, and moves later."""
    box = world.dovecot.mailbox(user)
    haul.account(user, "imap", port("imap"), after="move Nowhere")
    haul.to_recorder(recorder)
    fill(box, 3)
    said = haul.once(expect=FAILED)
    assert said.lines(user, "moving relayed", "check that the folder"), said.log
    assert len(recorder.accepted()) == 3 and len(box) == 3
    make_folder(box, "Nowhere")
    haul.once()
    assert len(recorder.messages) == 3 and len(box) == 0
    assert len(in_folder(box, "Nowhere")) == 3


def test_move_where_it_cannot_be_done(haul, user, recorder, plain):
    """No copy is made whose original could not be taken away."""
    box = plain.mailbox(user)
    make_folder(box, "Old")
    haul.account(user, "imap", plain.ports["imaps"], after="move Old")
    haul.to_recorder(recorder)
    fill(box, 3)
    for _ in range(2):
        said = haul.once()
        assert said.lines(user, "neither MOVE nor UIDPLUS"), said.log
        assert len(box) == 3 and in_folder(box, "Old") == []
        assert set(flags(box)) == {""}
    assert len(recorder.messages) == 3


# --- delete without UIDPLUS -------------------------------------------------------

@pytest.mark.parametrize("others", (0, 1))
def test_delete_without_uidplus(haul, user, recorder, plain, others):
    """Marked and left, also when all that is marked is ours: a plain EXPUNGE
    would take what another client marks at that moment."""
    box = plain.mailbox(user)
    for i in range(others):
        box.add(corpus.header(80 + i, "other") + b"\r\nx\r\n", flags="T")
    haul.account(user, "imap", plain.ports["imaps"], after="delete",
                 first="new")
    haul.to_recorder(recorder)
    haul.once()
    fill(box, 3, others)
    said = haul.once()
    assert said.lines(user, "no UIDPLUS", "left for you to expunge"), said.log
    assert len(recorder.accepted()) == 3
    assert len(box) == 3 + others
    assert flags(box) == ["T"] * (3 + others)
    haul.once()
    assert len(box) == 3 + others and len(recorder.messages) == 3


# --- configuration ----------------------------------------------------------------

@pytest.mark.parametrize("protocol,after,said", [
    ("pop3", "seen", "over POP3"),
    ("pop3", "move Old", "over POP3"),
    ("imap", "move inbox", "another folder"),
    ("imap", "move", "after"),
    ("imap", "delete-after", "after"),
    ("imap", "delete-after 5m", "after"),
    ("imap", "delete-after 30", "after")])
def test_mistakes(haul, protocol, after, said):
    haul.account("a", protocol, 1993, after=after)
    haul.destination(1587)
    haul.write()
    result = haul.check()
    assert result.code == CONFIG
    assert [line for line in result.lines(said)
            if re.search(r"mailhaul\.conf:\d+: ", line)], result.log

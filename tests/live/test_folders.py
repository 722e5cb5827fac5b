# SPDX-License-Identifier: ISC
"""Many folders of one account, on real Dovecot."""
import os
import re
import time

import pytest

import corpus
from fakes import FakeImap, RecordingSmtp
from haul import FAILED
import servers
from servers import wait_for


def message(what):
    return corpus.header(hash(what) % 10000, what) + b"\r\nbody\r\n"


def subjects(recorder):
    return sorted(m.header("Subject") for m in recorder.accepted())


def test_list_wildcard_special_and_localised(world, haul, user, port):
    """Each folder once, by the entry that names it best, in one session."""
    box = world.dovecot.mailbox(user)
    box.add(message("inbox"))
    for name in ("Spam", "Archive.2025", "Archive.2026", "Entw&APw-rfe",
                 "Other"):
        box.folder(name).add(message(name))
    haul.account(user, "imap", port("imap"), idle=False, after="delete",
                 folders=["INBOX", "Archive.*", "Entw\u00fcrfe", "\\Junk"])
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        first = haul.once()
        assert subjects(recorder) == ["Archive.2025", "Archive.2026",
                                      "Entw&APw-rfe", "Spam", "inbox"]
        heads = {m.header("X-Mailhaul-Folder") for m in recorder.accepted()}
        assert heads == {None, "Archive.2025", "Archive.2026",
                         "Entw&APw-rfe", "Spam"}, first.log
        assert len(box) == len(box.folder("Spam")) == 0
        assert len(box.folder("Other")) == 1
        box.folder("Archive.2027").add(message("late"))
        haul.once()
        haul.once()
        assert len(recorder.accepted()) == 6


def test_policy_of_each(world, haul, user, port):
    """after and first of a folder are its own."""
    box = world.dovecot.mailbox(user)
    box.add(message("old inbox"))
    box.folder("Spam").add(message("old spam"))
    haul.account(user, "imap", port("imap"), idle=False, after="delete",
                 first="all", folders="@")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        text = haul.text().replace(
            '"@"', '( "INBOX", { name = "\\\\Junk"; after = "keep";'
            ' first = "new"; } )')
        haul.write(text)
        haul.text = lambda: text
        haul.once()
        assert subjects(recorder) == ["old inbox"]
        box.folder("Spam").add(message("new spam"))
        haul.once()
        assert subjects(recorder) == ["new spam", "old inbox"]
        assert len(box) == 0 and len(box.folder("Spam")) == 2


@pytest.mark.parametrize("name,on_disk", (
    ("Done", "Done"), ("Geh\u00f6rt", "Geh&APY-rt")))
def test_moved_once(world, haul, user, port, name, on_disk):
    """What a pattern moves away is not found by it again."""
    box = world.dovecot.mailbox(user)
    box.add(message("one"))
    box.folder(on_disk)
    haul.account(user, "imap", port("imap"), idle=False, folders="*",
                 after="move " + name)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        for _ in range(3):
            haul.once()
        assert len(recorder.accepted()) == 1
        assert len(box) == 0 and len(box.folder(on_disk)) == 1


def test_names_that_are_none(world, haul, user):
    """Folders that nobody could ask for: said once, though two patterns meet
    them, and the others are polled."""
    names = [b'"Bad&zz"', b"{3}\r\n\xff\xfe\xfd", b'"' + b"x" * 1025 + b'"',
             b"Good"]
    with FakeImap(world.certs, names) as server, \
            RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.account(user, "imap", server.port, idle=False,
                     folders=["*", "%"])
        said = haul.once()
        assert len(said.lines("left out: 3")) == 1, said.log
        assert len(said.lines("left out")) == 1, said.log
        assert [c for c in server.commands if "EXAMINE" in c] == [
            "EXAMINE Good"]


def test_missing_folder_stops_no_other(world, haul, user, port):
    box = world.dovecot.mailbox(user)
    haul.account(user, "imap", port("imap"), idle=False,
                 folders=["Nowhere", "INBOX"])
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        box.add(message("one"))
        failed = haul.once(expect=FAILED)
        assert failed.lines("Nowhere: refused", "check that the mailbox")
        assert subjects(recorder) == ["one"]


def test_watch_all(world, haul, user, port):
    """News in any folder come at once, although the clock polls in hours."""
    box = world.dovecot.mailbox(user)
    names = ["Spam", "Archive", "Lists"]
    for name in names:
        box.folder(name)
    haul.options["connections_per_host"] = 8
    haul.options["host_spacing"] = "0s"
    haul.account(user, "imap", port("imap"), interval="6h",
                 folders=["INBOX"] + names)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start("--verbose")
        wait_for("first polls", lambda: running.text().count(
            "first poll of") == 4)
        for i, place in enumerate([box] + [box.folder(n) for n in names]):
            place.add(message("news %d" % i))
        wait_for("the news", lambda: len(recorder.accepted()) == 4)
        box.add(message("more"))
        wait_for("the fifth", lambda: len(recorder.accepted()) == 5)
        running.stop()
        assert subjects(recorder) == ["more"] + ["news %d" % i
                                                 for i in range(4)]


@pytest.fixture(name="strict", scope="module")
def _strict(world):
    """A Dovecot that refuses the third connection of a user."""
    work = servers.WorkDir()
    conf = servers.DOVECOT_CONF
    servers.DOVECOT_CONF += "\nmail_max_userip_connections = 2\n"
    try:
        dovecot = servers.Dovecot(work, world.certs)
    finally:
        servers.DOVECOT_CONF = conf
    yield dovecot
    dovecot.close()
    work.close()


def test_connections_of_an_account(world, haul, user, strict):
    """Folders that may not be watched are polled over what is left."""
    box = strict.mailbox(user)
    names = ["f%d" % i for i in range(4)]
    for name in names:
        box.folder(name)
    haul.options["connections_per_host"] = 20
    haul.options["host_spacing"] = "0s"
    haul.account(user, "imap", strict.ports["imaps"], interval="10s",
                 connections=2, folders=["INBOX"] + names)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("first polls", lambda: running.text().count(
            "first poll of") == 5)
        for place in [box] + [box.folder(n) for n in names]:
            place.add(message("m" + place.path[-3:]))
        wait_for("all of it", lambda: len(recorder.accepted()) == 5, 40)
        running.stop()
        assert "Maximum number of connections" not in running.text()


def test_few_connections(world, haul, user, port):
    """What finds no place to watch is polled by the clock."""
    box = world.dovecot.mailbox(user)
    names = ["f%d" % i for i in range(6)]
    for name in names:
        box.folder(name)
    haul.options["connections_per_host"] = 2
    haul.options["host_spacing"] = "0s"
    haul.account(user, "imap", port("imap"), interval="10s",
                 folders=["INBOX"] + names)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("first polls", lambda: running.text().count(
            "first poll of") == 7)
        for place in [box] + [box.folder(n) for n in names]:
            place.add(message("m" + place.path[-3:]))
        wait_for("all of it", lambda: len(recorder.accepted()) == 7, 40)
        running.stop()


@pytest.mark.parametrize("lost", ("state", "uidvalidity"))
def test_marker(world, haul, user, port, lost):
    """The keyword tells what was relayed when the state is lost."""
    box = world.dovecot.mailbox(user)
    for i in range(5):
        box.add(message("number %d" % i))
    haul.options["marker"] = True
    haul.account(user, "imap", port("imap"), idle=False)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.accepted()) == 5
        # Dovecot keeps keywords as letters behind the flags.
        assert all(re.search(":2,.*[a-z]", n) for n in box.names()), \
            box.names()
        if lost == "state":
            haul.sql("DELETE FROM delivery")
            haul.sql("DELETE FROM recognition")
            haul.sql("UPDATE mailbox SET baseline = 0, highwater = 0,"
                     " generation = 0")
        else:
            haul.sql("UPDATE delivery SET fingerprint = NULL")
            haul.sql("UPDATE mailbox SET generation = generation + 1")
            haul.sql("UPDATE delivery SET generation = generation + 1")
            haul.sql("UPDATE recognition SET known_before = 0")
        box.add(message("new"))
        again = haul.once()
        assert again.lines("5 messages", "carry our mark"), again.log
        assert len(recorder.accepted()) == 6
        haul.once()
        assert len(recorder.accepted()) == 6


def test_first_since(world, haul, user, port):
    """INTERNALDATE decides what of the old mail is relayed."""
    box = world.dovecot.mailbox(user)
    box.add(message("old"))
    path = os.path.join(box.path, box.names()[0])
    os.utime(path, (time.time() - 90 * 86400,) * 2)
    box.add(message("young"))
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))
    haul.account(user, "imap", port("imap"), idle=False,
                 first="since " + day)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        first = haul.once()
        assert first.lines("1 messages will be relayed", "1 older"), first.log
        assert subjects(recorder) == ["young"]
        haul.once()
        assert len(recorder.accepted()) == 1

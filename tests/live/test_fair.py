# SPDX-License-Identifier: ISC
"""A backlog keeps nobody else's new letter waiting."""
import json
import threading
import time

import corpus
from fakes import RecordingSmtp
from servers import wait_for

BACKLOG = 100
SIZE = 100 * 1000


def add(box, i, subject):
    line = b"x" * 70 + b"\r\n"
    box.add(corpus.header(i, subject) + b"\r\n" + line * (SIZE // len(line)))


def backlog(box):
    for i in range(BACKLOG):
        add(box, i, "backlog %d" % i)


def letter(box):
    add(box, BACKLOG, "letter")


def came(recorder):
    return any(m.header("Subject") == "letter" for m in recorder.accepted())


def spool_used(haul):
    done = haul.command("status", "--json")
    return json.loads(done.log)["spool_used"]


def options(haul):
    haul.options.update(spool_max="1M", message_max="1M", host_spacing="0s")


def test_one_destination(world, haul, user, port):
    """It goes out in its turn, with most of the backlog behind it."""
    busy, quiet = user + "-busy", user + "-quiet"
    backlog(world.dovecot.mailbox(busy))
    box = world.dovecot.mailbox(quiet)
    options(haul)
    haul.account(busy, "imap", port("imap"))
    haul.account(quiet, "imap", port("imap"))
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("data", lambda *_: time.sleep(0.2))
        haul.to_recorder(recorder)
        running = haul.start("--verbose")
        wait_for("work on the backlog",
                 lambda: len(recorder.accepted()) > 5)
        wait_for("the first poll of the other", lambda: (
            quiet + ": first poll") in running.text())
        letter(box)
        wait_for("the letter", lambda: came(recorder), 60)
        done = len(recorder.accepted())
        recorder.on("data", lambda *_: None)
        running.stop()
        assert done < BACKLOG / 2


def test_destination_that_hangs(world, haul, user, port):
    """What waits for it does not fill the spool: the letter of another account
    goes where it belongs."""
    busy, quiet = user + "-busy", user + "-quiet"
    backlog(world.dovecot.mailbox(busy))
    box = world.dovecot.mailbox(quiet)
    options(haul)
    haul.account(busy, "imap", port("imap"), destination="stuck")
    haul.account(quiet, "imap", port("imap"), destination="home")
    hangs, go_on = threading.Event(), threading.Event()

    def hang(*_):
        hangs.set()
        go_on.wait(60)

    with RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as stuck:
        stuck.on("dot", hang)
        haul.to_recorder(home, name="home")
        haul.to_recorder(stuck, name="stuck")
        running = haul.start("--verbose")
        wait_for("the first message", hangs.is_set)
        wait_for("a full share", lambda: spool_used(haul) > 3 * SIZE)
        letter(box)
        try:
            wait_for("the letter", lambda: came(home), 30)
            assert not stuck.accepted()
        finally:
            go_on.set()
            running.stop()

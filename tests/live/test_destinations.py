# SPDX-License-Identifier: ISC
"""One account, two destinations: each has a state of its own."""
import random
import time

import corpus
from fakes import RecordingSmtp

COUNT = 6


def fill(world, user):
    box = world.dovecot.mailbox(user)
    for i in range(COUNT):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i)
    return box


def two(haul, home, archive):
    haul.to_recorder(home, name="home")
    haul.to_recorder(archive, name="archive",
                     recipient="archive@example.test")


def bodies(recorder):
    return sorted(m.raw.split(b"\r\n\r\n", 1)[1] for m in recorder.accepted())


def traces(recorder):
    return sorted(m.trace().split(";")[0] for m in recorder.accepted())


def test_each_gets_all_of_it(world, haul, user, port):
    box = fill(world, user)
    with RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as archive:
        haul.account(user, "imap", port("imap"), after="delete",
                     destination=("home", "archive"))
        two(haul, home, archive)
        haul.once()
        assert bodies(home) == bodies(archive)
        assert len(home.accepted()) == COUNT
        # One message, one trace, wherever it goes.
        assert traces(home) == traces(archive)
        assert len(box) == 0


def test_one_that_is_down_delays_nobody(world, haul, user, port):
    """Removed from the source only when both have it."""
    box = fill(world, user)
    with RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as archive:
        archive.on("auth", lambda *_: "454 4.7.0 Not now")
        haul.account(user, "pop3", port("pop3"), after="delete",
                     destination=("home", "archive"))
        two(haul, home, archive)
        haul.once(expect=69)
        assert len(home.accepted()) == COUNT
        assert archive.accepted() == []
        assert len(box) == COUNT
        archive.on("auth", lambda *_: None)
        haul.once()
        assert len(home.accepted()) == COUNT
        assert bodies(archive) == bodies(home)
        assert len(box) == 0


def test_large_ones_are_not_mixed_up(world, haul, user, port):
    """Messages that lie in a file are read for both at the same time."""
    box = world.dovecot.mailbox(user)
    rng = random.Random(7)
    for i in range(2):
        box.add(corpus.header(i, "large %d" % i) + b"\r\n"
                + corpus.attachment(rng, 20_000_000))
    expected = sorted(raw.split(b"\r\n\r\n", 1)[1] for raw in box.messages())
    with RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as archive:
        archive.on("data", lambda *_: time.sleep(0.1))
        haul.account(user, "imap", port("imap"),
                     destination=("home", "archive"))
        two(haul, home, archive)
        haul.once()
        assert bodies(home) == expected
        assert bodies(archive) == expected

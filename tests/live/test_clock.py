# SPDX-License-Identifier: ISC
"""Long waits, with a clock that runs 300 times as fast (libfaketime).

The servers keep the real time: two real seconds of theirs are ten minutes of
mailhauld's.
"""
import glob
import os
import time

import corpus
from fakes import RecordingSmtp

SPEED = 300
LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


def hurry(haul):
    """From here on mailhauld's seconds are short."""
    plain = haul.env

    def env():
        e = plain()
        e["LD_PRELOAD"] = LIBRARY[0]
        e["FAKETIME"] = "+0 x%d" % SPEED
        return e
    haul.env = env


def one(world, user):
    box = world.dovecot.mailbox(user)
    box.add(corpus.header(1, "number 1") + b"\r\nbody\r\n")
    return box


def test_reply_after_9_minutes_55_seconds(world, haul, user, port):
    """S12: the dot is waited for; its message is relayed, once."""
    assert LIBRARY, "the package libfaketime is missing"
    box = one(world, user)
    with RecordingSmtp(world.certs) as recorder:
        # A busy machine may take a second of ours, which is minutes here.
        haul.options["dot_timeout"] = "30m"
        recorder.on("dot", lambda *_: time.sleep(595 / SPEED))
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        hurry(haul)
        first = haul.once()
        assert len(recorder.accepted()) == 1
        seconds = float(first.lines("relayed", "bytes, ")[0]
                        .split("bytes, ")[1].split(" s")[0])
        assert seconds > 500, first.log  # the clock did run fast
        assert len(box) == 0
        haul.once()
        assert len(recorder.messages) == 1


def test_no_reply_within_the_limit(world, haul, user, port):
    """After dot_timeout it is in doubt; the next poll says so in its copy."""
    box = one(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: time.sleep(1500 / SPEED))
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        hurry(haul)
        first = haul.once(expect=None)
        assert len(first.lines("in_doubt", "may be sent more than once")) == 1
        assert len(box) == 1
        recorder.on("dot", lambda *_: None)
        haul.once()
        assert "possible-duplicate=yes" in recorder.messages[-1].trace()
        assert len(box) == 0
        haul.once()
        assert len(recorder.messages) == 2

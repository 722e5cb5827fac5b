# SPDX-License-Identifier: ISC
"""Messages whose reply was lost: announced, held, released, dropped."""
import re

import pytest

import corpus
from fakes import DROP, RecordingSmtp


def fill(world, user, count):
    box = world.dovecot.mailbox(user)
    for i in range(count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i)
    return box


def copies(recorder, number):
    return [m for m in recorder.messages if b"number %d\r" % number in m.raw]


class Replies:
    """A hook that answers for one message in turn, then as usual."""

    def __init__(self, recorder, number, *replies):
        self.word, self.replies = b"number %d\r" % number, list(replies)
        recorder.on("dot", self)

    def __call__(self, _session, message):
        if self.word in message.raw and self.replies:
            return self.replies.pop(0)
        return None


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_resend_is_announced_first(world, haul, user, port, protocol):
    fill(world, user, 3)
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 1, DROP)
        haul.account(user, protocol, port(protocol))
        haul.to_recorder(recorder)
        first = haul.once(expect=None)
        assert re.search(r"poll ended: relayed \d, .*in doubt 1", first.log)
        second = haul.once()
        sent = second.lines(user, "again, attempt 2", "possible duplicate")
        done = second.lines(user, "relayed INBOX", "possible duplicate")
        assert len(sent) == len(done) == 1, second.log
        assert second.log.index(sent[0]) < second.log.index(done[0])
        assert "possible duplicates 1" in second.log
        trace = copies(recorder, 1)[1].trace().split(";")[0]
        assert trace in sent[0]
        # Nothing happened, nothing is said.
        assert "poll ended" not in haul.once().log
        assert len(recorder.messages) == 4


@pytest.mark.parametrize("reply", ("451 4.3.0 Not now", DROP))
def test_refused_resend_keeps_the_doubt(world, haul, user, port, reply):
    """R4: whatever is said to the second copy, the third is announced."""
    box = fill(world, user, 1)
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 0, DROP, reply, reply)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        for _ in range(4):
            haul.once(expect=None)
        traces = [m.trace() for m in recorder.messages]
        assert len(traces) == 4, traces
        assert ["possible-duplicate=yes" in t for t in traces] == \
            [False, True, True, True]
        assert ["attempt=%d" % n in t for n, t in enumerate(traces, 1)] == \
            [True] * 4
        assert len({t.split(";")[0] for t in traces}) == 1
    assert len(box) == 0


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_hold(world, haul, user, port, protocol):
    box = fill(world, user, 3)
    haul.options["in_doubt"] = "hold"
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 1, DROP)
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        haul.once(expect=None)
        second = haul.once(expect=None)
        held = second.lines(user, "held INBOX", "in doubt: attempt 1")
        assert len(held) == 1, second.log
        haul.once()
        assert len(recorder.messages) == 3 and len(copies(recorder, 1)) == 1
    assert len(box) == 1


# --- delivery reports

DSN = ("PIPELINING", "SIZE 62914560", "8BITMIME", "DSN")


def test_dsn_is_asked_for(world, haul, user, port):
    box = world.dovecot.mailbox(user)
    box.add(b"Return-Path: <sender@example.test>\r\n" +
            corpus.header(0, "number 0") + b"\r\nx\r\n")
    box.add(b"Return-Path: <>\r\n" + corpus.header(1, "number 1") +
            b"\r\nx\r\n")
    with RecordingSmtp(world.certs, extensions=DSN) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        for number, notify in ((0, "FAILURE"), (1, "NEVER")):
            message, = copies(recorder, number)
            trace = message.trace().split(";")[0]
            assert "RET=HDRS" in message.options
            assert "ENVID=" + trace in message.options
            assert message.rcpt_options == ["NOTIFY=" + notify]


def test_dsn_is_not_offered(world, haul, user, port):
    fill(world, user, 1)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        message, = recorder.messages
        assert message.rcpt_options == []
        assert not re.search("RET=|ENVID=", " ".join(message.options))

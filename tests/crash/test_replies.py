# SPDX-License-Identifier: ISC
"""What a submission server may do behind the dot, and what is on record."""
import socket
import struct

import pytest

import crash
import fakes
import haul

DOUBT = "in_doubt", 0


def cut(said=b"", reset=False):
    """Says this much, and is gone."""
    def hook(session, _message):
        if said:
            session.sock.sendall(said)
        if reset:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
        raise fakes.Gone("as told")
    return hook


def reply(text):
    return lambda *_: text


# What it does, and the state and the doubt that must be on record.
CASES = {
    "accepts": (reply(None), ("relayed", 0)),
    "accepts, several lines": (reply("250-2.0.0 Ok\r\n250 queued"),
                               ("relayed", 0)),
    "accepts and is gone": (cut(b"250 2.0.0 Ok\r\n"), ("relayed", 0)),
    "accepts with a code of its own": (reply("299 well"), ("relayed", 0)),
    "closes": (cut(), DOUBT),
    "resets": (cut(reset=True), DOUBT),
    "half a code": (cut(b"25"), DOUBT),
    "a code alone": (cut(b"250 "), DOUBT),
    "a reply without its end": (cut(b"250 2.0.0 Ok"), DOUBT),
    "a bare CR": (cut(b"250 2.0.0 Ok\r"), DOUBT),
    # Taken for a line end from every server (proto/line.h).
    "a bare LF": (cut(b"250 2.0.0 Ok\n"), ("relayed", 0)),
    "lines without a last": (cut(b"250-2.0.0 Ok\r\n250-more\r\n"), DOUBT),
    "half a refusal": (cut(b"550 5.7.1 Nev"), DOUBT),
    "something else": (cut(b"hello\r\n"), DOUBT),
    "two codes": (cut(b"250-2.0.0 Ok\r\n451 4.3.0 No\r\n"), DOUBT),
    "go on": (cut(b"354 go on\r\n"), DOUBT),
    "refuses for now": (reply("451 4.3.0 Not now"), ("deferred", 0)),
    "refuses for good": (reply("550 5.7.1 Never"), ("held", 0)),
    "is full": (reply("552 5.2.2 Full"), ("held", 0)),
    "goes down": (cut(b"421 4.3.2 Going down\r\n"), ("deferred", 0)),
}


@pytest.fixture(name="case")
def case_of(lab):
    case = crash.Case(lab, "imap", "keep", count=1)
    yield case
    case.close()


def on_record(case):
    row, = case.haul.rows()
    return row["state"], row["doubt"]


@pytest.mark.parametrize("name", CASES)
def test_behind_the_dot(case, name):
    hook, wanted = CASES[name]
    case.recorder.on("dot", hook)
    result = case.run()
    assert on_record(case) == wanted, result.log

    # It comes to an end, and a second copy says so just when it may be one.
    case.recorder.on("dot", reply(None))
    if wanted[0] == "held":
        before = case.recorder.transactions()
        assert case.drain() == []
        assert case.recorder.transactions() == before
        assert len(case.box) == 1
        return
    assert case.drain() == []
    assert on_record(case)[0] == "relayed"
    copies = case.recorder.messages
    assert len(copies) == (1 if wanted[0] == "relayed" else 2)
    assert [crash.marked(m) for m in copies[1:]] == \
        [wanted == DOUBT] * (len(copies) - 1)


@pytest.mark.parametrize("refusal,wanted", (
    ("451 4.3.0 Not now", ("in_doubt", 1)),
    ("550 5.7.1 Never", ("held", 1))))
def test_refused_resend(case, refusal, wanted):
    """The first copy may have been accepted: a refusal does not undo it."""
    case.recorder.on("dot", cut())
    case.run()
    assert on_record(case) == DOUBT
    case.recorder.on("dot", reply(refusal))
    result = case.run()
    assert on_record(case) == wanted, result.log
    assert crash.marked(case.recorder.messages[-1])


def test_gone_before_the_dot(case):
    """Nothing was sent that could have been accepted: no doubt."""
    case.recorder.on("body", cut())
    result = case.run()
    assert result.code in (haul.BUSY, haul.FAILED)
    assert on_record(case) in (("deferred", 0), ("new", 0))
    case.recorder.on("body", None)
    assert case.drain() == []
    assert [crash.marked(m) for m in case.recorder.messages] == [False]

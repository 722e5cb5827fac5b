# SPDX-License-Identifier: ISC
"""Several messages on their way at once: what hurts one hurts nobody else, and
who is in doubt is who may have been accepted."""
import pytest

import crash
import fakes
import haul
from test_replies import cut

MIDDLE = 20
MODES = (crash.DATA, crash.WINDOW, crash.LINES)


@pytest.fixture(name="case", params=MODES, ids=lambda mode: mode.name)
def case_of(lab, request):
    case = crash.Case(lab, "imap", "keep", request.param, count=40)
    yield case
    case.close()


def is_middle(message):
    return b"number %d\r\n" % MIDDLE in message.raw


def states(case):
    return [row["state"] for row in case.haul.rows()]


def once_each(case):
    """Every message arrived once, and none was announced as a second copy."""
    assert len(case.recorder.accepted()) == len(case.expected)
    assert not any(map(crash.marked, case.recorder.messages))


@pytest.mark.parametrize("refusal,state", (
    ("451 4.3.0 Not now", "deferred"), ("550 5.7.1 Never", "held")))
def test_refusal_of_one(case, refusal, state):
    case.recorder.on("dot", lambda _, m: refusal if is_middle(m) else None)
    result = case.run()
    assert states(case) == [
        state if n == MIDDLE else "relayed" for n in range(40)], result.log
    found, problems = case.judge()
    assert (found["undelivered"], found["silent"]) == (1, 0), problems
    case.recorder.on("dot", None)
    if state == "held":
        case.haul.held("release", "--all", "--account", case.user)
    assert case.drain() == []
    once_each(case)


@pytest.mark.parametrize("stage", ("mail", "rcpt"))
def test_refused_envelope(case, stage):
    """Of the 20th: what was written behind its commands belongs to nobody."""
    seen = []

    def hook(_session, message):
        seen.append(message)
        return "451 4.7.1 Not you" if len(seen) == MIDDLE else None
    case.recorder.on(stage, hook)
    result = case.run()
    assert sorted(states(case)) == ["deferred"] + 39 * ["relayed"], result.log
    assert case.drain() == []
    once_each(case)


def lost_at(case, hook):
    """Once, at the end of the message in the middle."""
    seen = []

    def lose(session, message):
        if not is_middle(message) or seen:
            return None
        seen.append(message)
        return hook(session, message)
    case.recorder.on("dot", lose)


@pytest.mark.parametrize("known", (True, False), ids=("a yes", "no word"))
def test_lost_in_the_middle(case, known):
    """The line, behind a reply or without."""
    def hook(session, message):
        if known:
            message.reply = "250 2.0.0 Ok"
            return cut(b"250 2.0.0 Ok\r\n")(session, message)
        return fakes.RESET
    lost_at(case, hook)
    result = case.run()
    assert result.code in (haul.OK, haul.BUSY), result.log
    doubts = [row["uid"] for row in case.haul.rows() if row["doubt"] or
              row["state"] == "in_doubt"]
    assert len(doubts) <= case.mode.in_flight, doubts
    assert known or doubts
    assert case.drain() == []
    found, problems = case.judge()
    assert not problems, problems
    # The server accepted none of them: no one arrived twice.
    assert found["announced"] == 0


def test_closed_in_the_middle(case):
    """With a 421: the server did not take it, nor what is behind it."""
    lost_at(case, lambda *_: "421 4.7.0 Enough for one connection")
    result = case.run()
    assert "in_doubt" not in states(case), result.log
    assert case.drain() == []
    once_each(case)


@pytest.mark.parametrize("case", (crash.WINDOW,), indirect=True)
def test_chunks_in_a_row(case):
    """Nothing but BDAT, and few flights: the first is larger than a chunk."""
    case.run()
    session, = case.recorder.sessions
    assert "DATA" not in session.commands
    assert session.commands.count("BDAT") >= 40
    assert session.flights < 40
    once_each(case)


@pytest.mark.parametrize("case", (crash.DATA,), indirect=True)
def test_envelope_behind_the_dot(case):
    case.run()
    session, = case.recorder.sessions
    assert session.commands.count("DATA") == 40
    # Two a message at most: the dot with the next envelope, and the body.
    assert session.flights < 2 * 40 + 10
    once_each(case)


def test_one_connection_for_each_window(lab):
    """And no more than connections says."""
    case = crash.Case(lab, "imap", "keep", crash.LINES)
    try:
        # So that a window waits, as at a server that is far away.
        case.recorder.pace.delay = 0.1
        result = case.run()
        used = [s for s in case.recorder.sessions if "BDAT" in s.commands]
        assert 2 <= len(used) <= len(case.recorder.sessions) <= 3, result.log
        once_each(case)
    finally:
        case.close()


def test_records_share_a_commit(lab):
    """A window of them; one at a time each needs its own."""
    syncs = {}
    for mode in (crash.ONE, crash.WINDOW):
        steps = crash.steps_of(crash.maker(
            lab, "imap", "keep", mode, started=True))
        syncs[mode] = steps["s"] / mode.messages
    assert syncs[crash.ONE] > 1, syncs
    assert syncs[crash.WINDOW] < 1, syncs

# SPDX-License-Identifier: ISC
"""One message that cannot be relayed, among a thousand that can."""
import re
import signal

import corpus
from fakes import FakePop3, RecordingSmtp

MANY, POISON = 1000, 501
NUMBER = re.compile(rb"^Subject: number (\d+)\r$", re.M)


def messages():
    return [corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i
            for i in range(1, MANY + 1)]


def arrived(recorder):
    return sorted(int(NUMBER.search(m.raw).group(1))
                  for m in recorder.accepted())


def all_but_one():
    return [n for n in range(1, MANY + 1) if n != POISON]


def test_refused_after_the_dot(world, haul):
    """550 after the dot (M24): held, the 999 others flow in the same poll."""
    with FakePop3(world.certs, messages()) as source, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda _, m: "550 5.7.1 No"
                    if b"Subject: number %d\r" % POISON in m.raw else None)
        haul.account("many", "pop3", source.port, after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert arrived(recorder) == all_but_one()
        assert len(first.lines("held", "550")) == 1
        assert list(source.mailbox) == ["uid-%d" % POISON]
        haul.once()
        assert arrived(recorder) == all_but_one()
        assert list(source.mailbox) == ["uid-%d" % POISON]


def test_source_cannot_deliver(world, haul):
    """RETR -ERR (P16): put off, the 999 others flow in the same poll."""
    with FakePop3(world.certs, messages()) as source, \
            RecordingSmtp(world.certs) as recorder:
        source.on_retr = lambda _, number: \
            b"-ERR [SYS/TEMP] disk\r\n" if number == POISON else None
        haul.account("many", "pop3", source.port, after="keep")
        haul.to_recorder(recorder)
        first = haul.once(expect=None)
        assert arrived(recorder) == all_but_one()
        assert len(first.lines("deferred", "disk")) == 1
        source.on_retr = None
        haul.later()
        haul.once()
        assert arrived(recorder) == list(range(1, MANY + 1))


def test_kills_the_process(world, haul):
    """Three deaths, and it is held (R9); all others arrive."""
    with FakePop3(world.certs, messages()[:100]) as source, \
            RecordingSmtp(world.certs) as recorder:
        poison, deaths = 50, []
        haul.account("many", "pop3", source.port, after="keep")
        haul.to_recorder(recorder)

        def kill(_session, number):
            if number == poison:
                deaths.append(number)
                running.signal(signal.SIGKILL)
        source.on_retr = kill
        for _ in range(3):
            running = haul.start("--once")
            assert running.wait().code == -signal.SIGKILL
        last = haul.once()
        assert last.lines("held", "died")
        assert len(deaths) == 3
        assert set(arrived(recorder)) == {n for n in range(1, 101)
                                          if n != poison}
        assert haul.sql("SELECT state, number FROM (SELECT state, count(*)"
                        " AS number FROM delivery GROUP BY state)"
                        " ORDER BY state") == [("held", 1), ("relayed", 99)]
        # Those in flight may have come twice, and say so.
        assert len([m for m in recorder.accepted()
                    if "duplicate" not in m.trace()]) <= 99

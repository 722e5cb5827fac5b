# SPDX-License-Identifier: ISC
"""A destination down for six hours, with mail waiting in 20 accounts.

The clock runs 300 times as fast (libfaketime): six hours are 72 seconds.
"""
import os
import time

import corpus
from fakes import DROP, FakePop3, RecordingSmtp
from servers import wait_for
from test_clock import SPEED, hurry

ACCOUNTS, HOURS = 20, 6
EACH = 500 if os.environ.get("MAILHAUL_LARGE") else 100


def rss(running):
    with open("/proc/%d/status" % running.child.process.pid,
              encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def test_six_hours(world, haul):
    sources = [FakePop3(world.certs, [
        corpus.header(i, "number %d-%d" % (a, i)) + b"\r\n" + b"x" * 2000
        + b"\r\n" for i in range(EACH)]) for a in range(ACCOUNTS)]
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("auth", lambda *_: DROP)
        for a, source in enumerate(sources):
            haul.account("a%d" % a, "pop3", source.port, interval="30m",
                         after="delete")
        haul.to_recorder(recorder)
        haul.options["reply_timeout"] = haul.options["dot_timeout"] = "1h"
        haul.options["connect_timeout"] = "10m"
        hurry(haul)
        running = haul.start()
        time.sleep(HOURS * 3600 / SPEED / 2)
        half = rss(running)
        time.sleep(HOURS * 3600 / SPEED / 2)
        end = rss(running)
        tries = len(recorder.sessions)
        fetched = sum(s.count("RETR") for s in sources)
        polls = sum(len(s.sessions) for s in sources)
        print("down: %d connections to the destination, %d messages fetched,"
              " %d polls, memory %d then %d KiB"
              % (tries, fetched, polls, half, end))
        # 30 s, doubling to 30 min: some 18 in six hours.
        assert tries <= 30
        # The first flights, and one message a try.
        assert fetched <= ACCOUNTS * 32 + tries
        assert end <= half * 1.2 + 2048
        errors = [line for line in running.text().splitlines()
                  if line.startswith("destination home:")]
        assert len(errors) <= 3, errors
        recorder.on("auth", lambda *_: None)
        wait_for("everything", lambda: len(recorder.accepted())
                 == ACCOUNTS * EACH, 300)
        running.stop(90)
        assert len({m.trace().split(";")[0] for m in recorder.accepted()}) \
            == ACCOUNTS * EACH
    for source in sources:
        source.close()

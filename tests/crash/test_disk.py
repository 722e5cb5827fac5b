# SPDX-License-Identifier: ISC
"""The disk is full, or fails, at any write or sync of the state."""
import itertools
import os
import re

import pytest

import crash
import haul
from crash import IO_ERROR, KILLED, Plan, Tally

# What an operator reads, at the start or later.
WORDS = re.compile(r"(state database failed: |/state\.db |cannot "
                   r"(write INSTALL-ID|use STAMP) in .*)(disk I/O error|database or disk is full"
                   r"|Input/output error|No space left)")
CLOSING = "[PRAGMA wal_checkpoint(TRUNCATE)]"


def complaint(case, result):
    """What is wrong with how it took the error, or nothing."""
    if result.code in (IO_ERROR, haul.STATE):
        return [] if WORDS.search(result.log) else \
            ["no clear word: %s" % result.log[-500:]]
    if result.code not in (haul.OK, haul.BUSY):
        return ["exit %d" % result.code]
    # All was on record when it came, or it was one that needs no answer.
    if CLOSING not in result.log and "SQLite" in result.log:
        return ["an error without consequence: %s" % result.log[-500:]]
    with open(os.path.join(case.haul.state, "state.db"), "rb") as f:
        if f.read(20)[18:] != b"\2\2":
            return ["went on without a write-ahead log"]
    return []


def strike(case, plans, tally):
    problems = complaint(case, case.run(plans[0]))
    problems += case.drain()
    found, more = case.judge()
    problems += more or case.left_over()
    found["tries"] = 1
    tally.add(plans[0], found, problems)


@pytest.mark.parametrize("act,lasting", (
    ("ENOSPC", 1), ("EIO", 1), ("EIO", 0)), ids=(
        "full", "broken", "one-error"))
@pytest.mark.parametrize("protocol,after", (
    ("pop3", "delete"), ("imap", "keep")))
def test_disk_error(lab, protocol, after, act, lasting):
    make = crash.maker(lab, protocol, after, crash.DATA)
    steps = crash.steps_of(make)
    last = steps["s"] + steps["p"]
    tally = Tally("%s%s, %sS, %s" % (
        act, " for good" * lasting, protocol.upper(), after), "errors")
    # Every step of the first start, then every so many.
    stride = 1 if lab.full else 3
    where = sorted({*range(1, 20), *range(20, last + 1, stride)})
    crash.sweep(tally, make, (
        [Plan("sp", at, "before", act, lasting=lasting)] for at in where),
        strike_with=strike)
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 2


@pytest.mark.parametrize("lasting", (0, 1), ids=("one-error", "broken"))
@pytest.mark.parametrize("protocol,after", (
    ("pop3", "delete"), ("imap", "keep")))
def test_read_error(lab, protocol, after, lasting):
    """D12: the state cannot be read; each read of a start that finds one, and
    each while mail is relayed that does not fit into the cache."""
    make = crash.maker(lab, protocol, after, started=True)
    steps = crash.steps_of(make)
    tally = Tally("EIO on reading%s, %sS, %s" % (
        " for good" * lasting, protocol.upper(), after), "errors")
    crash.sweep(tally, make, (
        [Plan("d", at, "before", "EIO", lasting=lasting)]
        for at in range(1, steps["d"] + 1)), strike_with=strike)
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 10


@pytest.mark.parametrize("protocol,after", (
    ("pop3", "delete"), ("imap", "keep")))
def test_failed_sync_then_power(lab, protocol, after):
    """What a failed sync did not write can still be read, until the power
    fails: a start behind it must not build on that."""
    make = crash.maker(lab, protocol, after, started=True)
    steps = crash.steps_of(make)

    numbers = itertools.count(1)

    def pairs():
        for at in range(2, steps["s"], 1 if lab.full else 5):
            for end in range(16, steps["w"], 4 if lab.full else 8):
                disk = lab.world.work.sub("crash", "disk-%s-%d" % (
                    protocol, next(numbers)))
                yield [Plan("s", at, "before", "EIO", disk=disk, lasting=1),
                       Plan("w", end, "after", "power", disk=disk, seed=end)]

    def both(case, plans, tally):
        code = case.run(plans[0]).code
        if code == IO_ERROR:
            code = case.run(plans[1]).code  # of what is left to do
        if code not in (KILLED, haul.OK, haul.BUSY):
            tally.add(plans[0], {}, ["exit %d" % code])
        problems = case.drain()
        found, more = case.judge(2)
        found["tries"] = code == KILLED
        tally.add(plans[0], found, problems + more)
    tally = Tally("failed sync, power, %sS, %s" % (
        protocol.upper(), after), "cuts")
    crash.sweep(tally, make, pairs(), strike_with=both)
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 2

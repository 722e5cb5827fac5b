# SPDX-License-Identifier: ISC
"""The power fails: what was not synced is gone, or a part of it."""
import pytest

import crash
from crash import Case, Plan, Tally

SCENARIOS = [(p, a) for p in ("pop3", "imap") for a in ("delete", "keep")]


def plans(steps, full, **more):
    """Around every sync; after writes, each of which may be a dot."""
    for at in range(1, steps["s"] + 1):
        for when in ("before", "after"):
            yield [Plan("s", at, when, "power", seed=at, **more)]
    for kind, stride in (("w", 4), ("p", 5)):
        for at in range(1, steps[kind] + 1, 1 if full else stride):
            yield [Plan(kind, at, "after", "power", seed=at, **more)]


def prepare(lab, protocol, after):
    """Power cuts hit an installation at work; its first start is among the
    plans of test_first_start."""
    def make(plan):
        case = Case(lab, protocol, after, count=0)
        assert case.run().code == 0
        case.fill()
        case.refuse_some(resends=plan is not None and plan.at % 2)
        return case
    case = make(None)
    steps = crash.count_steps(case)
    case.close()
    return make, steps


@pytest.mark.parametrize("protocol,after", SCENARIOS)
def test_power(lab, protocol, after):
    make, steps = prepare(lab, protocol, after)
    tally = Tally("power cut, %sS, %s" % (protocol.upper(), after))
    crash.sweep(tally, make, plans(steps, lab.full))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["kills"] > 30
    assert tally.count["announced"] > 0


def test_first_start(lab):
    """Of the very first start nothing, or all, survives, and never less than
    what the next start needs."""
    def make(_plan):
        return Case(lab, "imap", "delete")
    case = make(None)
    steps = crash.count_steps(case)
    case.close()
    tally = Tally("power cut, first start")
    crash.sweep(tally, make, (
        [Plan("sp", at, "before", "power", seed=seed)]
        for at in range(1, min(24, steps["s"] + steps["p"]))
        for seed in range(1, 8 if lab.full else 3)))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)


@pytest.mark.parametrize("protocol,after", SCENARIOS)
def test_without_sync_it_fails(lab, protocol, after):
    """The sweep can see: where a sync does nothing, it finds what breaks."""
    make, steps = prepare(lab, protocol, after)
    tally = Tally("sync that lies, %sS, %s" % (protocol.upper(), after))
    crash.sweep(tally, make, plans(steps, False, lies=1), until_caught=True)
    lab.report(tally)
    assert tally.count["silent"] + tally.count["lost"] > 0, tally.problems

# SPDX-License-Identifier: ISC
"""kill -9 at every durable step, and at writes and reads of sockets."""
import random

import pytest

import crash
from crash import Plan, Tally

SCENARIOS = [(p, a) for p in ("pop3", "imap") for a in ("delete", "keep")]


@pytest.fixture(name="scene", params=SCENARIOS, ids="-".join)
def scene_of(lab, request):
    protocol, after = request.param
    make = crash.maker(lab, protocol, after)
    steps = crash.steps_of(make)
    # A shim that counts nothing would prove nothing.
    assert steps["s"] >= 2 * crash.MESSAGES and steps["p"] > steps["s"] and \
        steps["w"] > 3 * crash.MESSAGES and steps["r"] > steps["w"] / 2, steps
    return "%sS, %s" % (protocol.upper(), after), make, steps


def some_pairs(steps, count):
    """Killed, and killed again while it recovers."""
    rng = random.Random(3)
    for _ in range(count):
        yield [Plan(kind, rng.randint(1, steps[kind]), "after")
               for kind in (rng.choice("spw"), rng.choice("spw"))]


def test_kill(lab, scene):
    name, make, steps = scene
    tally = Tally("kill, " + name)
    crash.sweep(tally, make, crash.every_step(steps, lab.full))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 100
    assert tally.count["announced"] > 0


def test_kill_twice(lab, scene):
    name, make, steps = scene
    tally = Tally("kill twice, " + name)
    crash.sweep(tally, make, some_pairs(steps, 300 if lab.full else 20))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 20

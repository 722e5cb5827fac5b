# SPDX-License-Identifier: ISC
"""kill -9 at every durable step, and at writes and reads of sockets."""
import random

import pytest

import crash
from crash import Plan, Tally

SCENES = (
    ("pop3", "delete", crash.ONE), ("imap", "keep", crash.ONE),
    ("pop3", "keep", crash.DATA), ("imap", "delete", crash.DATA),
    ("pop3", "delete", crash.WINDOW), ("imap", "keep", crash.WINDOW),
    ("imap", "delete", crash.LINES))


@pytest.fixture(name="scene", params=SCENES, ids=crash.scene_name)
def scene_of(lab, request):
    mode = request.param[2]
    make = crash.maker(lab, *request.param)
    steps = crash.steps_of(make)
    # A shim that counts nothing would prove nothing.
    assert steps["p"] > steps["s"] >= 2 * mode.messages / mode.in_flight and \
        steps["w"] > mode.messages / mode.in_flight and \
        steps["r"] > steps["w"] / 2, steps
    return crash.scene_name(request.param), make, steps


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
    assert tally.count["tries"] > 50
    assert tally.count["announced"] > 0


def test_kill_twice(lab, scene):
    name, make, steps = scene
    tally = Tally("kill twice, " + name)
    crash.sweep(tally, make, some_pairs(steps, 300 if lab.full else 20))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 20

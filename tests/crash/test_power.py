# SPDX-License-Identifier: ISC
"""The power fails: what was not synced is gone, or a part of it."""
import pytest

import crash
from crash import Plan, Tally

SCENES = (
    ("pop3", "delete", crash.ONE), ("imap", "keep", crash.DATA),
    ("pop3", "keep", crash.WINDOW), ("imap", "delete", crash.LINES))


@pytest.mark.parametrize("scene", SCENES, ids=crash.scene_name)
def test_power(lab, scene):
    """At an installation that was started before."""
    make = crash.maker(lab, *scene, started=True)
    steps = crash.steps_of(make)
    tally = Tally("power, " + crash.scene_name(scene), "cuts")
    crash.sweep(tally, make, crash.power_cuts(steps, lab.full))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 20
    assert tally.count["announced"] > 0


def test_first_start(lab):
    """Of the very first start nothing, or all, survives, and never less than
    what the next start needs."""
    make = crash.maker(lab, "imap", "delete")
    steps = crash.steps_of(make)
    tally = Tally("power, first start", "cuts")
    crash.sweep(tally, make, (
        [Plan("sp", at, "before", "power", seed=seed)]
        for at in range(1, min(24, steps["s"] + steps["p"]))
        for seed in range(1, 8 if lab.full else 3)))
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)


@pytest.mark.parametrize("scene", SCENES, ids=crash.scene_name)
def test_without_sync_it_fails(lab, scene):
    """The sweep can see: where a sync does nothing, it finds what breaks."""
    make = crash.maker(lab, *scene, started=True)
    steps = crash.steps_of(make)
    tally = Tally("power and a sync that lies, " + crash.scene_name(scene),
                  "cuts")
    crash.sweep(tally, make, crash.power_cuts(steps, False, lies=1),
                until_caught="silent")
    lab.report(tally, wanted="silent")
    assert tally.count["silent"] > 0, tally.problems

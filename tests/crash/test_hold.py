# SPDX-License-Identifier: ISC
"""kill -9 with in_doubt = hold: no second copy without a decision, and none
that is not announced after it."""
import collections

import pytest

import crash
from crash import Tally


def strike(case, plans, tally):
    """A run under the plan and the rest; then everything is released."""
    kills, problems = 0, []
    for plan in plans:
        kills += case.run(plan).code == crash.KILLED
    problems += case.drain()
    copies = collections.Counter(
        m.trace().split(";")[0] for m in case.recorder.accepted())
    if max(copies.values(), default=0) > 1:
        problems.append("sent again without a decision")
    held = [row for row in case.haul.rows() if row["state"] == "held"]
    if len(held) > len(plans) * case.mode.in_flight or not all(row["doubt"] for row in held):
        problems.append("held: %s" % held)
    if len(set(copies) | {row["trace"] for row in held}) != \
            len(case.expected):
        problems.append("neither relayed nor held")
    case.haul.held("release", "--all", "--account", case.user)
    problems += case.drain()
    found, more = case.judge(len(plans))
    problems += more or case.left_over()
    found.update(tries=kills, held=len(held))
    tally.add(" and ".join(map(str, plans)), found, problems)


SCENES = (("pop3", "delete", crash.ONE), ("imap", "keep", crash.WINDOW))


@pytest.mark.parametrize("scene", SCENES, ids=crash.scene_name)
def test_kill_and_hold(lab, scene):
    plain = crash.maker(lab, *scene)

    def make(plan):
        case = plain(plan)
        case.haul.options["in_doubt"] = "hold"
        return case
    tally = Tally("kill and hold, " + crash.scene_name(scene))
    plans = list(crash.every_step(crash.steps_of(make), lab.full))
    crash.sweep(tally, make, plans if lab.full else plans[::2],
                strike_with=strike)
    lab.report(tally)
    assert not tally.problems, "\n".join(tally.problems)
    assert tally.count["tries"] > 50 and tally.count["held"] > 10

# SPDX-License-Identifier: ISC
"""Kills, power cuts and full disks.  --full (or CRASH_FULL=1) tries every
step; without it every durable step and a part of those on the network."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
sys.path.insert(0, HERE)

import crash  # noqa: E402
import haul  # noqa: E402
import servers  # noqa: E402

SUMMARY = []
TOTAL = crash.Tally("in all", "kills, cuts and errors")


def pytest_configure(config):
    config.option.showcapture = "no"  # the logs of a thousand runs


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true",
                     default=bool(os.environ.get("CRASH_FULL")),
                     help="every step, not a part of them")


def pytest_terminal_summary(terminalreporter):
    for line in SUMMARY + [str(TOTAL)] * bool(SUMMARY):
        terminalreporter.write_line(line)


class Lab:
    """What all cases share."""

    def __init__(self, world, path, full):
        self.world, self.path, self.full = world, path, full
        self.shim = crash.build_shim(path)

    @staticmethod
    def report(tally, wanted=None):
        """One line; wanted: what had to be found."""
        if not wanted:
            TOTAL.add(None, tally.count, [])
            SUMMARY.append(str(tally))
        else:
            SUMMARY.append("%s: %s" % (tally.name, "caught, %d %s" % (
                tally.count[wanted], wanted) if tally.count[wanted]
                else "MISSED"))


@pytest.fixture(scope="session")
def lab(request):
    if not os.access(haul.MAILHAULD, os.X_OK):
        pytest.exit("no mailhauld: set MAILHAULD", 2)
    with servers.World(postfix=False) as world:
        yield Lab(world, world.work.sub("crash"),
                  request.config.getoption("full", False))

# SPDX-License-Identifier: ISC
import itertools
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import haul as haul_module  # noqa: E402
import servers  # noqa: E402

COUNTER = itertools.count(1)

# Who runs us in the background of a script has SIGINT ignored, and so would
# have what we start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def world():
    """Dovecot and Postfix, started once for all tests."""
    if not os.access(haul_module.MAILHAULD, os.X_OK):
        pytest.exit("no mailhauld: set MAILHAULD", 2)
    with servers.World() as world:
        yield world


@pytest.fixture
def haul(world, tmp_path):
    installation = haul_module.Haul(tmp_path / "haul", world.certs)
    yield installation
    installation.close()


@pytest.fixture
def user():
    """A mailbox name that no other test has."""
    return "user%d" % next(COUNTER)


@pytest.fixture
def port(world):
    """Of the source server, by protocol."""
    return lambda protocol: world.dovecot.ports[protocol + "s"]

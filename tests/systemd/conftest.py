# SPDX-License-Identifier: ISC
import itertools
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "live")]

import servers  # noqa: E402
import service as service_module  # noqa: E402

COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def world():
    """Dovecot and Postfix, in the network of the container."""
    with open("/proc/1/comm", encoding="ascii") as f:
        if f.read() != "systemd\n":
            pytest.exit("not under systemd: run tests/systemd/boot", 2)
    with servers.World() as world:
        yield world


@pytest.fixture
def service(world):
    """The installed service, stopped, without state, secrets or drop-ins."""
    installed = service_module.Service(world.certs)
    yield installed
    installed.close()


@pytest.fixture
def user():
    """A mailbox name that no other test has."""
    return "user%d" % next(COUNTER)

# SPDX-License-Identifier: ISC
"""kill -9 at every step of a refresh whose provider rotates refresh tokens and
takes back everything when an old one is used again: the next start logs in, or
says what to do; and then it does."""
import concurrent.futures
import itertools
import json
import os
import subprocess

import pytest

import crash
import fake_oauth
import haul
from crash import Plan

NUMBERS = itertools.count(1)


def sign_in(case):
    done = subprocess.run(
        [haul.MAILHAUL, "-c", case.conf, "--state", case.state, "login",
         "ann", "--device"], stdin=subprocess.DEVNULL, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=case.env(),
        check=False)
    assert done.returncode == haul.OK, done.stdout.decode()


def kept(case):
    path = os.path.join(case.state, "tokens")
    name, = (n for n in os.listdir(path) if n.endswith(".json"))
    with open(os.path.join(path, name), encoding="utf-8") as f:
        return json.load(f)


class Rotation:
    """A case that has signed in, and whose access token is over."""

    def __init__(self, lab):
        certs = lab.world.certs
        self.provider = fake_oauth.Provider(certs)
        self.source = fake_oauth.TokenPop3(certs, [
            crash.message(1)], self.provider)
        self.recorder = crash.Recorder(certs)
        self.haul = crash.Installation(
            os.path.join(lab.path, "token%d" % next(NUMBERS)), certs,
            lab.shim, None)
        self.haul.account("ann", "pop3", self.source.port,
                          **self.provider.options(certs))
        self.haul.to_recorder(self.recorder)
        self.provider.approved = True
        self.provider.life = 1
        self.haul.write()
        sign_in(self.haul)
        self.provider.expire()
        self.provider.life = 3600

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.haul.close()
        for server in (self.provider, self.source, self.recorder):
            server.__exit__()

    def run(self, plan=None):
        return self.haul.run(plan)

    def recover(self):
        """Answers with whether it went on by itself."""
        result = self.run()
        alone = result.code == haul.OK
        if not alone:
            assert result.lines("ann: sign in again: mailhaul login ann") or \
                result.lines("ann", "mailhaul login ann"), result.log
            assert result.lines("was interrupted"), result.log
            sign_in(self.haul)
            assert self.run().code == haul.OK
        assert len(self.recorder.accepted()) == 1
        assert kept(self.haul)["refresh_token"] == self.provider.refresh
        assert "asked" not in kept(self.haul)
        return alone


def steps_of(lab):
    """How many steps of each kind there are in a refresh."""
    with Rotation(lab) as case:
        path = os.path.join(case.haul.path, "count")
        result = case.run(Plan("", count=path))
        assert result.code == haul.OK, result.log
        with open(path, encoding="ascii") as f:
            counts = dict(line.split() for line in f)
        return {k: int(v) for k, v in counts.items()}


def together(one, items):
    """What one says of each; most of the time they wait for a provider that
    wants to be asked once a second."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, items))


def test_rotation(lab):
    steps = steps_of(lab)
    # Twice a file is replaced: before the provider is asked, and after.
    assert steps["t"] == 8, steps
    where = list(itertools.product(range(1, 9), ("before", "after")))

    def alone(place):
        with Rotation(lab) as case:
            result = case.run(Plan("t", *place))
            assert result.code == crash.KILLED, result.log
            return case.recover()
    lost = [place for place, good in zip(where, together(alone, where))
            if not good]
    # From the answer of the provider to the new name of the file.
    assert lost == [(5, "before"), (5, "after"), (6, "before"), (6, "after"),
                    (7, "before")], lost
    lab.report(_tally(len(where)))


def test_question(lab):
    """Killed while it talks to the provider: whatever that has heard of it."""
    steps = steps_of(lab)
    assert steps["w"] > 4, steps

    def kill(at):
        with Rotation(lab) as case:
            result = case.run(Plan("w", at, "after"))
            assert result.code == crash.KILLED, result.log
            asked = case.provider.count("refresh_token")
            assert case.recover() or asked
    where = range(1, steps["w"] + 1, 1 if lab.full else 3)
    together(kill, where)
    lab.report(_tally(len(where)))


@pytest.mark.parametrize("error,lasting", [("ENOSPC", 1), ("EIO", 0)])
def test_disk(lab, error, lasting):
    """Nothing is asked that cannot be kept, and nothing used that is not."""
    def fail(at):
        with Rotation(lab) as case:
            result = case.run(Plan("t", at, "before", error, lasting=lasting))
            assert result.code == haul.FAILED, (at, result.log)
            assert result.lines("ann", "cannot keep tokens"), result.log
            assert case.source.logins == []
            assert case.provider.count("refresh_token") == (at > 4)
            # What the process knew goes with it, if the disk stays full.
            assert case.recover() == (at <= 4 or at == 8 or not lasting), at
    together(fail, range(1, 9))
    lab.report(_tally(8))


def _tally(count):
    tally = crash.Tally("tokens", "kills and errors")
    tally.count["tries"] = count
    return tally

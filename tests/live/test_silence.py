# SPDX-License-Identifier: ISC
"""Connections that die without a word, while we wait over them for news.

The times are printed.  Nothing depends on them but what is promised: that they
end (keepalive after two minutes at the latest).
"""
import json
import time

import pytest

import corpus
from fakes import RecordingSmtp
from haul import OK, settled
from netns import FAR, Cable
from servers import wait_for


def message(number):
    return corpus.header(number, "number %d" % number) + b"\r\nbody\r\n"


@pytest.fixture
def cable(tmp_path):
    with Cable(tmp_path) as cable:
        yield cable


class Line:
    """mailhauld behind the cable, and accounts that it watches over it."""

    def __init__(self, world, haul, cable, recorder):
        self.world, self.haul, self.cable = world, haul, cable
        self.recorder, self.lines, self.boxes = recorder, {}, {}
        pin = world.certs.pin()
        self.pinned = {"host": FAR, "pin_sha256": pin, "ca_file": None}
        haul.to_recorder(recorder, **self.pinned)
        haul.destinations[-1]["port"] = cable.relay(recorder.port).port
        plain = haul.argv
        haul.argv = lambda *more: cable.near.argv(*plain(*more))

    def watch(self, name, **options):
        self.boxes[name] = self.world.dovecot.mailbox(name)
        self.lines[name] = self.cable.relay(self.world.dovecot.ports["imaps"])
        self.haul.account(name, "imap", self.lines[name].port, **self.pinned,
                          **options)

    def start(self):
        self.running = self.haul.start()
        wait_for("first polls", lambda: all(
            "%s: first poll of" % n in self.running.text()
            for n in self.boxes))
        wait_for("quiet", lambda: settled(self.running))

    def count(self):
        return len(self.recorder.accepted())

    def deliver(self):
        """One message into each mailbox; all of them come."""
        want = self.count() + len(self.boxes)
        for box in self.boxes.values():
            box.add(message(want))
        return lambda: self.count() >= want


def status(haul):
    said = haul.command("status", "--json")
    assert said.code == OK, said.log
    return json.loads(said.log)["accounts"]


def said(running, name, *words):
    return [x for x in running.text().splitlines()
            if name + ":" in x and all(w in x for w in words)]


def test_the_old_connection_is_dead(world, haul, user, cable):
    """Nothing passes over it any more, in neither direction; a new one works.
    One account has a poll due soon, which finds it out; the other has none for
    hours, and keepalive does."""
    with RecordingSmtp(world.certs) as recorder:
        line = Line(world, haul, cable, recorder)
        haul.options["reply_timeout"] = "15s"
        polls, waits = user + "polls", user + "waits"
        line.watch(polls, interval="10s")
        line.watch(waits, interval="6h")
        line.start()
        wait_for("news", line.deliver())
        wait_for("quiet", lambda: settled(line.running, 2))
        start = time.monotonic()
        for name in (polls, waits):
            cable.discard(line.lines[name].clients[-1])
        all_came = line.deliver()
        found, came = {}, {}
        while len(came) < 2:
            now = time.monotonic() - start
            assert now < 400, line.running.text()[-3000:]
            for name in (polls, waits):
                if said(line.running, name, "no answer") or said(
                        line.running, name, "session ended"):
                    found.setdefault(name, now)
                if said(line.running, name, "relayed INBOX uid 2"):
                    came.setdefault(name, now)
            time.sleep(0.1)
        for name, how in ((polls, "a poll"), (waits, "keepalive")):
            print("%s noticed it after %.1f s, the message came after %.1f "
                  "s" % (how, found[name], came[name]))
        assert all_came()
        result = line.running.stop()
        assert len(recorder.accepted()) == len(recorder.messages) == 4
        assert len(line.lines[waits].clients) == 2
        # The end of a watch tells nothing of the poll before it again.
        assert len(result.lines("poll ended")) == 4


def test_everything_is_dead_for_a_while(world, haul, user, cable):
    with RecordingSmtp(world.certs) as recorder:
        line = Line(world, haul, cable, recorder)
        haul.options["reply_timeout"] = "15s"
        haul.options["connect_timeout"] = "5s"
        for letter in "ab":
            line.watch(user + letter, interval="10s")
        line.start()
        wait_for("news", line.deliver())
        wait_for("quiet", lambda: settled(line.running, 2))
        cable.pull()
        start = time.monotonic()
        all_came = line.deliver()
        # Noticed, and in vain tried again.
        wait_for("the failures", lambda: all(
            a["failures"] > 1 and a["reason"] for a in status(haul)), 300)
        noticed = time.monotonic() - start
        assert not all_came()
        cable.plug()
        start = time.monotonic()
        wait_for("all of it", all_came, 300)
        print("two connections were found dead, and new ones in vain, after "
              "%.1f s; all came %.1f s after the cable was back"
              % (noticed, time.monotonic() - start))
        wait_for("news again", line.deliver(), 300)
        line.running.stop()
        assert len(recorder.accepted()) == len(recorder.messages) == 6

# SPDX-License-Identifier: ISC
"""Twelve hours of a daemon, against Dovecot and Postfix, with a clock that
leaps from one timer to the next (clock.c) and is set wrong in between; and
twelve hours with access tokens that are good for one.

The servers keep the real time.  Nothing depends on how long anything takes: the
clock stands while anybody works.
"""
import mmap
import os
import re
import struct
import time

import pytest

import corpus
import oidc
import servers
from fakes import RecordingSmtp
from servers import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
LONG = 300  # real seconds: far more than anything here takes


@pytest.fixture(name="library", scope="session")
def _library(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("clock") / "clock.so")
    servers.run(os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE",
                "-O2", "-fPIC", "-shared", "-o", out,
                os.path.join(HERE, "clock.c"), "-ldl")
    return out


class Clock:
    """What mailhauld takes for the time."""
    FIELDS = ("jump", "gate", "elapsed", "quiet", "wakeups", "idles",
              "sessions")

    def __init__(self, path, library, haul):
        self.path = str(path)
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        plain = haul.env
        haul.env = lambda: dict(plain(), LD_PRELOAD=library,
                                CLOCK_FILE=self.path)

    def get(self, name):
        return struct.unpack_from("<q", self.map,
                                  8 * self.FIELDS.index(name))[0]

    def put(self, name, value):
        struct.pack_into("<q", self.map, 8 * self.FIELDS.index(name), value)

    def now(self):
        """Seconds since the start."""
        return self.get("elapsed") / 1000

    def settle(self):
        """Nothing happens, and nobody owes an answer."""
        seen = self.get("quiet")
        wait_for("quiet", lambda: self.get("quiet") > seen + 10, LONG)

    def advance(self, seconds):
        """To that time, and until all is done that is due by then."""
        self.put("gate", int(seconds * 1000))
        wait_for("%d s" % seconds, lambda: self.get("elapsed") ==
                 int(seconds * 1000), LONG)
        self.settle()

    def jump(self, seconds):
        """The wall clock is wrong by so much from here on."""
        self.put("jump", seconds)


class Picky:
    """Refuses, for now, the messages that it is told to, until a time; keeps
    when it was asked."""

    def __init__(self, recorder, clock):
        self.clock, self.until, self.tries = clock, {}, {}
        recorder.on("dot", self.on_dot)

    def on_dot(self, _session, message):
        subject, now = message.header("Subject"), self.clock.now()
        self.tries.setdefault(subject, []).append(now)
        if now < self.until.get(subject, 0):
            return "451 4.7.1 Not now"
        return None

    def gaps(self, subject):
        tries = self.tries[subject]
        return [(b - a) / MINUTE for a, b in zip(tries, tries[1:])]


def cpu_seconds(running):
    with open("/proc/%d/stat" % running.child.process.pid,
              encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Life:
    """Three accounts: one is watched, one is polled, one has a destination
    that is picky."""

    def __init__(self, world, haul, user, clock, recorder):
        self.world, self.clock, self.sent = world, clock, {}
        self.inbox = world.dovecot.mailbox("inbox-" + user)
        watched, polled, picked = (user + x for x in ("w", "p", "x"))
        box = world.dovecot.mailbox(watched)
        self.boxes = {"watched": box, "folder": box.folder("work"),
                      "polled": world.dovecot.mailbox(polled),
                      "picked": world.dovecot.mailbox(picked)}
        # Nothing may end because a server is slow.
        haul.options.update(connect_timeout="10m", reply_timeout="1h",
                            dot_timeout="1h", host_spacing="0s")
        haul.destination(world.postfix.ports["submissions"], tls="implicit",
                         recipient="inbox-%s@example.test" % user)
        haul.to_recorder(recorder, name="picky")
        ports = world.dovecot.ports
        haul.account(watched, "imap", ports["imaps"], interval="6h",
                     folders=["INBOX", "work"], after="delete-after 30d")
        haul.account(polled, "pop3", ports["pop3s"], interval="15m",
                     after="delete")
        haul.account(picked, "imap", ports["imaps"], interval="15m",
                     idle=False, after="keep", destination="picky")

    def add(self, box, subject):
        self.boxes[box].add(corpus.header(len(self.sent), subject) +
                            b"\r\nbody\r\n")
        self.sent[subject] = box

    def arrived(self):
        return [re.search(rb"^Subject: ([^\r]*)", raw, re.M).group(1).decode()
                for raw in self.inbox.messages()]

    def hour(self, hour):
        """A message into each mailbox; news are relayed without waiting."""
        for box in self.boxes:
            self.add(box, "%s %d" % (box, hour))
        want = ["%s %d" % (b, hour) for b in ("watched", "folder")]
        wait_for("news", lambda: set(want) <= set(self.arrived()), LONG)
        self.clock.settle()


def test_twelve_hours(world, haul, user, library, tmp_path):
    clock = Clock(tmp_path / "clock", library, haul)
    with RecordingSmtp(world.certs, tls="implicit") as recorder:
        picky = Picky(recorder, clock)
        life = Life(world, haul, user, clock, recorder)
        real = time.monotonic()
        running = haul.start()
        clock.settle()
        # Refused for now: at a good time; over the leap ahead; in a time that
        # will not have been.
        picky.until = {"picked 0": 3.9 * HOUR, "picked 2": 5 * HOUR,
                       "picked 6": 8.2 * HOUR, "picked 9": 10.2 * HOUR}
        wrong = {4: 10 * YEAR, 8: 10 * YEAR - DAY, 10: 0}
        for hour in range(12):
            clock.advance(hour * HOUR)
            if hour in wrong:
                clock.jump(wrong[hour])
            life.hour(hour)
        before = clock.get("idles"), clock.get("wakeups"), cpu_seconds(running)
        clock.advance(12 * HOUR)
        wait_for("all", lambda: not world.postfix.queued(), LONG)
        counts = {n: clock.get(n) for n in Clock.FIELDS}
        cpu = cpu_seconds(running)
        status = haul.command("status", "--json")
        clock.put("gate", int(1e12))  # it may have to wait to the end
        result = running.stop(LONG)
    print("12 hours in %.0f s: %d IDLE commands for 2 folders, %d sessions, "
          "%d turns of the loop, %.2f s of CPU; in the last hour %d, %d turns, "
          "%.2f s" % (time.monotonic() - real, counts["idles"],
                      counts["sessions"], counts["wakeups"], cpu,
                      counts["idles"] - before[0],
                      counts["wakeups"] - before[1], cpu - before[2]))
    for subject in picky.until:
        print("%s: tried %s, minutes apart" % (subject, ", ".join(
            "%.0f" % g for g in picky.gaps(subject))))
    assert status.code == 0, status.log
    # Nothing lost, nothing twice.
    picked = [m.header("Subject") for m in recorder.accepted()]
    assert sorted(life.arrived() + picked) == sorted(life.sent)
    assert not result.lines(": held ") and not result.lines(": in_doubt ")
    # Nothing removed early, and what was to go at once is gone.
    assert len(life.boxes["watched"]) == len(life.boxes["folder"]) == 12
    assert len(life.boxes["picked"]) == 12
    assert len(life.boxes["polled"]) <= 1
    # IDLE anew every 24 minutes, and after the message of each hour.
    assert 2 * 12 * 3 <= counts["idles"] <= 2 * 12 * 4
    assert counts["idles"] - before[0] == 2 * 2
    # Every 15 minutes, give or take a tenth, two accounts; and once more at
    # most for each message, with its destination.
    polls = 2 * 12 * HOUR // (15 * MINUTE)
    assert polls * 10 // 11 <= counts["sessions"]
    assert counts["sessions"] <= 2 + polls * 10 // 9 + 2 * len(life.sent)
    # Nobody is awake in vain.
    assert counts["wakeups"] < 50 * (counts["sessions"] + counts["idles"])
    assert len(result.lines("the clock moved by")) == len(wrong)
    # The timetable, and not more than a poll behind the time it was refused to.
    first = picky.gaps("picked 0")
    for gap, least in zip(first, (13, 30, 60)):  # then the clock leaps
        assert least <= gap <= least * 9 / 8 + 17, first
    for subject, until in picky.until.items():
        tries = picky.tries[subject]
        assert len(tries) <= 7
        assert tries[-1] <= until + 3.4 * HOUR + 17 * MINUTE


def test_twelve_tokens(haul, user, library, tmp_path):
    """An access token is good for an hour: a poll that comes later buys a new
    one, and nobody notices."""
    with oidc.OidcWorld(HOUR) as world:
        options = world.provider.options(user=user)
        haul.certs = world.certs
        haul.options.update(connect_timeout="10m", reply_timeout="1h",
                            dot_timeout="1h", host_spacing="0s")
        haul.destination(world.postfix.ports["submissions"], tls="implicit",
                         ca_file=world.certs.ca, **{
                             **options,
                             "recipient": "inbox-%s@example.test" % user})
        haul.account("old", "imap", world.dovecot.ports["imaps"],
                     interval="15m", idle=False, **options)
        oidc.sign_in(haul, world.certs, user)
        clock = Clock(tmp_path / "clock", library, haul)
        box = world.dovecot.mailbox(user)
        inbox = world.dovecot.mailbox("inbox-" + user)
        before = len(world.provider.answers("refresh_token", "200"))
        running = haul.start()
        for hour in range(12):
            box.add(corpus.header(hour, "hour %d" % hour) + b"\r\nx\r\n")
            clock.advance((hour + 1) * HOUR)
            wait_for("hour %d" % hour, lambda n=hour: len(inbox) > n, LONG)
        clock.put("gate", int(1e12))
        result = running.stop(LONG)
        bought = len(world.provider.answers("refresh_token", "200")) - before
        assert not world.provider.answers("invalid")
    print("12 hours: %d tokens bought, %d sessions"
          % (bought, clock.get("sessions")))
    assert 10 <= bought <= 14
    assert len(result.lines(": relayed INBOX ")) == 12
    assert not result.lines("refused") and not result.lines("sign in")

# SPDX-License-Identifier: ISC
"""One mailbox, one submission server, one state: kill mailhauld anywhere, let
it run again until nothing is to do, and compare what arrived.

The submission server lives in this process, so it survives and knows what it
accepted, whatever mailhauld remembers.
"""
import collections
import concurrent.futures
import itertools
import os
import re
import signal
import sqlite3
import threading

import corpus
import fakes
import haul
import servers

DRAIN_RUNS = 12  # more than these to get everything through is a failure
WORKERS = 2 * (os.cpu_count() or 1)
KILLED = -signal.SIGKILL
IO_ERROR = 74
STRIDE = {"w": 3, "r": 7}  # of the socket calls, every so many
NUMBERS = itertools.count(1)


class Mode:
    """How messages go out; in_flight: how many of them one trouble may leave
    in doubt, each of which is announced when it is sent again."""

    def __init__(self, name, in_flight, messages, chunking=False, **options):
        self.name, self.in_flight, self.messages = name, in_flight, messages
        self.chunking, self.options = chunking, options


ONE = Mode("one at a time", 1, 8, window=1, connections=1)
# The envelope of the next goes out behind the dot.
DATA = Mode("DATA", 2, 8, connections=1)
WINDOW = Mode("a window", 16, 40, True, window=16, connections=1)
LINES = Mode("three windows", 48, 100, True, window=16, connections=3)


class Plan:
    """What the shim does to one run."""

    def __init__(self, steps="", at=0, when="before", act="kill", **more):
        self.steps, self.at, self.when, self.act = steps, at, when, act
        self.more = more  # lasting, lies, seed

    def env(self, state):
        env = {"CRASH_STATE": state, "CRASH_STEPS": self.steps,
               "CRASH_AT": self.at, "CRASH_WHEN": self.when,
               "CRASH_ACT": self.act}
        env.update(("CRASH_" + k.upper(), v) for k, v in self.more.items())
        return {k: str(v) for k, v in env.items()}

    def __str__(self):
        return "%s %s step %d of [%s]%s" % (
            self.act, self.when, self.at, self.steps,
            "".join(" %s=%s" % pair for pair in self.more.items()))


class RecordedSession(fakes.SmtpSession):
    mute = False

    def send(self, data):
        if self.mute and data[:3] in ("221", b"221"):
            raise fakes.Gone("without a goodbye")
        super().send(data)


class Recorder(fakes.RecordingSmtp):
    mute = False  # QUIT is not answered

    def new_session(self, sock):
        session = RecordedSession(sock)
        session.mute = self.mute
        return session

    def settle(self):
        """Until all is read that a dead client left on the wire."""
        servers.wait_for("the end of the sessions", lambda: all(
            s.closed for s in list(self.sessions)))

    def transactions(self):
        return sum(s.commands.count("MAIL") for s in list(self.sessions))


class Installation(haul.Haul):
    """A Haul that can be run under a plan, and with another program."""

    def __init__(self, path, certs, shim, program):
        super().__init__(path, certs)
        self.shim, self.program, self.plan = shim, program, None

    def argv(self, *more):
        return [self.program or haul.MAILHAULD, *super().argv(*more)[1:]]

    def env(self):
        env = super().env()
        if self.plan:
            env["LD_PRELOAD"] = self.shim
            env.update(self.plan.env(self.state))
        return env

    def run(self, plan=None):
        self.plan = plan
        try:
            return self.once(expect=None)
        finally:
            self.plan = None
            self.children.pop().close()

    def rows(self):
        """The deliveries on record, as dictionaries; only while nobody runs,
        and only of a state that was closed in order."""
        path = "file:%s/state.db?mode=ro&immutable=1" % self.state
        with sqlite3.connect(path, uri=True) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(
                "SELECT * FROM delivery ORDER BY uid")]


class Tally:
    """What a sweep found."""

    def __init__(self, name, unit="kills"):
        self.name, self.unit, self.lock = name, unit, threading.Lock()
        self.count = collections.Counter()
        self.problems = []

    def add(self, plan, found, problems):
        with self.lock:
            self.count.update(found)
            self.problems += ["%s: %s" % (plan, p) for p in problems]

    def __str__(self):
        return ("%-32s %4d %s, %d lost, %d announced duplicates, "
                "%d silent duplicates" % (
                    self.name + ":", self.count["tries"], self.unit,
                    self.count["lost"], self.count["announced"],
                    self.count["silent"]))


def message(number):
    """Small, but for one that needs several TLS records."""
    return corpus.header(number, "number %d" % number) + b"\r\n" + \
        b"body of %d\r\n.\r\nend\r\n" % number * (2000 if number == 1 else 1)


def marked(message_):
    trace = message_.trace() or ""
    attempt = re.search(r"attempt=(\d+)", trace)
    return bool(attempt) and int(attempt.group(1)) > 1 and \
        "possible-duplicate=yes" in trace


class Case:
    """A fresh mailbox, submission server and state."""

    def __init__(self, lab, protocol, after, mode=ONE, count=None,
                 program=None, source=None):
        self.mode = mode
        self.number = next(NUMBERS)
        self.user = "crash%d" % self.number
        self.after = after
        self.box = source or lab.world.dovecot.mailbox(self.user)
        self.expected = []
        self.fill(count)
        self.recorder = Recorder(
            lab.world.certs, "starttls" if protocol == "pop3" else "implicit",
            chunking=mode.chunking)
        self.haul = Installation(os.path.join(lab.path, self.user),
                                 lab.world.certs, lab.shim, program)
        port = source.port if source else \
            lab.world.dovecot.ports[protocol + "s"]
        self.haul.account(self.user, protocol, port, after=after)
        self.haul.to_recorder(self.recorder, **mode.options)

    def fill(self, count=None):
        for raw in map(message, range(
                self.mode.messages if count is None else count)):
            self.box.add(raw)
            self.expected.append(corpus.normalise(raw))
        self.before = self.box.names()

    def refuse_some(self, resends):
        """Puts off one message, and one resend when that is wanted."""
        once = set()

        def hook(_session, message_):
            first = b"number 2\r\n" in message_.raw and "plain"
            again = resends and marked(message_) and "resend"
            for reason in (again, first):
                if reason and reason not in once:
                    once.add(reason)
                    return "451 4.3.0 Not now"
            return None
        self.recorder.on("dot", hook)

    def run(self, plan=None):
        result = self.haul.run(plan)
        self.recorder.settle()
        return result

    def drain(self):
        """Runs until a run relays nothing, although enough time has passed for
        all that was put off.  Answers with what is wrong."""
        for i in range(DRAIN_RUNS):
            before = self.recorder.transactions()
            result = self.run()
            if result.code not in (haul.OK, haul.BUSY, haul.FAILED):
                return ["exit %d: %s" % (result.code, result.log[-300:])]
            if self.recorder.transactions() == before and \
                    result.code == haul.OK and i > 0:
                return []
            # Behind the first start, which must find the state as it was left.
            self.haul.later()
        return ["still something to do after %d runs: %s" % (
            DRAIN_RUNS, result.log[-300:])]

    def judge(self, troubles=1):
        """Counts, and what breaks a promise; the source counts as a place
        where a message is safe, but none may be left there undelivered."""
        copies = collections.defaultdict(list)
        problems, found = [], collections.Counter()
        for m in self.recorder.accepted():
            split = corpus.original(m.raw)
            copies[split and split[1]].append(m)
        left = [corpus.normalise(raw) for raw in self.box.messages()]
        for raw in self.expected:
            got = copies.pop(raw, [])
            if not got and raw in left:
                found["undelivered"] += 1
            elif not got:
                found["lost"] += 1
            silent = [m for m in got[1:] if not marked(m)]
            found["silent"] += len(silent)
            found["announced"] += len(got[1:]) - len(silent)
        if copies:
            problems.append("%d that nobody sent" % len(copies))
        doubts = {m.trace().split(";")[0] for m in self.recorder.messages
                  if m.trace() and marked(m)}
        if len(doubts) > self.mode.in_flight * troubles:
            problems.append("%d announced as possible duplicates" %
                            len(doubts))
        for word in ("lost", "silent", "undelivered"):
            if found[word]:
                problems.append("%d %s" % (found[word], word))
        return found, problems

    def left_over(self):
        """What is not as it should be when all was delivered."""
        if self.after == "keep":
            return [] if self.box.names() == self.before else \
                ["the source was changed"]
        problems = []
        if self.box.names():
            problems.append("%d left on the source" % len(self.box.names()))
        rows = self.haul.rows()
        if any(row["state"] != "gone" for row in rows):
            problems.append("deletion not learnt: %s" % [
                (row["uid"], row["state"]) for row in rows])
        return problems

    def close(self):
        self.haul.close()
        self.recorder.close()


def strike(case, plans, tally, ends=(haul.OK, haul.BUSY)):
    """A run under each plan, then the rest."""
    kills, problems = 0, []
    for plan in plans:
        code = case.run(plan).code
        kills += code == KILLED
        # A run that ended before its step came is no kill, and no error.
        if code != KILLED and code not in ends:
            problems.append("exit %d" % code)
    problems += case.drain()
    found, more = case.judge(len(plans))
    problems += more
    if not problems:
        problems = case.left_over()
    found["tries"] = kills
    tally.add(" and ".join(map(str, plans)), found, problems)


def count_steps(case):
    """How many steps of which kind a run that nobody disturbs makes."""
    path = os.path.join(case.haul.path, "steps")
    result = case.run(Plan(count=path))
    assert result.code in (haul.OK, haul.BUSY), result.log
    with open(path) as f:
        return {k: int(n) for k, n in (line.split() for line in f)}


def sweep(tally, make, plans, until_caught=None, strike_with=strike):
    """Every list of plans on a case of its own; until_caught: a count that
    is wanted, and ends the sweep."""
    def one(some):
        if until_caught and tally.count[until_caught]:
            return
        case = make(some[0])
        try:
            strike_with(case, some, tally)
        except Exception as e:  # pylint: disable=broad-except
            tally.add(some[0], {}, ["%s: %s" % (type(e).__name__, e)])
        finally:
            case.close()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, plans))
    return tally


def every_step(steps, full):
    """Kills: the durable steps are all taken."""
    last = steps["s"] + steps["p"]
    yield [Plan("sp", last, "after")]
    for at in range(1, last + 1):
        yield [Plan("sp", at, "before")]
    for kind, stride in STRIDE.items():
        for at in range(1, steps[kind] + 1, 1 if full else stride):
            yield [Plan(kind, at, "after")]


def power_cuts(steps, full, **more):
    """Around every sync; after writes, each of which may be a dot."""
    for at in range(1, steps["s"] + 1):
        for when in ("before", "after"):
            yield [Plan("s", at, when, "power", seed=at, **more)]
    for kind, stride in (("w", 4), ("p", 5)):
        for at in range(1, steps[kind] + 1, 1 if full else stride):
            yield [Plan(kind, at, "after", "power", seed=at, **more)]


def build_shim(path):
    out = os.path.join(path, "shim.so")
    servers.run(os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE",
                "-O2", "-fPIC", "-shared", "-o", out,
                os.path.join(os.path.dirname(__file__), "shim.c"), "-ldl",
                "-lpthread")
    return out


def scene_name(scene):
    protocol, after, mode = scene
    return "%sS, %s, %s" % (protocol.upper(), after, mode.name)


def maker(lab, protocol, after, mode=ONE, program=None, started=False):
    """Makes cases; started: with a state that an earlier run made."""
    def make(plan):
        case = Case(lab, protocol, after, mode, 0, program)
        if started:
            assert case.run().code == haul.OK
        case.fill()
        case.refuse_some(resends=plan is not None and plan.at % 2)
        return case
    return make


def steps_of(make):
    case = make(None)
    try:
        return count_steps(case)
    finally:
        case.close()


# SPDX-License-Identifier: ISC
"""One run of one program on one mailbox, measured and verified."""
import collections
import json
import os
import shutil
import statistics
import subprocess
import sys

import world
from programs import MAILHAUL, Job, RUN_GROUP, RUN_USER, in_maildirs
from workload import CASES, MB, NEW, Corpora

import haul  # noqa: E402  (world knows where they are)
import servers  # noqa: E402

TOOLS = ("limit", "link", "sink")  # make bench-tools
TIME_LIMIT = 900  # seconds for one run


def measure(job, argv, environment):
    """What the program used (measure says what that is), and its output."""
    job.hand_over()
    log = os.path.join(job.home, "output")
    identity = dict(user=RUN_USER, group=RUN_GROUP, extra_groups=[]) \
        if world.ROOT else {}
    with open(log, "wb") as err, world.inside(job.world.near):
        done = subprocess.run(
            [sys.executable, os.path.join(world.HERE, "measure"),
             str(TIME_LIMIT), *argv],
            cwd=job.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=err, check=True, env=dict(
                PATH=os.environ["PATH"], HOME=job.home, LC_ALL="C",
                **environment), **identity)
    with open(log, errors="replace") as f:
        return json.loads(done.stdout), f.read()


class Figures:
    """The runs of one program on one case: medians, and the extremes."""

    def __init__(self, count, size):
        self.count, self.size = count, size
        self.runs, self.wrong = [], []

    def median(self, what):
        return statistics.median(r[what] for r in self.runs)

    def extremes(self, what):
        values = [r[what] for r in self.runs]
        return min(values), max(values)

    def rate(self):
        return self.count / self.median("seconds") if self.right() else 0.0

    def right(self):
        return bool(self.runs) and not self.wrong


class Task:
    """One program, case and protocol: the same thing again and again."""

    def __init__(self, runner, program, case, protocol):
        self.runner, self.program = runner, program
        self.protocol = protocol
        self.slow = case.letter[0] in program.slow
        if self.slow and case.users * 10 <= case.messages:
            case = case._replace(messages=case.messages // 10)
        self.case = case
        self.world = runner.world(case)
        corpora = runner.corpora(self.world)
        self.known = case.messages if case.keep else 0
        if case.keep:
            self.corpus = corpora.get("new", NEW * runner.reps, case.size)
            count = NEW
        else:
            self.corpus = corpora.get(case.kind, case.messages, case.size)
            count = len(self.corpus)
        self.figures = Figures(count, self.corpus.bytes * count
                               / len(self.corpus))
        self.job = self.boxes = None
        self.rounds = 0

    def begin(self):
        self.job = Job(self.world, self.case, self.protocol)
        self.job.messages = self.corpus.directory
        if self.protocol != "smtp":
            self.boxes = world.Mailboxes(self.world, self.job.users)

    def prime(self):
        """What is in the mailbox becomes known to the program."""
        self.begin()
        paths, times = self.runner.corpora(self.world).known(
            self.job.users[0], self.known)
        self.boxes.add(paths, "S", times)
        self.job.prime = True
        argv, environment = self.program.prepare(self.job)
        self.job.prime = False
        if argv is None:
            return
        result, output = measure(self.job, argv, environment)
        if result["exit"] != 0:
            raise RuntimeError("%s does not get to know the mailbox\n%s"
                               % (self.program.name, output[-800:]))

    def run(self):
        if self.slow and self.rounds:
            return
        if self.job is None:
            (self.prime if self.known else self.begin)()
        first = self.rounds * NEW if self.known else 0
        part = slice(first, first + self.figures.count)
        if self.boxes:
            self.boxes.add(self.corpus.paths[part])
        self.rounds += 1
        before = collections.Counter(in_maildirs(self.job))
        start = self.world.sink.size()
        result, output = measure(self.job, *self.program.prepare(self.job))
        expected = collections.Counter(self.corpus.sums[part])
        arrived = collections.Counter(self.arrived(start))
        arrived += collections.Counter(in_maildirs(self.job)) - before
        self.judge(result, output, expected, arrived)
        if not self.known:
            self.clean()

    def arrived(self, start):
        if self.world.postfix:
            try:
                servers.wait_for(
                    "delivery", lambda: self.world.postfix.queued() == 0, 60)
            except TimeoutError:
                pass
        return self.world.sink.arrived(start)

    def judge(self, result, output, expected, arrived):
        stay = self.known or not self.program.removes
        wanted = self.boxes.count if self.boxes and stay else 0
        left = self.boxes.left() if self.boxes else 0
        if self.program.name == "limit-poll":
            arrived = expected
        if (result["exit"], left) == (0, wanted) and arrived == expected:
            self.figures.runs.append(result)
            return
        self.figures.wrong.append(
            "%d missing, %d too many or altered, %d left in the mailbox"
            " instead of %d, exit code %s\n%s" % (
                sum((expected - arrived).values()),
                sum((arrived - expected).values()), left, wanted,
                result["exit"], output[-800:]))

    def clean(self):
        if self.job:
            self.job.clean()
        if self.boxes:
            self.boxes.clean()
        self.job = self.boxes = None


class Runner:
    """Worlds and corpora, made when they are needed."""

    def __init__(self, mailhauld, tools, reps):
        self.reps, self.worlds, self.all_corpora = reps, {}, {}
        # The user of the programs cannot walk into every build directory.
        self.work = servers.WorkDir("mailhaul-bench-")
        self.tools = self.work.sub("bin")
        for name in TOOLS:
            shutil.copy(os.path.join(tools, name), self.tools)
        haul.MAILHAULD = shutil.copy(mailhauld, self.tools)

    def world(self, case):
        key = case.milliseconds, case.postfix
        if key not in self.worlds:
            self.worlds[key] = world.World(self.tools, *key)
        return self.worlds[key]

    def corpora(self, where):
        if where not in self.all_corpora:
            self.all_corpora[where] = Corpora(where.work.sub("corpus"))
        return self.all_corpora[where]

    def idle(self):
        """Peak memory of a daemon that has nothing to do, in MB: nobody answers
        where its only account is."""
        case = CASES[0]._replace(users=1)
        peaks = []
        for _ in range(self.reps):
            job = Job(self.world(case), case, "pop3")
            job.port = servers.free_ports(1)[0]
            result, _ = measure(job, *MAILHAUL.prepare(job))
            peaks.append(result["peak"] / MB)
            job.clean()
        return statistics.median(peaks)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for where in self.worlds.values():
            where.close()
        self.work.close()


def add_options(parser):
    parser.add_argument("--mailhauld", metavar="PATH", default=haul.MAILHAULD,
                        help="the program ($MAILHAULD, or ./mailhauld)")
    parser.add_argument("--tools", metavar="FOLDER", help="what make "
                        "bench-tools built (tests/bench beside mailhauld)")


def prepared(parser, options):
    """A runner with the programs that were asked for, or the usage."""
    tools = options.tools or os.path.join(
        os.path.dirname(os.path.abspath(options.mailhauld)), "tests", "bench")
    for path in [options.mailhauld] + [os.path.join(tools, t) for t in TOOLS]:
        if not os.access(path, os.X_OK):
            parser.error("%s is no program (make, make bench-tools)" % path)
    return Runner(options.mailhauld, tools, options.reps)

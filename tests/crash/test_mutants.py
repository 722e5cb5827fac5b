# SPDX-License-Identifier: ISC
"""The rules of the relay, each taken out of the program by a patch: what it
protects from must happen, and must be seen.

Each mutant meets the scene that can show it; the same scene must find nothing
with the program as it is.
"""
import functools
import glob
import os
import re
import shutil

import pytest

import corpus
import crash
import fakes
import haul
import servers
from crash import Case, Plan, Tally

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "src")
PACKAGES = ("libevent", "libevent_openssl", "openssl", "libconfig", "libgsasl",
            "sqlite3", "libsystemd", "jansson", "libcurl")


# --- build

def touched(patch):
    with open(patch) as f:
        return re.findall(r"^\+\+\+ b/src/(\S+)", f.read(), re.M)


def users_of(src, name):
    """The C files that a changed file makes new."""
    if name.endswith(".c"):
        return [name]
    return [os.path.relpath(path, src)
            for path in glob.glob(os.path.join(src, "*", "*.c"))
            if '#include "%s"' % name in open(path).read()]


def build(path, patch):
    """The program with this patch: what it touches is compiled anew, and
    takes the place of the library's member of that name."""
    src, out = os.path.join(path, "src"), os.path.join(path, "mailhauld")
    built = os.path.dirname(os.path.realpath(haul.MAILHAULD))
    shutil.copytree(SOURCE, src)
    servers.run("chmod", "-R", "u+w", src)
    servers.run("patch", "-s", "-f", "-p1", "-d", path, "-i", patch)
    files = [os.path.join(src, c) for name in touched(patch)
             for c in users_of(src, name)]
    flags = servers.run("pkg-config", "--cflags", "--libs",
                        *PACKAGES).split()
    daemon = glob.glob(os.path.join(built, "src/daemon/mailhauld-*.o"))
    layers = [os.path.join(built, "lib%s.a" % name) for name in (
        "daemon", "relay", "auth", "conf", "store", "net", "proto", "base")]
    servers.run(os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE",
                "-I" + src, "-I" + built, "-g", "-o", out, *files, *daemon,
                *layers, *flags, "-lpthread", timeout=120)
    return out


# --- scenes: each fills a tally, and stops when it has what is wanted

def killed(lab, program, tally, wanted):
    scene = "pop3", "delete", crash.ONE
    make = crash.maker(lab, *scene, program, started=True)
    steps = crash.steps_of(crash.maker(lab, *scene, started=True))
    crash.sweep(tally, make, crash.every_step(steps, False), wanted)


def without_power(lab, program, tally, wanted):
    make = crash.maker(lab, "imap", "keep", crash.ONE, program, started=True)
    crash.sweep(tally, make, crash.power_cuts(crash.steps_of(make), False),
                wanted)


def on_a_slow_disk(mode):
    """The power fails while a record is on its way."""
    def scene(lab, program, tally, wanted):
        start = "imap", "keep", mode
        make = crash.maker(lab, *start, program, started=True)
        steps = crash.steps_of(crash.maker(lab, *start, started=True))
        crash.sweep(tally, make, (
            [Plan("s", at, "before", "power", seed=at, slow=30)]
            for at in range(1, steps["s"] + 1)), wanted)
    return scene


def on_a_full_disk(lab, program, tally, wanted):
    make = crash.maker(lab, "imap", "keep", crash.ONE, program, started=True)
    crash.sweep(tally, make, (
        [Plan("p", at, "before", "ENOSPC", lasting=1)]
        for at in range(2, crash.steps_of(make)["p"], 3)), wanted,
        functools.partial(crash.strike, ends=(
            haul.OK, haul.BUSY, crash.IO_ERROR)))


def at_a_server(lab, program, tally, prepare, source=None):
    """Without any kill: what the server does is enough."""
    case = Case(lab, "pop3", "delete", crash.ONE, 5, program, source)
    try:
        prepare(case)
        crash.strike(case, [None], tally, (haul.OK, haul.BUSY, haul.FAILED))
    finally:
        case.close()


def no_reply(accepts):
    """To the first dot; accepted it is, or not."""
    def prepare(case):
        seen = []

        def hook(_session, message):
            seen.append(message)
            if len(seen) > 1:
                return None
            message.reply = "250 2.0.0 Ok" if accepts else None
            return fakes.DROP
        case.recorder.on("dot", hook)
    return lambda lab, program, tally, _wanted: at_a_server(
        lab, program, tally, prepare)


def no_goodbye(lab, program, tally, _wanted):
    def prepare(case):
        case.recorder.mute = True
        # The first session only: there must be an end.
        case.recorder.on("dot", lambda *_: setattr(
            case.recorder, "mute", False))
    at_a_server(lab, program, tally, prepare)


class ForgetfulPop3(fakes.FakePop3):
    """EXPIRE 0: QUIT takes away what was retrieved, asked for or not."""

    def __init__(self, certs):
        super().__init__(certs, [])
        self.on_retr = self.mark

    def mark(self, session, number):
        session.marked.add(list(self.mailbox)[number - 1])

    def add(self, raw):
        self.mailbox["uid-%d" % (len(self.mailbox) + 1)] = raw

    def messages(self):
        return list(self.mailbox.values())

    def names(self):
        return list(self.mailbox)


def forgetful_source(lab, program, tally, _wanted):
    with ForgetfulPop3(lab.world.certs) as source:
        at_a_server(lab, program, tally, lambda case: case.refuse_some(False),
                    source)


def refused_for_good(lab, program, tally, _wanted):
    """It is held: undelivered it stays, but on the source."""
    case = Case(lab, "imap", "delete", crash.ONE, 5, program)
    try:
        case.recorder.on("dot", lambda _, m: "550 5.7.1 Never"
                         if b"number 2\r\n" in m.raw else None)
        problems = case.drain()
        found, more = case.judge()
        if found["undelivered"] == 1:
            found["undelivered"], more = 0, []
            assert case.box.messages() == [
                raw for raw in case.expected
                if b"number 2\r\n" in raw] == [
                    corpus.normalise(crash.message(2))]
        tally.add("550", found, problems + more)
    finally:
        case.close()


SCENES = {
    "R1-without-record": (on_a_full_disk, "silent"),
    "R1-before-record": (on_a_slow_disk(crash.ONE), "silent"),
    "R1-last-chunk": (on_a_slow_disk(crash.WINDOW), "silent"),
    "R2-success": (no_reply(accepts=False), "lost"),
    "R2-failure": (no_reply(accepts=True), "silent"),
    "R2-not-sent": (no_reply(accepts=True), "silent"),
    "R3-too-early": (killed, "lost"),
    "R3-assumed": (killed, "undelivered"),
    "R3-forgotten": (killed, "silent"),
    "R4": (killed, "silent"),
    "R5": (without_power, "silent"),
    "R6": (forgetful_source, "lost"),
    "R7": (refused_for_good, "lost"),
    "R8": (no_goodbye, "silent"),
}


def test_all_have_a_scene():
    names = {os.path.basename(path)[:-len(".patch")]
             for path in glob.glob(os.path.join(HERE, "mutants", "*.patch"))}
    assert names == set(SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_mutant(lab, name):
    scene, wanted = SCENES[name]
    patch = os.path.join(HERE, "mutants", name + ".patch")
    program = build(lab.world.work.sub("mutant-" + name), patch)
    with open(patch) as f:
        tally = Tally("mutant %s: %s" % (name, f.readline().strip(".\n")))
    scene(lab, program, tally, wanted)
    lab.report(tally, wanted)
    assert tally.count[wanted] > 0, tally.problems


@pytest.mark.parametrize("name", [
    name for name, (scene, _) in SCENES.items()
    if scene not in (killed, without_power)])
def test_scene_without_mutant(lab, name):
    """Nothing is found where nothing was taken out."""
    scene, _ = SCENES[name]
    tally = Tally("no mutant " + name)
    scene(lab, None, tally, None)
    assert not tally.problems, "\n".join(tally.problems)

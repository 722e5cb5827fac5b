# SPDX-License-Identifier: ISC
"""mailhaul status --watch in a real terminal, while 200 MB come in slowly.

The screens are kept in $ARTEFACTS, or else beside what pytest keeps.
"""
import hashlib
import os
import re
import shutil
import subprocess
import threading

import pytest

import corpus
from fakes import FakePop3, RecordingSmtp
from haul import MAILHAUL, OK
from servers import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux")
HEADER = corpus.header(1, "large") + b"\r\n"
PIECE = (b"0123456789" * 99 + b"\r\n") * 1000
PIECES = 202
SIZE = len(HEADER) + PIECES * len(PIECE)
KEPT = 4096  # bytes of it that are kept where it arrives


class Terminal:
    """A tmux of its own with one window, in which a command runs."""

    def __init__(self, path, argv, width, height, env):
        self.socket = os.path.join(path, "tmux")
        command = " ".join("'%s'" % a for a in argv) + "; echo \"exit $?\"; cat"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width),
                  "-y", str(height), command, env=env)

    def tmux(self, *argv, env=None):
        return subprocess.run(
            ["tmux", "-S", self.socket, *argv], check=True, timeout=20,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
            stderr=subprocess.STDOUT).stdout.decode()

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"],
                       check=False, timeout=20, stderr=subprocess.DEVNULL)


@pytest.fixture
def artefact(tmp_path):
    folder = os.environ.get("ARTEFACTS", str(tmp_path))
    os.makedirs(folder, exist_ok=True)

    def keep(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    return keep


def digest(head):
    """Of the large message behind what was put in front of it.  Nobody here
    has it in memory: for who does, four times, there may be none left."""
    out = hashlib.sha256(head + HEADER)
    for _ in range(PIECES):
        out.update(PIECE)
    return out.digest()


@pytest.fixture
def slow(world, haul):
    """A mailbox with one message of 200 MB that comes in within 10 s, or as
    soon as hurry is set; half of it goes out, and the rest when seen is."""
    hurry, seen = threading.Event(), threading.Event()

    def half(_session, message):
        if message.size > SIZE / 2:
            seen.wait(60)
    with FakePop3(world.certs, [HEADER], sizes={1: SIZE}) as pop, \
            RecordingSmtp(world.certs, keep=KEPT, extensions=(
                "PIPELINING", "8BITMIME")) as recorder:
        def drip(session, _number):
            session.send(b"+OK\r\n" + HEADER)
            for _ in range(PIECES):
                session.send(PIECE)
                hurry.wait(0.05)
            return b".\r\n"
        pop.on_retr = drip
        recorder.on("body", half)
        haul.options.update(message_max="300M", spool_max="400M")
        haul.account("hotmail", "pop3", pop.port, interval="10s")
        haul.to_recorder(recorder)
        running = haul.start()
        running.recorder, running.hurry, running.seen = recorder, hurry, seen
        yield running
        hurry.set()
        seen.set()


def watching(haul, tmp_path, width=80, height=24, **env):
    return Terminal(str(tmp_path), [MAILHAUL, "--state", haul.state, "status",
                                    "--watch"], width, height,
                    dict(haul.env(), TERM="xterm-256color", **env))


ROW = (r"INBOX +(?:▕(?P<bar>[█▏▎▍▌▋▊▉ ]+)▏|\[(?P<ascii>[#.]+)\])"
       r" +(?P<percent>\d+)%  (?P<done>[\d.]+ MB) of 200 MB"
       r"  (?P<rate>[\d.]+ [kMG]?B/s)")


def look(terminal, pattern, what, seconds=20):
    found = []

    def seen():
        screen = terminal.screen()
        match = re.search(pattern, screen)
        if match:
            found.append((screen, match))
        return match
    try:
        wait_for(what, seen, seconds)
    except TimeoutError as e:
        raise AssertionError("%s\n%s" % (e, terminal.screen())) from None
    return found[0]


def test_large_transfer(haul, slow, tmp_path, artefact):
    terminal = watching(haul, tmp_path, LC_ALL="C.UTF-8")
    try:
        screen, row = look(terminal, ROW, "a bar")
        artefact("watch-80x24.txt", screen)
        lines = screen.rstrip("\n").split("\n")
        assert lines[0].startswith("mailhauld ")
        assert any(re.match(r"hotmail +polling", x) for x in lines), screen
        assert lines[23] == "q: quit", screen
        assert all(len(x) <= 80 for x in lines)
        # It grows in place.
        before = int(row["percent"])
        screen, row = look(terminal, r"INBOX.* (?P<percent>[3-9]\d)%",
                           "a longer bar")
        assert int(row["percent"]) > before
        assert screen.count("ACCOUNT ") == 1
        artefact("watch-later.txt", screen)
        # Narrow and low: cut, not wrapped.
        terminal.resize(50, 6)
        screen, _ = look(terminal, r"\n.*q: quit +j, k", "the small screen")
        artefact("watch-50x6.txt", screen)
        lines = screen.rstrip("\n").split("\n")
        assert len(lines) == 6 and all(len(x) <= 50 for x in lines), screen
        terminal.resize(80, 24)
        slow.hurry.set()
        # Then it goes out.
        screen, _ = look(terminal, r"home +sending[^\n]*\n +hotmail +▕[^▏]*"
                         r"[▏ ]*▏ +\d+%.* of 200 MB", "the other bar")
        artefact("watch-sending.txt", screen)
        slow.seen.set()
        try:
            wait_for("the message", slow.recorder.accepted, 120)
        except TimeoutError:
            raise AssertionError(slow.text()) from None
        look(terminal, r"hotmail +waiting", "the end of the poll")
        # The other screen is gone when it ends, and the command ended well.
        terminal.type("q")
        screen, _ = look(terminal, r"exit 0", "the end")
        assert "ACCOUNT" not in screen
    finally:
        terminal.close()
    assert slow.stop().code == OK
    assert len(slow.recorder.messages) == 1, slow.text()
    message, = slow.recorder.accepted()
    head = message.raw[:message.raw.index(HEADER)]
    assert message.size == len(head) + SIZE
    assert message.digest.digest() == digest(head)


def test_ascii_and_interrupt(haul, slow, tmp_path, artefact):
    terminal = watching(haul, tmp_path, LC_ALL="C", NO_COLOR="1")
    try:
        screen, row = look(terminal, ROW, "a bar")
        artefact("watch-ascii.txt", screen)
        assert row["ascii"] and screen.isascii()
        # The daemon goes; who watches is told.
        slow.signal()
        look(terminal, r"mailhauld is not running", "the news", 60)
        terminal.type("C-c")
        look(terminal, r"exit 0", "the end")
    finally:
        terminal.close()


def test_completion(haul, slow, tmp_path):
    """A person at a bash, and the names of the daemon that runs."""
    here = os.path.dirname(os.path.abspath(__file__))
    script = os.path.join(here, "../../contrib/completion/mailhaul")
    path = os.path.dirname(MAILHAUL) + ":" + os.environ["PATH"]
    terminal = Terminal(str(tmp_path), ["bash", "--norc"], 80, 24, dict(
        haul.env(), TERM="xterm-256color", PATH=path))
    try:
        terminal.type(". " + script, "Enter", "clear", "Enter",
                      "cd " + haul.state, "Enter", "clear", "Enter")
        # One after the other: who types ahead of readline sees it twice.
        look(terminal, r"[$#]\s*$", "the prompt")
        terminal.type("mailhaul --socket ctl.sock pol", "Tab")
        look(terminal, r"ctl\.sock poll\b", "the command")
        terminal.type("hot", "Tab")
        look(terminal, r"mailhaul --socket ctl\.sock poll hotmail",
             "the account")
        terminal.type("C-u", "mailhaul --socket ctl.sock resume ho", "Tab",
                      "Tab")
        look(terminal, r"\nhome +hotmail", "both")
    finally:
        terminal.close()


def test_no_terminal(haul):
    said = haul.command("status", "--watch")
    assert said.code == 64 and said.lines("wants a terminal")

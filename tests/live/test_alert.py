# SPDX-License-Identifier: ISC
"""Who is told of trouble: alert_command and notify, with a real mailhauld."""
import email
import os
import stat

import pytest

import corpus
from fakes import FakePop3, RecordingSmtp
from haul import FAILED, OK
from servers import wait_for

BOSS = "boss@example.net"
NAMES = {"MAILHAUL_" + n for n in (
    "EVENT", "ACCOUNT", "DESTINATION", "REASON", "HINT", "COUNT", "SINCE",
    "HOST")} | {"PATH", "LANG"}


def message(number):
    return corpus.header(number, "number %d" % number) + b"\r\nbody\r\n"


class Command:
    """Writes down how it was run; each run is a file, whole when it is there.
    """

    def __init__(self, haul):
        self.dir = os.path.join(haul.path, "alerts")
        os.mkdir(self.dir)
        self.path = os.path.join(haul.path, "alert")
        with open(self.path, "w") as f:
            f.write("#!/bin/sh\n"
                    "cat /proc/$$/environ >\"$1/.$$\"\n"
                    "printf 'ARGS=%s\\0FDS=%s\\0' \"$#\" "
                    "\"$(ls -l /proc/$$/fd)\" >>\"$1/.$$\"\n"
                    "mv \"$1/.$$\" \"$1/$$\"\n")
        os.chmod(self.path, stat.S_IRWXU)
        haul.options["alert_command"] = (self.path, self.dir, "a b;$(id)")

    def runs(self):
        """The environments, in the order of time."""
        paths = [os.path.join(self.dir, n) for n in os.listdir(self.dir)
                 if not n.startswith(".")]
        out = []
        for path in sorted(paths, key=lambda p: os.stat(p).st_mtime_ns):
            with open(path, "rb") as f:
                out.append(dict(v.split("=", 1) for v in
                                f.read().decode().split("\0") if v))
        return out

    def wait(self, count):
        wait_for("%d alerts" % count, lambda: len(self.runs()) >= count)
        assert len(self.runs()) == count
        return self.runs()


@pytest.fixture
def command(haul):
    return Command(haul)


def test_refused_login(world, haul, command, monkeypatch):
    monkeypatch.setenv("SECRET", "of ours")
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        pop.on_pass = lambda _: "-ERR [AUTH] No \x1b[31mway"
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)  # it ends when the command has
        (run,) = command.runs()
        assert run.pop("ARGS") == "2"
        files = run.pop("FDS")
        assert not [n for n in ("socket:", "eventpoll", haul.state)
                    if n in files], files
        assert set(run) == NAMES
        assert (run["MAILHAUL_EVENT"], run["MAILHAUL_ACCOUNT"],
                run["MAILHAUL_DESTINATION"], run["MAILHAUL_COUNT"]) == (
                    "account-failed", "me", "", "1")
        assert "No ?[31mway" in run["MAILHAUL_REASON"]
        assert run["MAILHAUL_SINCE"].isdigit()
        # It is told once, over restarts, while it lasts.
        haul.once(expect=OK)
        haul.later()
        haul.once(expect=FAILED)
        running = haul.start()
        wait_for("the log", lambda: "not polled" in running.text())
        assert running.stop().code == OK
        assert pop.count("PASS") == 2
        assert len(command.runs()) == 1
        # And again when it was over in between.
        pop.on_pass = None
        haul.later()
        haul.once()
        pop.on_pass = lambda _: "-ERR [AUTH] No"
        haul.later()
        haul.once(expect=FAILED)
        assert len(command.runs()) == 2


def test_one_folder(world, haul, user, port, command):
    """A folder that cannot be opened, beside one that can."""
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"), interval="10s",
                     folders=("INBOX", "Nowhere"))
        haul.to_recorder(recorder)
        running = haul.start()
        (run,) = command.wait(1)
        assert (run["MAILHAUL_EVENT"], run["MAILHAUL_ACCOUNT"]) == (
            "account-failed", user)
        assert "Nowhere" in run["MAILHAUL_REASON"]
        assert running.stop().code == OK
        assert len(command.runs()) == 1


def test_held(world, haul, command):
    with FakePop3(world.certs, [message(1), message(2)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: "554 5.7.1 Spam")
        haul.account("me", "pop3", pop.port, interval="10s")
        haul.to_recorder(recorder)
        running = haul.start()
        (run,) = command.wait(1)
        assert (run["MAILHAUL_EVENT"], run["MAILHAUL_ACCOUNT"],
                run["MAILHAUL_COUNT"]) == ("message-held", "me", "2")
        assert running.stop().code == OK
        pop.mailbox["uid-3"] = message(3)
        haul.once()
        assert len(command.runs()) == 1  # not within the hour
        assert len(haul.sql("SELECT 1 FROM delivery WHERE state = 'held'")) == 3


def test_destination(world, haul, command):
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("auth", lambda *_: "535 5.7.8 Wrong password")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)
        (run,) = command.runs()
        assert (run["MAILHAUL_EVENT"], run["MAILHAUL_ACCOUNT"],
                run["MAILHAUL_DESTINATION"]) == (
                    "destination-failed", "", "home")
        assert "Wrong password" in run["MAILHAUL_REASON"]
        assert "password" in run["MAILHAUL_HINT"]


def test_command_fails(world, haul, command):
    """That is logged, and nothing else comes of it."""
    haul.options["alert_command"] = ("/bin/false",)
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: "554 5.7.1 Spam")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        result = haul.once()
        assert len(result.lines("alert_command", "exit code 1")) == 1
        haul.options["alert_command"] = ("/nonexistent",)
        pop.mailbox["uid-2"] = message(2)
        haul.later()
        assert len(haul.once().lines("alert_command", "cannot run")) == 1


def test_dry_run(world, haul, command):
    haul.options["notify"] = BOSS
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        pop.on_pass = lambda _: "-ERR [AUTH] No"
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        haul.once("--dry-run", expect=FAILED)
        assert not command.runs()
        assert not recorder.sessions


def spare(haul, recorder, **options):
    haul.to_recorder(recorder, name="spare", **options)


def letters(recorder):
    return [m for m in recorder.accepted() if m.recipient == BOSS]


def test_notify(world, haul):
    """Through the destination that works, with the null sender, once."""
    haul.options["notify"] = BOSS
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as bad, \
            RecordingSmtp(world.certs, extensions=(
                "PIPELINING", "DSN")) as good:
        bad.on("auth", lambda *_: "535 5.7.8 Wrong password")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(bad)
        spare(haul, good)
        result = haul.once(expect=FAILED)
        assert len(result.lines("letter went out through spare")) == 1
        (letter,) = good.accepted()
        assert (letter.sender, letter.recipient) == ("", BOSS)
        assert "NOTIFY=NEVER" in letter.rcpt_options
        mail = email.message_from_bytes(letter.raw)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["To"] == BOSS
        assert mail["From"] == "mailhaul <archive@example.test>"
        assert "destination home takes no mail" in mail["Subject"]
        assert mail["Date"] and mail["Message-ID"]
        assert "Wrong password" in mail.get_payload()
        assert "mailhaul resume home" in mail.get_payload()
        assert all(len(line) < 998 and line.isascii()
                   for line in letter.raw.split(b"\r\n"))
        assert not mail["X-Mailhaul-Trace"]
        assert not result.lines("me: relayed")
        # Not again today, whatever happens.
        for _ in range(3):
            haul.later(3600)
            haul.once(expect=None)
        assert len(good.accepted()) == 1
        # Tomorrow, for it still lasts.
        haul.later(86400)
        haul.once(expect=FAILED)
        assert len(good.accepted()) == 2


def test_notify_null_sender_refused(world, haul):
    haul.options["notify"] = BOSS
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("mail", lambda _, m: None if m.sender else
                    "550 5.7.1 Null sender not allowed here")
        recorder.on("dot", lambda _, m: "554 5.7.1 Spam"
                    if m.recipient != BOSS else None)
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        result = haul.once()
        (letter,) = letters(recorder)
        assert letter.sender == "archive@example.test"
        assert "1 message is held in account me" in \
            email.message_from_bytes(letter.raw)["Subject"]
        # The refusal was about the letter: the destination is as it was.
        assert not result.lines("destination home")
        recorder.on("dot", lambda *_: None)
        pop.mailbox["uid-2"] = message(2)
        assert haul.once().lines("relayed")


def test_notify_refused(world, haul):
    """Logged once; it is not tried again."""
    haul.options["notify"] = BOSS
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("rcpt", lambda _, m: "550 5.1.1 Nobody")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        result = haul.once()
        assert len(result.lines("letter could not be sent", "Nobody")) == 1
        assert sum(s.commands.count("RCPT") for s in recorder.sessions) == 3
        assert not haul.once().lines("letter")
        assert sum(s.commands.count("RCPT") for s in recorder.sessions) == 3


def test_notice_comes_back(world, haul, command):
    """It is mail like any other, but nobody is told about it."""
    haul.options["notify"] = BOSS
    with FakePop3(world.certs, [message(1)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda _, m: "554 5.7.1 Spam"
                    if m.recipient != BOSS else None)
        haul.account("me", "pop3", pop.port)
        haul.account("boss", "pop3", pop.port, user="boss")
        haul.accounts.pop()  # no mail yet
        haul.to_recorder(recorder)
        haul.once()
        (letter,) = letters(recorder)
        assert len(command.runs()) == 1
        with FakePop3(world.certs, [letter.raw]) as inbox:
            haul.account("boss", "pop3", inbox.port)
            result = haul.once()
            assert result.lines("boss", "held", "Spam")
            assert len(letters(recorder)) == 1
            assert len(command.runs()) == 1
            # Another message there is told about.
            inbox.mailbox["uid-2"] = message(2)
            haul.once()
            assert len(letters(recorder)) == 2
            assert len(command.runs()) == 2

# SPDX-License-Identifier: ISC
"""Messages whose reply was lost: announced, held, released, dropped."""
import json
import re

import pytest

import corpus
from fakes import DROP, RecordingSmtp
from servers import wait_for


def fill(world, user, count):
    box = world.dovecot.mailbox(user)
    for i in range(count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i)
    return box


def copies(recorder, number):
    return [m for m in recorder.messages if b"number %d\r" % number in m.raw]


class Replies:
    """A hook that answers for one message in turn, then as usual."""

    def __init__(self, recorder, number, *replies):
        self.word, self.replies = b"number %d\r" % number, list(replies)
        recorder.on("dot", self)

    def __call__(self, _session, message):
        if self.word in message.raw and self.replies:
            return self.replies.pop(0)
        return None


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_resend_is_announced_first(world, haul, user, port, protocol):
    fill(world, user, 3)
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 1, DROP)
        haul.account(user, protocol, port(protocol))
        haul.to_recorder(recorder)
        first = haul.once(expect=None)
        assert re.search(r"poll ended: relayed \d, .*in doubt 1", first.log)
        second = haul.once()
        sent = second.lines(user, "again, attempt 2", "possible duplicate")
        done = second.lines(user, "relayed INBOX", "possible duplicate")
        assert len(sent) == len(done) == 1, second.log
        assert second.log.index(sent[0]) < second.log.index(done[0])
        assert "possible duplicates 1" in second.log
        trace = copies(recorder, 1)[1].trace().split(";")[0]
        assert trace in sent[0]
        # Nothing happened, nothing is said.
        assert "poll ended" not in haul.once().log
        assert len(recorder.messages) == 4


@pytest.mark.parametrize("reply", ("451 4.3.0 Not now", DROP))
def test_refused_resend_keeps_the_doubt(world, haul, user, port, reply):
    """R4: whatever is said to the second copy, the third is announced."""
    box = fill(world, user, 1)
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 0, DROP, reply, reply)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        for _ in range(4):
            haul.once(expect=None)
            haul.later()
        traces = [m.trace() for m in recorder.messages]
        assert len(traces) == 4, traces
        assert ["possible-duplicate=yes" in t for t in traces] == \
            [False, True, True, True]
        assert ["attempt=%d" % n in t for n, t in enumerate(traces, 1)] == \
            [True] * 4
        assert len({t.split(";")[0] for t in traces}) == 1
    assert len(box) == 0


def hold(haul, recorder, name, *after):
    """Leaves number 1 held because the reply to it was lost; its trace."""
    haul.options["in_doubt"] = "hold"
    Replies(recorder, 1, DROP, *after)
    haul.to_recorder(recorder)
    haul.once(expect=None)
    second = haul.once(expect=None)
    held = second.lines(name, "held INBOX", "in doubt: attempt 1")
    assert len(held) == 1, second.log
    haul.once()
    assert len(recorder.messages) == 3 and len(copies(recorder, 1)) == 1
    return copies(recorder, 1)[0].trace().split(";")[0]


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_killed_and_held(world, haul, user, port, protocol):
    """What a process that died left in doubt is held like a lost reply."""
    fill(world, user, 2)
    haul.options["in_doubt"] = "hold"
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol))
        haul.to_recorder(recorder, window=1)  # the second is not under way
        running = haul.start()

        def kill(_session, _message):
            running.child.process.kill()
            running.child.process.wait(10)
            return DROP
        recorder.on("dot", kill)
        wait_for("the kill", lambda: running.child.process.poll())
        recorder.on("dot", lambda *_: None)
        assert haul.once("--dry-run").lines(user, "would hold INBOX")
        assert haul.once().lines(user, "held INBOX", "in doubt: attempt 1")
        assert len(recorder.messages) == 2
        trace = recorder.messages[0].trace().split(";")[0]
        assert haul.held().lines(trace, "a copy may have arrived")
        haul.held("release", "--all", "--account", user)
        haul.once()
        assert recorder.messages[2].trace().startswith(trace)
        assert "possible-duplicate=yes" in recorder.messages[2].trace()
        assert len(recorder.messages) == 3


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_hold_and_release(world, haul, user, port, protocol):
    """A person lets it go again: announced, with the same trace; a refusal
    for now does not ask him twice, and the doubt outlives it (R4)."""
    box = fill(world, user, 3)
    haul.account(user, protocol, port(protocol), after="delete")
    with RecordingSmtp(world.certs) as recorder:
        trace = hold(haul, recorder, user, "451 4.3.0 Not now")
        listed = haul.held()
        assert listed.lines(trace, user, "home", "in doubt", "may have")
        found, = json.loads(haul.held("--json").log)["held"]
        assert found["name"] == trace and found["doubt"] is True
        assert found["account"] == user and found["attempt"] == 1
        assert found["held_since"] >= found["first_seen"] > 1700000000
        assert found["reason"].startswith("in doubt")
        shown = haul.held("show", trace)
        assert shown.lines("attempts:", "1, one of which may have been")
        assert len(shown.lines(trace)) == 1
        assert haul.held("release", trace).lines("1 released")
        assert haul.held().log == "no message is held\n"
        assert json.loads(haul.held("--json").log) == {"held": []}
        haul.held("release", trace, expect=66)
        refused = haul.once(expect=None)
        assert refused.lines(user, "attempt 2", "possible duplicate")
        assert haul.held().log == "no message is held\n"
        haul.later()
        haul.once()
        got = [m.trace() for m in copies(recorder, 1)]
        assert len(recorder.messages) == 5
        for attempt in (2, 3):
            assert got[attempt - 1].startswith(trace + ";")
            assert got[attempt - 1].endswith(
                "attempt=%d; possible-duplicate=yes" % attempt)
        haul.once()
        assert len(recorder.messages) == 5
    assert len(box) == 0


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_hold_and_lose_it_again(world, haul, user, port, protocol):
    fill(world, user, 3)
    haul.account(user, protocol, port(protocol))
    with RecordingSmtp(world.certs) as recorder:
        trace = hold(haul, recorder, user, DROP)
        haul.held("release", trace)
        haul.once(expect=None)
        haul.once(expect=None)
        assert haul.held().lines(trace, "in doubt: attempt 2")
        assert len(copies(recorder, 1)) == 2


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_hold_and_drop(world, haul, user, port, protocol):
    box = fill(world, user, 3)
    haul.account(user, protocol, port(protocol), after="delete")
    with RecordingSmtp(world.certs) as recorder:
        trace = hold(haul, recorder, user)
        assert haul.held("drop", trace).lines("1 dropped")
        for _ in range(3):
            haul.once()
        assert len(recorder.messages) == 3
    assert haul.held().log == "no message is held\n"
    assert len(box) == 1 and b"number 1\r" in box.messages()[0]


def test_one_of_two_destinations_is_held(world, haul, user, port):
    """The other one gets it; what is dropped for one is not removed."""
    box = fill(world, user, 2)
    haul.options["in_doubt"] = "hold"
    with RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as archive:
        Replies(home, 1, DROP)
        Replies(archive, 1, "451 4.3.0 Not now", "451 4.3.0 Not now")
        haul.account(user, "imap", port("imap"), after="delete",
                     destination=("home", "archive"))
        haul.to_recorder(home)
        haul.to_recorder(archive, name="archive")
        for _ in range(4):
            haul.once(expect=None)
            haul.later()
        assert len(copies(home, 1)) == 1
        assert len([m for m in copies(archive, 1) if m.accepted]) == 1
        assert not any("duplicate" in m.trace() for m in archive.messages)
        assert len(box) == 1
        haul.held("drop", "--all", "--account", user)
        haul.once()
        assert len(home.messages) == 2 and len(box) == 1


# --- mailhaul held

def test_held_without_a_trace(world, haul, user, port):
    """What was never downloaded is named by a number."""
    box = fill(world, user, 1)
    for i in (1, 2):
        box.add(corpus.header(i, "number %d" % i) + b"\r\n" +
                b"x" * 70 + b"\r\n" * 40000)
    haul.options["message_max"] = "64K"
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", port("pop3"))
        haul.to_recorder(recorder)
        haul.once()
        listed = haul.held("--account", user)
        names = [line.split()[0] for line in listed.lines("message_max")]
        assert len(names) == 2 and all(n.isdigit() for n in names)
        assert haul.held("show", names[0]).lines("attempts:", "0")
        haul.options["message_max"] = "1M"
        haul.held("release", "#" + names[0])
        haul.once()
        assert len(recorder.messages) == 2
        assert not any("duplicate" in m.trace() for m in recorder.messages)
        assert haul.held("release", "--all", "--account", user).lines(
            "1 released")
        haul.once()
        assert sorted(n for n in range(3) if copies(recorder, n)) == [0, 1, 2]


def test_held_says_what_the_server_said(world, haul, user, port):
    fill(world, user, 2)
    with RecordingSmtp(world.certs) as recorder:
        Replies(recorder, 1, "550 5.7.1 Spam \x1b[31mred\x1b[0m")
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        listed = haul.held()
        assert listed.lines("550", "5.7.1 Spam ?[31mred?[0m"), listed.log
        # Without a doubt, a second copy is none.
        haul.held("release", copies(recorder, 1)[0].trace().split(";")[0])
        haul.once()
        assert "duplicate" not in copies(recorder, 1)[1].trace()


def test_held_usage(world, haul, user, port):
    assert not haul.held(expect=66).lines("no message")
    for argv in (("release",), ("drop", "--all"), ("release", "--nope"),
                 ("release", "a", "b"), ("drop", "--account", user),
                 ("drop", "x", "--all", "--account", user),
                 ("drop", "x", "--json"), ("--json", "--json")):
        haul.held(*argv, expect=64)
    haul.account(user, "imap", port("imap"), interval="1h")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("the first poll", lambda: "first poll" in running.text())
        assert haul.held().log == "no message is held\n"
        # Running, but not to be found.
        said = haul.command("--socket", haul.path + "/x", "held")
        assert said.code == 75 and said.lines("mailhauld is running, but not")
        running.stop()
        assert haul.held().log == "no message is held\n"


# --- delivery reports

DSN = ("PIPELINING", "SIZE 62914560", "8BITMIME", "DSN")


def test_dsn_is_asked_for(world, haul, user, port):
    box = world.dovecot.mailbox(user)
    box.add(b"Return-Path: <sender@example.test>\r\n" +
            corpus.header(0, "number 0") + b"\r\nx\r\n")
    box.add(b"Return-Path: <>\r\n" + corpus.header(1, "number 1") +
            b"\r\nx\r\n")
    with RecordingSmtp(world.certs, extensions=DSN) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        for number, notify in ((0, "FAILURE"), (1, "NEVER")):
            message, = copies(recorder, number)
            trace = message.trace().split(";")[0]
            assert "RET=HDRS" in message.options
            assert "ENVID=" + trace in message.options
            assert message.rcpt_options == ["NOTIFY=" + notify]


def test_dsn_is_not_offered(world, haul, user, port):
    fill(world, user, 1)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        message, = recorder.messages
        assert message.rcpt_options == []
        assert not re.search("RET=|ENVID=", " ".join(message.options))


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_reports_about_us_are_held(world, haul, user, port, protocol):
    """Everything bounces, into the mailbox that is fetched: no loop."""
    box = fill(world, user, 3)
    haul.account(user, protocol, port(protocol), after="delete")
    haul.destination(world.postfix.ports["submission"], user="in-" + user,
                     mail_from=user + "@example.test",
                     recipient="nobody@bounce.test")
    first = haul.once()
    assert len(first.lines(user, "relayed INBOX")) == 3, first.log
    wait_for("three reports", lambda: len(box) == 3 and
             not world.postfix.queued())
    traces = re.findall(rb"^Original-Envelope-Id: (\S+)",
                        b"".join(box.messages()), re.M)
    assert len(set(traces)) == 3, box.messages()[0].decode()
    second = haul.once()
    assert not second.lines("relayed INBOX"), second.log
    for trace in traces:
        assert second.lines(user, "held INBOX", "delivery report",
                            trace.decode())
    assert "poll ended" not in haul.once().log
    assert len(box) == 3 and not world.postfix.queued()


def report(number, trace, field="X-Mailhaul-Trace"):
    return (b"Return-Path: <>\r\n" + corpus.header(number, "number %d"
            % number) + b"\r\nIt failed.\r\n%s: %s\r\n"
            % (field.encode(), trace.encode()))


def test_other_reports_are_relayed(world, haul, user, port):
    """A report about a message of another account is ours as well; one about
    somebody else's message is mail."""
    fill(world, user, 1)
    box = world.dovecot.mailbox(user + "b")
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.account(user + "b", "pop3", port("pop3"))
        haul.to_recorder(recorder)
        haul.once()
        trace = recorder.messages[0].trace().split(";")[0]
        box.add(report(1, trace))
        box.add(report(2, trace[::-1]))
        box.add(report(3, trace).replace(b"<>", b"<a@b.test>"))
        box.add(report(4, trace, "Original-Envelope-Id"))
        result = haul.once()
        assert len(result.lines(user + "b", "held INBOX", trace)) == 2
        sent = [n for n in range(1, 5) if copies(recorder, n)]
        assert sent == [2, 3]

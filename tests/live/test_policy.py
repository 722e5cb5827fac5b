# SPDX-License-Identifier: ISC
"""Refusals, doubts and broken servers: one message or account stops no other.
"""
import re
import time

import pytest

import corpus
from fakes import DROP, FakePop3, Gone, RecordingSmtp, TlsTrap
from haul import FAILED, OK
from servers import wait_for

ENDS = (OK, 75)  # a run with nothing worse than a message put off


def fill(world, user, count):
    box = world.dovecot.mailbox(user)
    for i in range(count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i)
    return box


def simple(number, body=b"x\r\n"):
    return corpus.header(number, "number %d" % number) + b"\r\n" + body


def refuse_third(reply):
    """A hook that refuses the third transaction that it sees."""
    seen = []

    def hook(_session, message):
        if message not in seen:
            seen.append(message)
        return reply if len(seen) == 3 else None
    return hook


def subjects(messages):
    return sorted(re.search(rb"^Subject: (.*?)\r$", m.raw, re.M).group(1)
                  for m in messages)


@pytest.mark.parametrize("stage", ("rcpt", "data", "dot"))
@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_refused_for_now(world, haul, user, port, protocol, stage):
    box = fill(world, user, 5)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on(stage, refuse_third("451 4.3.0 Not now"))
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        first = haul.once(expect=None)
        assert first.code in ENDS
        assert len(recorder.accepted()) == 4
        assert len(box) == 1
        assert first.lines(user, "451"), first.log
        haul.once()
        accepted = recorder.accepted()
        assert subjects(accepted) == [b"number %d" % i for i in range(5)]
        # It was refused, not lost from sight: this is no possible duplicate.
        assert not [m for m in accepted if "duplicate" in m.trace()]
        assert len(box) == 0


@pytest.mark.parametrize("stage", ("rcpt", "data", "dot"))
@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_refused_for_good(world, haul, user, port, protocol, stage):
    box = fill(world, user, 5)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on(stage, refuse_third("550 5.7.1 Never"))
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert len(recorder.accepted()) == 4
        assert len(box) == 1
        assert first.lines(user, "held", "550"), first.log
        seen = len(recorder.messages)
        haul.once()
        assert len(recorder.messages) == seen
        assert not any("MAIL" in s.commands for s in recorder.sessions[1:])
        assert len(box) == 1


def test_sender_refused_for_now(world, haul, user, port):
    """What is said to MAIL is about our sender, not about one message."""
    box = fill(world, user, 5)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("mail", refuse_third("451 4.3.0 Not now"))
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        haul.once(expect=None)
        haul.later()
        haul.once()
        accepted = recorder.accepted()
        assert subjects(accepted) == [b"number %d" % i for i in range(5)]
        assert not [m for m in accepted if "duplicate" in m.trace()]
    assert len(box) == 0


def test_sender_refused_for_good(world, haul, user, port):
    """No message is held for it, and all come once it is mended."""
    box = fill(world, user, 5)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("mail", lambda *_: "550 5.7.1 Not your address")
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        first = haul.once(expect=FAILED)
        assert first.lines("home", "550", "mail_from"), first.log
        assert not first.lines(user, "held")
        assert len(box) == 5
        recorder.on("mail", lambda *_: None)
        haul.once()
        assert len(recorder.accepted()) == 5
    assert len(box) == 0


def test_too_large_at_mail(world, haul, user, port):
    """552 to MAIL with SIZE is about this message."""
    box = fill(world, user, 5)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("mail", refuse_third("552 5.3.4 Too large"))
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert first.lines(user, "held", "552"), first.log
        assert len(recorder.accepted()) == 4
    assert len(box) == 1


def test_no_quit_after_a_refusal(world, haul, user):
    """EXPIRE 0 and its kin: QUIT would remove what was read."""
    with FakePop3(world.certs, [simple(i) for i in range(1, 6)]) as source, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", refuse_third("550 5.7.1 Never"))
        haul.account(user, "pop3", source.port, after="delete")
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.accepted()) == 4
        refused = [s for s in source.sessions if "RETR 3" in s.commands]
        assert refused and not any(s.quit for s in refused)
        assert list(source.mailbox) == ["uid-3"]


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_in_doubt(world, haul, user, port, protocol):
    """No reply to the dot: a second copy, and it says that it is one."""
    box = fill(world, user, 3)
    dropped = []

    def drop_once(_session, message):
        if b"number 1" in message.raw and not dropped:
            dropped.append(message)
            return DROP
        return None
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", drop_once)
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        first = haul.once(expect=None)
        assert first.lines(user, "doubt"), first.log
        haul.once(expect=None)
        haul.once()
        copies = [m for m in recorder.messages if b"number 1" in m.raw]
        assert len(copies) == 2 and len(recorder.messages) == 4
        assert "attempt=2; possible-duplicate=yes" in copies[1].trace()
        assert "duplicate" not in copies[0].trace()
        names = [m.trace().split(";")[0] for m in copies]
        assert names[0] == names[1]
        assert not [m for m in recorder.messages
                    if m not in copies and "duplicate" in m.trace()]
        assert len(box) == 0


def test_refused_resend_stays_in_doubt(world, haul, user, port):
    box = fill(world, user, 1)
    answers = [DROP, "550 5.7.1 Never"]
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: answers.pop(0) if answers else None)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        runs = [haul.once(expect=None) for _ in range(2)]
        assert any(r.lines(user, "held") for r in runs), runs[1].log
        haul.once()
        assert len(recorder.messages) == 2
    assert len(box) == 1


def test_reply_then_drop(world, haul, user, port):
    """The reply counts, not what happens to the connection behind it."""
    box = fill(world, user, 3)

    def answer_and_leave(session, message):
        message.reply = "250 2.0.0 Ok"
        session.send("250 2.0.0 Ok")
        raise Gone("after the reply")
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", answer_and_leave)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        for _ in range(4):
            haul.once(expect=None)
        assert len(recorder.messages) == 3
        assert not [m for m in recorder.messages if "dupl" in m.trace()]
    assert len(box) == 0


def test_without_pipelining(world, haul, user, port):
    fill(world, user, 5)
    with RecordingSmtp(world.certs, extensions=("SIZE 62914560",
                                                "8BITMIME")) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.accepted()) == 5
        assert not any(s.early for s in recorder.sessions)


def test_without_8bitmime(world, haul, user, port):
    box = fill(world, user, 2)
    box.add(simple(7, "Grüße\r\n".encode()))
    with RecordingSmtp(world.certs, extensions=("PIPELINING",)) as recorder:
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert len(recorder.messages) == 2
        assert first.lines(user, "held"), first.log
    assert len(box) == 1


def test_8bitmime_is_said(world, haul, user, port):
    box = fill(world, user, 1)
    box.add(simple(7, "Grüße\r\n".encode()))
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        haul.once()
        said = {m.raw.isascii(): "BODY=8BITMIME" in m.options
                for m in recorder.messages}
        assert said == {True: False, False: True}


def test_larger_than_size(world, haul, user, port):
    box = fill(world, user, 2)
    box.add(simple(7, b"x" * 70 + b"\r\n" * 3000))
    with RecordingSmtp(world.certs, extensions=(
            "PIPELINING", "8BITMIME", "SIZE 5000")) as recorder:
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert len(recorder.messages) == 2
        assert sum(s.commands.count("DATA") for s in recorder.sessions) == 2
        assert first.lines(user, "held"), first.log
        haul.once()
        assert len(recorder.messages) == 2
    assert len(box) == 1


def test_message_max(world, haul, user, port):
    box = fill(world, user, 2)
    box.add(simple(7, b"x\r\n" * 30000))
    haul.options["message_max"] = "64K"
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", port("pop3"), after="delete")
        haul.to_recorder(recorder)
        assert haul.once().lines(user, "held")
        assert len(recorder.messages) == 2
    assert len(box) == 1


def test_nul_is_held(world, haul, user):
    messages = [simple(1), simple(2, b"a\0.\r\nb\r\n"), simple(3)]
    with FakePop3(world.certs, messages) as source, \
            RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", source.port, after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert first.lines(user, "held"), first.log
        assert subjects(recorder.messages) == [b"number 1", b"number 3"]
        assert list(source.mailbox) == ["uid-2"]


@pytest.mark.parametrize("after", ("keep", "delete"))
def test_no_uidl(world, haul, user, after):
    with FakePop3(world.certs, [simple(1)], uidl="none",
                  capa=("USER", "TOP")) as source, \
            RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", source.port, after=after)
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert result.lines(user, "UIDL"), result.log
        assert recorder.messages == []
        assert len(source.mailbox) == 1
        assert not any("RETR" in c for s in source.sessions
                       for c in s.commands)


def test_uidl_cut_off(world, haul, user):
    """An incomplete listing proves nothing about what is not in it."""
    with FakePop3(world.certs, [simple(i) for i in range(6)],
                  uidl="cut") as source, \
            RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", source.port, after="delete")
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)
        assert recorder.messages == [] and len(source.mailbox) == 6
        source.uidl = "ok"
        haul.once()
        assert len(recorder.messages) == 6 and not source.mailbox


def test_no_capa_and_wrong_sizes(world, haul, user):
    messages = [simple(i, b"y" * 60 + b"\r\n") for i in range(4)]
    with FakePop3(world.certs, messages, capa=None,
                  sizes={1: 10, 3: 1}) as source, \
            RecordingSmtp(world.certs) as recorder:
        haul.account(user, "pop3", source.port)
        haul.to_recorder(recorder)
        haul.once()
        assert [corpus.original(m.raw)[1] for m in recorder.messages] \
            == messages
        assert not any(s.early for s in source.sessions)


def logins(world, user):
    with open(world.dovecot.log, errors="replace") as f:
        return len([line for line in f if "user=<%s>" % user in line
                    and "auth failed" in line])


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_wrong_password_is_tried_once(world, haul, user, port, protocol):
    box = fill(world, user, 1)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol),
                     password=haul.secret("wrong", "not-this"))
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert result.lines(user, "localhost"), result.log
        assert "not-this" not in result.log
    wait_for("the login in Dovecot's log", lambda: logins(world, user))
    with open(world.dovecot.log, errors="replace") as f:
        attempts = sum(int(n) for line in f if "user=<%s>" % user in line
                       for n in re.findall(r"auth failed, (\d+) att", line))
    assert attempts == 1
    assert len(box) == 1


def test_wrong_destination_password(world, haul, user, port):
    box = fill(world, user, 3)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"), after="delete")
        haul.account(user + "b", "imap", port("imap"))
        haul.to_recorder(recorder,
                         password=haul.secret("wrong", "not-this"))
        haul.once(expect=FAILED)
        assert sum(s.auth_tries for s in recorder.sessions) == 1
        assert recorder.messages == []
    assert len(box) == 3


def test_five_accounts(world, haul, user, port):
    """One hangs in the handshake, one has a wrong password."""
    boxes = {user + str(i): fill(world, user + str(i), 20)
             for i in range(3)}
    haul.options.update(connect_timeout="5s")
    with RecordingSmtp(world.certs) as recorder, \
            TlsTrap(world.certs, "imap") as trap:
        trap.hang = True
        haul.account("hangs", "imap", trap.port)
        haul.account("refused", "pop3", port("pop3"),
                     password=haul.secret("wrong", "not-this"))
        for i, name in enumerate(boxes):
            haul.account(name, "imap" if i % 2 else "pop3",
                         port("imap" if i % 2 else "pop3"), after="delete")
        haul.to_recorder(recorder)
        started = time.monotonic()
        result = haul.once(expect=FAILED)
        assert time.monotonic() - started < 30
        assert len(recorder.accepted()) == 60
        # They did not wait for the one that hangs.
        assert max(m.when for m in recorder.messages) - started < 5
    assert result.lines("hangs", "localhost")
    assert result.lines("refused", "localhost")
    assert [len(box) for box in boxes.values()] == [0, 0, 0]

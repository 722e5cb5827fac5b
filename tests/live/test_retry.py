# SPDX-License-Identifier: ISC
"""When what failed is tried again: nobody is hammered, over restarts too."""
import time

import pytest

import corpus
from fakes import DROP, FakePop3, RecordingSmtp
from haul import BUSY, FAILED, OK
from servers import wait_for

MINUTE, HOUR, DAY = 60, 3600, 86400


def messages(count):
    return [corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i
            for i in range(count)]


def assert_pause(seconds, expected):
    """Up to an eighth longer; a few seconds have passed."""
    assert expected - 5 <= seconds <= expected * 9 / 8 + 5


def pause(haul, party):
    """Seconds that a pause has left, and whether it is firm."""
    (row,) = haul.sql("SELECT not_before, firm FROM pause WHERE party = %d"
                      % party)
    return row[0] - time.time(), bool(row[1])


ACCOUNT, DESTINATION = 0, 1


def test_wrong_password_is_tried_once(world, haul):
    with FakePop3(world.certs, messages(1)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        pop.on_pass = lambda _: "-ERR [AUTH] Wrong password"
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        assert haul.once(expect=FAILED).lines("me", "Wrong password")
        for _ in range(9):
            again = haul.once(expect=OK)
            assert again.lines("me", "not polled", "Wrong password")
        assert pop.count("PASS") == 1
        assert len(pop.sessions) == 1
        running = haul.start()
        wait_for("the log", lambda: "not polled" in running.text())
        assert running.stop().code == OK
        assert len(pop.sessions) == 1
        left, firm = pause(haul, ACCOUNT)
        assert_pause(left, 15 * MINUTE)
        assert firm
        # One more, and it grows.
        haul.later()
        haul.once(expect=FAILED)
        haul.once(expect=OK)
        assert pop.count("PASS") == 2
        assert_pause(pause(haul, ACCOUNT)[0], 30 * MINUTE)
        # Who changes the configuration need not wait.
        pop.on_pass = None
        haul.accounts[0]["password"] = haul.secret("pw-new", "other")
        assert haul.once().lines("relayed")
        assert not haul.once().lines("not polled")
        assert len(recorder.accepted()) == 1


def test_resume(world, haul):
    """The password was mended in its place."""
    with FakePop3(world.certs, messages(1)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        pop.on_pass = lambda _: "-ERR [AUTH] Wrong password"
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)
        pop.on_pass = None
        assert haul.once().lines("not polled")
        done = haul.command("resume", "me")
        assert (done.code, done.log) == (OK, "me: may be tried at once\n")
        haul.once()
        assert len(recorder.accepted()) == 1


def test_destination_login_is_tried_once(world, haul):
    with FakePop3(world.certs, messages(40)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("auth", lambda *_: "535 5.7.8 Wrong password")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        first = haul.once(expect=FAILED)
        assert len(first.lines("destination home", "535")) == 1
        fetched = pop.count("RETR")
        for _ in range(9):
            again = haul.once(expect=FAILED)
            assert again.lines("destination home", "left alone", "535")
        assert sum(s.auth_tries for s in recorder.sessions) == 1
        assert pop.count("RETR") == fetched
        # The probe is a single message; then everything follows at once.
        haul.later()
        haul.once(expect=FAILED)
        assert sum(s.auth_tries for s in recorder.sessions) == 2
        assert pop.count("RETR") == fetched + 1
        assert_pause(pause(haul, DESTINATION)[0], 30 * MINUTE)
        haul.later()
        recorder.on("auth", lambda *_: None)
        assert haul.once().lines("destination home", "works again")
        assert len(recorder.accepted()) == 40
        assert not [m for m in recorder.accepted()
                    if "duplicate" in m.trace()]


def test_login_delay(world, haul):
    with FakePop3(world.certs, messages(3), capa=(
            "USER", "UIDL", "RESP-CODES", "LOGIN-DELAY 300")) as pop, \
            RecordingSmtp(world.certs) as recorder:
        haul.account("me", "pop3", pop.port, interval="10s", after="delete")
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.accepted()) == 3
        for _ in range(3):
            again = haul.once(expect=OK)
            assert again.lines("me", "not polled", "300 between logins")
        running = haul.start()
        wait_for("the log", lambda: "not polled" in running.text())
        time.sleep(2)
        running.stop()
        assert len(pop.sessions) == 1
        haul.sql("UPDATE pause SET last_login = last_login - 301")
        haul.once()
        assert len(pop.sessions) == 2


def test_interval_is_at_least_the_login_delay(world, haul):
    with FakePop3(world.certs, messages(1), capa=(
            "USER", "UIDL", "LOGIN-DELAY 300")) as pop, \
            RecordingSmtp(world.certs) as recorder:
        haul.account("me", "pop3", pop.port, interval="10s")
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("a message", lambda: recorder.accepted())
        time.sleep(13)
        running.stop()
        assert len(pop.sessions) == 1


@pytest.mark.parametrize("words,least,firm", (
    ("-ERR [IN-USE] Locked", MINUTE, False),
    ("-ERR Request is throttled. Suggested Backoff Time: 178755 "
     "milliseconds", 300, True),
    ("-ERR Suggested Backoff Time: 900000 milliseconds", 900, True),
    ("-ERR [SYS/TEMP] Not now", 300, False)))
def test_not_a_wrong_password(world, haul, words, least, firm):
    with FakePop3(world.certs, messages(1)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        pop.on_pass = lambda _: words
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)
        left, was_firm = pause(haul, ACCOUNT)
        assert_pause(left, least)
        assert was_firm == firm
        haul.once(expect=OK if firm else FAILED)
        assert pop.count("PASS") == (1 if firm else 2)


def test_refused_for_now_schedule(world, haul):
    """The schedule holds over restarts; at its end the message is held."""
    with FakePop3(world.certs, messages(2)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda _s, m: "451 4.7.1 Greylisted"
                    if b"number 1" in m.raw else None)
        haul.account("me", "pop3", pop.port, after="delete")
        haul.to_recorder(recorder)
        haul.once(expect=BUSY)
        # The first try after a refusal is the next poll's.
        haul.once(expect=BUSY)
        tries = 2
        for gap in (30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR):
            assert len(recorder.messages) == 1 + tries
            fetched = pop.count("RETR")
            haul.once(expect=OK)
            assert pop.count("RETR") == fetched
            ((changed, next_try),) = haul.sql(
                "SELECT changed, next_try FROM delivery"
                " WHERE state = 'deferred'")
            assert_pause(next_try - changed, gap)
            haul.later(next_try - changed)
            haul.once(expect=BUSY)
            tries += 1
        haul.later(5 * DAY)
        last = haul.once(expect=OK)
        assert last.lines("held", "451", "give_up")
        tries += 1
        haul.later(DAY)
        haul.once()
        assert len(recorder.messages) == 1 + tries
        assert list(pop.mailbox) == ["uid-2"]
        assert haul.sql("SELECT refusals, first_refusal FROM delivery"
                        " WHERE state = 'held'") == [(0, 0)]


def test_one_destination_down(world, haul):
    """The other gets everything at once, and nothing is fetched in vain."""
    with FakePop3(world.certs, messages(20)) as pop, \
            RecordingSmtp(world.certs) as home, \
            RecordingSmtp(world.certs) as archive:
        archive.on("auth", lambda *_: DROP)
        haul.account("me", "pop3", pop.port, after="delete",
                     destination=("home", "archive"))
        haul.to_recorder(home)
        haul.to_recorder(archive, name="archive")
        haul.once(expect=FAILED)
        assert len(home.accepted()) == 20
        fetched = pop.count("RETR")
        # Left alone over a restart; what is new flows to the other.
        pop.mailbox["uid-new"] = messages(21)[20]
        connections = len(archive.sessions)
        running = haul.start()
        wait_for("the new one", lambda: len(home.accepted()) == 21)
        running.stop()
        assert pop.count("RETR") == fetched + 1
        assert len(archive.sessions) == connections
        # --once does not wait, but it needs a single message to find out.
        haul.once(expect=FAILED)
        assert pop.count("RETR") == fetched + 2
        assert len(archive.sessions) == connections + 1
        assert len(pop.mailbox) == 21
        archive.on("auth", lambda *_: None)
        haul.once()
        assert len(archive.accepted()) == 21
        assert len(home.accepted()) == 21
        haul.once()
        assert not pop.mailbox
        assert len(archive.accepted()) + len(home.accepted()) == 42


def test_daily_limit(world, haul):
    """Ends the day for the destination, and is said of no message."""
    with FakePop3(world.certs, messages(10)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        count = []

        def limit(_session, message):
            count.append(message)
            return "550 5.4.5 Daily sending limit exceeded" \
                if len(count) > 4 else None
        recorder.on("mail", limit)
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        first = haul.once(expect=FAILED)
        assert len(recorder.accepted()) == 4
        assert not first.lines("held INBOX")
        assert_pause(pause(haul, DESTINATION)[0], HOUR)
        recorder.on("mail", lambda *_: None)
        haul.later()
        haul.once()
        assert len(recorder.accepted()) == 10


def test_wrong_recipient(world, haul):
    """Refused three times in a row, it is about the recipient."""
    with FakePop3(world.certs, messages(50)) as pop, \
            RecordingSmtp(world.certs) as recorder:
        recorder.on("rcpt", lambda *_: "550 5.1.1 No such user")
        haul.account("me", "pop3", pop.port)
        haul.to_recorder(recorder)
        first = haul.once(expect=FAILED)
        assert len(first.lines("me: held")) == 2
        assert first.lines("destination home", "check recipient")
        recorder.on("rcpt", lambda *_: None)
        haul.once()
        assert len(recorder.accepted()) == 48

# SPDX-License-Identifier: ISC
"""Outlook.com by its preset: one sign-in serves both ends."""
import re
import time

import pytest

import corpus
import lookalike_outlook as outlook
from haul import BUSY, FAILED, OK
from lookalike_play import arrived, assert_arrived, letters, play
from servers import wait_for

assert play  # a fixture

ME = "me@hotmail.com"
CLIENT = {"oauth_client_id": "client-1"}


def begin(world, play, user, protocol="imap", count=None, **destination):
    _, provider, haul = play(outlook.NAMES, outlook.Outlook)
    provider.oauth.user = ME
    me = provider.person(ME, user)
    me.mail = world.dovecot.mailbox(user)
    expected = letters(me.mail, count)
    haul.from_provider("hotmail", "outlook", ME, protocol, **CLIENT)
    haul.to_provider("outlook", ME, **CLIENT, **destination)
    haul.write()
    return provider, haul, me, expected


def sign_in(haul, name="hotmail"):
    result = haul.run("login", name)
    assert result.code == OK, result.log
    assert "ABCD-" in result.log and outlook.LOGIN in result.log
    return result


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_outlook(world, play, user, protocol):
    """Each log-in is with a token, and none is refused."""
    provider, haul, me, expected = begin(world, play, user, protocol)
    sign_in(haul)
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count(protocol) == 1 and not me.refused
    assert me.logins.count("smtp") <= 4
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count(protocol) == 2 and not me.refused
    # One sign-in, whose token is good for an hour.
    assert provider.oauth.asked == ["device_code", "device_code"]
    assert provider.oauth.paths == {
        "/consumers/oauth2/v2.0/devicecode", "/consumers/oauth2/v2.0/token"}
    assert not provider.imap.asked("ENABLE|COMPRESS|CONDSTORE|ESEARCH")
    assert provider.pop3.ahead == 0


def test_nobody_signed_in(world, play, user):
    """It says what to do, and knocks at no server."""
    provider, haul, me, expected = begin(world, play, user, count=3)
    result = haul.once(expect=FAILED)
    assert result.lines("hotmail", "mailhaul login hotmail")
    assert not me.logins and not me.refused
    sign_in(haul)
    haul.once()
    assert_arrived(expected, provider.smtp)


def test_daemon_goes_on(world, play, user):
    """Who has signed in need not wait for the next poll."""
    provider, haul, me, expected = begin(world, play, user, count=3)
    running = haul.start("--verbose")
    wait_for("the question", lambda: "mailhaul login hotmail" in
             running.text())
    sign_in(haul)
    wait_for("the messages",
             lambda: len(arrived(provider.smtp)) == len(expected), 60)
    running.stop()
    assert_arrived(expected, provider.smtp)
    assert not me.refused


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_password(world, play, user, protocol):
    """No password is taken here: one attempt, and what to do."""
    provider, haul, me, _ = begin(world, play, user, protocol, 3)
    haul.accounts.clear()
    haul.from_provider("hotmail", "outlook", ME, protocol, auth="plain",
                       password=haul.secret("pw", "secret"))
    result = haul.once(expect=FAILED)
    assert result.lines("hotmail", "mailhaul login")
    for _ in range(3):
        haul.once(expect=None)
    server = provider.imap if protocol == "imap" else provider.pop3
    tries = [c for s in server.sessions for c in s.commands
             if re.match("AUTH|LOGIN|USER", c)]
    assert len(tries) == 1 and not me.logins
    assert not arrived(provider.smtp)


@pytest.mark.parametrize("after", (0, 10))
def test_token_expires(world, play, user, after):
    """In mid-session: routine.  A new one is fetched, and what was not relayed
    yet is; the refresh token of before is never used again."""
    provider, haul, me, expected = begin(world, play, user)
    sign_in(haul)
    provider.imap.expire_after = after
    result = haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 2
    # The other end may be about to log in with the one that ends.
    assert me.refused in ([], ["smtp"])
    assert provider.oauth.asked.count("refresh_token") == 1
    assert provider.oauth.stale == 0
    assert not result.lines("error") and not result.lines("attempt=2")


def test_token_dies_between_polls(world, play, user):
    """The provider forgot it earlier than it said: one refusal, then a new
    one, for both ends."""
    provider, haul, me, expected = begin(world, play, user, count=4)
    sign_in(haul)
    haul.once()
    provider.oauth.expire(ME)
    expected.append(corpus.header(99, "later") + b"\r\nx\r\n")
    me.mail.add(expected[-1])
    haul.once()
    assert_arrived(sorted(expected), provider.smtp)
    assert me.refused == ["imap"]
    assert provider.oauth.asked.count("refresh_token") == 1
    assert provider.oauth.stale == 0


def test_short_tokens(world, play, user):
    """Each poll needs a new one, and each new one ends the one before."""
    provider, haul, me, expected = begin(world, play, user, count=2)
    provider.oauth.life = 30
    sign_in(haul)
    for i in range(4):
        expected.append(corpus.header(50 + i, "later") + b"\r\nx\r\n")
        me.mail.add(expected[-1])
        haul.once()
    assert_arrived(sorted(expected), provider.smtp)
    assert provider.oauth.stale == 0 and not me.refused
    assert len(provider.oauth.refresh) == 1


def test_sign_in_is_taken_back(world, play, user):
    """A dead refresh token is a state that a person sees, not a loop."""
    provider, haul, me, expected = begin(world, play, user, count=3)
    provider.oauth.life = 1
    sign_in(haul)
    provider.oauth.refresh.clear()
    time.sleep(1)
    result = haul.once(expect=FAILED)
    assert result.lines("hotmail", "mailhaul login hotmail")
    for _ in range(3):
        haul.once(expect=None)
    # It is not asked again and again.
    assert provider.oauth.asked.count("refresh_token") == 1
    assert not me.logins and len(me.refused) <= 1
    provider.oauth.life = 3600
    sign_in(haul)
    haul.once()
    assert_arrived(expected, provider.smtp)


@pytest.mark.parametrize("how", ("BAD", "NO", "BYE"))
@pytest.mark.parametrize("after", (10, -1))
def test_throttled(world, play, user, after, how):
    """The server says how long: nobody comes earlier, asked to or not; and a
    login that is put off is not one that is refused."""
    # More than are asked for before the first has come.
    provider, haul, me, expected = begin(world, play, user, count=800)
    sign_in(haul)
    provider.imap.throttle_after, provider.imap.throttle_how = after, how
    result = haul.once(expect=None)
    assert result.lines("hotmail", "throttled")
    assert not result.lines("mailhaul login")
    first = len(arrived(provider.smtp))
    assert (0 < first) == (after > 0) and first < len(expected)
    assert haul.sql("SELECT not_before - strftime('%s') > 90 FROM pause"
                    " WHERE name = 'hotmail'") == [(1,)]
    running = haul.start("--verbose")
    for _ in range(3):
        haul.run("poll", "hotmail")
        time.sleep(0.3)
    running.stop()
    before = len(provider.imap.sessions)
    assert before == 1
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert len(provider.imap.sessions) == 2 and not me.refused
    assert provider.oauth.asked.count("refresh_token") == 0


def test_not_connected(world, play, user):
    """The login was good and the mailbox is away: no refused login, and
    no reason to log in again and again."""
    provider, haul, me, expected = begin(world, play, user, count=5)
    sign_in(haul)
    provider.imap.connected = False
    running = haul.start("--verbose")
    wait_for("that it is told", lambda: "not connected" in running.text())
    time.sleep(3)
    assert me.logins.count("imap") == 1
    running.stop()
    provider.imap.connected = True
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 2 and not me.refused
    assert provider.oauth.asked.count("refresh_token") == 0


@pytest.mark.parametrize("on_reject", ("hold", "wrap"))
def test_send_as_denied(world, play, user, on_reject):
    """A foreign From is refused after the data: said in words, and nothing is
    lost."""
    provider, haul, me, expected = begin(
        world, play, user, count=4, sender="preserve", on_reject=on_reject)
    sign_in(haul)
    result = haul.once(expect=None)
    if on_reject == "wrap":
        haul.later()
        haul.once(expect=None)
        got = [m.raw for m in provider.smtp.accepted()]
        assert len(got) == len(expected)
        for raw in expected:
            assert sum(raw in g for g in got) == 1
        return
    assert len(result.lines("held", "SendAsDenied")) == 4
    assert result.lines("sender = ")
    assert not arrived(provider.smtp) and len(me.mail) == len(expected)
    assert result.code != BUSY
    haul.destinations[0]["sender"] = "rewrite"
    haul.held("release", "--all", "--account", "hotmail")
    haul.once()
    assert_arrived(expected, provider.smtp)

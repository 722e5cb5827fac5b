# SPDX-License-Identifier: ISC
"""Providers, by their presets: each relays what it has, once, and nobody is
logged in more often than he bears.

The servers are look-alikes (lookalike.py) on the providers' own names and
ports; Outlook.com has a file of its own.
"""
import re
import subprocess
import urllib.parse

import pytest

import corpus
import lookalike_gmail as gmail
import lookalike_others as others
from haul import BUSY, CONFIG, FAILED, MAILHAUL, OK
from lookalike_play import (PASSWORD, arrived, assert_arrived, begin, letters,
                            play)
from servers import wait_for
from test_identity import renumber

assert play  # a fixture

# --- Yahoo ----------------------------------------------------------------

MANY = 2500


@pytest.mark.parametrize("after", ("keep", "delete", "move Done"))
def test_yahoo(world, play, user, after):
    """More than a command may touch: all come, and nothing is asked for that
    is not given whole but what is there."""
    provider, haul, me, expected = begin(
        world, play, user, others.YAHOO, others.Yahoo, "me@yahoo.com", MANY)
    done = me.mail.folder("Done")
    haul.from_provider("yahoo", "yahoo", me.user, password=me.secret,
                       after=after)
    haul.to_provider("yahoo", me.user, password=me.secret)
    haul.once(timeout=300)
    assert_arrived(expected, provider.smtp)
    assert len(me.mail) == (MANY if after == "keep" else 0)
    assert len(done) == (MANY if after.startswith("move") else 0)
    assert [c.rpartition(" ")[2] for c in provider.imap.cut] == [
        "1:*", "1:1500"]
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 2 and not me.refused
    assert me.logins.count("smtp") <= 4


def test_yahoo_grows(world, play, user):
    """What came since the last poll is more than a command may touch."""
    provider, haul, me, expected = begin(
        world, play, user, others.YAHOO, others.Yahoo, "me@yahoo.com", 10)
    haul.from_provider("yahoo", "yahoo", me.user, password=me.secret)
    haul.to_provider("yahoo", me.user, password=me.secret)
    haul.once()
    assert_arrived(expected, provider.smtp)
    expected = sorted(expected + letters(me.mail, 1200))
    haul.once(timeout=300)
    assert_arrived(expected, provider.smtp)
    assert [c.rpartition(" ")[2] for c in provider.imap.cut] == ["11:*"]


@pytest.mark.parametrize("lost", ("uids", "state"))
def test_yahoo_loses(world, play, user, lost):
    """All UIDs are new, or all that we knew is lost and the mark tells: none
    of so many comes twice."""
    provider, haul, me, expected = begin(
        world, play, user, others.YAHOO, others.Yahoo, "me@yahoo.com", MANY)
    haul.options["marker"] = lost == "state"
    haul.from_provider("yahoo", "yahoo", me.user, password=me.secret)
    haul.to_provider("yahoo", me.user, password=me.secret)
    haul.once(timeout=300)
    assert_arrived(expected, provider.smtp)
    if lost == "uids":
        renumber(me.mail)
    else:
        haul.sql("DELETE FROM delivery")
        haul.sql("DELETE FROM recognition")
        haul.sql("UPDATE mailbox SET baseline = 0, highwater = 0,"
                 " generation = 0")
    provider.imap.cut.clear()
    haul.once(timeout=300)
    assert_arrived(expected, provider.smtp)
    # What was cut was asked for to its end: the list, and the marks.
    assert len(provider.imap.cut) == (2 if lost == "uids" else 4)
    assert all("SEARCH" in c for c in provider.imap.cut)


# --- Gmail ----------------------------------------------------------------

@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_gmail(world, play, user, protocol):
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com")
    haul.from_provider("gmail", "gmail", me.user, protocol,
                       password=me.secret)
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count(protocol) == 1 and not me.refused
    assert me.logins.count("smtp") <= 4
    assert provider.pop3.ahead == 0
    assert not provider.imap.asked("ENABLE|COMPRESS|CONDSTORE")


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_gmail_password_of_the_account(world, play, user, protocol):
    """Refused once, and said in words that help."""
    provider, haul, me, _ = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 3)
    haul.from_provider("gmail", "gmail", me.user, protocol,
                       password=haul.secret("own", "pw-of-the-account"))
    haul.to_provider("gmail", me.user, password=me.secret)
    result = haul.once(expect=FAILED)
    assert result.lines("gmail", "app password")
    for _ in range(3):
        haul.once(expect=None)
    assert me.refused == [protocol]
    assert not arrived(provider.smtp)


def test_gmail_destination_refuses(world, play, user):
    """An app password that was revoked: the messages stay where they are."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 5)
    haul.from_provider("gmail", "gmail", me.user, password=me.secret)
    haul.to_provider("gmail", me.user,
                     password=haul.secret("own", "pw-of-the-account"))
    result = haul.once(expect=None)
    assert result.code in (FAILED, BUSY)
    assert result.lines("home", "app password")
    haul.once(expect=None)
    assert me.refused == ["smtp"]
    haul.destinations.clear()
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)


def test_gmail_login_delay(world, play, user):
    """Obeyed from one run to the next, and by the daemon."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 5)
    haul.from_provider("gmail", "gmail", me.user, "pop3", password=me.secret,
                       interval="30s")
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.once()
    for _ in range(2):
        haul.once()
    running = haul.start("--verbose")
    wait_for("it waits", lambda: "LOGIN-DELAY" in running.text() or
             haul.run("status").log)
    haul.run("poll", "gmail")
    running.stop()
    assert provider.pop3.too_early == 0
    assert me.logins.count("pop3") == 1
    assert_arrived(expected, provider.smtp)


def test_gmail_hides_what_was_fetched(world, play, user):
    """What was retrieved and not relayed must be there the next time: the
    session that has it does not end with QUIT."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 12)
    haul.from_provider("gmail", "gmail", me.user, "pop3", password=me.secret)
    haul.to_provider("gmail", me.user, password=me.secret)
    refused = []

    def busy(_, message):
        if len(refused) < 4 and len(arrived(provider.smtp)) > 4:
            refused.append(message)
            return "451 4.3.0 Mail server temporarily rejected message."
        return None
    provider.smtp.on("dot", busy)
    haul.once(expect=BUSY)
    assert len(refused) == 4
    assert not provider.pop3.hidden
    for _ in range(3):
        if len(arrived(provider.smtp)) == len(expected):
            break
        provider.pop3.last -= gmail.GmailPop.DELAY + 60
        haul.later()
        haul.once(expect=None)
    assert_arrived(expected, provider.smtp)
    # All that it has is relayed: now it may count as fetched.
    provider.pop3.last -= gmail.GmailPop.DELAY + 60
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert provider.pop3.too_early == 0


def test_gmail_hides_what_was_relayed(world, play, user):
    """A session whose messages are all recorded ends with QUIT, and new mail
    comes all the same."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 6)
    haul.from_provider("gmail", "gmail", me.user, "pop3", password=me.secret)
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.once()
    assert len(provider.pop3.hidden) == 6
    for i in range(3):
        expected.append(corpus.header(i, "later %d" % i) + b"\r\nx\r\n")
        me.mail.add(expected[-1])
        provider.pop3.last -= gmail.GmailPop.DELAY + 60
        haul.later()
        haul.once()
        assert_arrived(sorted(expected), provider.smtp)
    assert me.logins.count("pop3") == 4 and provider.pop3.too_early == 0


@pytest.mark.parametrize("folders, copies", (
    (None, 1), (["\\All"], 1), (["INBOX", "\\All"], 2)))
def test_gmail_labels(world, play, user, folders, copies):
    """A message is in the folder of each label.  The preset asks for one of
    them; who asks for two has two mailboxes, and gets what is in each."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 8)
    everything = me.mail.folder("All")
    for raw in me.mail.messages():
        everything.add(raw)
    haul.from_provider("gmail", "gmail", me.user, password=me.secret,
                       **({"folders": folders} if folders else {}))
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.once()
    assert_arrived(sorted(expected * copies), provider.smtp)
    assert me.logins.count("imap") == 1


def test_gmail_connections(world, play, user):
    """However many folders are watched, 15 connections are never reached."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 1)
    names = ["f%02d" % i for i in range(24)]
    for name in names:
        me.mail.folder(name)
    haul.options.update(connections_per_host=24, connections=64)
    haul.from_provider("gmail", "gmail", me.user, password=me.secret,
                       folders=["INBOX", *names], idle=True)
    haul.to_provider("gmail", me.user, password=me.secret)
    running = haul.start()
    wait_for("many that watch",
             lambda: len(provider.imap.asked("^IDLE")) >= 5, 60)
    expected.append(corpus.header(99, "late") + b"\r\nx\r\n")
    me.mail.folder("f23").add(expected[-1])
    wait_for("the letter", lambda: len(arrived(provider.smtp)) == 2, 60)
    running.stop()
    assert_arrived(sorted(expected), provider.smtp)
    assert provider.imap.most <= 15 and not me.refused


def sign_in(haul, oauth, name):
    """As with a browser on this machine."""
    with subprocess.Popen(
            haul.stage.argv([MAILHAUL, "-c", haul.conf, "--state", haul.state,
                             "login", name]), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, env=haul.env()) as login:
        for line in login.stdout:
            if line.startswith(b"https://"):
                break
        there = urllib.parse.urlsplit(oauth.authorize(line.decode().strip()))
        assert there.hostname == "127.0.0.1"
        with haul.stage.connect(there.hostname, there.port, tls=False) as s:
            s.sendall(("GET %s?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % (
                there.path or "/", there.query)).encode())
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        assert b"signed in" in login.stdout.read()
    assert login.returncode == OK


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_gmail_oauth(world, play, user, protocol):
    """There is no device flow at Google: a browser on the loopback."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com")
    provider.oauth.user = me.user
    me.password = None
    client = {"oauth_client_id": "client-1"}
    haul.from_provider("gmail", "gmail", me.user, protocol, **client)
    haul.to_provider("gmail", me.user, **client)
    haul.write()
    sign_in(haul, provider.oauth, "gmail")
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count(protocol) == 1 and not me.refused
    assert provider.oauth.asked == ["authorization_code"]


def test_gmail_changes_from(world, play, user):
    """sender = preserve: what goes out is what came, and what Gmail makes of
    it is Gmail's."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 5)
    haul.from_provider("gmail", "gmail", me.user, password=me.secret)
    haul.to_provider("gmail", me.user, password=me.secret, sender="preserve")
    haul.once()
    got = [m.raw for m in provider.smtp.accepted()]
    assert len(got) == len(expected)
    for raw in got:
        assert raw.count(b"\r\nFrom: <me@gmail.com>\r\n") == 1
    back = sorted(corpus.original(re.sub(
        rb"From: <me@gmail.com>\r\nX-Google-Original-", b"", raw))[1]
        for raw in got)
    assert back == expected


# --- iCloud ---------------------------------------------------------------

def icloud(world, play, user, count=None):
    provider, haul, me, expected = begin(
        world, play, user, others.ICLOUD, others.ICloud, "me@icloud.com",
        count)
    haul.from_provider("icloud", "icloud", me.user, password=me.secret)
    haul.to_provider("icloud", me.user, password=me.secret)
    return provider, haul, me, expected


def test_icloud(world, play, user):
    """Items in any order."""
    provider, haul, me, expected = icloud(world, play, user)
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 1 and not me.refused
    assert me.logins.count("smtp") <= 4


@pytest.mark.parametrize("odd", (b"NIL", b'""', b"{0}\r\n"))
def test_icloud_no_body(world, play, user, odd):
    """What is no message is not relayed as one: it comes when it is there."""
    provider, haul, me, expected = icloud(world, play, user, 12)
    provider.imap.odd.update({3: odd, 12: odd})
    haul.once(expect=None)
    assert len(arrived(provider.smtp)) == 10
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 2


# --- GMX ------------------------------------------------------------------

def gmx(world, play, user, protocol="imap", count=None, **destination):
    provider, haul, me, expected = begin(
        world, play, user, others.GMX, others.Gmx, "me@gmx.net", count)
    haul.from_provider("gmx", "gmx", me.user, protocol, password=me.secret)
    haul.to_provider("gmx", me.user, **{"password": me.secret, **destination})
    return provider, haul, me, expected


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_gmx(world, play, user, protocol):
    """From is made its own, or the server would take none of it."""
    provider, haul, me, expected = gmx(world, play, user, protocol)
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count(protocol) == 1 and not me.refused
    assert me.logins.count("smtp") <= 4


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_gmx_is_off(world, play, user, protocol):
    """It says where the switch is; once it is on, all comes."""
    provider, haul, me, expected = gmx(world, play, user, protocol, 6)
    provider.enabled = False
    result = haul.once(expect=FAILED)
    assert result.lines("gmx", "switched off", "settings")
    for _ in range(3):
        haul.once(expect=None)
    assert me.refused == [protocol]
    provider.enabled = True
    haul.later()
    haul.once()
    assert_arrived(expected, provider.smtp)


def test_gmx_locks_out(world, play, user):
    """A wrong password is tried once: whoever mends it is let in."""
    provider, haul, me, expected = gmx(world, play, user, count=6)
    haul.secret("pw", "wrong")
    running = haul.start("--verbose")
    wait_for("the refusal", lambda: me.refused)
    wait_for("that it is told", lambda: "authentication failed" in
             running.text())
    for _ in range(5):
        haul.run("poll", "gmx")
    haul.secret("pw", PASSWORD)
    assert me.refused == ["imap"]
    assert haul.run("reload").code == OK
    haul.run("resume", "gmx")
    wait_for("the messages",
             lambda: len(arrived(provider.smtp)) == len(expected), 60)
    running.stop()
    assert me.refused == ["imap"]
    assert_arrived(expected, provider.smtp)


def test_gmx_foreign_sender(world, play, user):
    """sender = preserve: refused for what it says, and set aside."""
    provider, haul, me, expected = gmx(world, play, user, count=4,
                                       sender="preserve")
    result = haul.once(expect=None)
    assert len(result.lines("held", "sender = ")) == 4
    assert not arrived(provider.smtp)
    assert len(me.mail) == len(expected)
    haul.destinations[0]["sender"] = "rewrite"
    haul.held("release", "--all", "--account", "gmx")
    haul.once()
    assert_arrived(expected, provider.smtp)


# --- Proton Bridge --------------------------------------------------------

def bridge(world, play, user, count=None, pin=True):
    provider, haul, me, expected = begin(
        world, play, user, others.BRIDGE, others.Bridge, "me@proton.me",
        count)
    pinned = {"pin_sha256": world.certs.pin("selfsigned")} if pin else {}
    haul.from_provider("proton", "proton-bridge", me.user,
                       password=me.secret, **pinned)
    haul.to_provider("proton-bridge", me.user, password=me.secret, **pinned)
    return provider, haul, me, expected


def test_bridge(world, play, user):
    provider, haul, me, expected = bridge(world, play, user)
    haul.once()
    assert_arrived(expected, provider.smtp)
    assert me.logins.count("imap") == 1 and not me.refused


def test_bridge_without_pin(world, play, user):
    """Nobody signed its certificate: no word is said, least of all the
    password."""
    provider, haul, me, _ = bridge(world, play, user, 3, pin=False)
    result = haul.once(expect=None)
    assert result.code in (FAILED, CONFIG)
    assert "pin_sha256" in result.log
    assert not me.logins and not me.refused
    assert PASSWORD.encode() not in provider.imap.said()


def test_bridge_update(world, play, user):
    """Other UIDs for the same messages: none is relayed again, and what came
    meanwhile is."""
    provider, haul, me, expected = bridge(world, play, user, 30)
    haul.once()
    renumber(me.mail)
    expected.append(corpus.header(99, "meanwhile") + b"\r\nx\r\n")
    me.mail.add(expected[-1])
    haul.once()
    assert_arrived(sorted(expected), provider.smtp)
    haul.once()
    assert_arrived(sorted(expected), provider.smtp)


def test_bridge_starttls(world, play, user):
    """Bridge's other connection mode."""
    provider, haul, me, _ = bridge(world, play, user, 3)
    provider.imap.close()
    others.BridgeImap(provider.imap.stage, others.BRIDGE[0], provider,
                      world.dovecot, port=1143, cert="selfsigned",
                      implicit=False)
    haul.write()
    result = haul.run("check", "--online", "proton")
    print(result.log)
    assert re.search("set Bridge to SSL|connection mode of Bridge to SSL",
                     result.log)
    assert not me.logins and not me.refused


# --- check --online -------------------------------------------------------

@pytest.mark.parametrize("names, provider, preset, address", (
    (others.YAHOO, others.Yahoo, "yahoo", "me@yahoo.com"),
    (gmail.NAMES, gmail.Gmail, "gmail", "me@gmail.com"),
    (others.ICLOUD, others.ICloud, "icloud", "me@icloud.com"),
    (others.GMX, others.Gmx, "gmx", "me@gmx.net")))
def test_check(world, play, user, names, provider, preset, address):
    """Both ends are tried, one login each, and nothing is changed."""
    provider, haul, me, expected = begin(
        world, play, user, names, provider, address, 3)
    haul.from_provider("it", preset, me.user, password=me.secret)
    haul.to_provider(preset, me.user, password=me.secret)
    haul.write()
    result = haul.run("check", "--online")
    assert result.code == OK, result.log
    assert sorted(me.logins) == ["imap", "smtp"] and not me.refused
    assert not provider.smtp.messages
    haul.once()
    assert_arrived(expected, provider.smtp)


def test_gmail_check_pop3(world, play, user):
    """A login of the test counts for LOGIN-DELAY, and waits for it; no message
    is fetched by it."""
    provider, haul, me, expected = begin(
        world, play, user, gmail.NAMES, gmail.Gmail, "me@gmail.com", 3)
    haul.from_provider("gmail", "gmail", me.user, "pop3", password=me.secret)
    haul.to_provider("gmail", me.user, password=me.secret)
    haul.once()
    expected.append(corpus.header(99, "later") + b"\r\nx\r\n")
    me.mail.add(expected[-1])
    seen = set(provider.pop3.hidden)
    haul.run("check", "--online", "gmail")
    assert me.logins.count("pop3") == 1
    provider.pop3.last -= gmail.GmailPop.DELAY + 60
    haul.later()
    result = haul.run("check", "--online", "gmail")
    assert result.code == OK, result.log
    assert provider.pop3.hidden == seen
    haul.once()
    assert me.logins.count("pop3") == 2
    provider.pop3.last -= gmail.GmailPop.DELAY + 60
    haul.later()
    haul.once()
    assert_arrived(sorted(expected), provider.smtp)
    assert provider.pop3.too_early == 0 and not me.refused

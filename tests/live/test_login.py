# SPDX-License-Identifier: ISC
"""Signing in with OAuth2, and what becomes of the tokens, with a provider that
can do anything.  A real one is in test_oidc.py."""
import contextlib
import json
import os
import re
import stat
import subprocess
import urllib.error
import urllib.request

import pytest

import corpus
import fake_oauth
import haul as haul_module
from fakes import FakePop3, RecordingSmtp
from haul import FAILED, OK
from servers import wait_for

UNAVAILABLE, NO_INPUT, CONFIG = 69, 66, 78


def message(number):
    return corpus.header(number, "number %d" % number) + b"\r\nbody\r\n"


@pytest.fixture
def provider(world):
    with fake_oauth.Provider(world.certs) as it:
        yield it


@pytest.fixture
def recorder(world):
    with RecordingSmtp(world.certs) as it:
        yield it


@pytest.fixture
def source(world, provider):
    with fake_oauth.TokenPop3(world.certs, [message(1)], provider) as it:
        yield it


@pytest.fixture
def outlook(haul, provider, source, recorder):
    """An installation with one account that signs in."""
    haul.account("outlook", "pop3", source.port, user="ann@example.test",
                 **provider.options(haul.certs))
    haul.to_recorder(recorder)
    return haul


@pytest.fixture
def more(world, outlook, provider):
    """Adds accounts of the same user, each at a server of its own."""
    with contextlib.ExitStack() as stack:
        def add(*names):
            for number, name in enumerate(names, 2):
                host = "127.0.0.%d" % number  # else it is the same mailbox
                server = stack.enter_context(fake_oauth.TokenPop3(
                    world.certs, [message(1)], provider, host))
                outlook.account(name, "pop3", server.port, host=host,
                                user="ann@example.test",
                                **provider.options(outlook.certs))
        yield add


class Login:
    """A mailhaul login that runs."""

    def __init__(self, haul, *words):
        haul.write()
        self.haul = haul
        self.log = os.path.join(haul.path, "login-%d" % id(self))
        self.out = open(self.log, "wb")
        self.process = subprocess.Popen(
            [haul_module.MAILHAUL, "-c", haul.conf, "--state", haul.state,
             "login", *words], stdin=subprocess.PIPE, stdout=self.out,
            stderr=subprocess.STDOUT, env=haul.env())

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def wait_for(self, *words):
        wait_for("%s in %s" % (words, self.log), lambda: all(
            w in self.text() for w in words) or self.process.poll())
        assert all(w in self.text() for w in words), self.text()

    def address(self):
        """The one that a browser is to open."""
        self.wait_for("response_type=code", "paste it here")
        return re.search(r"^https://\S+$", self.text(), re.M).group()

    def paste(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def end(self, code=OK, seconds=60):
        try:
            self.process.wait(seconds)
        finally:
            self.process.kill()
            self.process.stdin.close()
            self.out.close()
        result = haul_module.Result(self.process.returncode, self.text())
        assert result.code == code, (result.code, result.log)
        return result


def start(haul, *words):
    """A daemon that can be asked."""
    running = haul.start(*words)
    wait_for("the daemon", lambda: haul.command("status").code == OK)
    return running


def sign_in(haul, provider, name="outlook"):
    provider.approved = True
    result = Login(haul, name, "--device").end()
    assert "signed in" in result.log


def shown(haul, name="outlook"):
    status = json.loads(haul.command("status", "--json").log)
    return next(o for o in status["accounts"] + status["destinations"]
                if o["name"] == name)


def tokens(haul):
    """What is on the disk: one file, and nobody else reads it."""
    path = os.path.join(haul.state, "tokens")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    names = [n for n in os.listdir(path) if not n.endswith(".new")]
    assert len(names) == 1, names
    path = os.path.join(path, names[0])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def no_secret(text):
    for part in fake_oauth.SECRET_PARTS:
        assert not re.search(part + r"\d|devicecode", text), text


# --- signing in


def test_device(outlook, provider, source, recorder, more):
    """The code is shown, the provider is asked as it wants to be, and then
    everything of that identity goes on at once."""
    more("second")
    running = start(outlook, "--verbose")
    wait_for("the state that asks", lambda:
             shown(outlook)["state"] == shown(outlook, "second")["state"] ==
             "sign-in")
    assert "mailhaul login second" in shown(outlook, "second")["reason"]
    provider.script = ["authorization_pending", "slow_down"]
    login = Login(outlook, "outlook", "--device")
    login.wait_for("WDJB-MJHT", provider.url + "/activate")
    provider.approved = True
    login.end()
    wait_for("the message", lambda: len(recorder.accepted()) == 2)
    polls = [t for t, grant, _ in provider.asked if "device_code" in grant]
    assert len(polls) == 3
    assert polls[2] - polls[1] >= 5 + polls[1] - polls[0] - 0.9
    assert tokens(outlook)["user"] == "ann@example.test"
    assert source.logins == [True]
    status = outlook.command("status").log
    result = running.stop()
    assert result.code == OK
    assert result.lines("outlook: signed in")
    no_secret(result.log + login.text() + status)


@pytest.mark.parametrize("error,words", [
    ("access_denied", "was declined"),
    ("authorization_declined", "was declined"),
    ("expired_token", "before the code expired"),
    ("bad_verification_code", "does not know its own code"),
    ("invalid_client", "oauth_client_id"),
])
def test_device_refused(outlook, provider, error, words):
    running = start(outlook)
    provider.script = [error]
    result = Login(outlook, "outlook", "--device").end(UNAVAILABLE)
    assert words in result.log and error in result.log, result.log
    assert "\x1b" not in result.log
    result = running.stop()
    assert result.lines("outlook: the sign-in failed", error)
    assert not os.path.exists(os.path.join(outlook.state, "tokens"))


@pytest.mark.parametrize("trick,words", [
    ("garbage", "makes no sense"),
    ("huge", "longer than it may be"),
    ("redirect", "makes no sense"),
    ("unsupported", "refuses what we ask for"),
])
def test_no_device_code(outlook, provider, trick, words):
    provider.device_script = [trick]
    result = Login(outlook, "outlook", "--device").end(UNAVAILABLE)
    assert words in result.log, result.log
    assert provider.count("device") == 1  # and no redirect was followed


def test_device_expires(outlook, provider):
    provider.code_life = 2
    result = Login(outlook, "outlook", "--device").end(UNAVAILABLE)
    assert "nobody signed in before the code expired" in result.log


def test_device_bears(outlook, provider):
    """What passes while the person is at it costs nothing."""
    provider.script = ["garbage", "temporarily_unavailable"]
    sign_in(outlook, provider)


def test_browser(outlook, provider, recorder):
    """The browser is sent to the loopback; others who come there are not
    heard."""
    start(outlook)
    login = Login(outlook, "outlook", "--browser")
    address = login.address()
    target = provider.approve(address)
    for wrong in (provider.approve(address, {"state": "guessed"}),
                  target.partition("?")[0] + "favicon.ico",
                  target.partition("?")[0] + "?error=access_denied"):
        with pytest.raises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(wrong, timeout=20)
        assert e.value.code == 404
    assert login.process.poll() is None
    with urllib.request.urlopen(target, timeout=20) as page:
        assert b"close this page" in page.read()
    login.end()
    wait_for("the message", lambda: len(recorder.accepted()) == 1)


def test_browser_says_no(outlook, provider):
    start(outlook)
    login = Login(outlook, "outlook", "--browser")
    target = provider.approve(login.address(), {
        "error": "access_denied", "error_description": "not today"})
    urllib.request.urlopen(target, timeout=20).close()
    assert "was declined" in login.end(UNAVAILABLE).log


@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "alone"])
def test_paste(outlook, provider, recorder, daemon):
    if daemon:
        start(outlook)
    login = Login(outlook, "outlook", "--paste")
    address = login.address()
    login.paste("what is this")
    login.wait_for("is no address")
    login.paste(provider.approve(address, {"state": "guessed"}))
    login.wait_for("belongs to another sign-in")
    login.paste("  " + provider.approve(address) + "\r")
    login.end()
    if not daemon:
        outlook.once()
    wait_for("the message", lambda: len(recorder.accepted()) == 1)


def test_newest_counts(outlook, provider):
    """Who begins again has closed the other window."""
    start(outlook)
    first = Login(outlook, "outlook", "--paste")
    old = first.address()
    second = Login(outlook, "outlook", "--paste")
    new = second.address()
    first.paste(provider.approve(old))
    first.wait_for("belongs to another sign-in")
    second.paste(provider.approve(new))
    second.end()
    first.end()


def test_alone(outlook, provider, source, recorder):
    """Without a daemon; for a timer, and once for many runs."""
    result = outlook.once(expect=FAILED)
    assert result.lines("mailhaul login outlook")
    sign_in(outlook, provider)
    outlook.once()
    outlook.once()
    assert len(recorder.accepted()) == 1
    assert source.logins == [True, True]
    assert provider.count("refresh_token") == 0


def test_environment(outlook, provider, monkeypatch):
    """A proxy would see when we sign in where."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    sign_in(outlook, provider)


def test_no_such_name(outlook, haul, recorder):
    assert Login(outlook, "nobody").end(CONFIG)
    start(outlook)
    assert "no account and no destination" in Login(
        outlook, "nobody").end(NO_INPUT).log
    assert "logs in with a password" in Login(outlook, "home").end(75).log


@pytest.mark.parametrize("cert", ["wrongname", "expired", "selfsigned"])
def test_certificate(world, haul, source, recorder, cert):
    """Nothing is told to a provider that is somebody else."""
    with fake_oauth.Provider(world.certs, cert=cert) as wrong:
        haul.account("outlook", "pop3", source.port,
                     **wrong.options(haul.certs))
        haul.to_recorder(recorder)
        result = Login(haul, "outlook", "--device").end(UNAVAILABLE)
        assert "certificate" in result.log, result.log
        assert not wrong.asked


# --- what becomes of the tokens


def test_rotation(outlook, provider, source):
    """Each refresh token is used once, and the new one is kept before."""
    provider.life = 1
    sign_in(outlook, provider)
    seen = {tokens(outlook)["refresh_token"]}
    for _ in range(4):
        provider.expire()
        outlook.once()
        assert tokens(outlook)["refresh_token"] == provider.refresh
        seen.add(provider.refresh)
    assert len(seen) == 5 and provider.count("refresh_token") == 4


def test_refused_token(outlook, provider, source, recorder):
    """The server takes it no longer than the provider said: one refresh."""
    sign_in(outlook, provider)
    provider.expire()
    outlook.once(expect=None)
    outlook.later()
    outlook.once()
    assert len(recorder.accepted()) == 1
    assert source.logins[0] is False and source.logins[-1] is True
    assert provider.count("refresh_token") == 1


def test_single_flight(outlook, provider, recorder, more):
    """Many of one identity, one question."""
    more("a", "b", "c", "d", "e")
    outlook.options["host_spacing"] = "0s"
    provider.life = 1
    sign_in(outlook, provider)
    provider.life = 3600
    provider.expire()
    outlook.once()
    assert len(recorder.accepted()) == 6
    assert provider.count("refresh_token") == 1


@pytest.mark.parametrize("trick,words", [
    ("garbage", "makes no sense"),
    ("huge", "longer than it may be"),
    ("redirect", "makes no sense"),
    ("temporarily_unavailable", "cannot answer now"),
])
def test_refresh_fails(outlook, provider, recorder, trick, words):
    """It passes: nobody must sign in again."""
    provider.life = 1
    sign_in(outlook, provider)
    provider.expire()
    provider.script = [trick]
    result = outlook.once(expect=FAILED)
    assert result.lines("outlook", words), result.log
    assert not result.lines("mailhaul login")
    outlook.once()
    assert len(recorder.accepted()) == 1


def test_dead(outlook, provider, recorder, world, more):
    """A state of the account, told once, that stops nobody else and that a
    sign-in ends at once."""
    told = os.path.join(outlook.path, "told")
    script = os.path.join(outlook.path, "tell")
    with open(script, "w") as f:
        f.write('#!/bin/sh\necho "$MAILHAUL_EVENT $MAILHAUL_ACCOUNT" >>%s\n'
                % told)
    os.chmod(script, 0o700)
    outlook.options["alert_command"] = (script,)
    more("more0", "more1", "more2")
    with FakePop3(world.certs, [message(9)]) as other:
        outlook.account("other", "pop3", other.port, interval="1m")
        provider.life = 1
        sign_in(outlook, provider)
        provider.revoke()
        running = start(outlook, "--verbose")
        wait_for("the states", lambda: all(
            shown(outlook, a["name"])["state"] == "sign-in"
            for a in outlook.accounts[:4]))
        wait_for("the others", lambda: len(recorder.accepted()) == 1)
        assert shown(outlook, "other")["state"] == "waiting"
        reason = shown(outlook)["reason"]
        assert reason.startswith(
            "sign in again: mailhaul login outlook ("), reason
        assert "this refresh token is not good" in reason
        assert "sign in again: mailhaul login outlook" in outlook.command(
            "status").log
        wait_for("the alert", lambda: os.path.exists(told))
        assert provider.count("refresh_token") == 1
        running.stop()
        # Another process knows it, and says nothing twice.
        running = start(outlook)
        wait_for("the state", lambda: shown(outlook)["state"] == "sign-in")
        sign_in(outlook, provider, "more2")
        wait_for("the message", lambda: len(recorder.accepted()) == 5)
        assert shown(outlook)["state"] == "waiting"
        result = running.stop()
        assert result.lines("outlook: signed in")
    with open(told, encoding="utf-8") as f:
        assert f.read() == "sign-in-needed \n"
    assert provider.count("refresh_token") == 1


def test_hang(outlook, provider, recorder, world):
    """A provider that does not answer stops nobody else, nor the end."""
    outlook.options["shutdown_grace"] = "1s"
    provider.life = 1
    sign_in(outlook, provider)
    provider.expire()
    provider.script = ["hang"]
    with FakePop3(world.certs, [message(9)]) as other:
        outlook.account("other", "pop3", other.port)
        running = start(outlook)
        wait_for("the question", lambda: provider.count("refresh_token") == 1)
        wait_for("the others", lambda: len(recorder.accepted()) == 1)
        running.stop()
        assert tokens(outlook)["asked"] > 0
        outlook.once()
    assert len(recorder.accepted()) == 2


def test_stop_waits(outlook, provider):
    """What the provider is about to say is worth a moment."""
    provider.life = 1
    sign_in(outlook, provider)
    provider.expire()
    released = provider.lock
    released.acquire()
    running = start(outlook)
    wait_for("the question", lambda: provider.count("refresh_token") == 1)
    running.signal()
    wait_for("the end to begin", lambda: "stopping" in running.text())
    released.release()
    result = running.wait()
    assert result.code == OK, result.log
    assert tokens(outlook)["refresh_token"] == provider.refresh


def test_backup_has_none(outlook, provider):
    sign_in(outlook, provider)
    outlook.once()
    copy = os.path.join(outlook.path, "copy")
    assert outlook.command("backup", copy).code == OK
    with open(copy, "rb") as f:
        no_secret(f.read().decode("latin-1"))


def test_lost_file(outlook, provider):
    """Somebody has written into it: a sign-in makes it good."""
    sign_in(outlook, provider)
    path = os.path.join(outlook.state, "tokens")
    path = os.path.join(path, os.listdir(path)[0])
    with open(path, "w") as f:
        f.write('{"version": 1, "refresh_token": "')
    result = outlook.once(expect=FAILED)
    assert result.lines("no file of tokens"), result.log
    sign_in(outlook, provider)
    outlook.once()


def test_check_online(outlook, provider):
    """It logs in with the tokens, also without a daemon, and says who must
    sign in."""
    outlook.write()
    result = outlook.command("check", "--online", "outlook")
    assert result.code == FAILED, result.log
    assert "mailhaul login outlook" in result.log, result.log
    sign_in(outlook, provider)
    result = outlook.command("check", "--online", "outlook")
    assert result.code == OK, result.log
    outlook.options["host_spacing"] = "0s"
    running = start(outlook)
    result = outlook.command("check", "--online", "outlook")
    assert result.code == OK, result.log
    assert running.stop().code == OK


def test_ends_soon(outlook, provider, recorder):
    """The provider said when: people know before."""
    provider.more = {"refresh_token_expires_in": 86400}
    sign_in(outlook, provider)
    running = start(outlook)
    wait_for("the message", lambda: len(recorder.accepted()) == 1)
    wait_for("the state", lambda: shown(outlook)["state"] == "waiting")
    assert shown(outlook)["warning"].startswith(
        "sign in again: mailhaul login outlook (it works until ")
    assert "it works until" in outlook.command("status").log
    result = running.stop()
    assert len(result.lines("it works until")) == 1

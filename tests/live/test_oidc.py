# SPDX-License-Identifier: ISC
"""OAuth2 with others' code at both ends: a real OpenID provider gives out the
tokens, a real Dovecot and Postfix ask it whether they are good."""
import os
import re
import signal
import subprocess

import pytest

import corpus
import haul as haul_module
import oidc
from servers import wait_for

LIFE = 4  # seconds that an access token is good


@pytest.fixture(scope="module")
def idp():
    with oidc.OidcWorld(LIFE) as world:
        yield world


@pytest.fixture
def home(idp, tmp_path, user):
    """An installation whose account and destination are one identity."""
    haul = haul_module.Haul(tmp_path / "haul", idp.certs)
    haul.destination(idp.postfix.ports["submission"], user=user,
                     recipient="inbox-%s@example.test" % user,
                     **idp.provider.options())
    yield haul
    haul.close()


def add(haul, idp, user, protocol, **more):
    haul.account("old", protocol, idp.dovecot.ports[protocol + "s"],
                 user=user, interval="10s", idle=False,
                 **idp.provider.options(**more))


def fill(idp, user, first, count):
    box = idp.dovecot.mailbox(user)
    box.count = first
    for i in range(first, first + count):
        box.add(corpus.header(i, "letter %d" % i) + b"\r\nx\r\n")


def arrived(idp, user):
    box = idp.dovecot.mailbox("inbox-" + user)
    return sorted(int(n) for raw in box.messages()
                  for n in re.findall(rb"^Subject: letter (\d+)", raw, re.M))


@pytest.mark.parametrize("how", ["--device", "--browser"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_one_sign_in_serves_both_ends(home, idp, user, protocol, how):
    add(home, idp, user, protocol)
    fill(idp, user, 0, 12)
    oidc.sign_in(home, idp.certs, user, how=how)
    home.once()
    wait_for("all", lambda: arrived(idp, user) == list(range(12)))
    refused = idp.provider.answers("invalid")
    assert not refused, refused


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_each_mechanism(home, idp, user, mechanism):
    add(home, idp, user, "imap", auth=mechanism)
    fill(idp, user, 0, 3)
    oidc.sign_in(home, idp.certs, user)
    home.once()
    wait_for("all", lambda: arrived(idp, user) == [0, 1, 2])


def test_tokens_expire_all_the_time(home, idp, user):
    """Forty seconds of polls with tokens that live for four."""
    add(home, idp, user, "imap")
    oidc.sign_in(home, idp.certs, user)
    before = len(idp.provider.answers("refresh_token", "200"))
    running = home.start()
    for i in range(4):
        fill(idp, user, i * 5, 5)
        wait_for("letters", lambda n=i: len(arrived(idp, user)) >= n * 5 + 5,
                 60)
    result = running.stop()
    assert arrived(idp, user) == list(range(20))
    assert len(idp.provider.answers("refresh_token", "200")) - before >= 3
    assert not idp.provider.answers("invalid")
    assert not result.lines("refused")


def test_signs_in_through_the_daemon(home, idp, user):
    """Before it, the account says what to do; after it, mail flows at once."""
    add(home, idp, user, "imap")
    home.accounts[-1]["interval"] = "1h"
    fill(idp, user, 0, 4)
    running = home.start()
    wait_for("a word about it", lambda: "mailhaul login old" in running.text())
    assert "mailhaul login old" in home.command("status").log
    oidc.sign_in(home, idp.certs, user)
    wait_for("all", lambda: arrived(idp, user) == [0, 1, 2, 3])
    assert "mailhaul login" not in home.command("status").log
    running.stop()


def test_a_revoked_token_stops_nobody_else(home, idp, user):
    """Somebody takes the permission back at the provider."""
    add(home, idp, user, "imap")
    oidc.sign_in(home, idp.certs, user)
    home.once()
    for path, _, names in os.walk(os.path.join(home.state, "tokens")):
        for name in names:
            with open(os.path.join(path, name), encoding="utf-8") as f:
                token = re.search(r'"refresh_token": *"([^"]+)"', f.read())
            idp.provider.post("/token/revocation", token=token.group(1),
                              client_id=oidc.CLIENT)
    fill(idp, user, 0, 2)
    wait_for("the end of the token", lambda: "mailhaul login old" in
             home.once(expect=None).log)
    oidc.sign_in(home, idp.certs, user)
    home.once(expect=None)
    home.later()
    home.once()
    assert arrived(idp, user) == [0, 1]


def token_files(haul):
    folder = os.path.join(haul.state, "tokens")
    return [os.path.join(folder, n) for n in os.listdir(folder)
            if n.endswith(".json")]


def spend(haul):
    """The access tokens are over; what is to come buys new ones."""
    for path in token_files(haul):
        with open(path, encoding="utf-8") as f:
            text = re.sub(r'"expires": *\d+', '"expires": 1', f.read())
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def test_killed_at_any_time_of_a_rotation(home, idp, user):
    """Each start buys a new token and is killed a little later than the one
    before.  The next one logs in; or the answer was lost on its way, which
    nobody can know: then it says so, asks for a new sign-in, and goes on."""
    add(home, idp, user, "imap")
    oidc.sign_in(home, idp.certs, user)
    lost = refreshed = 0
    for i in range(30):
        fill(idp, user, i, 1)
        spend(home)
        before = len(idp.provider.answers("refresh_token"))
        running = home.start("--once")
        try:
            running.child.process.wait(0.01 + i * 0.006)
        except subprocess.TimeoutExpired:
            running.signal(signal.SIGKILL)
            running.child.process.wait(20)
        refreshed += len(idp.provider.answers("refresh_token")) > before
        result = home.once(expect=None)
        if result.code != haul_module.OK:
            assert "mailhaul login old" in result.log
            lost += 1
            oidc.sign_in(home, idp.certs, user)
            home.later()
            home.once()
    wait_for("all", lambda: len(set(arrived(idp, user))) == 30)
    print("killed 30 times, %d while or after tokens were bought, "
          "%d new sign-ins" % (refreshed, lost))
    assert refreshed > 5, "the kills came too early to show anything"

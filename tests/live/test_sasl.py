# SPDX-License-Identifier: ISC
"""Logins: what Dovecot and Postfix have, and what only libgsasl's own server
has or would not do."""
import ssl

import pytest

import corpus
import fakes
import gsasl
import servers
from haul import FAILED, OK

DOVECOT = "method=%s"


def one_message(world, user):
    box = world.dovecot.mailbox(user)
    box.add(corpus.header(1, "one") + b"\r\nx\r\n")
    return box


def log_of(world):
    with open(world.dovecot.log, encoding="utf-8", errors="replace") as f:
        return f.read()


# --- real servers

@pytest.mark.parametrize("auth, method", (
    ("auto", "SCRAM-SHA-256"), ("plain", "PLAIN"), ("login", "LOGIN"),
))
@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_source(world, haul, user, port, protocol, auth, method):
    one_message(world, user)
    with fakes.RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol), auth=auth)
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.accepted()) == 1
    logins = [line for line in log_of(world).splitlines()
              if "Login: user=<%s>" % user in line]
    assert logins
    assert all("method=" + method in line for line in logins), logins


@pytest.mark.parametrize("auth", ("auto", "plain", "login"))
def test_submission(world, haul, user, port, auth):
    """Postfix, which has its passwords from Dovecot."""
    one_message(world, user)
    haul.account(user, "imap", port("imap"))
    haul.destination(world.postfix.ports["submissions"], tls="implicit",
                     auth=auth, recipient="to-%s@example.test" % user)
    haul.once()
    inbox = world.dovecot.mailbox("to-" + user)
    servers.wait_for("the message", lambda: len(inbox) == 1)


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_wrong_password(world, haul, user, port, protocol):
    one_message(world, user)
    with fakes.RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol),
                     password=haul.secret("wrong", "not the password"))
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert recorder.messages == []
    assert result.lines(user, "login", "refused", "check user and password")
    # One try, and no other mechanism after it.
    before = log_of(world).count("user=<%s>" % user)
    haul.once(expect=None)
    assert log_of(world).count("user=<%s>" % user) == before


def test_wrong_submission_password(world, haul, user, port):
    box = one_message(world, user)
    haul.account(user, "imap", port("imap"), after="delete")
    haul.destination(world.postfix.ports["submissions"], tls="implicit",
                     password=haul.secret("wrong", "not the password"))
    result = haul.once(expect=None)
    assert result.code != OK
    assert result.lines("home", "535", "check user and password")
    assert len(box) == 1


# --- libgsasl's own server

CONTEXTS = {"tls-exporter": ssl.TLSVersion.TLSv1_3,
            "tls-unique": ssl.TLSVersion.TLSv1_2}


def at_version(server, binding):
    server.context.minimum_version = CONTEXTS[binding]
    server.context.maximum_version = CONTEXTS[binding]
    return server


@pytest.mark.parametrize("binding", sorted(CONTEXTS))
@pytest.mark.parametrize("hash_", ("SCRAM-SHA-256", "SCRAM-SHA-1"))
def test_plus_submission(world, haul, user, port, binding, hash_):
    one_message(world, user)
    with gsasl.ScramSmtp(world.certs, "implicit") as server:
        at_version(server.offer((hash_, hash_ + "-PLUS", "PLAIN")), binding)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(server)
        haul.once()
        assert server.used == [hash_ + "-PLUS"]
        assert server.first[0].startswith(b"p=%s,,n=submit," %
                                          binding.encode())
        assert len(server.accepted()) == 1


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
@pytest.mark.parametrize("binding", sorted(CONTEXTS))
def test_plus_source(world, haul, user, protocol, binding):
    with scram_source(world, protocol) as source, \
            fakes.RecordingSmtp(world.certs) as recorder:
        at_version(source.offer(), binding)
        haul.account(user, protocol, source.port, user=fakes.USER,
                     password=haul.secret("pw", fakes.PASSWORD))
        haul.to_recorder(recorder)
        haul.once(expect=OK if protocol == "pop3" else FAILED)
        assert source.used == ["SCRAM-SHA-256-PLUS"]
        assert source.believed == 1
        if protocol == "pop3":
            assert len(recorder.accepted()) == 1
        else:
            assert "EXAMINE" in source.commands


def scram_source(world, protocol):
    if protocol == "imap":
        return gsasl.ScramImap(world.certs)
    return gsasl.ScramPop3(world.certs, [corpus.header(1, "one") +
                                         b"\r\nx\r\n"])


def test_no_initial_response(world, haul, user):
    """An IMAP server without SASL-IR."""
    with gsasl.ScramImap(world.certs) as source, \
            fakes.RecordingSmtp(world.certs) as recorder:
        source.offer().initial_response = False
        haul.account(user, "imap", source.port, user=fakes.USER,
                     password=haul.secret("pw", fakes.PASSWORD))
        haul.to_recorder(recorder)
        haul.once(expect=FAILED)
        assert source.believed == 1
        assert "EXAMINE" in source.commands


LIES = {
    "signature": "signature is wrong",
    "no-proof": "half a login",
    "iterations": "iterations",
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_lying_destination(world, haul, user, port, lie):
    """Who does not prove that he knows the password gets no mail."""
    box = one_message(world, user)
    with gsasl.ScramSmtp(world.certs) as server:
        server.offer(lie=lie)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(server)
        result = haul.once(expect=None)
        assert result.code != OK
        assert server.messages == []
        assert all("MAIL" not in s.commands for s in server.sessions)
        assert len(server.used) == 1
    assert result.lines("home", LIES[lie]), result.log
    assert len(box) == 1


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_lying_source(world, haul, user, protocol, lie):
    with scram_source(world, protocol) as source, \
            fakes.RecordingSmtp(world.certs) as recorder:
        source.offer(lie=lie)
        haul.account(user, protocol, source.port, user=fakes.USER,
                     password=haul.secret("pw", fakes.PASSWORD))
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert len(source.used) == 1
        assert recorder.messages == []
    assert result.lines(user, LIES[lie]), result.log


def test_wrong_scram_password(world, haul, user, port):
    one_message(world, user)
    with gsasl.ScramSmtp(world.certs) as server:
        server.offer(password="another")
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(server)
        result = haul.once(expect=None)
        assert result.code != OK
        assert len(server.used) == 1 and server.believed == 0
    assert result.lines("home", "535", "check user and password")


def test_not_offered(world, haul, user):
    """auth = "login" is not answered with another mechanism."""
    with scram_source(world, "imap") as source, \
            fakes.RecordingSmtp(world.certs) as recorder:
        source.offer()
        haul.account(user, "imap", source.port, auth="login")
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert source.used == []
    assert result.lines(user, "does not offer login", "SCRAM-SHA-256-PLUS")


# --- what is routine

class Expiring(fakes.FakeImap):
    """Ends sessions behind the login because the token ran out."""
    expired = 1  # how many sessions from the first on

    def serve(self, session):
        if self.sessions.index(session) < self.expired:
            session.send = self.until_login(session.send)
        super().serve(session)

    @staticmethod
    def until_login(send):
        def say(data):
            send(data)
            if isinstance(data, str) and data == "A1 OK done":
                send("* BYE Session invalidated - AccessTokenExpired")
                raise fakes.Gone("expired")
        return say


@pytest.mark.parametrize("expired", (1, 3, 99))
def test_expired_in_mid_session(world, haul, user, expired):
    """Routine, not a failure; but nobody logs in in circles."""
    with Expiring(world.certs, [b"INBOX"]) as source, \
            fakes.RecordingSmtp(world.certs) as recorder:
        source.expired = expired
        haul.account(user, "imap", source.port)
        haul.to_recorder(recorder)
        result = haul.once(expect=OK if expired <= 3 else FAILED)
        assert len(source.sessions) == min(expired, 3) + 1
        assert len(result.lines(user, "tried again at once")) == \
            min(expired, 3)

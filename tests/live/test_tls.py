# SPDX-License-Identifier: ISC
"""No credential leaves before the server has proved who it is."""
import base64
import re
import ssl

import pytest

import corpus
import fakes
import servers
from fakes import RecordingSmtp, TlsTrap
from haul import FAILED, OK

BAD = {
    "wrongname": r"name on the certificate is mail\.elsewhere\.test, not localhost",
    "expired": r"certificate expired on 2021-01-01",
    "selfsigned": r"self[- ]signed certificate",
}
DEFERRED = (FAILED, 75)


def secrets():
    for text in (servers.PASSWORD, fakes.PASSWORD):
        yield text.encode()
        yield base64.b64encode(text.encode()).rstrip(b"=")


def one_message(world, user):
    box = world.dovecot.mailbox(user)
    box.add(corpus.header(1, "one") + b"\r\nx\r\n")
    return box


def assert_silent(server):
    """A client came, and no byte was said inside TLS, no secret outside."""
    assert server.sessions
    assert server.said() == b""
    plain = b"".join(bytes(s.plain) for s in server.sessions)
    assert not [s for s in secrets() if s in plain]
    assert b"AUTH" not in plain.upper()


@pytest.mark.parametrize("cert", sorted(BAD))
@pytest.mark.parametrize("protocol", ("pop3", "imap"))
def test_bad_source_certificate(world, haul, user, protocol, cert):
    with TlsTrap(world.certs, protocol, cert) as trap, \
            RecordingSmtp(world.certs) as recorder:
        # What is signed by nobody must not pass by being the CA file.
        haul.account(user, protocol, trap.port)
        haul.to_recorder(recorder)
        result = haul.once(expect=FAILED)
        assert_silent(trap)
        assert recorder.messages == []
    assert [line for line in result.lines(user, "localhost")
            if re.search(BAD[cert], line, re.I)], result.log


@pytest.mark.parametrize("cert", sorted(BAD))
@pytest.mark.parametrize("tls", ("starttls", "implicit"))
def test_bad_destination_certificate(world, haul, user, port, tls, cert):
    box = one_message(world, user)
    with RecordingSmtp(world.certs, tls, cert) as recorder:
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        result = haul.once(expect=None)
        assert result.code in DEFERRED
        assert_silent(recorder)
        for session in recorder.sessions:
            if tls == "starttls":
                assert session.commands == ["EHLO", "STARTTLS"]
    assert [line for line in result.lines("home", "localhost")
            if re.search(BAD[cert], line, re.I)], result.log
    assert len(box) == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("server", ("pop3", "imap", "smtp"))
def test_old_tls(world, haul, user, port, server):
    trap = TlsTrap(world.certs, server)
    trap.context.set_ciphers("DEFAULT:@SECLEVEL=0")
    trap.context.minimum_version = ssl.TLSVersion.TLSv1
    trap.context.maximum_version = ssl.TLSVersion.TLSv1_1
    one_message(world, user)
    with trap:
        if server == "smtp":
            haul.account(user, "imap", port("imap"))
            haul.destination(trap.port, tls="implicit")
        else:
            haul.account(user, server, trap.port)
            haul.destination(1)
        result = haul.once(expect=None)
        assert result.code in DEFERRED
        assert_silent(trap)


@pytest.mark.parametrize("cert, pinned, good", (
    ("selfsigned", "selfsigned", True),
    ("server", "server", True),
    ("server", "selfsigned", False),
    ("selfsigned", "server", False),
))
@pytest.mark.parametrize("side", ("source", "destination"))
def test_pin(world, haul, user, port, side, cert, pinned, good):
    one_message(world, user)
    pin = world.certs.pin(pinned)
    if side == "source":
        with fakes.FakePop3(world.certs, [b"Subject: x\r\n\r\nx\r\n"],
                            cert) as source, \
                RecordingSmtp(world.certs) as recorder:
            haul.account(user, "pop3", source.port, pin_sha256=pin)
            haul.to_recorder(recorder)
            haul.once(expect=OK if good else FAILED)
            assert len(recorder.messages) == good
            if not good:
                assert_silent(source)
        return
    with RecordingSmtp(world.certs, "implicit", cert) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder, pin_sha256=pin)
        result = haul.once(expect=OK if good else None)
        assert len(recorder.messages) == good
        if not good:
            assert result.code in DEFERRED
            assert_silent(recorder)


@pytest.mark.parametrize("injected", (
    b"250 ok\r\n",
    b"250-evil.test\r\n250 AUTH PLAIN LOGIN\r\n235 welcome\r\n",
    b"\x16",
))
def test_starttls_injection(world, haul, user, port, injected):
    box = one_message(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.after_starttls = injected
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        result = haul.once(expect=None)
        assert result.code in DEFERRED
        assert_silent(recorder)
        assert recorder.messages == []
        assert all(s.auth_tries == 0 for s in recorder.sessions)
    assert len(box) == 1
    assert result.lines("home")


def test_starttls_stripped(world, haul, user, port):
    box = one_message(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.offer_starttls = False
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder)
        result = haul.once(expect=None)
        assert result.code in DEFERRED
        assert_silent(recorder)
    assert result.lines("home", "STARTTLS"), result.log
    assert len(box) == 1

# SPDX-License-Identifier: ISC
"""Whose name a message goes out under: sender and on_reject.

What arrives is parsed by Python's email package, and its DKIM signatures are
looked at by python3-dkim with a key that never was in any DNS.
"""
import base64
import email
import email.policy
import re
import signal

import dkim
import pytest

import corpus
import mailclient
from fakes import DROP, RecordingSmtp
from servers import run, tool, wait_for

US = "archive@example.test"
SELECTOR, DOMAIN = b"sel", b"signer.test"

# name: From fields as they are; what a reader shows before "via", the
# addresses that an answer goes to, and more fields.
CORPUS = {
    "plain": (b"From: Ann Lee <ann@signer.test>\r\n",
              "Ann Lee", ["ann@signer.test"], b""),
    "no name": (b"From: ann@signer.test\r\n",
                "ann@signer.test", ["ann@signer.test"], b""),
    "comment": (b"From: ann@signer.test (Ann (the one) Lee)\r\n",
                "Ann (the one) Lee", ["ann@signer.test"], b""),
    "quoted": (b'From: "Lee, Ann \\"A\\"" <ann@signer.test>\r\n',
               'Lee, Ann "A"', ["ann@signer.test"], b""),
    "encoded": (b"From: =?iso-8859-1?Q?J=FCrgen_M=FCller?= <j@signer.test>"
                b"\r\n", "J\xfcrgen M\xfcller", ["j@signer.test"], b""),
    "encoded in two": (b"From: =?utf-8?B?5pel5pys?=\r\n"
                       b" =?utf-8?B?6Kqe?= <j@signer.test>\r\n",
                       # Python shows a blank here, of the original too.
                       "\u65e5\u672c \u8a9e", ["j@signer.test"], b""),
    "of another charset": (b"From: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= "
                           b"<j@signer.test>\r\n",
                           "\u65e5\u672c", ["j@signer.test"], b""),
    "raw UTF-8": ("From: J\xfcrgen <j@signer.test>\r\n".encode(),
                  "J\xfcrgen", ["j@signer.test"], b""),
    "raw Latin-1": ("From: J\xfcrgen <j@signer.test>\r\n".encode("latin-1"),
                    "J\xfcrgen", ["j@signer.test"], b""),
    "folded": (b"From:\r\n\tAnn\r\n Lee\r\n  <ann@signer.test>\r\n",
               "Ann Lee", ["ann@signer.test"], b""),
    "with an answer to": (b"From: Ann <ann@signer.test>\r\n", "Ann",
                          ["list@signer.test"],
                          b"Reply-To: The List <list@signer.test>\r\n"),
    "several": (b"From: Ann <ann@signer.test>, bob@signer.test\r\n",
                "Ann and others", ["ann@signer.test", "bob@signer.test"],
                b""),
    "group": (b"From: Friends: Ann <ann@signer.test>, bob@signer.test;\r\n",
              "Friends", ["ann@signer.test", "bob@signer.test"], b""),
    "empty group": (b"From: Undisclosed:;\r\n", "Undisclosed", [], b""),
    "two fields": (b"From: Ann <ann@signer.test>\r\nX-Between: x\r\n"
                   b"from: Bob <bob@signer.test>\r\n",
                   "Ann", ["ann@signer.test"], b""),
    "none": (b"", "unknown sender", [], b""),
    "garbage": (b"From: nobody in particular\r\n", "unknown sender", [], b""),
    "long": (b"From: " + b"x" * 900 + b" <" + b"y" * 60
             + b"@signer.test>\r\n", None, ["y" * 60 + "@signer.test"], b""),
}
SUBJECTS = (b"plain", b"=?utf-8?Q?gr=C3=BC=C3=9Fe?= and more",
            "gr\xfc\xdfe".encode(), b"folded\r\n here", b"")


class Signer:
    """An RSA key, and the DNS that knows it."""

    def __init__(self, path):
        key, pub = str(path / "dkim.pem"), str(path / "dkim.pub")
        run(tool("openssl"), "genpkey", "-algorithm", "RSA", "-pkeyopt",
            "rsa_keygen_bits:2048", "-out", key)
        run(tool("openssl"), "pkey", "-in", key, "-pubout", "-outform", "DER",
            "-out", pub)
        with open(key, "rb") as f:
            self.key = f.read()
        with open(pub, "rb") as f:
            self.record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(f.read())

    def sign(self, raw):
        return dkim.sign(raw, SELECTOR, DOMAIN, self.key,
                         canonicalize=(b"simple", b"simple")) + raw

    def good(self, raw):
        return dkim.verify(raw, dnsfunc=lambda name, timeout=5:
                           self.record if name == b"sel._domainkey."
                           b"signer.test." else None)


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("dkim"))


def letters(signer):
    """(name, as it lies in the mailbox, signed or not)"""
    for i, (name, (sender, _, _, more)) in enumerate(CORPUS.items()):
        raw = (b"Date: Mon, 6 Jul 2026 10:%02d:00 +0200\r\n" % i + sender
               + b"To: somebody@example.test\r\nSubject: "
               + SUBJECTS[i % len(SUBJECTS)] + b"\r\n" + more
               + b"X-Name: %s\r\nMessage-ID: <%d@signer.test>\r\n"
               b"MIME-Version: 1.0\r\nContent-Type: text/plain; "
               b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
               % (name.encode(), i)
               + b".leading dot\r\n" + "gr\xfc\xdfe ".encode() * (i % 2)
               + b"\r\n--=_mailhaul_x--\r\n\r\n")
        # The signer, not the law, wants exactly one address.
        one = len(CORPUS[name][2]) == 1 and name not in (
            "two fields", "raw Latin-1")
        yield name, signer.sign(raw) if one else raw, one


def arrived(world, to, count):
    box = world.dovecot.mailbox(to)
    wait_for("%d messages for %s" % (count, to),
             lambda: len(box) >= count and not world.postfix.queued(), 60)
    out = {}
    for raw in box.messages():
        found = corpus.original(raw)
        assert found, raw[:1000]
        name = re.search(rb"(?m)^X-Name: (.*)\r$", raw).group(1).decode()
        assert name not in out
        out[name] = found[1]
    assert len(out) == count
    return out


def relay(world, haul, user, port, signer, sender):
    """(name, the original, what arrived without our trace, signed)"""
    source = world.dovecot.mailbox(user)
    sent = list(letters(signer))
    for _, raw, signed in sent:
        assert not signed or signer.good(raw)
        source.add(raw)
    before = [corpus.normalise(raw)
              for raw in mailclient.served(world, "imap", user)]
    assert before == [raw for _, raw, _ in sent]
    to = "in-" + user
    haul.account(user, "imap", port("imap"))
    haul.destination(world.postfix.ports["submission"], user=to,
                     recipient=to + "@example.test", sender=sender)
    haul.once()
    got = arrived(world, to, len(sent))
    haul.once()
    assert len(world.dovecot.mailbox(to)) == len(sent)
    return [(name, raw, got[name], signed) for name, raw, signed in sent]


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def assert_sender(message, name, user):
    """What a reader shows, and whom he answers."""
    _, shown, answers, _ = CORPUS[name]
    assert len(message.get_all("From")) == 1
    (sender,) = message["From"].addresses
    assert sender.addr_spec == US
    if shown is not None:
        assert sender.display_name == "%s via %s" % (shown, user), name
    assert not message["From"].defects
    if answers:
        assert [a.addr_spec for a in message["Reply-To"].addresses] == answers
    else:
        assert message["Reply-To"] is None


def assert_lines(raw):
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_preserve(world, haul, user, port, signer):
    for _, raw, got, signed in relay(world, haul, user, port, signer,
                                     "preserve"):
        assert got == raw
        assert not signed or signer.good(got)


def test_rewrite(world, haul, user, port, signer):
    for name, raw, got, signed in relay(world, haul, user, port, signer,
                                        "rewrite"):
        message = parsed(got)
        assert_sender(message, name, user)
        assert_lines(got)
        # In front two fields; of what is behind them only the name differs.
        front = re.match(rb"From:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*"
                         rb"(?:Reply-To:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*)?", got)
        rest = got[front.end():]
        assert re.sub(rb"(?m)^X-Original-", b"", rest) == raw, name
        # It covers From: nobody may take it for a good one.
        assert not signed or not signer.good(got)
        assert len(message.get_all("X-Original-From", [])) == \
            len(parsed(raw).get_all("From", []))


def test_wrap(world, haul, user, port, signer):
    ids = set()
    for name, raw, got, signed in relay(world, haul, user, port, signer,
                                        "wrap"):
        message = parsed(got)
        assert_sender(message, name, user)
        original = parsed(raw)
        assert message.get_content_type() == "multipart/mixed"
        assert not message.defects
        text, inner = message.get_payload()
        assert text.get_content_type() == "text/plain"
        assert user in text.get_content()
        assert inner.get_content_type() == "message/rfc822"
        coding = "8bit" if max(raw) > 127 else "7bit"
        assert message["Content-Transfer-Encoding"] == coding
        assert inner["Content-Transfer-Encoding"] == coding
        # Byte for byte what it was, and signed as it was.
        boundary = message.get_boundary().encode()
        parts = got.split(b"\r\n--" + boundary)
        assert len(parts) == 4 and parts[3] == b"--\r\n"
        enclosed = parts[2].partition(b"\r\n\r\n")[2]
        assert enclosed == raw, name
        assert not signed or signer.good(enclosed)
        head = got.partition(b"\r\n\r\n")[0]
        assert max(head) < 128
        assert_lines(head)
        assert str(message["Subject"]).split() == \
            str(original["Subject"]).split(), name
        assert message["Date"] == original["Date"]
        assert message["MIME-Version"] == "1.0"
        ids.add(str(message["Message-ID"]))
    assert len(ids) == len(CORPUS)


@pytest.mark.parametrize("sender", ("rewrite", "wrap"))
def test_odd_headers(world, haul, user, port, sender):
    """No header, a blank at the start, a header of 2 MB: at a recorder, which
    repairs nothing."""
    odd = [b"\r\nbody\r\n", b"x\r\n", b" folded\r\nSubject: x\r\n\r\nx\r\n",
           b"From here on\r\nFrom: a@b.test\r\n\r\nx\r\n"]
    huge = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(2200)) \
        + b"From: a@b.test\r\n\r\nx\r\n"
    source = world.dovecot.mailbox(user)
    for raw in odd + [huge]:
        source.add(raw)
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder, sender=sender)
        result = haul.once(expect=None)
        for message in recorder.messages:
            assert "SIZE=%d" % len(message.raw) in message.options
        bodies = [corpus.original(m.raw)[1] for m in recorder.messages]
    if sender == "wrap":
        want = odd + [huge]
        assert len(bodies) == len(want)
        for raw in want:
            assert any(b"\r\n\r\n" + raw + b"\r\n--=_mailhaul" in b
                       for b in bodies)
    else:
        assert len(bodies) == len(odd)
        assert result.lines("held", "larger than 1 MiB")
        for raw in odd:
            assert any(re.sub(b"(?m)^X-Original-", b"", b).endswith(raw)
                       for b in bodies)


DENIED = ("554 5.2.252 SendAsDenied; archive@example.test not allowed to "
          "send as ann@signer.test; STOREDRV.Submission.Exception")


def fill(world, user, count=1):
    box = world.dovecot.mailbox(user)
    for i in range(count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nbody %d\r\n" % i)
    return box


def is_wrapped(message):
    return b"Content-Type: message/rfc822" in message.raw


def deny(_session, message):
    return None if is_wrapped(message) else DENIED


def test_denied_and_held(world, haul, user, port):
    fill(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", deny)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder)
        result = haul.once(expect=None)
        assert result.lines("held", "SendAsDenied", 'sender = "rewrite" or '
                            '"wrap"')
        assert len(recorder.messages) == 1
        haul.once(expect=None)
        assert len(recorder.messages) == 1
        # A person changes the option and releases it.
        haul.destinations[0]["sender"] = "wrap"
        haul.held("release", "--all", "--account", user)
        haul.once()
        assert [is_wrapped(m) for m in recorder.accepted()] == [True]


def test_denied_and_wrapped(world, haul, user, port):
    """In the same poll; the others go on."""
    source = fill(world, user, 3)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda s, m: deny(s, m)
                    if b"number 1" in m.raw else None)
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder, on_reject="wrap")
        assert len(haul.once().lines("relayed", "(wrapped)")) == 1
        assert len(recorder.messages) == 4
        accepted = recorder.accepted()
        assert len(accepted) == 3
        assert [b"number 1" in m.raw for m in accepted if is_wrapped(m)] == \
            [True]
        for message in recorder.messages:
            assert "SIZE=%d" % len(message.raw) in message.options
        haul.once()
        assert len(recorder.messages) == 4
    assert len(source) == 0


def test_wrapped_is_refused_too(world, haul, user, port):
    fill(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: "550 5.7.1 Not this one")
        haul.account(user, "imap", port("imap"), after="delete")
        haul.to_recorder(recorder, on_reject="wrap")
        result = haul.once(expect=None)
        assert result.lines("held", "Not this one")
        for _ in range(2):
            assert [is_wrapped(m) for m in recorder.messages] == [False, True]
            haul.later()
            haul.once(expect=None)
    assert len(world.dovecot.mailbox(user)) == 1


def test_what_no_wrapping_helps(world, haul, user, port):
    fill(world, user)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: "552 5.3.4 Too big for us")
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder, on_reject="wrap")
        assert haul.once(expect=None).lines("held", "Too big")
        assert len(recorder.messages) == 1


@pytest.mark.parametrize("stage", ("refusal", "mail", "dot"))
def test_killed_around_wrapping(world, haul, user, port, stage):
    """With the refusal not on record, on record, or the wrapped one accepted:
    never lost, at most once wrapped unless it says so."""
    fill(world, user)
    running = []

    def die(_session, _message):
        running[0].signal(signal.SIGKILL)
        return DROP if stage == "mail" else None

    def on_mail(session, message):
        if stage == "mail" and len(recorder.messages) == 1 and running:
            return die(session, message)
        return None

    def on_dot(session, message):
        wanted = stage == ("dot" if is_wrapped(message) else "refusal")
        if wanted and running:
            die(session, message)
        return deny(session, message)

    with RecordingSmtp(world.certs) as recorder:
        recorder.on("mail", on_mail)
        recorder.on("dot", on_dot)
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder, on_reject="wrap")
        running.append(haul.start("--once"))
        assert running[0].wait().code == -signal.SIGKILL
        running.clear()
        haul.once()
        haul.once()
        form = [is_wrapped(m) for m in recorder.messages]
        duplicates = ["possible-duplicate" in m.trace()
                      for m in recorder.messages]
        if stage == "refusal":
            assert form == [False, False, True]
            assert duplicates == [False, True, True]
        elif stage == "mail":
            # Its second try may be in doubt already: then it says so.
            assert form == [False, True]
            assert not duplicates[0]
        else:
            assert form == [False, True, True]
            assert duplicates == [False, False, True]
            ids = {re.search(rb"(?m)^Message-ID: (.*)\r$", m.raw).group(1)
                   for m in recorder.messages if is_wrapped(m)}
            assert len(ids) == 1


def test_eight_bit_needs_a_server_that_takes_it(world, haul, user, port):
    """message/rfc822 may not be encoded, so wrapping is no way around."""
    world.dovecot.mailbox(user).add(
        corpus.header(1, "x") + "\r\ngr\xfc\xdfe\r\n".encode())
    with RecordingSmtp(world.certs,
                       extensions=("PIPELINING",)) as recorder:
        haul.account(user, "imap", port("imap"))
        haul.to_recorder(recorder, sender="wrap", on_reject="wrap")
        result = haul.once(expect=None)
        assert result.lines("held", "8BITMIME")
        assert recorder.messages == []


def test_needs_an_address(world, haul, user, port):
    haul.account(user, "imap", port("imap"))
    haul.destination(465, tls="implicit", mail_from=None, sender="rewrite")
    haul.write()
    result = haul.check()
    assert result.code == 78
    assert "mail_from is missing" in result.log
    assert "sender and on_reject" in result.log

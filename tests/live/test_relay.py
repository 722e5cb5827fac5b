# SPDX-License-Identifier: ISC
"""Whole mailboxes through real servers, byte for byte."""
import collections
import re

import pytest

import corpus
import mailclient
from fakes import RecordingSmtp
from servers import wait_for

PROTOCOLS = ("pop3", "imap")


def inbox_of(world, user, count, seconds=60):
    """What Postfix delivered to a mailbox, once it has all."""
    box = world.dovecot.mailbox(user)
    wait_for("%d messages for %s" % (count, user),
             lambda: len(box) >= count and not world.postfix.queued(),
             seconds)
    return box.messages()


def compare(arrived, expected):
    """Each expected message arrived exactly once and unchanged."""
    split = [corpus.original(raw) for raw in arrived]
    for raw, pair in zip(arrived, split):
        assert pair, "unknown headers in front: %r" % raw[:2000]
    got = collections.Counter(raw for _, raw in split)
    want = collections.Counter(expected)
    missing, extra = want - got, got - want
    assert not missing and not extra, (
        "%d missing, %d unexpected; first missing %r, first unexpected %r" % (
            sum(missing.values()), sum(extra.values()),
            next(iter(missing), b"")[:1500], next(iter(extra), b"")[:1500]))
    traces = [trace for trace, _ in split]
    assert len(set(traces)) == len(traces)
    assert not [t for t in traces if "possible-duplicate" in t]


@pytest.mark.parametrize("after", ("keep", "delete"))
@pytest.mark.parametrize("tls", ("starttls", "implicit"))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_corpus(world, haul, user, port, protocol, tls, after):
    source = world.dovecot.mailbox(user)
    for i, (_, raw) in enumerate(corpus.messages()):
        source.add(raw, flags=(None, "", "S", "FS")[i % 4])
    expected = [corpus.normalise(raw)
                for raw in mailclient.served(world, protocol, user)]
    assert len(expected) == len(source) == 200
    flags = mailclient.imap_flags(world, user)
    before = source.names()
    to = "in-" + user
    haul.account(user, protocol, port(protocol), after=after)
    haul.destination(world.postfix.ports[
        "submission" if tls == "starttls" else "submissions"],
        tls=tls, user=to, recipient=to + "@example.test")

    first = haul.once()
    compare(inbox_of(world, to, 200), expected)
    if after == "keep":
        assert source.names() == before
        assert mailclient.imap_flags(world, user) == flags
    else:
        assert source.names() == []
    assert len(first.lines(user, "relayed")) >= 200

    haul.once()
    assert len(inbox_of(world, to, 200)) == 200
    assert source.names() == (before if after == "keep" else [])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headless_at_recorder(world, haul, user, port, protocol):
    """What a real server would repair arrives as it is."""
    source = world.dovecot.mailbox(user)
    import random
    for _, raw in corpus.headless(random.Random(2)):
        source.add(raw)
    expected = [corpus.normalise(raw)
                for raw in mailclient.served(world, protocol, user)]
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol))
        haul.to_recorder(recorder)
        haul.once()
        compare([m.raw for m in recorder.messages], expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_delete_spares_what_others_marked(world, haul, user, port, protocol):
    """A message that another client marked \\Deleted, and was known before
    the first poll, is not expunged with ours."""
    source = world.dovecot.mailbox(user)
    source.add(corpus.header(1, "marked by another") + b"\r\nx\r\n")
    client = mailclient.imap(world, user, readonly=False)
    client.store("1", "+FLAGS", r"(\Deleted)")
    client.shutdown()
    haul.account(user, protocol, port(protocol), after="delete", first="new")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        for i in range(2, 5):
            source.add(corpus.header(i, "ours") + b"\r\nx\r\n")
        haul.once()
        assert len(recorder.messages) == 3
    left = source.messages()
    assert len(left) == 1 and b"marked by another" in left[0]
    assert re.search(r":2,\w*T", source.names()[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrival_during_the_run_survives(world, haul, user, port, protocol):
    source = world.dovecot.mailbox(user)
    for i in range(10):
        source.add(corpus.header(i, "old") + b"\r\nold %d\r\n" % i)
    late = corpus.header(99, "late") + b"\r\nlate\r\n"

    def deliver(_session, _message):
        if len(recorder.messages) == 3:
            source.add(late)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", deliver)
        haul.account(user, protocol, port(protocol), after="delete")
        haul.to_recorder(recorder)
        haul.once()
        there = [corpus.original(m.raw)[1] for m in recorder.messages]
        assert len(there) + len(source) == 11
        assert late in there or late in source.messages()
        haul.once()
        assert len(recorder.messages) == 11 and len(source) == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_first_new(world, haul, user, port, protocol):
    source = world.dovecot.mailbox(user)
    for i in range(5):
        source.add(corpus.header(i, "before") + b"\r\nx\r\n")
    with RecordingSmtp(world.certs) as recorder:
        haul.account(user, protocol, port(protocol), first="new",
                     after="delete")
        haul.to_recorder(recorder)
        first = haul.once()
        assert recorder.messages == []
        assert [line for line in first.lines(user)
                if re.search(r"\b5\b", line)], first.log
        for i in range(2):
            source.add(corpus.header(10 + i, "later") + b"\r\nx\r\n")
        haul.once()
        assert len(recorder.messages) == 2
        assert all(b"Subject: later" in m.raw for m in recorder.messages)
    assert len(source) == 5
    assert all(b"Subject: before" in raw for raw in source.messages())


def test_two_runs_one_connection(world, haul, user, port):
    """One SMTP connection carries many messages of several accounts."""
    for name in (user, user + "b"):
        source = world.dovecot.mailbox(name)
        for i in range(5):
            source.add(corpus.header(i, name) + b"\r\nx\r\n")
        haul.account(name, "imap", port("imap"))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        haul.once()
        assert len(recorder.messages) == 10
        assert len(recorder.sessions) == 1
        assert recorder.sessions[0].auth_tries == 1
        message = recorder.messages[0]
        assert message.sender == "archive@example.test"
        assert message.recipient == "inbox@example.test"
        assert "SIZE=%d" % len(message.raw) in message.options

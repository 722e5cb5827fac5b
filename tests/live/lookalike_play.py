# SPDX-License-Identifier: ISC
"""What tests of providers have in common: a stage, mail, and a look at what
arrived."""
import random
import re

import pytest

import corpus
import lookalike

PASSWORD = "abcd-efgh-ijkl"   # one that the provider made for an app


@pytest.fixture
def play(world, tmp_path):
    """play(names, Provider): (stage, provider, haul)"""
    stages = []

    def begin(names, provider):
        stage = lookalike.Stage(tmp_path / "stage", world.certs, names)
        stages.append(stage)
        haul = lookalike.StagedHaul(tmp_path / "haul", stage)
        stages.append(haul)
        haul.options["host_spacing"] = "0s"
        return stage, provider(stage, world.dovecot), haul
    yield begin
    while stages:
        stages.pop().close()


def letters(box, count=None):
    """Puts them there, and says what is to arrive, in order."""
    rng = random.Random(7)
    out = []
    for number, (name, body) in enumerate(corpus.BODIES.items()):
        out.append(corpus.header(number, name) + b"\r\n" + body(rng))
    out += [raw for _, raw in corpus.special_headers(len(out), rng)]
    while count and len(out) < count:
        out.append(corpus.header(len(out), "small") + b"\r\nsmall\r\n")
    for raw in out[:count]:
        box.add(raw)
    return sorted(corpus.normalise(raw) for raw in out[:count])


REWRITTEN = re.compile(rb"From: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*"
                       rb"(?:Reply-To: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*)?")


def original(raw):
    """As it was at the source, of what was rewritten too."""
    found = corpus.original(re.sub(rb"^X-Mailhaul-Folder: [^\r]*\r\n", b"",
                                   raw, count=1, flags=re.M))
    assert found, raw[:1000]
    assert "duplicate" not in found[0]
    rest = found[1]
    front = REWRITTEN.match(rest)
    if front and re.search(rb"^X-Original-From:", rest, re.M | re.I):
        rest = re.sub(rb"^X-Original-From:", b"From:", rest[front.end():],
                      count=1, flags=re.M | re.I)
    return rest


def begin(world, play, user, names, provider, address, count=None):
    """Somebody with mail at a provider, relayed to his own address."""
    _, provider, haul = play(names, provider)
    me = provider.person(address, user, PASSWORD)
    me.secret = haul.secret("pw", PASSWORD)
    me.mail = world.dovecot.mailbox(user)
    expected = letters(me.mail, count)
    return provider, haul, me, expected


def arrived(*submissions):
    return sorted(original(m.raw) for s in submissions for m in s.accepted())


def assert_arrived(expected, *submissions):
    got = arrived(*submissions)
    assert len(got) == len(expected)
    assert got == expected

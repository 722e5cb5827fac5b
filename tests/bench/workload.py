# SPDX-License-Identifier: ISC
"""The mailboxes of the bench, the same in every run: seeded, as files."""
import collections
import hashlib
import math
import os
import random

import world

import corpus  # noqa: E402  (world knows where it is)

MB = 1e6
BIG = 50_000_000
NEW = 10             # messages that a poll of case d finds
KNOWN_TEXT = 1000    # bytes of a message that is known already
LINKS_MAX = 50000    # ext4 has 65,000 names for one file


def small(rng):
    return rng.randint(2048, 4096)


def mixed(rng):
    """Log-normal, and one in 14 with a large attachment."""
    if rng.random() < 1 / 14:
        return rng.randint(1_000_000, 10_000_000)
    return int(min(900_000, max(900, rng.lognormvariate(
        math.log(12_000), 1.2))))


Case = collections.namedtuple(
    "Case", "letter title messages size kind users keep milliseconds "
    "chunking postfix")


def case(letter, title, messages, size, users=1, keep=False, milliseconds=0,
         chunking=True, postfix=False):
    return Case(letter, title, messages, size, size.__name__, users, keep,
                milliseconds, chunking, postfix)


def of_bytes(size):
    """Messages of that size."""
    def fixed(_):
        return size
    fixed.__name__ = "%d-bytes" % size
    return fixed


CASES = [
    case("a", "2-4 KB", 2000, small),
    case("b", "mixed sizes", 1200, mixed),
    case("c", "50 MB", 1, of_bytes(BIG)),
    case("d", "50,000 known + 10", 50000, small, keep=True),
    case("e", "2-4 KB, 40 ms", 300, small, milliseconds=40),
    case("f", "50 accounts, 2-4 KB", 1000, small, users=50),
    case("g", "e, no CHUNKING", 300, small, milliseconds=40, chunking=False),
    case("p", "a, to Postfix", 2000, small, postfix=True),
]


def message(rng, number, size):
    head = corpus.header(number, "bench %d" % number)
    body = b".\r\n..\r\n.dots and 8 bit: gr\xc3\xbc\xc3\x9fe\r\n"
    body += corpus.attachment(rng, max(100, size - len(head) - len(body)))
    return head + b"\r\n" + body


class Corpus:
    """Messages in a directory, and the sums of their bodies."""

    def __init__(self, directory, sizes, rng):
        self.directory = directory
        self.paths, self.sums, self.bytes = [], [], 0
        os.makedirs(directory)
        for number, size in enumerate(sizes):
            raw = message(rng, number, size)
            self.write("%06d" % number, raw)
            self.bytes += len(raw)
            self.sums.append(hashlib.sha256(
                raw.split(b"\r\n\r\n", 1)[1]).hexdigest())

    def write(self, name, raw):
        # What a server that delivers would put into the name.
        path = os.path.join(self.directory, "%s,S=%d,W=%d" % (
            name, len(raw), len(raw)))
        with open(path, "wb") as f:
            f.write(raw)
        if world.ROOT:
            os.chown(path, *world.owner())
        self.paths.append(path)

    def __len__(self):
        return len(self.paths)


class Corpora:
    """One for each kind, made when first asked for."""

    def __init__(self, directory):
        self.directory, self.made = directory, {}

    def get(self, kind, count, sizes):
        if (kind, count) not in self.made:
            rng = random.Random("%s %d" % (kind, count))
            self.made[kind, count] = Corpus(
                os.path.join(self.directory, "%s-%d" % (kind, count)),
                (sizes(rng) for _ in range(count)), rng)
        return self.made[kind, count]

    def known(self, mailbox, count):
        """Paths and times: linked so often they are count messages."""
        files = -(-count // LINKS_MAX)
        while count % files:
            files += 1
        kind = "known-" + mailbox
        return self.get(kind, files, of_bytes(KNOWN_TEXT)).paths, \
            count // files

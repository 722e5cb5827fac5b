# SPDX-License-Identifier: ISC
"""A seeded corpus of awkward messages, and what must arrive of each."""
import base64
import random
import re

WORDS = ("lorem ipsum dolor sit amet consectetur adipiscing elit sed do "
         "eiusmod tempor grüße naïve façade Ελλάδα почта 日本 señor").split()


def header(number, subject, extra=""):
    return ("Date: Mon, 6 Jul 2026 10:%02d:%02d +0000\r\n"
            "From: Sender %d <sender%d@example.test>\r\n"
            "To: somebody@example.test\r\n"
            "Subject: %s\r\n"
            "Message-ID: <corpus-%d@example.test>\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n%s"
            % (number // 60 % 60, number % 60, number, number, subject,
               number, extra)).encode()


def text(rng, lines=20):
    return "".join(" ".join(rng.choices(WORDS, k=rng.randint(1, 11))) + "\r\n"
                   for _ in range(lines)).encode()


def attachment(rng, size):
    data = base64.b64encode(rng.randbytes(size * 57 // 78))
    return b"".join(data[i:i + 76] + b"\r\n" for i in range(0, len(data), 76))


def line_of(rng, length):
    return bytes(rng.choices(range(0x21, 0x7f), k=length)) + b"\r\n"


# name: the message after its usual header, from (rng)
BODIES = {
    "plain text": text,
    "leading dots": lambda rng: b".\r\n..\r\n.x\r\n\r\n...\r\n" + text(rng)
    + b".",
    "only a dot": lambda rng: b".\r\n",
    "dot, LF, dot": lambda rng: b"a\n.\nb\r\n.\nc\n.\r\nd\r\n",
    "dot, CR, dot": lambda rng: b"a\r.\rb\r\n.\rc\r.\r\nd\r\n",
    "8-bit Latin-1": lambda rng: bytes(range(0x80, 0x100)) + b"\r\n",
    "every control": lambda rng: bytes(c for c in range(1, 0x20)
                                       if c not in (10, 13)) + b"\x7f\r\n",
    "lines of 998": lambda rng: b"".join(line_of(rng, 998)
                                         for _ in range(5)),
    "lines of 5000": lambda rng: b"".join(line_of(rng, 5000)
                                          for _ in range(3)),
    "long line, leading dot": lambda rng: b"." + line_of(rng, 4999),
    "no final CRLF": lambda rng: text(rng) + b"the end",
    "ends in CR": lambda rng: text(rng) + b"the end\r",
    "bare LF": lambda rng: text(rng).replace(b"\r\n", b"\n"),
    "bare CR": lambda rng: text(rng).replace(b"\r\n", b"\r"),
    "CR CR LF": lambda rng: text(rng).replace(b"\r\n", b"\r\r\n"),
    "mixed ends": lambda rng: b"a\r\nb\nc\rd\r\r\n\n\r\r\ne\r\n\r\r\rf\n\r",
    "empty body": lambda rng: b"",
    "empty lines": lambda rng: b"\r\n" * 50,
    "From lines": lambda rng: b"From here\r\n>From there\r\n\r\nFrom x\r\n",
    "trailing blanks": lambda rng: b"a  \r\n \t\r\n   \r\nb\t\r\n",
    "medium attachment": lambda rng: attachment(rng, 300_000),
}


def special_headers(number, rng):
    """Messages whose header is the point."""
    many = "".join("X-Line-%d: %d\r\n" % (i, i) for i in range(1000))
    folded = "X-Long:" + "".join("\r\n\tpart %d" % i for i in range(200))
    yield "1000 header lines", header(number, "many", many) + b"\r\nx\r\n"
    yield "folded header", header(number, "fold", folded + "\r\n") + b"\r\nx"
    yield "header only", header(number, "header only, no empty line")
    yield "8-bit header", header(number, "Grüße aus Köln") + b"\r\nx\r\n"
    yield "CR in header", header(number, "a\rb\r\rc", "X-A: b\r\r\n") \
        + b"\r\nx\ry\r\n"
    yield "LF header", (header(number, "LF only") + b"\r\nx\r\n").replace(
        b"\r\n", b"\n")
    yield "own trace of another", header(
        number, "traced", "X-Mailhaul-Trace: ABCDEF; account=OTHER\r\n") \
        + b"\r\nx\r\n"


def headless(rng):
    """Without a header a submission server repairs; compare at a recorder."""
    return [
        ("no header", b"\r\n" + text(rng)),
        ("starts in the body", b"just a line of text\r\n" + text(rng)),
        ("only an empty line", b"\r\n"),
        ("only a CR", b"\r"),
        ("one byte", b"x"),
        ("begins with a blank", b" folded\r\nSubject: x\r\n\r\nx\r\n"),
    ]


def messages(count=200, seed=1):
    """count pairs (name, bytes as they lie in the mailbox)."""
    rng = random.Random(seed)
    out = [("10 MB attachment",
            header(0, "10 MB attachment") + b"\r\n"
            + attachment(rng, 10_000_000))]
    while len(out) < count:
        number = len(out)
        for name, body in BODIES.items():
            subject = "%s, number %d" % (name, number)
            out.append((name, header(number, subject) + b"\r\n" + body(rng)))
            number += 1
        out += special_headers(number, rng)
    return out[:count]


def normalise(raw):
    """What the manual states: CR*LF is one CRLF, a lone CR is a space in the
    header and CRLF in the body, the last line gets its CRLF."""
    raw = re.sub(rb"\r*\n", b"\r\n", raw)
    if raw.startswith(b"\r\n"):
        end = 0
    else:
        end = raw.find(b"\r\n\r\n")
        end = len(raw) if end < 0 else end + 2
    head = re.sub(rb"\r(?!\n)", b" ", raw[:end])
    body = re.sub(rb"\r(?!\n)", b"\r\n", raw[end:])
    out = head + body
    return out + b"\r\n" if out and not out.endswith(b"\r\n") else out


PUT_IN_FRONT = re.compile(
    rb"((?:(?:Return-Path|Delivered-To|Received):[^\r\n]*\r\n"
    rb"(?:[ \t][^\r\n]*\r\n)*)*)"
    rb"X-Mailhaul-Trace: ([^\r\n]*)\r\n"
    rb"(?:X-Mailhaul-Original:[^\r\n]*\r\n)?", re.I)


def original(arrived):
    """Splits (trace, the message as it was) from what arrived, or None when
    something else than trace headers stands in front."""
    found = PUT_IN_FRONT.match(arrived)
    if not found or b"Received:" not in found.group(1):
        return None
    return found.group(2).decode(), arrived[found.end():]

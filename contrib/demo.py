# SPDX-License-Identifier: ISC
"""The part of contrib/demo that runs servers and compares what arrived."""
import base64
import collections
import email
import email.header
import email.policy
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "tests", "live"))

import corpus  # noqa: E402
import haul  # noqa: E402
import mailclient  # noqa: E402
import servers  # noqa: E402

SIGNATURE = "\r\n-- \r\nAnna Lindqvist, Södra vägen 12, Göteborg\r\n"
NEWSLETTER = "<p>Hello,</p>\r\n<p>.NET and more: this week's picks.</p>\r\n"


def message(number, sender, subject, kind, body):
    """A message as a provider hands it out, with the traces of its way."""
    encoded = subject if subject.isascii() else email.header.Header(
        subject, "utf-8", header_name="Subject").encode(linesep="\r\n")
    return (
        "Return-Path: <%s>\r\n"
        "Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\r\n"
        "\tby mail.example.test with ESMTPS id demo%04d\r\n"
        "\tfor <anna@example.test>; Mon, 6 Jul 2026 1%d:15:00 +0200\r\n"
        "Date: Mon, 6 Jul 2026 1%d:14:58 +0200\r\n"
        "From: %s\r\nTo: Anna <anna@example.test>\r\nSubject: %s\r\n"
        "Message-ID: <demo-%d@example.net>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s"
        % (sender, number, number, number + 10, number, number % 10,
           number % 10, sender, encoded, number, kind, body)).encode()


def attached(text, name, size):
    """multipart/mixed: a text and a file."""
    data = base64.b64encode(random.Random(size).randbytes(size)).decode()
    lines = "\r\n".join(data[i:i + 76] for i in range(0, len(data), 76))
    return ("--part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"
            "--part\r\nContent-Type: application/octet-stream\r\n"
            "Content-Transfer-Encoding: base64\r\n"
            'Content-Disposition: attachment; filename="%s"\r\n\r\n%s\r\n'
            "--part--\r\n" % (text, name, lines))


def dozen():
    plain, html = "text/plain; charset=utf-8", "text/html; charset=utf-8"
    mixed = 'multipart/mixed; boundary="part"'
    parts = [
        ("bo@example.net", "Lunch on Thursday?", plain,
         "At noon, same place?\r\n" + SIGNATURE),
        ("faktura@example.net", "Din faktura för juli är här", mixed,
         attached("Hej,\r\nfakturan är bifogad.", "faktura.pdf", 180_000)),
        ("news@example.net", "Weekly picks", html, NEWSLETTER * 40),
        ("list@example.net", "[dev] Re: [PATCH] pop3: lone dots", plain,
         "> A line with only a dot:\r\n.\r\n..\r\n.. and two\r\nWorks.\r\n"),
        ("mormor@example.net", "Grattis på födelsedagen! 🎂", plain,
         "Kära Anna,\r\nhipp hipp hurra!\r\n"),
        ("shop@example.net", "Your order 4711 has been shipped", html,
         "<table>" + "<tr><td>1 × tea, Darjeeling</td></tr>\r\n" * 30),
        ("alerts@example.net", "Disk 91% full on backup-2", plain, ""),
        ("kamera@example.net", "Bilder från semestern", mixed,
         attached("Se bifogat.", "strand.jpg", 2_500_000)),
        ("bank@example.net", "Nytt kontoutdrag", plain,
         "Logga in för att läsa det.\r\n"),
        ("cron@example.net", "Cron: report", plain,
         "one line of 998 bytes:\r\n" + "x" * 998 + "\r\nno final line end"),
        ("legacy@example.net", "Report from an old machine", plain,
         "bare line feeds\nas Unix likes them\nand a bare\rreturn\r\n"),
        ("kalle@example.net", "Re: Re: Sommarstugan", plain,
         "Från och med 1 augusti.\r\nFrom there on it is ours!\r\n"),
    ]
    return [message(i, *part) for i, part in enumerate(parts, 1)]


def late():
    return message(13, "Anna's phone <phone@example.test>",
                   "This one came while mailhauld was running",
                   "text/plain; charset=utf-8", "Hello from the tram.\r\n")


def subject_of(raw):
    head = email.message_from_bytes(raw, policy=email.policy.default)
    return " ".join(str(head["Subject"]).split())


def fetched_by(raw):
    """The protocol that mailhauld names in its Received field."""
    found = re.search(rb"\(mailhaul [^)]*\)\s+with (\w+)", raw)
    return found.group(1).decode() if found else "?"


class Follower:
    """Prints the log of a running mailhauld as it grows."""

    def __init__(self, running):
        self.running, self.shown = running, 0

    def show(self):
        lines = self.running.text().splitlines(keepends=True)
        for line in lines[self.shown:]:
            if not line.endswith("\n"):
                break
            print("   mailhauld | " + line.rstrip(), flush=True)
            self.shown += 1

    def until(self, what, ready, seconds):
        def look():
            self.show()
            self.running.child.check()
            return ready()
        servers.wait_for(what, look, seconds)
        self.show()


def table(arrived):
    print("\n%-42s %8s %-6s %s" % ("arrived in inbox@example.test", "bytes",
                                   "by", "X-Mailhaul-Trace"))
    for trace, raw, protocol in arrived:
        print("%-42.42s %8d %-6s %s" % (subject_of(raw), len(raw), protocol,
                                        trace))


def verdict(expected, arrived, complaints):
    """True when each expected message arrived once and as it was."""
    got = collections.Counter(raw for _, raw, _ in arrived)
    once = sum(1 for raw in expected if got[raw] == 1)
    if sum(got.values()) != len(expected) or once != len(expected):
        complaints.append("%d of %d messages arrived exactly once; %d in all"
                          % (once, len(expected), sum(got.values())))
    if len({trace for trace, _, _ in arrived}) != len(arrived):
        complaints.append("two messages carry the same trace")
    return once


def relay(world, path, complaints):
    """Runs mailhauld over two mailboxes; answers with what must be there and
    what is."""
    imap, pop3 = (world.dovecot.mailbox(n) for n in ("anna", "old-anna"))
    inbox = world.dovecot.mailbox("inbox")
    for i, raw in enumerate(dozen()):
        (imap if i % 3 else pop3).add(raw)
    site = haul.Haul(path, world.certs)
    site.account("anna", "imap", world.dovecot.ports["imaps"], after="keep",
                 interval="10s")
    site.account("old-anna", "pop3", world.dovecot.ports["pop3s"],
                 after="delete", interval="10s")
    site.destination(world.postfix.ports["submission"])
    expected = mailclient.served(world, "imap", "anna") + mailclient.served(
        world, "pop3", "old-anna")
    print("== Starting mailhauld: anna by IMAPS, keep; old-anna by POP3S, "
          "delete;\n   both to inbox@example.test by submission with STARTTLS",
          flush=True)
    running = site.start()
    log = Follower(running)
    try:
        log.until("twelve messages", lambda: len(inbox) >= 12, 60)
        print("== One more message arrives for anna", flush=True)
        imap.add(late())
        before = imap.names()
        expected.append(late())
        log.until("the thirteenth", lambda: len(inbox) >= 13, 40)
        log.until("the removals", lambda: len(pop3) == 0, 20)
        # Time for a second copy to show itself, if there were one.
        end = time.monotonic() + 11
        log.until("one more poll", lambda: time.monotonic() > end, 15)
        log.until("the queue", lambda: not world.postfix.queued(), 30)
        running.signal()
        servers.wait_for("the end of mailhauld", lambda:
                         running.child.process.poll() is not None, 30)
        log.show()
        if running.child.process.returncode:
            complaints.append("mailhauld ended with %d"
                              % running.child.process.returncode)
    finally:
        site.close()
    if imap.names() != before:
        complaints.append("the kept mailbox changed")
    if len(pop3):
        complaints.append("%d messages left to delete" % len(pop3))
    arrived = []
    for raw in inbox.messages():
        pair = corpus.original(raw)
        if pair:
            arrived.append((*pair, fetched_by(raw)))
        else:
            complaints.append("a message without its trace")
    return [corpus.normalise(raw) for raw in expected], arrived


def main():
    complaints = []
    print("== Starting Dovecot and Postfix on free loopback ports",
          flush=True)
    with servers.World() as world:
        base = world.work.path
        children = [world.dovecot.child, world.postfix.child]
        for part in (world.dovecot, world.postfix):
            print("   %s: %s" % (type(part).__name__, ", ".join(
                "%s %d" % item for item in part.ports.items())))
        expected, arrived = relay(world, os.path.join(base, "mailhaul"),
                                  complaints)
    table(arrived)
    once = verdict(expected, arrived, complaints)
    if any(servers.session_members(c.process.pid) for c in children):
        complaints.append("a server is still running")
    if os.path.exists(base):
        complaints.append("files are left in " + base)
    print()
    for complaint in complaints:
        print("FAILED: " + complaint)
    if not complaints:
        print("%d of %d messages arrived exactly once, byte for byte; "
              "nothing is left running." % (once, len(expected)))
    return 1 if complaints else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (TimeoutError, RuntimeError) as e:
        sys.exit("FAILED: %s" % e)

# SPDX-License-Identifier: ISC
"""What a daemon meets that runs for years: reloads, many folders, many
accounts.  Figures are printed, and nothing here depends on the time it takes.

MAILHAUL_LARGE=1 takes 1,000 accounts and 200 letters.
"""
import os
import signal
import statistics
import time

import corpus
from fakes import RecordingSmtp, TlsProxy
from haul import MAILHAULD, settled
from servers import wait_for

LARGE = os.environ.get("MAILHAUL_LARGE")
ACCOUNTS = 1000 if LARGE else 60
LETTERS = 200 if LARGE else 40
FOLDERS = 50
RELOADS = 100


def message(what):
    return corpus.header(abs(hash(what)) % 10000, what) + b"\r\nbody\r\n"


def resident(running):
    with open("/proc/%d/status" % running.child.process.pid,
              encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


def sanitized():
    """The sanitizer keeps what was freed; it finds leaks in its own way."""
    with open(MAILHAULD, "rb") as f:
        return b"__asan_init" in f.read()


def descriptors(running):
    return len(os.listdir("/proc/%d/fd" % running.child.process.pid))


def test_reload_under_load(world, haul, user, port):
    """Policies, destinations and accounts change while mail flows."""
    boxes = [world.dovecot.mailbox(user + name) for name in "abc"]
    with RecordingSmtp(world.certs) as recorder:
        for name in "abc":
            haul.account(user + name, "imap" if name != "c" else "pop3",
                         port("imap" if name != "c" else "pop3"),
                         interval="10s", after="delete")
        haul.options["host_spacing"] = "0s"
        haul.to_recorder(recorder)
        running = haul.start()
        wait_for("first polls", lambda: running.text().count(
            "first poll of") == 3)
        sent, before = 0, None
        for i in range(RELOADS):
            for box in boxes:
                box.add(message("number %d" % sent))
                sent += 1
            if i % 5 == 4:
                haul.write("accounts = (")  # a mistake: all stays as it was
            else:
                haul.accounts[0]["after"] = ("delete", "keep")[i % 2]
                haul.accounts[1]["interval"] = "%ds" % (10 + i % 7)
                haul.destinations[0]["ehlo"] = "h%d.test" % (i % 3)
                haul.write()
            running.signal(signal.SIGHUP)
            wait_for("the reload", lambda n=i: running.text().count(
                "reload refused") + running.text().count("reloaded /") > n)
            if i == 10:
                before = resident(running), descriptors(running)
        haul.accounts[0]["after"] = "delete"
        haul.write()
        running.signal(signal.SIGHUP)
        wait_for("all of it", lambda: len(recorder.accepted()) >= sent, 90)
        after = resident(running), descriptors(running)
        result = running.stop()
        print("%d reloads, %d of them refused; %d messages; resident %d then "
              "%d KiB, descriptors %d then %d"
              % (RELOADS, result.log.count("reload refused"), sent,
                 before[0], after[0], before[1], after[1]))
        seen = [m.header("Subject") for m in recorder.accepted()]
        assert sorted(seen) == sorted("number %d" % i for i in range(sent))
        assert result.log.count("reload refused") == RELOADS // 5
        assert after[1] <= before[1] + 8
        if not sanitized():
            assert after[0] <= before[0] * 1.3 + 4096


class Watch:
    """When it was told of a new message, and when that was submitted."""

    def __init__(self, recorder):
        self.told = self.mail = None
        recorder.on("mail", self.on_mail)

    def begin(self):
        self.start, self.told, self.mail = time.monotonic(), None, None

    def see(self, data):
        if b" EXISTS" in data and self.told is None:
            self.told = time.monotonic()

    def on_mail(self, *_):
        self.mail = time.monotonic()


def percentiles(what, values):
    values = sorted(values)
    print("%s, %d letters: median %.0f ms, 99th percentile %.0f ms" % (
        what, len(values), 1000 * statistics.median(values),
        1000 * values[int(len(values) * 0.99)]))


def test_fifty_folders(world, haul, user, port):
    """All of them watched by one process; what comes is relayed at once."""
    box = world.dovecot.mailbox(user)
    places = [box] + [box.folder("f%02d" % i) for i in range(FOLDERS - 1)]
    haul.options["connections_per_host"] = FOLDERS + 2
    haul.options["connections"] = FOLDERS + 3
    haul.options["host_spacing"] = "0s"
    with RecordingSmtp(world.certs) as recorder:
        watch = Watch(recorder)
        with TlsProxy(world.certs, port("imap"), watch.see) as proxy:
            haul.account(user, "imap", proxy.port, interval="6h",
                         folders=["INBOX", "f*"], connections=FOLDERS + 2)
            haul.to_recorder(recorder)
            running = haul.start()
            wait_for("first polls", lambda: running.text().count(
                "first poll of") == FOLDERS, 60)
            wait_for("quiet", lambda: descriptors(running) >= FOLDERS, 30)
            wait_for("quiet", lambda: settled(running), 30)
            print("%d folders watched: resident %d KiB, %d descriptors"
                  % (FOLDERS, resident(running), descriptors(running)))
            told, mail, done = [], [], []
            for i in range(LETTERS):
                watch.begin()
                places[i * 7 % FOLDERS].add(message("letter %d" % i))
                wait_for("letter %d" % i,
                         lambda n=i: len(recorder.accepted()) > n)
                told.append(watch.told - watch.start)
                mail.append(watch.mail - watch.told)
                done.append(recorder.accepted()[-1].when - watch.told)
            running.stop()
        percentiles("from the delivery to Dovecot's EXISTS", told)
        percentiles("from EXISTS to MAIL", mail)
        percentiles("from EXISTS to the end of data", done)
        assert len(recorder.accepted()) == LETTERS


def test_many_accounts(world, haul, user, port):
    """Each has its turn; never more sessions at the host than it bears."""
    boxes = []
    haul.options["host_spacing"] = "0s"
    haul.options["connections_per_host"] = 4
    for i in range(ACCOUNTS):
        name = "%sx%d" % (user, i)
        boxes.append(world.dovecot.mailbox(name))
        haul.account(name, "pop3", port("pop3"), interval="10s",
                     after="delete")
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        running = haul.start()
        first = resident(running)
        most = 0
        for turn in range(2):
            for i, box in enumerate(boxes):
                box.add(message("turn %d of %d" % (turn, i)))
            start, want = time.monotonic(), ACCOUNTS * (turn + 1)
            while len(recorder.accepted()) < want:
                assert time.monotonic() - start < 300, running.text()[-3000:]
                most = max(most, world.dovecot.connections("pop3s"))
                time.sleep(0.05)
            print("turn %d: the last of %d accounts had waited %.1f s"
                  % (turn, ACCOUNTS, time.monotonic() - start))
        print("%d sessions at most; resident %d KiB, %.1f KiB an account"
              % (most, resident(running),
                 (resident(running) - first) / ACCOUNTS))
        whole = resident(running)
        running.stop()
        assert most <= 4
        assert len(recorder.accepted()) == 2 * ACCOUNTS
        # With all that does not depend on their number.
        assert sanitized() or whole <= 32 * 1024 + 60 * ACCOUNTS

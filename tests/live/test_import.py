# SPDX-License-Identifier: ISC
"""From a real fetchmail to mailhaul on the same mailbox: what fetchmail fetched
is not relayed again, what it had not fetched is not lost."""
import collections
import os
import re
import subprocess

import corpus
import servers
from fakes import RecordingSmtp
from haul import BUSY, MAILHAUL, OK, CONFIG, Result


def message(number):
    return corpus.header(number, "message %d" % number) + b"\r\nbody\r\n"


def numbers(text):
    return collections.Counter(
        int(n) for n in re.findall(rb"^Subject: message (\d+)\r?$", text,
                                   re.M))


def each(first, last):
    return collections.Counter(range(first, last + 1))


class Fetchmail:
    """A home with a fetchmailrc, a .fetchids, and what was delivered."""

    def __init__(self, path, certs):
        self.home, self.certs = str(path), certs
        os.makedirs(self.home, exist_ok=True)
        self.rc = os.path.join(self.home, "fetchmailrc")
        self.ids = os.path.join(self.home, ".fetchids")
        self.mail = os.path.join(self.home, "delivered")
        open(self.mail, "wb").close()
        self.entries = []

    def poll(self, name, protocol, port, user, options):
        self.entries.append(
            'poll "%s" via localhost proto %s uidl service %d\n'
            '    user "%s" there with password "%s"\n'
            '    mda "/bin/cat >> %s" ssl sslcertfile "%s" %s\n'
            % (name, protocol, port, user, servers.PASSWORD, self.mail,
               self.certs.ca, options))

    def write(self):
        with open(self.rc, "w") as f:
            f.write("# as people have it\nset daemon 300\n"
                    + "\n".join(self.entries))
        os.chmod(self.rc, 0o600)

    def run(self):
        """One round; 1 is "no mail", 13 is "fetchlimit reached"."""
        self.write()
        done = subprocess.run(
            [servers.tool("fetchmail"), "-f", self.rc, "-d", "0", "-N",
             "--nosyslog"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120, check=False,
            env={**os.environ, "HOME": self.home, "FETCHMAILHOME": self.home})
        print(done.stdout.decode("utf-8", "replace")[-3000:])
        assert done.returncode in (0, 1, 13), done.stdout

    def delivered(self):
        with open(self.mail, "rb") as f:
            return numbers(f.read())


def switch(haul, *words, expect):
    """Imports into conf.d of an installation that has its destination."""
    folder = haul.conf.replace("mailhaul.conf", "conf.d")
    output = os.path.join(folder, "fetchmail.conf")
    os.makedirs(folder, exist_ok=True)
    haul.write()
    done = subprocess.run(
        [MAILHAUL, "--state", haul.state, "import", "fetchmail",
         "--destination", "home", "--output", output,
         "--secrets", os.path.join(haul.path, "secrets"), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=haul.env(),
        stderr=subprocess.STDOUT, timeout=60, check=False)
    result = Result(done.returncode, done.stdout.decode())
    print(result.log)
    assert result.code == expect, result.log
    if expect in (OK, CONFIG):
        assert haul.check().code == OK, haul.check().log
    return result


def relayed(recorder):
    return sum((numbers(m.raw) for m in recorder.accepted()),
               collections.Counter())


def test_pop3_that_keeps(world, haul, user, port, tmp_path):
    """Two users of one server, one of them with an "@"; some of the messages
    are fetched, some are left, more arrive."""
    box = world.dovecot.mailbox(user)
    other = world.dovecot.mailbox("other" + user)
    fetchmail = Fetchmail(tmp_path / "home", world.certs)
    for n in range(1, 41):
        box.add(message(n))
        other.add(message(1000 + n))
    fetchmail.poll("pop.example.test", "pop3", port("pop3"),
                   user + "@example.test", "keep fetchlimit 30")
    fetchmail.poll("pop.example.test", "pop3", port("pop3"), "other" + user,
                   "keep")
    fetchmail.run()
    assert fetchmail.delivered() == each(1, 30) + each(1001, 1040)
    for n in range(41, 61):
        box.add(message(n))
        other.add(message(1000 + n))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        # The mda was not carried over, but --destination stands in for it.
        switch(haul, fetchmail.rc, fetchmail.ids, expect=OK)
        haul.once()
        assert relayed(recorder) == each(31, 60) + each(1041, 1060)
        haul.once()
        box.add(message(61))
        haul.once()
        assert relayed(recorder) == each(31, 61) + each(1041, 1060)
    assert len(box) == 61 and len(other) == 60


def test_pop3_that_deletes(world, haul, user, port, tmp_path):
    box = world.dovecot.mailbox(user)
    fetchmail = Fetchmail(tmp_path / "home", world.certs)
    for n in range(1, 21):
        box.add(message(n))
    fetchmail.poll("pop.example.test", "pop3", port("pop3"), user,
                   "fetchlimit 8")
    fetchmail.run()
    assert fetchmail.delivered() == each(1, 8)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        switch(haul, fetchmail.rc, expect=OK)
        haul.once()
        assert relayed(recorder) == each(9, 20)
    assert len(box) == 0


def test_what_was_fetched_is_never_deleted(world, haul, user, port, tmp_path):
    """Under "keep" it was fetched, now the rest is deleted: what is known from
    fetchmail is not ours to delete."""
    box = world.dovecot.mailbox(user)
    fetchmail = Fetchmail(tmp_path / "home", world.certs)
    for n in range(1, 6):
        box.add(message(n))
    fetchmail.poll("pop.example.test", "pop3", port("pop3"), user, "keep")
    fetchmail.run()
    fetchmail.entries[0] = fetchmail.entries[0].replace(" keep", " nokeep")
    fetchmail.write()
    box.add(message(6))
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        switch(haul, "--fetchids", fetchmail.ids, fetchmail.rc, expect=OK)
        haul.once()
        haul.once()
        assert relayed(recorder) == each(6, 6)
    assert numbers(b"".join(box.messages())) == each(1, 5)


def test_imap_after_a_last_run(world, haul, user, port, tmp_path):
    box = world.dovecot.mailbox(user)
    fetchmail = Fetchmail(tmp_path / "home", world.certs)
    for n in range(1, 11):
        box.add(message(n))
    fetchmail.poll("imap.example.test", "imap", port("imap"), user, "keep")
    fetchmail.run()
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        result = switch(haul, fetchmail.rc, expect=CONFIG)
        assert result.lines("over IMAP no list says", "once more")
        haul.once()
        for n in range(11, 16):
            box.add(message(n))
        haul.once()
        assert fetchmail.delivered() == each(1, 10)
        assert relayed(recorder) == each(11, 15)


def test_again_and_while_it_runs(world, haul, user, port, tmp_path):
    """The state is nobody else's meanwhile, and a second import changes
    nothing; what is there already is not replaced."""
    box = world.dovecot.mailbox(user)
    fetchmail = Fetchmail(tmp_path / "home", world.certs)
    box.add(message(1))
    fetchmail.poll("pop.example.test", "pop3", port("pop3"), user, "keep")
    fetchmail.run()
    ids = ("--fetchids", fetchmail.ids)
    with RecordingSmtp(world.certs) as recorder:
        haul.to_recorder(recorder)
        first = switch(haul, *ids, fetchmail.rc, expect=OK)
        assert first.lines("1 messages that fetchmail fetched are known")
        output = os.path.join(haul.path, "conf.d", "fetchmail.conf")
        assert switch(haul, *ids, fetchmail.rc, expect=73).lines(output)
        running = haul.start()
        servers.wait_for("its socket", lambda: os.path.exists(
            os.path.join(haul.state, "ctl.sock")))
        os.unlink(output)
        for name in os.listdir(os.path.join(haul.path, "secrets")):
            os.unlink(os.path.join(haul.path, "secrets", name))
        result = switch(haul, *ids, fetchmail.rc, expect=BUSY)
        assert result.lines("stop mailhauld first")
        assert not os.path.exists(output)
        assert os.listdir(os.path.join(haul.path, "secrets")) == []
        running.stop()
        again = switch(haul, *ids, fetchmail.rc, expect=OK)
        assert again.lines("1 of them were on record already")
        haul.once()
        assert relayed(recorder) == each(1, 0)

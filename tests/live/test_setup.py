# SPDX-License-Identifier: ISC
"""mailhaul setup: from nothing to a relayed message, unattended and with a
person at a terminal; and that what did not come to an end leaves nothing."""
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

import corpus
import lookalike_outlook as outlook
import servers
from haul import CONFIG, MAILHAUL, OK, Result
from lookalike_play import assert_arrived, begin, play  # noqa: F401
from servers import PASSWORD, wait_for
from test_relay import compare, inbox_of

USAGE, NO_INPUT, CANT_CREATE = 64, 66, 73


def tree(path):
    """Every file and folder in it."""
    return sorted(os.path.relpath(os.path.join(where, name), path)
                  for where, folders, files in os.walk(path)
                  for name in folders + files)


def argv(haul, *words):
    return [MAILHAUL, "-c", haul.conf, "--state", haul.state, "setup", *words]


def flags(world, user, protocol="imap"):
    """Of everything but passwords."""
    return ["%s@example.test" % user, "--provider", "custom", "--protocol",
            protocol, "--host", "localhost", "--port",
            str(world.dovecot.ports[protocol + "s"]), "--ca-file",
            world.certs.ca, "--user", user, "--name", user, "--first", "all",
            "--to", "in-%s@example.test" % user, "--to-provider", "custom",
            "--to-host", "localhost", "--to-port",
            str(world.postfix.ports["submission"]), "--to-tls", "starttls",
            "--to-ca-file", world.certs.ca, "--to-user", "in-" + user,
            "--mail-from", "archive@example.test"]


def set_up(haul, *words, given=b"", expect=OK):
    os.makedirs(haul.state, mode=0o700, exist_ok=True)
    done = subprocess.run(argv(haul, *words), input=given, env=haul.env(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False)
    result = Result(done.returncode, done.stdout.decode("utf-8", "replace"))
    print(result.log)
    assert result.code == expect, (result.code, result.log)
    assert PASSWORD not in result.log
    return result


def relay(world, haul, user):
    """What was set up relays a message."""
    running = haul.start_as_written("--once")
    assert running.wait(120).code == OK
    return inbox_of(world, "in-" + user, 1)


@pytest.mark.parametrize("protocol", ("imap", "pop3"))
def test_from_nothing(world, haul, user, protocol):
    raw = corpus.header(1, "first") + b"\r\nhello\r\n"
    world.dovecot.mailbox(user).add(raw)
    result = set_up(haul, *flags(world, user, protocol), "--password-stdin",
                    "--to-password-stdin",
                    given=b"%s\n%s" % ((PASSWORD.encode(),) * 2))
    folder = os.path.dirname(haul.conf)
    path = os.path.join(folder, "conf.d", user + ".conf")
    assert "%s is written" % path in result.log
    # It was tried at both ends.
    assert "login" in result.log, result.log
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert PASSWORD not in text and "# label in the log" in text, text
    for name in (user, "home"):
        secret = os.path.join(folder, "secrets", name)
        assert os.stat(secret).st_mode & 0o7777 == 0o600
        with open(secret, encoding="utf-8") as f:
            assert f.read() == PASSWORD
    assert os.stat(os.path.dirname(secret)).st_mode & 0o7777 == 0o700
    assert haul.check().code == OK
    compare(relay(world, haul, user), [raw])


def test_a_second_account(world, haul, user):
    """It goes where the first one went, and writes over nothing."""
    words = flags(world, user)
    with open(os.path.join(haul.path, "pw"), "w", encoding="utf-8") as f:
        f.write(PASSWORD + "\nand more\n")
    set_up(haul, *words, "--password-file", f.name, "--to-password-file",
           f.name)
    before = tree(haul.path)
    second = "second-" + user
    account = [second + "@example.test"] + words[1:words.index("--user")]
    account += ["--user", second, "--password-command",
                "/bin/echo " + PASSWORD]
    world.dovecot.mailbox(second)
    set_up(haul, *account, "--name", second, "--no-check")
    added = set(tree(haul.path)) - set(before)
    assert {a for a in added if not a.startswith("state")} == \
        {"conf.d/%s.conf" % second}
    with open(os.path.join(haul.path, "conf.d", second + ".conf"),
              encoding="utf-8") as f:
        text = f.read()
    assert 'destination = "home";' in text and "destinations" not in text
    assert '"command:/bin/echo %s"' % PASSWORD in text
    before = tree(haul.path)
    again = set_up(haul, *account, "--name", second, "--no-check",
                   expect=CONFIG)
    assert "there is an account" in again.log and \
        "nothing was written" in again.log
    assert tree(haul.path) == before


def test_reloads_the_daemon(world, haul, user):
    """A daemon that runs takes the new account and relays its mail."""
    words = flags(world, user)
    given = b"%s\n%s\n" % ((PASSWORD.encode(),) * 2)
    set_up(haul, *words, "--password-stdin", "--to-password-stdin",
           "--no-check", given=given)
    running = haul.start_as_written()
    wait_for("the first account", lambda: user in running.text(), 60)
    second = "more-" + user
    raw = corpus.header(1, "more") + b"\r\nhello\r\n"
    world.dovecot.mailbox(second).add(raw)
    account = [second + "@example.test"] + words[1:words.index("--user")]
    set_up(haul, *account, "--user", second, "--name", second, "--first",
           "all", "--password-stdin", given=PASSWORD.encode())
    compare(inbox_of(world, "in-" + user, 1), [raw])
    running.stop()


def modes(path):
    return {name: os.stat(os.path.join(path, name)).st_mode & 0o7777
            for name in tree(path)}


def test_whatever_the_mask_is(haul):
    """The user of the service is another one, and reads the configuration."""
    haul.conf = os.path.join(haul.path, "etc", "mailhaul.conf")
    before = os.umask(0o077)
    try:
        set_up(haul, "me@home.example", "--host", "h", "--no-check",
               "--password-stdin", "--to", "you@x.example", "--to-host", "h",
               "--to-password-stdin", given=b"one\ntwo\n")
    finally:
        os.umask(before)
    # The account is home, so its destination is not.
    assert modes(os.path.dirname(haul.conf)) == {
        "mailhaul.conf": 0o644, "conf.d": 0o755, "conf.d/home.conf": 0o644,
        "secrets": 0o700, "secrets/home": 0o600, "secrets/home-2": 0o600}


@pytest.fixture(scope="session")
def deadly_link(tmp_path_factory):
    """A library whose link() is the end of the process."""
    folder = tmp_path_factory.mktemp("link")
    source, library = str(folder / "link.c"), str(folder / "link.so")
    with open(source, "w", encoding="utf-8") as f:
        f.write("#include <signal.h>\n#include <unistd.h>\n"
                "int link(const char *a, const char *b)\n"
                "{ (void)a; (void)b; return kill(getpid(), SIGKILL); }\n")
    servers.run(servers.tool("cc"), "-shared", "-fPIC", "-o", library, source)
    return library


def test_killed_while_it_writes(haul, deadly_link):
    """What is left of it is not read, and not in the way of the next."""
    words = ["me@old.example", "--host", "h", "--no-check", "--to",
             "you@x.example", "--to-host", "h", "--password-stdin",
             "--to-password-stdin"]
    os.makedirs(haul.state, mode=0o700)
    done = subprocess.run(argv(haul, *words), input=b"one\ntwo\n",
                          env=dict(haul.env(), LD_PRELOAD=deadly_link),
                          timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    left = tree(haul.path)
    assert "secrets/old" in left and "secrets/home" in left
    assert not [name for name in left if name.endswith("old.conf")]
    set_up(haul, *words, given=b"one\ntwo\n")
    assert haul.check().code == OK
    assert "conf.d/old-2.conf" in tree(haul.path)


@pytest.mark.parametrize("what, words, given, code", [
    ("no password", [], b"", USAGE),
    ("input ends", ["--password-stdin", "--to-password-stdin"], b"one\n",
     NO_INPUT),
    ("input is empty", ["--password-stdin", "--to-password-stdin"], b"",
     NO_INPUT),
    ("what is no flag", ["--to-sender", "x"], b"", USAGE),
    ("a wrong answer", ["--sender", "x"], b"", USAGE),
    ("a name that hides the file", ["--to-name", ".home"], b"", USAGE),
    ("a password in the arguments", ["--password", "secret"], b"", USAGE),
    ("a relative program", ["--password-command", "/bin/true",
                    "--to-password-command", "relative"], b"", CONFIG),
    ("a folder is in the way", ["--password-stdin", "--to-password-stdin",
                                "--to-name", "home"], b"one\ntwo\n", CANT_CREATE),
])
def test_leaves_nothing(world, haul, user, what, words, given, code):
    if what == "a folder is in the way":
        os.makedirs(os.path.join(haul.path, "secrets", "home"))
    os.makedirs(haul.state, mode=0o700)
    before = tree(haul.path)
    set_up(haul, *flags(world, user), *words, given=given, expect=code)
    assert tree(haul.path) == before


def test_says_what_is_missing(haul):
    for words, flag in (([], "--address"),
                        (["me@example.test"], "--host"),
                        (["me@hotmail.com"], "--client-id"),
                        (["me@example.test", "--host", "h"], "--to")):
        assert "setup wants " + flag in set_up(
            haul, *words, expect=USAGE).log
    assert "there is no provider outlok; is outlook meant?" in set_up(
        haul, "me@example.test", "--provider", "outlok", expect=USAGE).log
    assert "go round in a circle" in set_up(
        haul, "me@example.test", "--host", "h", "--user", "me", "--to",
        "ME@example.test", expect=USAGE).log
    icloud = set_up(haul, "me@icloud.com", "--protocol", "pop3",
                    "--to", "x@icloud.com", "--password-command", "/bin/true",
                    "--to-password-command", "/bin/true", expect=CONFIG)
    assert "iCloud Mail has no POP3" in icloud.log


def test_a_preset_is_enough(haul):
    """The address alone says where the servers are."""
    set_up(haul, "me@gmail.com", "--to", "you@fastmail.com",
           "--password-command", "/bin/true", "--to-password-command",
           "/bin/true", "--no-check")
    with open(os.path.join(haul.path, "conf.d", "gmail.conf"),
              encoding="utf-8") as f:
        text = f.read()
    for line in ('provider = "gmail";', 'provider = "fastmail";',
                 'user = "me@gmail.com";', 'recipient = "you@fastmail.com";'):
        assert line in text, text
    assert "host" not in text


def test_the_secret_of_a_client(haul):
    """It is kept like a password, and one client has one."""
    path = haul.secret("given", "client's")[len("file:"):]
    set_up(haul, "me@gmail.com", "--client-id", "id", "--client-secret-file",
           path, "--to", "you@x.example", "--to-provider", "gmail",
           "--to-user", "me@gmail.com", "--to-client-id", "id", "--no-check",
           "--no-login")
    folder = os.path.join(haul.path, "secrets")
    assert modes(folder) == {"gmail.client": 0o600}
    with open(os.path.join(folder, "gmail.client"), encoding="ascii") as f:
        assert f.read() == "client's"
    with open(os.path.join(haul.path, "conf.d", "gmail.conf"),
              encoding="utf-8") as f:
        text = f.read()
    assert text.count('oauth_client_secret = "file:%s/gmail.client";'
                      % folder) == 2, text
    assert haul.check().code == OK, haul.check().log
    assert "is for tokens" in set_up(
        haul, "me@x.example", "--host", "h", "--client-secret-file", path,
        "--password-command", "/bin/true", "--name", "n", expect=USAGE).log


class Terminal:
    """mailhaul setup with a person in front of it."""

    def __init__(self, words, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, env)
        self.seen = self.new = b""

    def read(self, seconds):
        """False: it has ended."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += got
        self.new += got
        return bool(got)

    def expect(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text.encode() not in self.new:
            assert self.read(1) or text.encode() in self.new, self.seen
            assert time.monotonic() < end, (text, self.seen)
        self.new = self.new.split(text.encode(), 1)[1]

    def answer(self, question, text=""):
        self.expect(question)
        os.write(self.fd, text.encode() + b"\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def hidden(self, question, text):
        self.expect(question)
        end = time.monotonic() + 60
        while self.echoes():
            assert time.monotonic() < end
            time.sleep(0.01)
        os.write(self.fd, text.encode() + b"\n")

    def end(self, seconds=120):
        end = time.monotonic() + seconds
        while self.read(1):
            assert time.monotonic() < end, self.seen
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        text = self.seen.decode("utf-8", "replace")
        print(text)
        return status, text


def test_in_a_terminal(world, haul, user):
    raw = corpus.header(1, "first") + b"\r\nhello\r\n"
    world.dovecot.mailbox(user).add(raw)
    os.makedirs(haul.state, mode=0o700)
    # What only a flag can say; the rest is asked.
    t = Terminal(argv(haul, "--port", str(world.dovecot.ports["imaps"]),
                      "--ca-file", world.certs.ca, "--to-port",
                      str(world.postfix.ports["submission"]), "--to-ca-file",
                      world.certs.ca, "--mail-from", "archive@example.test"),
                 haul.env())
    t.answer("Address of the mailbox: ", "nobody")
    t.expect("this wants a mail address")
    t.answer("Address of the mailbox: ", user + "@example.test")
    t.answer("[custom]: ")
    t.answer("imap or pop3 [imap]: ")
    t.answer("Server of the mailbox: ", "localhost")
    t.answer("Login name [%s@example.test]: " % user, user)
    t.answer("[example]: ", user)
    t.answer("[new]: ", "all")
    t.answer("[keep]: ")
    t.answer("[new]: ")
    t.answer("Address where you read your mail: ", "in-%s@example.test" % user)
    t.answer("Its provider [custom]: ")
    t.answer("Its submission server: ", "localhost")
    t.answer("[implicit]: ", "starttls")
    t.answer("Login name there", "in-" + user)
    t.answer("[home]: ")
    t.hidden("Password of the mailbox (not shown): ", PASSWORD)
    t.hidden("Password at the destination (not shown): ", PASSWORD)
    status, text = t.end()
    assert status == 0 and PASSWORD not in text
    assert "is written" in text
    compare(relay(world, haul, user), [raw])


QUESTIONS = (
    ("Address of the mailbox: ", "me@old.example"),
    ("lists them) [custom]: ", ""), ("imap or pop3 [imap]: ", ""),
    ("Server of the mailbox: ", "h"), ("[me@old.example]: ", ""),
    ("[old]: ", ""), ("[new]: ", ""), ("[keep]: ", ""), ("[new]: ", ""),
    ("where you read your mail: ", "ME@old.example"),
    ("where you read your mail: ", "you@x.example"),
    ("Its provider [custom]: ", ""), ("Its submission server: ", "h"),
    ("[implicit]: ", ""), ("[you@x.example]: ", ""), ("[home]: ", ""),
    ("Password of the mailbox (not shown): ", "one"),
    ("Password at the destination (not shown): ", "two"),
)


@pytest.mark.parametrize("key, signalled", [(b"\x04", False),
                                            (b"\x03", True)])
def test_a_person_gives_up(haul, key, signalled):
    """At each question, by the end of the input and by an interrupt."""
    os.makedirs(haul.state, mode=0o700)
    before = tree(haul.path)
    for last in range(len(QUESTIONS)):
        t = Terminal(argv(haul), haul.env())
        for question, answer in QUESTIONS[:last]:
            if "not shown" in question:
                t.hidden(question, answer)
            else:
                t.answer(question, answer)
        t.expect(QUESTIONS[last][0])
        if "not shown" in QUESTIONS[last][0]:
            wait_for("no echo", lambda t=t: not t.echoes(), 60)
        os.write(t.fd, key)
        status, text = t.end()
        if signalled:
            assert os.WTERMSIG(status) == signal.SIGINT, QUESTIONS[last]
        else:
            assert os.WEXITSTATUS(status) == NO_INPUT, QUESTIONS[last]
            assert "nothing was written" in text
        assert tree(haul.path) == before, QUESTIONS[last]


def test_a_signal_brings_the_echo_back(haul):
    """A second process holds the terminal, to look at it afterwards."""
    os.makedirs(haul.state, mode=0o700)
    before = tree(haul.path)
    master, slave = pty.openpty()
    child = subprocess.Popen(
        argv(haul, "me@gmail.com", "--protocol", "imap", "--user", "me",
             "--name", "g", "--first", "new", "--after", "keep",
             "--destination", "new", "--to", "you@fastmail.com",
             "--to-provider", "fastmail", "--to-user", "you@fastmail.com",
             "--to-name", "home", "--provider", "gmail"),
        stdin=slave, stdout=slave, stderr=slave, env=haul.env())
    wait_for("the echo to be off", lambda: not
             termios.tcgetattr(master)[3] & termios.ECHO, 60)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == -signal.SIGINT
    assert termios.tcgetattr(master)[3] & termios.ECHO
    os.close(master)
    os.close(slave)
    assert tree(haul.path) == before


def test_tokens(world, play, user):
    """An address, a client and a sign-in: a provider that takes no password,
    on both ends."""
    provider, haul, me, expected = begin(world, play, user, outlook.NAMES,
                                         outlook.Outlook, "me@outlook.com")
    provider.oauth.user = "me@outlook.com"
    os.makedirs(haul.state, mode=0o700)
    words = ["setup", "me@outlook.com", "--client-id", "client-1", "--first",
             "all", "--to", "ann@home.example", "--to-provider", "outlook",
             "--to-user", "me@outlook.com"]
    done = haul.run(*words, timeout=120)
    assert done.code == OK, done.log
    # One sign-in serves both, and both were tried.
    assert done.log.count("signed in") == 1, done.log
    assert done.log.count("it works") == 2, done.log
    assert provider.oauth.asked.count("device_code") == 2, "pending, then yes"
    assert [n for n in tree(haul.path) if "secret" in n] == []
    running = haul.start_as_written("--once")
    assert running.wait(120).code == OK
    assert_arrived(expected, provider.smtp)
    assert me.refused == []

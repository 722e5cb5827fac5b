# SPDX-License-Identifier: ISC
"""Writes a configuration, runs mailhauld with it, and keeps its log."""
import os
import re
import signal
import sqlite3
import subprocess
import time

import fakes
import servers

MAILHAULD = os.path.abspath(os.environ.get("MAILHAULD", "./mailhauld"))
MAILHAUL = os.path.abspath(os.environ.get("MAILHAUL", "./mailhaul"))
SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior|Thread)Sanitizer"
                       r"|runtime error:")

OK, STATE, FAILED, BUSY, CONFIG = 0, 65, 69, 75, 78


def quoted(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "( %s )" % ", ".join(quoted(v) for v in value)
    return '"%s"' % str(value).replace("\\", "\\\\").replace('"', '\\"')


def group(options):
    return "  {\n%s  }" % "".join("    %s = %s;\n" % (k, quoted(v))
                                  for k, v in options.items())


class Result:
    def __init__(self, code, log):
        self.code, self.log = code, log
        assert not SANITIZER.search(log), log

    def lines(self, *words):
        """The log lines that hold all these words."""
        return [line for line in self.log.splitlines()
                if all(w in line for w in words)]


class Running:
    """A mailhauld that runs on; stop() answers with its Result."""

    def __init__(self, argv, log, env):
        self.log = log
        open(log, "wb").close()
        self.child = servers.Child(argv, log, env)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def signal(self, sig=signal.SIGTERM):
        self.child.process.send_signal(sig)

    def wait(self, seconds=60):
        try:
            code = self.child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.close()
            raise AssertionError("mailhauld did not end within %ds\n%s"
                                 % (seconds, self.text())) from None
        print(self.text()[-5000:])
        return Result(code, self.text())

    def stop(self, seconds=60):
        self.signal()
        return self.wait(seconds)


class Haul:
    """One installation: configuration, secrets, state."""

    def __init__(self, path, certs):
        self.path, self.certs = str(path), certs
        os.makedirs(self.path, exist_ok=True)
        self.conf = os.path.join(self.path, "mailhaul.conf")
        self.state = os.path.join(self.path, "state")
        self.accounts, self.destinations, self.options = [], [], {}
        self.children, self.runs = [], 0

    def secret(self, name, text, mode=0o600):
        path = os.path.join(self.path, name)
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, mode)
        return "file:" + path

    def account(self, name, protocol, port, **options):
        account = {"name": name, "protocol": protocol, "host": "localhost",
                   "port": port, "ca_file": self.certs.ca, "user": name,
                   "password": self.secret("pw-" + name, servers.PASSWORD),
                   "first": "all", "destination": "home"}
        account.update(options)
        self.accounts.append({k: v for k, v in account.items()
                              if v is not None})

    def destination(self, port, **options):
        destination = {"name": "home", "host": "localhost", "port": port,
                       "tls": "starttls", "ca_file": self.certs.ca,
                       "user": "inbox", "password": self.secret(
                           "pw-home", servers.PASSWORD),
                       "mail_from": "archive@example.test",
                       "recipient": "inbox@example.test"}
        destination.update(options)
        self.destinations.append({k: v for k, v in destination.items()
                                  if v is not None})

    def to_recorder(self, recorder, **options):
        options.setdefault("tls", "implicit" if recorder.implicit
                           else "starttls")
        self.destination(recorder.port, **{
            "user": fakes.USER,
            "password": self.secret("pw-recorder", fakes.PASSWORD),
            **options})

    def text(self):
        out = ["%s = %s;" % (k, quoted(v)) for k, v in self.options.items()]
        for name in ("destinations", "accounts"):
            out.append("%s = (\n%s\n);" % (name, ",\n".join(
                group(g) for g in getattr(self, name))))
        return "\n".join(out) + "\n"

    def write(self, text=None):
        with open(self.conf, "w") as f:
            f.write(self.text() if text is None else text)
        os.chmod(self.conf, 0o600)

    def argv(self, *more):
        return [MAILHAULD, "-c", self.conf, "--state", self.state, *more]

    def env(self):
        env = {k: v for k, v in os.environ.items()
               if k not in ("JOURNAL_STREAM", "NOTIFY_SOCKET",
                            "CREDENTIALS_DIRECTORY")}
        env.setdefault("ASAN_OPTIONS", "halt_on_error=1:detect_leaks=1")
        # Some tests preload a library of theirs in front of the sanitizer's.
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        return env

    def once(self, *more, expect=OK, timeout=120):
        """One poll of all, to its end."""
        self.write()
        running = self.start("--once", *more)
        result = running.wait(timeout)
        assert expect is None or result.code == expect, (
            "exit %d\n" % result.code + result.log[-3000:])
        return result

    def start(self, *more):
        self.write()
        return self.start_as_written(*more)

    def start_as_written(self, *more):
        """With the configuration that somebody else has made."""
        self.runs += 1
        running = Running(self.argv(*more), os.path.join(
            self.path, "log-%d" % self.runs), self.env())
        self.children.append(running.child)
        return running

    def sql(self, statement):
        """On the state, while nothing runs."""
        with sqlite3.connect(os.path.join(self.state, "state.db")) as db:
            rows = db.execute(statement).fetchall()
        db.close()
        return rows

    def later(self, seconds=None):
        """Time passes for all that waits for a next try; None: enough."""
        gone = "0" if seconds is None else "%s - %d"
        for table, column in (("delivery", "next_try"),
                              ("delivery", "first_refusal"),
                              ("pause", "not_before"), ("pause", "since"),
                              ("pause", "last_login")):
            if seconds is None and column in ("first_refusal", "since"):
                continue
            value = gone % (column, seconds) if seconds else gone
            self.sql("UPDATE %s SET %s = %s WHERE %s > 0"
                     % (table, column, value, column))

    def held(self, *argv, expect=OK):
        """mailhaul held, on the state while no daemon runs."""
        done = subprocess.run([MAILHAUL, "--state", self.state, "held", *argv],
                              stdin=subprocess.DEVNULL, timeout=30,
                              stdout=subprocess.PIPE, env=self.env(),
                              stderr=subprocess.STDOUT, check=False)
        result = Result(done.returncode, done.stdout.decode())
        assert result.code == expect, (result.code, result.log)
        return result

    def check(self):
        done = subprocess.run([MAILHAUL, "-c", self.conf, "check"],
                              stdin=subprocess.DEVNULL, timeout=30,
                              stdout=subprocess.PIPE, env=self.env(),
                              stderr=subprocess.STDOUT, check=False)
        return Result(done.returncode, done.stdout.decode())

    def accept(self, name, how):
        return self.command("accept", name, how)

    def command(self, *words):
        done = subprocess.run([MAILHAUL, "-c", self.conf, "--state",
                               self.state, *words],
                              stdin=subprocess.DEVNULL, timeout=30,
                              stdout=subprocess.PIPE, env=self.env(),
                              stderr=subprocess.STDOUT, check=False)
        return Result(done.returncode, done.stdout.decode())

    def close(self):
        for child in self.children:
            child.close()


def settled(running, seconds=1.0):
    """True when the log did not grow for a while."""
    before = running.text()
    time.sleep(seconds)
    return running.text() == before

# SPDX-License-Identifier: ISC
"""A stage on which a provider's own names and ports are ours.

A network namespace has nothing but its loopback, a mount namespace has hosts
and trusted authorities of its own, and a mailhauld that is started in both
finds imap.gmail.com:993 here, with a certificate it trusts: what it is told
in its configuration is what a user of that provider writes, and no more.

The servers are threads of this process.  Only their listening sockets are made
inside, by a thread that goes there for it; what stands behind them, Dovecot
for one, is outside.
"""
import os
import socket
import ssl
import subprocess
import threading

import haul
import servers
from netns import enter

TRUST = "/etc/ssl/certs"
INSIDE = """
set -e
ip link set lo up
mount --make-rprivate /
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/trust" %s
echo ready
read -r _
""" % TRUST


def inside(path, work):
    """Runs work() in the network namespace at path, with this thread alone."""
    with open("/proc/thread-self/ns/net", "rb") as home, \
            open(path, "rb") as there:
        enter(there)
        try:
            return work()
        finally:
            enter(home)


class Stage:
    """with Stage(path, certs, names) as stage: ..."""

    def __init__(self, path, certs, names):
        self.path, self.certs = str(path), certs
        self.addresses = {}
        os.makedirs(os.path.join(self.path, "trust"))
        self.write("resolv.conf", "")
        for name in names:
            if name == servers.HOST:
                continue
            self.addresses.setdefault(
                name, "127.0.1.%d" % (len(self.addresses) + 1))
        self.write("hosts", "127.0.0.1 localhost\n" + "".join(
            "%s %s\n" % (a, n) for n, a in self.addresses.items()))
        with open(certs.ca, encoding="ascii") as f:
            self.write("trust/ca-certificates.crt", f.read())
        servers.run(servers.tool("openssl"), "rehash",
                    os.path.join(self.path, "trust"))
        self.cert = "stage-%d" % id(self)
        certs.sign(self.cert, ",".join("DNS:" + n for n in names),
                   "20200101000000Z", "20491231000000Z")
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "/bin/sh", "-c", INSIDE, "sh",
             self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True)
        if self.holder.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError("no namespaces")
        self.parts = []

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(text)

    def namespace(self, kind):
        return "/proc/%d/ns/%s" % (self.holder.pid, kind)

    def argv(self, argv):
        """The same program, on the stage."""
        return [servers.tool("nsenter"), "--net=" + self.namespace("net"),
                "--mount=" + self.namespace("mnt"), *argv]

    def listen(self, name, port):
        address = self.addresses.get(name, name)
        return inside(self.namespace("net"), lambda: socket.create_server(
            (address, port), backlog=64))

    def connect(self, name, port, tls=True):
        """As a client that is not ours, to see whether a look-alike does what
        it says."""
        sock = inside(self.namespace("net"), lambda: socket.create_connection(
            (self.addresses.get(name, name), port), 30))
        context = ssl.create_default_context(cafile=self.certs.ca)
        return context.wrap_socket(sock, server_hostname=name) if tls else sock

    def keep(self, part):
        self.parts.append(part)
        return part

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for part in getattr(self, "parts", []):
            part.close()
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait(10)


class OnStage:
    """Mixed into a server of fakes: it stands under a name and port."""

    def __init__(self, stage, name, port, **more):
        self.stage, self.name, self.at = stage, name, port
        super().__init__(stage.certs, cert=more.pop("cert", stage.cert),
                         **more)
        stage.keep(self)

    def listen(self):
        return self.stage.listen(self.name, self.at)


class StagedHaul(haul.Haul):
    """An installation whose programs run on the stage."""

    def __init__(self, path, stage):
        super().__init__(path, stage.certs)
        self.stage = stage

    def argv(self, *more):
        return self.stage.argv(super().argv(*more))

    def run(self, *words, timeout=60):
        """A command, with its exit code and what it said."""
        done = subprocess.run(
            self.stage.argv([haul.MAILHAUL, "-c", self.conf, "--state",
                             self.state, *words]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=self.env(), timeout=timeout,
            check=False)
        return haul.Result(done.returncode, done.stdout.decode())

    command = run

    def from_provider(self, name, provider, user, protocol="imap", **options):
        """An account, by its preset: all that a person writes."""
        self.account(name, protocol, None, **{
            "host": None, "ca_file": None, "password": None,
            "provider": provider, "user": user, **options})

    def to_provider(self, provider, user, **options):
        self.destination(None, **{
            "host": None, "ca_file": None, "password": None, "tls": None,
            "mail_from": None, "provider": provider, "user": user, **options})


class Person:
    """Who has the mailbox, and what the provider takes from him."""

    def __init__(self, user, box=None, password=None):
        self.user, self.box, self.password = user, box, password
        self.logins, self.refused = [], []  # at what, in order

    def __repr__(self):
        return "%s: %s, refused %s" % (self.user, self.logins, self.refused)


class Provider:
    """What its servers share: people, and how they may log in.

    The servers ask admit(); a refusal is the provider's words.
    """
    WRONG = "Invalid credentials"

    def __init__(self, oauth=None):
        self.oauth = oauth
        self.people = {}
        self.lock = threading.Lock()

    def person(self, user, box=None, password=None):
        self.people[user.lower()] = who = Person(user, box, password)
        return who

    def admit(self, service, user, password=None, token=None):
        """(person, None), or (None, why not)."""
        with self.lock:
            who = self.people.get(user.lower())
            why = self.judge(service, who, password, token)
            if who:
                (who.refused if why else who.logins).append(service)
            return (None, why) if why else (who, None)

    def judge(self, service, who, password, token):
        if not who:
            return self.WRONG
        if token is not None:
            return None if self.oauth and self.oauth.good(
                who.user, token, service) else self.WRONG
        return None if who.password and password == who.password \
            else self.WRONG


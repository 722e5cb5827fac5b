# SPDX-License-Identifier: ISC
"""Where the bench runs: Dovecot, the sink, Postfix before the sink, and a line
of a given length between them and the programs."""
import contextlib
import os
import pwd
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "live"))

import netns  # noqa: E402
import servers  # noqa: E402

ROOT = os.geteuid() == 0
SMTP_USER = "inbox"
SINK_PORTS = ("submission", "data", "plain")

PLAIN_PORT = """\
{host}:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_sasl_auth_enable=no
  -o mynetworks=127.0.0.0/8
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
"""


class Sink:
    """sink.c: what arrived is in its log, a SHA-256 a line."""

    def __init__(self, tools, work, certs):
        self.log = os.path.join(work.sub("sink"), "log")
        output = os.path.join(work.sub("sink"), "ports")
        self.child = servers.Child(
            [os.path.join(tools, "sink"), certs.cert(), certs.key(),
             SMTP_USER, servers.PASSWORD, self.log], output)

        def ports():
            self.child.check()
            with open(output) as f:
                return f.read().split()
        self.ports = dict(zip(SINK_PORTS, map(int, servers.wait_for(
            "the sink", ports))))

    def size(self):
        return os.path.getsize(self.log)

    def arrived(self, start):
        """The sums of what arrived since its log was start bytes long."""
        with open(self.log) as f:
            f.seek(start)
            return f.read().split()

    def close(self):
        self.child.close()


class Postfix(servers.Postfix):
    """Hands all on to the sink, and has a port without TLS and AUTH for
    programs that know neither."""

    def __init__(self, work, certs, dovecot, sink):
        super().__init__(work, certs, dovecot)
        try:
            self.ports["plain"] = servers.free_ports(1)[0]
            self.ports["data"] = None
            conf = os.path.join(work.path, "postfix", "conf")
            servers.run(servers.tool("postconf"), "-c", conf, "-e",
                        "default_transport=lmtp:inet:%s:%d" % (
                            servers.HOST, sink.ports["plain"]))
            with open(os.path.join(conf, "master.cf"), "a") as f:
                f.write(PLAIN_PORT.format(host=servers.HOST,
                                          port=self.ports["plain"]))
            self.child.process.send_signal(signal.SIGHUP)
            servers.wait_for("the plain port", self.ready("plain"))
        except BaseException:
            self.close()
            raise


class Line:
    """A namespace for the programs and one for the servers, and a line of some
    milliseconds (there and back) between them.  At the programs' end 127.0.0.1
    is the servers' end, so names, certificates and settings stay as they are.
    """

    def __init__(self, tools, work, milliseconds):
        self.parts = []
        output = os.path.join(work.path, "line")
        try:
            self.near = self.keep(netns.Namespace(output))
            self.far = self.keep(netns.Namespace(output))
            link = self.keep(servers.Child(
                [os.path.join(tools, "link"), str(self.near.pid),
                 str(self.far.pid), str(milliseconds * 500)], output))

            def up():
                link.check()
                with open(output) as f:
                    return "up" in f.read()
            servers.wait_for("the line", up)
            self.address(self.near, "127.0.0.2", "127.0.0.1")
            self.address(self.far, "127.0.0.1", "127.0.0.2")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def address(end, own, other):
        end.run("ip", "address", "flush", "dev", "lo")
        end.run("ip", "address", "add", own + "/32", "dev", "cable")
        end.run("sysctl", "-qw", "net.ipv4.conf.cable.route_localnet=1")
        end.run("ip", "link", "set", "cable", "txqueuelen", "10000", "up")
        end.run("ip", "route", "add", other, "dev", "cable")

    def keep(self, part):
        self.parts.append(part)
        return part

    def close(self):
        while self.parts:
            self.parts.pop().close()


@contextlib.contextmanager
def inside(namespace):
    """What is started here lives in there; None: where we are."""
    if namespace is None:
        yield
        return
    with open("/proc/thread-self/ns/net", "rb") as home, \
            open(namespace.path, "rb") as there:
        netns.enter(there)
        try:
            yield
        finally:
            netns.enter(home)


class World:
    """with World(tools, ...) as world: the servers of one table."""

    def __init__(self, tools, milliseconds=0, postfix=False):
        self.tools, self.milliseconds = tools, milliseconds
        self.parts = []
        self.near = far = None
        try:
            self.work = self.keep(servers.WorkDir("mailhaul-bench-"))
            self.certs = servers.Certificates(self.work.sub("tls"))
            if milliseconds:
                line = self.keep(Line(tools, self.work, milliseconds))
                self.near, far = line.near, line.far
            with inside(far):
                self.start(postfix)
        except BaseException:
            self.close()
            raise

    def start(self, postfix):
        self.sink = self.keep(Sink(self.tools, self.work, self.certs))
        self.dovecot = ROOT and self.keep(servers.Dovecot(
            self.work, self.certs,
            lambda conf: conf.replace("ssl_client_ca_file", "#")))
        self.postfix = postfix and self.keep(Postfix(
            self.work, self.certs, self.dovecot, self.sink))

    def submission(self):
        return self.postfix or self.sink

    def keep(self, part):
        self.parts.append(part)
        return part

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self.parts:
            self.parts.pop().close()


class Mailboxes:
    """Maildirs whose messages are links to a corpus: made in no time."""

    def __init__(self, world, users):
        self.homes = [os.path.join(world.dovecot.mail, u) for u in users]
        self.boxes = [servers.Mailbox(home) for home in self.homes]
        self.count = 0

    def add(self, paths, flags="", times=1):
        """Dealt out in turn, as messages that are not new to the server."""
        for _ in range(times):
            for path in paths:
                box = self.boxes[self.count % len(self.boxes)]
                self.count += 1
                os.link(path, "%s/cur/%d.M%07dP1.bench,%s:2,%s" % (
                    box.path, 1700000000 + self.count, self.count,
                    os.path.basename(path).split(",", 1)[1], flags))

    def left(self):
        return sum(map(len, self.boxes))

    def clean(self):
        for home in self.homes:
            shutil.rmtree(home)


def owner():
    user = pwd.getpwnam(servers.MAIL_USER)
    return user.pw_uid, user.pw_gid

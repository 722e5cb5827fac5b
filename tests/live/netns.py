# SPDX-License-Identifier: ISC
"""A cable between two network namespaces, to cut.

mailhauld runs at the near end.  At the far end there are listeners that pass
everything on to servers of the test's own namespace, so a connection over the
cable is one that the kernel keeps at both ends: what is discarded between them
is not told to either.  The addresses exist nowhere else.
"""
import ctypes
import os
import socket
import threading

from servers import HOST, Child, run, tool, wait_for

NEAR, FAR = "192.0.2.2", "192.0.2.1"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    """This thread alone."""
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network namespace, for as long as a process sleeps in it."""

    def __init__(self, log):
        self.child = Child([tool("unshare"), "-n", "sleep", "infinity"], log)
        self.pid = self.child.process.pid
        self.path = "/proc/%d/ns/net" % self.pid
        wait_for("the namespace", lambda: os.readlink(self.path) !=
                 os.readlink("/proc/self/ns/net"))
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return [tool("nsenter"), "--net=" + self.path, *argv]

    def run(self, *argv):
        return run(*self.argv(*argv))

    def listener(self, address):
        """A socket that belongs to it; what it accepts does, too."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(self.path, "rb") as there:
            enter(there)
            try:
                return socket.create_server(address)
            finally:
                enter(home)

    def close(self):
        self.child.close()


class Relay:
    """Passes connections on to a port of HOST, both ways, until the end."""

    def __init__(self, namespace, port):
        self.target = port
        self.listener = namespace.listener((FAR, 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.clients = []  # the ports that connections came from
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, (_, client) = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection((HOST, self.target))
            self.pairs.append((near, far))
            self.clients.append(client)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other),
                                 daemon=True).start()

    @staticmethod
    def pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for pair in self.pairs:
            for sock in pair:
                sock.close()


class Cable:
    """with Cable(path) as cable: ..."""

    def __init__(self, path):
        self.parts = []
        try:
            log = os.path.join(str(path), "namespaces")
            self.near = self.keep(Namespace(log))
            self.far = self.keep(Namespace(log))
            run("ip", "link", "add", "near", "netns", str(self.near.pid),
                "type", "veth", "peer", "name", "far", "netns",
                str(self.far.pid))
            for end, name, address in ((self.near, "near", NEAR),
                                       (self.far, "far", FAR)):
                end.run("ip", "address", "add", address + "/30", "dev", name)
                end.run("ip", "link", "set", name, "up")
            self.near.run("nft", "table inet cut { chain in { type filter "
                          "hook input priority 0; }; chain out { type filter "
                          "hook output priority 0; }; }")
        except BaseException:
            self.close()
            raise

    def keep(self, part):
        self.parts.append(part)
        return part

    def relay(self, port):
        return self.keep(Relay(self.far, port))

    def discard(self, port):
        """From now on nothing passes, from or to that port of the near end."""
        self.near.run("nft", "add rule inet cut in tcp dport %d drop; "
                      "add rule inet cut out tcp sport %d drop"
                      % (port, port))

    def pull(self):
        """At the far end, as when a router loses its power."""
        self.far.run("ip", "link", "set", "far", "down")

    def plug(self):
        self.far.run("ip", "link", "set", "far", "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self.parts:
            self.parts.pop().close()

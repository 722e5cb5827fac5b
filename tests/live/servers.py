# SPDX-License-Identifier: ISC
"""Real servers on free loopback ports: Dovecot, Postfix, and a CA for both.

Everything lives below one work directory and ends with this process: each
server is a child that is ended when its parent dies, and close() ends exactly
those children.  A Postfix or Dovecot of the system is neither used nor
disturbed.  Needs root, as both servers change their user.
"""
import copy
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"
DOMAIN = "example.test"
PASSWORD = "pw-Test.1"  # of every mailbox; any name is a user
MAIL_USER = "mail"      # owns the mailboxes


def tool(name):
    """The path of an installed program; sbin is not in every PATH."""
    path = shutil.which(name, path=os.environ.get("PATH", "") +
                        ":/usr/local/sbin:/usr/sbin:/sbin")
    if not path:
        raise RuntimeError("%s is not installed" % name)
    return path


def run(*argv, timeout=60):
    """Runs a program to its end and answers with what it printed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RuntimeError("%s: exit %d\n%s" % (argv, done.returncode, text))
    return text


def wait_for(what, ready, seconds=20.0):
    """Polls ready() until it is true; never longer than seconds."""
    end = time.monotonic() + seconds
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("not within %gs: %s" % (seconds, what))
        time.sleep(0.02)


def free_ports(count):
    """Ports that are free now; all are held at once so that they differ."""
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for sock in held:
        sock.close()
    return ports


def answers(port):
    try:
        socket.create_connection((HOST, port), 1).close()
        return True
    except OSError:
        return False


class Guard:
    """Ends a process when we die, however we die: a shell that waits for the
    end of a pipe.  (A death signal would be lost when a server changes its
    user.)"""

    def __init__(self, pid):
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill "$1"', "guard", str(pid)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)

    def close(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()


def session_members(sid):
    """The processes of a session, the dead that nobody waited for too."""
    out = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%d/stat" % int(name)) as f:
                fields = f.read().rpartition(")")[2].split()
        except (ValueError, OSError):
            continue
        if int(fields[3]) == sid and fields[0] != "Z":
            out.append(int(name))
    return out


class Child:
    """A process of ours in a session of its own, ended by its id."""

    def __init__(self, argv, log, env=None):
        self.argv, self.log = argv, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, env=env)
        self.guard = Guard(self.process.pid)

    def check(self):
        code = self.process.poll()
        if code is not None:
            with open(self.log, errors="replace") as f:
                raise RuntimeError("%s ended with %d\n%s" % (
                    self.argv[0], code, f.read()[-4000:]))

    def close(self):
        """Ends it, and waits for what it started itself."""
        sid = self.process.pid
        self.guard.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        try:
            wait_for("the end", lambda: not session_members(sid), 5)
        except TimeoutError:
            for pid in session_members(sid):
                os.kill(pid, signal.SIGKILL)


class WorkDir:
    """A directory that the servers' own users can walk through."""

    def __init__(self, prefix="mailhaul-live-"):
        self.path = tempfile.mkdtemp(prefix=prefix)
        os.chmod(self.path, 0o755)

    def sub(self, *names, mode=0o755, owner=None, group=None):
        path = os.path.join(self.path, *names)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if owner or group:
            shutil.chown(path, owner, group)
        return path

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Certificates:
    """A CA made on the spot, and what it signs: server (good for localhost
    and 127.0.0.1 to 127.0.0.9), wrongname, expired; selfsigned is signed by
    nobody else."""
    GOOD = "DNS:localhost," + ",".join("IP:127.0.0.%d" % i
                                       for i in range(1, 10))

    def __init__(self, path):
        self.path = path
        self.ca = self.file("ca.pem")
        # It lasts: some tests set a clock years ahead.
        self.openssl("req", "-x509", *self.new_key("ca"), "-days", "7300",
                     "-subj", "/CN=mailhaul test CA", "-out", self.ca)
        with open(self.file("ca.conf"), "w") as f:
            f.write("[ca]\ndefault_ca = d\n[d]\ndatabase = %s\n"
                    "new_certs_dir = %s\nrand_serial = yes\npolicy = p\n"
                    "default_md = sha256\nunique_subject = no\n"
                    "copy_extensions = copy\n[p]\ncommonName = supplied\n"
                    % (self.file("index"), path))
        open(self.file("index"), "w").close()
        self.sign("server", self.GOOD, "20200101000000Z", "20491231000000Z")
        self.sign("wrongname", "DNS:mail.elsewhere.test",
                  "20200101000000Z", "20491231000000Z")
        self.sign("expired", self.GOOD, "20200101000000Z", "20210101000000Z")
        self.openssl("req", "-x509", *self.new_key("selfsigned"), "-days",
                     "30", "-subj", "/CN=localhost", "-addext",
                     "subjectAltName=" + self.GOOD, "-out",
                     self.file("selfsigned.pem"))

    def file(self, name):
        return os.path.join(self.path, name)

    def cert(self, name="server"):
        return self.file(name + ".pem")

    def key(self, name="server"):
        return self.file(name + ".key")

    def pin(self, name="server"):
        """SHA-256 of the certificate in DER, as pin_sha256 wants it."""
        text = run(tool("openssl"), "x509", "-in", self.cert(name),
                   "-noout", "-fingerprint", "-sha256")
        return text.split("=")[1].strip().replace(":", "").lower()

    def new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", self.key(name))

    def openssl(self, *argv):
        run(tool("openssl"), *argv)

    def sign(self, name, alt, start, end):
        request = self.file(name + ".csr")
        self.openssl("req", *self.new_key(name), "-subj", "/CN=" + name,
                     "-addext", "subjectAltName=" + alt, "-out", request)
        self.openssl("ca", "-batch", "-notext", "-config",
                     self.file("ca.conf"), "-cert", self.ca, "-keyfile",
                     self.key("ca"), "-startdate", start, "-enddate", end,
                     "-in", request, "-out", self.cert(name))


class Mailbox:
    """A Maildir, seen from behind the server."""

    def __init__(self, home):
        owner = pwd.getpwnam(MAIL_USER)
        self.ids = owner.pw_uid, owner.pw_gid
        self.path = os.path.join(home, "Maildir")
        self.count = 0
        for path in [home, self.path] + [os.path.join(self.path, s)
                                         for s in ("cur", "new", "tmp")]:
            os.makedirs(path, exist_ok=True)
            os.chown(path, *self.ids)

    def add(self, raw, flags=None):
        """Delivers raw as it is; with flags it is one that was seen before."""
        self.count += 1
        name = "%d.M%06dP%d.test" % (1700000000 + self.count, self.count,
                                     os.getpid())
        tmp = os.path.join(self.path, "tmp", name)
        with open(tmp, "wb") as f:
            f.write(raw)
        os.chown(tmp, *self.ids)
        sub, suffix = ("new", "") if flags is None else ("cur", ":2," + flags)
        os.rename(tmp, os.path.join(self.path, sub, name + suffix))

    def folder(self, name):
        """One of its folders, by its name on the server; made if missing."""
        other = copy.copy(self)
        other.path = os.path.join(self.path, "." + name)
        for path in [other.path] + [os.path.join(other.path, s)
                                    for s in ("cur", "new", "tmp")]:
            os.makedirs(path, exist_ok=True)
            os.chown(path, *self.ids)
        other.count = len(other)
        return other

    def names(self):
        """File names: in a Maildir they hold every flag there is."""
        return sorted(os.path.join(sub, name) for sub in ("cur", "new")
                      for name in os.listdir(os.path.join(self.path, sub)))

    def __len__(self):
        return len(self.names())

    def messages(self):
        """What is stored, byte for byte."""
        out = []
        for name in self.names():
            with open(os.path.join(self.path, name), "rb") as f:
                out.append(f.read())
        return out


DOVECOT_CONF = """
base_dir = {run}
state_dir = {state}
log_path = {log}
protocols = pop3 imap lmtp
listen = {host}
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
ssl_client_ca_file = {ca}
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_username_format = %Ln
auth_failure_delay = 1 secs
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={mail}/%n allow_all_users=yes
}}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
mail_save_crlf = yes
mail_max_userip_connections = 1000
mailbox_idle_check_interval = 1 secs
pop3_no_flag_updates = yes
postmaster_address = postmaster@{domain}
namespace inbox {{
  inbox = yes
  mailbox Spam {{
    special_use = \\Junk
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-login {{
  service_count = 0
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    address = {host}
    port = {sasl}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
protocol lmtp {{
  lmtp_save_to_detail_mailbox = no
}}
"""


class Dovecot:
    """POP3S, IMAPS, LMTP, and SASL for Postfix.  Every user name exists."""

    def __init__(self, work, certs, edit=lambda conf: conf):
        names = ("pop3s", "imaps", "lmtp", "sasl")
        self.ports = dict(zip(names, free_ports(len(names))))
        self.mail = work.sub("mail", owner=MAIL_USER, group=MAIL_USER)
        base = work.sub("dovecot")
        self.log = os.path.join(base, "log")
        conf = os.path.join(base, "dovecot.conf")
        with open(conf, "w") as f:
            f.write(edit(DOVECOT_CONF.format(
                run=work.sub("dovecot", "run"), log=self.log,
                state=work.sub("dovecot", "state"), host=HOST,
                cert=certs.cert(), key=certs.key(), ca=certs.ca,
                password=PASSWORD, user=MAIL_USER, mail=self.mail,
                domain=DOMAIN, **self.ports)))
        self.child = Child([tool("dovecot"), "-F", "-c", conf], self.log)
        try:
            for name in names:
                wait_for("Dovecot's " + name, self.ready(name))
        except BaseException:
            self.close()
            raise

    def ready(self, name):
        def look():
            self.child.check()
            return answers(self.ports[name])
        return look

    def look(self, name):
        """Where those come from that are connected now.  The kernel's list is
        not of one moment: who comes while it is read may be in it beside who
        has gone."""
        ours = ":%04X" % self.ports[name]
        with open("/proc/net/tcp", encoding="ascii") as f:
            fields = [line.split() for line in f][1:]
        return {line[2] for line in fields
                if line[1].endswith(ours) and line[3] == "01"}

    def connections(self, name):
        """How many there are at a time: who was there before and after."""
        return len(self.look(name) & self.look(name))

    def mailbox(self, user):
        return Mailbox(os.path.join(self.mail, user))

    def close(self):
        self.child.close()


POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = {command_directory}
daemon_directory = {daemon_directory}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {log}
maillog_file_prefixes = {work}
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = submission.{domain}
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
default_transport = lmtp:inet:{host}:{lmtp}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = cache
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{host}:{sasl}
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
in_flow_delay = 0s
# To fail behind the submission: what is accepted comes back as a report.
transport_maps = inline:{{{{bounce.test = error:5.1.1 nobody here}}}}
smtpd_reject_unlisted_recipient = no
# It must not repair, fold or cut: the tests compare byte for byte.  And it
# must refuse what mailhaul has to have normalised.
smtpd_forbid_bare_newline = {bare_newline}
smtpd_forbid_bare_newline_exclusions =
message_size_limit = 62914560
mailbox_size_limit = 0
header_size_limit = 10485760
smtp_line_length_limit = 0
lmtp_line_length_limit = 0
message_drop_headers =
local_header_rewrite_clients =
enable_original_recipient = no
disable_mime_output_conversion = yes
smtputf8_enable = no
"""

POSTFIX_MASTER = """
{host}:{submission} inet n - n - - smtpd
{host}:{submissions} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What "postfix check" would make, without its look at the system's files.
QUEUE_DIRS = {
    "active": 0o700, "bounce": 0o700, "corrupt": 0o700, "defer": 0o700,
    "deferred": 0o700, "flush": 0o700, "hold": 0o700, "incoming": 0o700,
    "private": 0o700, "saved": 0o700, "trace": 0o700, "maildrop": 0o730,
    "public": 0o710,
}


class Postfix:
    """A submission server, 587 and 465 style, that delivers to Dovecot."""

    def __init__(self, work, certs, dovecot):
        names = ("submission", "submissions")
        self.ports = dict(zip(names, free_ports(len(names))))
        self.queue = work.sub("postfix", "queue")
        for name, mode in QUEUE_DIRS.items():
            group = "postdrop" if mode & 0o070 else None
            work.sub("postfix", "queue", name, mode=mode, owner="postfix",
                     group=group)
        work.sub("postfix", "queue", "pid")
        conf = work.sub("postfix", "conf")
        self.log = os.path.join(work.sub("postfix", "log"), "maillog")
        values = dict(self.ports, host=HOST, domain=DOMAIN, log=self.log,
                      work=work.path, queue=self.queue,
                      data=work.sub("postfix", "data", mode=0o700,
                                    owner="postfix"),
                      cert=certs.cert(), key=certs.key(),
                      lmtp=dovecot.ports["lmtp"], sasl=dovecot.ports["sasl"],
                      bare_newline="reject")
        for name in ("command_directory", "daemon_directory"):
            values[name] = run(tool("postconf"), "-dh", name).strip()
        with open(os.path.join(conf, "main.cf"), "w") as f:
            f.write(POSTFIX_MAIN.format(**values))
        with open(os.path.join(conf, "master.cf"), "w") as f:
            f.write(POSTFIX_MASTER.format(**values))
        master = os.path.join(values["daemon_directory"], "master")
        env = dict(os.environ, MAIL_CONFIG=conf, POSTLOG_SERVICE="postlog",
                   POSTLOG_HOSTNAME="submission")
        self.child = Child([master, "-c", conf, "-d"],
                           os.path.join(conf, "output"), env)
        try:
            for name in names:
                wait_for("Postfix's " + name, self.ready(name))
        except BaseException:
            self.close()
            raise

    def ready(self, name):
        def look():
            self.child.check()
            return answers(self.ports[name])
        return look

    def queued(self):
        """Messages that are still on their way, the refused ones too."""
        return sum(len(files) for name in ("incoming", "active", "deferred")
                   for _, _, files in os.walk(os.path.join(self.queue, name)))

    def close(self):
        self.child.close()


class World:
    """A work directory, a CA, and the servers: with World() as world: ..."""

    def __init__(self, postfix=True):
        if os.geteuid() != 0:
            raise RuntimeError("root is needed to start Dovecot and Postfix")
        grp.getgrnam(MAIL_USER)
        self.parts = []
        try:
            self.work = self.keep(WorkDir())
            self.certs = Certificates(self.work.sub("tls"))
            self.start(postfix)
        except BaseException:
            self.close()
            raise

    def start(self, postfix):
        self.dovecot = self.keep(Dovecot(self.work, self.certs))
        self.postfix = postfix and self.keep(
            Postfix(self.work, self.certs, self.dovecot))

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

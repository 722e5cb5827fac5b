# SPDX-License-Identifier: ISC
"""The programs that the bench runs, and how each is told the same work."""
import collections
import hashlib
import itertools
import os
import poplib
import shutil
import ssl

import world

import haul  # noqa: E402  (world knows where they are)
import servers  # noqa: E402

RUN_USER, RUN_GROUP = "nobody", "nogroup"  # the programs need no more
SENDER = "archive@" + servers.DOMAIN
RECIPIENT = "inbox@" + servers.DOMAIN
COUNTER = itertools.count(1)


class Job:
    """Relay what is in the mailboxes of some users; home is the program's.
    prime: what is there is made known, and nothing need be relayed; who has
    that in a file that can be written has no program for it."""

    def __init__(self, where, case, protocol, users=None):
        self.world, self.case, self.protocol = where, case, protocol
        number = next(COUNTER)
        count = case.users if users is None else users
        self.users = ["user%d-%d" % (number, i) for i in range(count)]
        self.home = where.work.sub("home", str(number))
        self.keep, self.prime = case.keep, False
        self.messages = None  # a directory, for who pushes without fetching
        if protocol in ("pop3", "imap"):
            self.port = where.dovecot.ports[protocol + "s"]
        ports = where.submission().ports
        self.submission = ports["submission" if case.chunking else "data"]
        self.plain = ports["plain"]

    def write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def maildir(self, name="Maildir"):
        path = os.path.join(self.home, name)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        return path

    def hand_over(self):
        if not world.ROOT:
            return
        for path, _, files in os.walk(self.home):
            for name in [path] + [os.path.join(path, f) for f in files]:
                shutil.chown(name, RUN_USER, RUN_GROUP)

    def tool(self, name):
        return os.path.join(self.world.tools, name)

    def clean(self):
        shutil.rmtree(self.home)


# --- mailhaul ---

def prepare_mailhaul(job):
    installation = haul.Haul(job.home, job.world.certs)
    for user in job.users:
        installation.account(user, job.protocol, job.port,
                             after="keep" if job.keep else "delete",
                             first="new" if job.prime else "all")
    installation.destination(job.submission, recipient=RECIPIENT)
    installation.options["message_max"] = "250M"  # one measured is 200 MB
    installation.write()
    return installation.argv("--once"), {}


# --- the least that it can cost ---

def limit_fetch(job, delete):
    return ["fetch", job.protocol, str(job.port), servers.PASSWORD,
            "delete" if delete else "keep", *job.users]


def limit_push(job, how):
    return ["push", str(job.submission), world.SMTP_USER, servers.PASSWORD,
            how, RECIPIENT, job.messages]


def prepare_limit(job):
    return [job.tool("limit"), *limit_fetch(job, False), "--",
            *limit_push(job, "bdat")], {}


def prepare_limit_delete(job):
    return [job.tool("limit"), *limit_fetch(job, True), "--",
            *limit_push(job, "bdat")], {}


def prepare_limit_push(job):
    return [job.tool("limit"), *limit_push(job, "bdat")], {}


def prepare_limit_data(job):
    return [job.tool("limit"), *limit_push(job, "data")], {}


def prepare_limit_poll(job):
    return [job.tool("limit"), "poll", job.protocol, str(job.port),
            servers.PASSWORD, "1" if job.prime else "10", job.users[0]], {}


# --- peers ---

def msmtp(job):
    """The usual submission client: a process and a session for each."""
    conf = job.write("msmtprc", """
account default
host localhost
port %d
from %s
auth plain
user %s
password %s
tls on
tls_starttls on
tls_trust_file %s
""" % (job.submission, SENDER, world.SMTP_USER, servers.PASSWORD,
       job.world.certs.ca))
    return [servers.tool("msmtp"), "-C", conf, "-f", SENDER, "--", RECIPIENT]


def uidls(job, user):
    box = poplib.POP3_SSL("localhost", job.port, context=(
        ssl.create_default_context(cafile=job.world.certs.ca)))
    box.user(user)
    box.pass_(servers.PASSWORD)
    lines = box.uidl()[1]
    box.quit()
    return [line.split()[1].decode() for line in lines]


def prepare_fetchmail(job):
    if job.prime:  # its first run would take many minutes
        if job.protocol == "pop3":
            job.write("ids", "".join("%s@localhost %s\n" % (user, uid)
                                     for user in job.users
                                     for uid in uidls(job, user)))
        return None, {}
    options = "keep" if job.keep else "no keep fetchall"
    uidl = "uidl" if job.keep and job.protocol == "pop3" else ""
    text = 'set idfile "%s/ids"\nset pidfile "%s/pid"\nset no bouncemail\n' \
        % (job.home, job.home)
    for user in job.users:
        text += """
poll %s via localhost protocol %s service %d %s
  user "%s" password "%s" is "inbox" here
  ssl sslcertck sslcertfile "%s"
  smtphost "%s/%d" smtpname "%s"
  %s
""" % ("localhost" if len(job.users) == 1 else user, job.protocol, job.port,
       uidl, user, servers.PASSWORD, job.world.certs.ca, servers.HOST,
       job.plain, RECIPIENT, options)
    return ([servers.tool("fetchmail"), "-f", job.write("fetchmailrc", text),
             "--silent"], {"FETCHMAILHOME": job.home})


def prepare_fdm(job):
    if job.prime:  # its first run writes a file for each message
        if job.protocol == "pop3":
            job.write("cache", "".join("%d %s\n" % (len(uid), uid)
                                       for uid in uidls(job, job.users[0])))
        return None, {}
    new = ""
    if job.keep:
        new = 'new-only cache "%s/cache"' % job.home \
            if job.protocol == "pop3" else "new-only"
    text = """
set maximum-size 300M
set lock-file "%s/lock"
set verify-certificates
""" % job.home
    for user in job.users:
        text += 'account "%s" %ss server "localhost" port %d user "%s" ' \
            'pass "%s" %s %s\n' % (user, job.protocol, job.port, user,
                                   servers.PASSWORD, new,
                                   "keep" if job.keep else "")
    text += 'action "out" smtp server "%s" port %d from "%s" to "%s"\n' % (
        servers.HOST, job.plain, SENDER, RECIPIENT)
    conf = job.write("fdm.conf", text + 'match all action "out"\n')
    return ([servers.tool("fdm"), "-f", conf, "-q", "fetch"],
            {"SSL_CERT_FILE": job.world.certs.ca, "TMPDIR": job.home})


def prepare_mpop(job):
    text = """
defaults
host localhost
port %d
tls on
tls_starttls off
tls_trust_file %s
password %s
uidls_file %s/uidls.%%U
keep %s
delivery %s
""" % (job.port, job.world.certs.ca, servers.PASSWORD, job.home,
       "on" if job.keep else "off",
       "maildir " + job.maildir("prime") if job.prime
       else "mda " + " ".join(msmtp(job)))
    for user in job.users:
        text += "account %s\nuser %s\n" % (user, user)
    return ([servers.tool("mpop"), "-C", job.write("mpoprc", text), "-Q",
             "-a"], {})


def prepare_getmail(job):
    argv = [servers.tool("getmail"), "--getmaildir", job.home]
    command, *arguments = msmtp(job)
    for user in job.users:
        argv += ["--rcfile", job.write("rc-" + user, """
[retriever]
type = Simple%sSSLRetriever
server = localhost
port = %d
username = %s
password = %s
ca_certs = %s
[destination]
type = MDA_external
path = %s
arguments = %s
[options]
verbose = 0
delete = %s
read_all = %s
""" % (job.protocol.upper(), job.port, user, servers.PASSWORD,
       job.world.certs.ca, command, tuple(arguments),
       "false" if job.keep else "true", "false" if job.keep else "true"))]
    return argv, {}


def prepare_mbsync(job):
    text = ""
    for user in job.users:
        text += """
IMAPAccount {user}
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca}

IMAPStore far-{user}
Account {user}

MaildirStore near-{user}
Inbox {home}/Maildir-{user}

Channel {user}
Far :far-{user}:
Near :near-{user}:
Create Near
Sync Pull
SyncState *
""".format(user=user, port=job.port, password=servers.PASSWORD,
           ca=job.world.certs.ca, home=job.home)
    return ([servers.tool("mbsync"), "-c", job.write("mbsyncrc", text), "-q",
             "-a"], {})


def in_maildirs(job):
    """The sums of what is in the Maildirs at home, with CRLF."""
    out = []
    for path, _, files in os.walk(job.home):
        if os.path.basename(path) not in ("cur", "new") or "prime" in path:
            continue
        for name in files:
            with open(os.path.join(path, name), "rb") as f:
                raw = f.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            out.append(hashlib.sha256(
                raw.split(b"\r\n\r\n", 1)[1]).hexdigest())
    return out


# protocols: "smtp" fetches nothing.  slow: cases with a tenth of the messages,
# once.  removes: what it has relayed, where a case wants that.
Program = collections.namedtuple(
    "Program", "name needs prepare out protocols cases slow removes")
BOTH = ("pop3", "imap")


def program(name, needs, prepare, out, protocols=BOTH, cases="abcdefgp",
            slow="", removes=True):
    return Program(name, needs, prepare, out, protocols, cases, slow, removes)


MAILHAUL = program("mailhaul", [], prepare_mailhaul, "STARTTLS, AUTH")
LIMIT = program("limit", [], prepare_limit, "thrown away", cases="abcefp",
                removes=False)
LIMIT_DELETE = program("limit-delete", [], prepare_limit_delete,
                       "thrown away", cases="abcefp")
LIMIT_PUSH = program("limit-push", [], prepare_limit_push, "BDAT",
                     ("smtp",), "abcef", removes=False)
LIMIT_DATA = program("limit-data", [], prepare_limit_data, "DATA",
                     ("smtp",), "ag", removes=False)
LIMIT_POLL = program("limit-poll", [], prepare_limit_poll, "thrown away",
                     cases="d", removes=False)
LIMITS = [LIMIT, LIMIT_DELETE, LIMIT_POLL, LIMIT_PUSH, LIMIT_DATA]
PEERS = [
    program("fdm", ["fdm"], prepare_fdm, "plain port *", cases="abcdefp",
            slow="e"),
    program("fetchmail", ["fetchmail"], prepare_fetchmail, "plain port *",
            cases="abcdefp", slow="ep"),
    program("mbsync", ["mbsync"], prepare_mbsync, "Maildir **", ("imap",),
            "abcdef", removes=False),
    program("mpop", ["mpop", "msmtp"], prepare_mpop, "msmtp", ("pop3",),
            "abcefp", slow="abcefp"),
    program("getmail", ["getmail", "msmtp"], prepare_getmail, "msmtp",
            cases="abcefp", slow="abcefp"),
]


def missing(peer):
    """What of it is not installed."""
    out = []
    for name in peer.needs:
        try:
            servers.tool(name)
        except RuntimeError:
            out.append(name)
    return out

# SPDX-License-Identifier: ISC
"""mailhauld.service as systemd runs it."""
import collections
import fcntl
import glob
import os
import re
import signal
import stat
import subprocess
import threading
import time

import pytest

import fakes
import servers
import service as units
from fakes import RecordingSmtp
from service import STATE, UNIT, journal, messages, run, systemctl


def fill(world, user, count, body=b"x\r\n"):
    box = world.dovecot.mailbox(user)
    for raw in messages(count, body):
        box.add(raw)
    return box


def subject(message):
    return re.search(rb"^Subject: (.*)\r$", message.raw, re.M).group(1)


def copies(recorder):
    """What arrived, by subject."""
    found = collections.defaultdict(list)
    for message in recorder.accepted():
        found[subject(message)].append(message)
    return found


def announced(recorder, count):
    """Nothing is lost, and no second copy came in silence."""
    found = copies(recorder)
    assert len(found) == count
    for group in found.values():
        for again in group[1:]:
            assert "possible-duplicate=yes" in again.trace(), again.trace()


@pytest.mark.parametrize("unit", (UNIT, units.ARCHIVE))
def test_exposure(service, unit):
    """At most 1.2; from the file, and as systemd has loaded it."""
    path = service.show("FragmentPath", unit)
    for argv in (["--offline=true", path], [unit]):
        text = run("systemd-analyze", "security", "--no-pager",
                   "--threshold=12", *argv)
        print(text.splitlines()[-1])
    assert run("systemd-analyze", "verify", path) == ""


def test_relay(world, service, user):
    """READY, the status, a message by real servers, and the journal."""
    box = fill(world, user, 1)
    inbox = world.dovecot.mailbox("inbox")
    before = len(inbox)
    service.account(user, "imap", world.dovecot.ports["imaps"],
                    after="delete")
    service.destination(world.postfix.ports["submission"])
    service.begin()
    assert service.is_("active")
    assert service.show("SubState") == "running"
    service.until("the message", lambda: len(inbox) == before + 1)
    service.until("the status", lambda: service.show("StatusText") ==
                  "1 account, 0 held, 0 in doubt")
    service.until("its removal", lambda: len(box) == 0)
    entry, = service.log("MESSAGE_ID=" + units.RELAYED)
    assert entry["MAILHAUL_ACCOUNT"] == user
    assert entry["MAILHAUL_MAILBOX"] == "INBOX"
    assert entry["MAILHAUL_DESTINATION"] == "home"
    assert entry["MAILHAUL_STATE"] == "relayed"
    assert entry["MAILHAUL_ATTEMPT"] == "1"
    assert entry["SYSLOG_IDENTIFIER"] == "mailhauld"
    assert entry["PRIORITY"] == "6"
    assert entry["MAILHAUL_TRACE"].encode() in inbox.messages()[-1]
    assert "A message was relayed" in run(
        "journalctl", "-b", "-x", "--no-pager",
        "MESSAGE_ID=" + units.RELAYED, "MAILHAUL_ACCOUNT=" + user)
    systemctl("stop", UNIT)
    assert service.show("Result") == "success"
    assert service.show("NRestarts") == "0"


def test_catalog():
    """Every kind of event has its explanation."""
    listed = run("journalctl", "--list-catalog", "--no-pager")
    with open("/usr/lib/systemd/catalog/mailhaul.catalog",
              encoding="utf-8") as f:
        ids = re.findall(r"^-- ([0-9a-f]{32})$", f.read(), re.M)
    assert len(ids) >= 10
    for message_id in ids:
        assert re.search("^%s mailhaul: ." % message_id, listed, re.M)


def test_runtime_directory(world, service, user):
    """Members of the group come in, others do not."""
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    service.begin()
    where = "/run/mailhaul"
    assert stat.S_IMODE(os.stat(where).st_mode) == 0o750
    assert run("stat", "-c", "%G", where) == "mailhaul\n"
    assert stat.S_IMODE(os.stat(STATE).st_mode) == 0o700

    def enter(**groups):
        return subprocess.run(["ls", where], user="nobody", check=False,
                              group="nogroup", **groups).returncode
    assert enter(extra_groups=["mailhaul"]) == 0
    assert enter(extra_groups=[]) != 0
    with open("/proc/%s/status" % service.show("MainPID"),
              encoding="ascii") as f:
        assert "\nGid:\t%s\t" % run("stat", "-c", "%g", where).strip() in \
            f.read()


def test_credential_missing(world, service, user):
    """One account cannot log in; the service and the others run."""
    other = user + "b"
    for name in (user, other):
        fill(world, name, 1)
        service.account(name, "imap", world.dovecot.ports["imaps"])
    os.unlink(os.path.join(service.secrets, "pw-" + user))
    with RecordingSmtp(world.certs) as recorder:
        service.to_recorder(recorder)
        service.begin()
        service.until("the other's message",
                      lambda: len(recorder.accepted()) == 1)
        service.until("the failure", lambda: service.log(
            "MESSAGE_ID=" + units.ACCOUNT_FAILED, "MAILHAUL_ACCOUNT=" + user))
        entries = service.log("MESSAGE_ID=" + units.ACCOUNT_FAILED)
        assert {e["MAILHAUL_ACCOUNT"] for e in entries} == {user}
        assert any("pw-" + user in e["MESSAGE"] for e in entries)
        service.until("the status", lambda: service.show(
            "StatusText").startswith("2 accounts, 1 failing"))
        assert service.is_("active")
        assert service.show("NRestarts") == "0"
        # A new secret is for the next start.
        service.secret("pw-" + user, servers.PASSWORD)
        systemctl("stop", UNIT)
        service.offline("resume", user)
        systemctl("start", UNIT)
        service.until("his message", lambda: len(recorder.accepted()) == 2)


def test_no_secrets_at_all(world, service, user):
    """The directory of secrets may be empty."""
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    for name in os.listdir(service.secrets):
        os.unlink(os.path.join(service.secrets, name))
    service.begin()
    assert service.is_("active")


def set_up(world, user, *words, given):
    """Its output; it was tried, with what only systemd can read by now."""
    done = subprocess.run(
        ["mailhaul", "setup", user + "@example.test", "--provider", "custom",
         "--host", "localhost", "--port", str(world.dovecot.ports["imaps"]),
         "--ca-file", world.certs.ca, "--user", user, "--name", user,
         "--first", "all", "--password-stdin", *words],
        input="".join(word + "\n" for word in given), encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert "systemctl restart mailhauld" in done.stdout
    assert done.stdout.count("it works") == len(given), done.stdout
    assert not [word for word in given if word in done.stdout]
    assert not glob.glob("/run/mailhaul-setup-*")


def test_setup(world, service, user):
    """From nothing to a relayed message; nobody can read the passwords.  And
    a second account, while the service runs."""
    fill(world, user, 1)
    if os.path.exists(service.conf):
        os.unlink(service.conf)
    with RecordingSmtp(world.certs) as recorder:
        set_up(world, user, "--to", "in@example.test", "--to-provider",
               "custom", "--to-host", "localhost", "--to-port",
               str(recorder.port), "--to-tls",
               "implicit" if recorder.implicit else "starttls",
               "--to-ca-file", world.certs.ca, "--to-user", fakes.USER,
               "--mail-from", "a@example.test", "--to-password-stdin",
               given=(servers.PASSWORD, fakes.PASSWORD))
        assert not os.listdir(service.secrets)
        assert sorted(os.listdir(service.sealed)) == sorted([user, "home"])
        for name in os.listdir(service.sealed):
            path = os.path.join(service.sealed, name)
            assert os.stat(path).st_mode & 0o7777 == 0o600
            with open(path, encoding="ascii") as f:
                text = f.read()
            assert len(text) > 100
            assert servers.PASSWORD not in text
            assert fakes.PASSWORD not in text
        systemctl("restart", UNIT)
        service.until("the message", lambda: len(recorder.accepted()) == 1)
        fill(world, user + "-2", 1)
        set_up(world, user + "-2", given=(servers.PASSWORD,))
        assert len(recorder.accepted()) == 1
        systemctl("restart", UNIT)
        service.until("the other", lambda: len(recorder.accepted()) == 2)


def test_sealed_elsewhere(world, service, user):
    """A sealed secret that only another machine can open (a copied /etc) stops
    the service, for systemd hands over all or nothing: mailhauld(8), BUGS.
    Without it the others go on."""
    fill(world, user, 1)
    with open(os.path.join(service.sealed, "old"), "w",
              encoding="ascii") as f:
        f.write("Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAAAAAAAAAA\n")
    inbox = world.dovecot.mailbox("inbox")
    before = len(inbox)
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    with pytest.raises(RuntimeError):
        service.begin()
    assert service.show("ExecMainStatus") == "243"  # EXIT_CREDENTIALS
    systemctl("stop", UNIT)
    os.unlink(os.path.join(service.sealed, "old"))
    service.begin()
    service.until("the message", lambda: len(inbox) == before + 1)


def bad_usage(service):
    service.drop_in("Service", "ExecStart=",
                    "ExecStart=/usr/sbin/mailhauld --no-such-option")


def bad_state(service):
    service.begin()
    systemctl("stop", UNIT)
    os.unlink(os.path.join(STATE, "state.db"))


def bad_permissions(service):
    service.begin()
    systemctl("stop", UNIT)
    os.chown(os.path.join(STATE, "state.db"), 0, 0)


def bad_configuration(service):
    service.options["no_such_option"] = True


@pytest.mark.parametrize("code,spoil", (
    (64, bad_usage), (65, bad_state), (77, bad_permissions),
    (78, bad_configuration)))
def test_no_restart(world, service, user, code, spoil):
    """What does not get better by trying is not tried again."""
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    spoil(service)
    with pytest.raises(RuntimeError):
        service.begin()
    assert service.show("ExecMainStatus") == str(code)
    assert service.show("Result") == "exit-code"
    # Else it would be auto-restart.
    assert service.show("SubState") == "failed"
    assert service.show("NRestarts") == "0"


def test_second_instance(world, service, user):
    """75 is tried again: the state may be free by then."""
    service.drop_in("Service", "RestartSec=300ms")
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    service.begin()
    systemctl("stop", UNIT)
    with open(os.path.join(STATE, "LOCK"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        service.begin("--no-block")
        service.until("a restart",
                      lambda: int(service.show("NRestarts")) >= 1)
        assert service.show("ExecMainStatus") in ("0", "75")
    service.until("READY", lambda: service.is_("active"))


def test_watchdog(world, service, user):
    """A process that hangs in the middle of a relay is started again."""
    count = 40
    fill(world, user, count)
    service.drop_in("Service", "WatchdogSec=2s", "RestartSec=200ms")
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", lambda *_: time.sleep(0.05))
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        service.begin()
        service.until("some messages", lambda: len(recorder.accepted()) >= 5)
        os.kill(int(service.show("MainPID")), signal.SIGSTOP)
        assert len(recorder.accepted()) < count
        service.until("the restart",
                      lambda: service.show("NRestarts") == "1"
                      and service.is_("active"))
        service.until("the rest", lambda: len(copies(recorder)) == count)
        assert [e for e in journal("UNIT=" + UNIT, "UNIT_RESULT=watchdog")
                if int(e["__REALTIME_TIMESTAMP"]) >= service.since]
        # As long as it does not hang it is petted, and left alone.
        started = int(service.show("ActiveEnterTimestampMonotonic"))
        service.until("a pet", lambda: int(service.show(
            "WatchdogTimestampMonotonic")) > started + 5_000_000)
        assert service.show("NRestarts") == "1"
        systemctl("stop", UNIT)
        announced(recorder, count)


def small_disk(service):
    os.makedirs(STATE, 0o700)
    run("mount", "-t", "tmpfs", "-o", "size=16M,mode=700", "state", STATE)
    service.options["spool_max"] = service.options["message_max"] = "4M"


def use_up(rest):
    """Leaves rest bytes on the state's disk; the name of the ballast."""
    name = os.path.join(STATE, "ballast")
    room = os.statvfs(STATE)
    with open(name, "wb") as f:
        left = room.f_bavail * room.f_frsize - rest
        try:
            while left > 0:
                left -= os.write(f.fileno(), bytes(min(left, 1 << 16)))
        except OSError:
            assert rest == 0
    return name


def test_disk_is_short(world, service, user):
    """Nothing is polled, it is said why, and it goes on by itself."""
    fill(world, user, 2)
    small_disk(service)
    service.options["min_free"] = "8M"
    with RecordingSmtp(world.certs) as recorder:
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        ballast = use_up(4 << 20)
        service.begin()
        service.until("the reason", lambda: service.log(
            "MESSAGE_ID=" + units.STATE_ID, "PRIORITY=3"))
        service.until("the status", lambda: service.show(
            "StatusText").startswith("no room"))
        assert service.is_("active")
        assert not recorder.sessions
        os.unlink(ballast)
        service.until("the messages", lambda: len(recorder.accepted()) == 2)
        assert service.show("NRestarts") == "0"


def test_disk_is_full(world, service, user):
    """The disk is used up at the dot: 74, a restart, nothing lost."""
    fill(world, user, 3)
    small_disk(service)
    service.options["min_free"] = "1M"
    service.drop_in("Service", "RestartSec=200ms")
    full = threading.Event()

    def at_dot(*_):
        if not full.is_set():
            use_up(0)
            full.set()
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", at_dot)
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        service.begin()
        service.until("a full disk", full.is_set)
        service.until("the end of the process", lambda: journal(
            "UNIT=" + UNIT, "EXIT_STATUS=74"))
        os.unlink(os.path.join(STATE, "ballast"))
        service.until("the rest", lambda: len(copies(recorder)) == 3)
        systemctl("stop", UNIT)
        announced(recorder, 3)


def test_stop_at_the_dot(world, service, user):
    """The reply is waited for, for longer than TimeoutStopSec, and recorded:
    no second copy."""
    fill(world, user, 3)
    service.drop_in("Service", "TimeoutStopSec=1s")
    at_dot, go_on = threading.Event(), threading.Event()

    def late(*_):
        at_dot.set()
        go_on.wait(30)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", late)
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        service.begin()
        assert at_dot.wait(30)
        systemctl("stop", "--no-block", UNIT)
        service.until("a word", lambda: service.show(
            "StatusText").startswith("finishing"))
        end = time.monotonic() + 3  # three times TimeoutStopSec
        while time.monotonic() < end:
            assert service.is_("deactivating")
        go_on.set()
        service.until("the end", lambda: service.is_("inactive"))
        assert service.show("Result") == "success"
        systemctl("start", UNIT)
        service.until("the rest", lambda: len(copies(recorder)) == 3)
        systemctl("stop", UNIT)
        assert len(recorder.accepted()) == 3


def test_stop_in_a_body(world, service, user):
    """What has no dot yet was not sent: it comes whole after the start."""
    # More than the socket buffers of both ends hold.
    fill(world, user, 1, (b"0123456789" * 7 + b"\r\n") * 200_000)
    in_body, go_on = threading.Event(), threading.Event()

    def stall(*_):
        in_body.set()
        go_on.wait(30)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("body", stall)
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        service.begin()
        assert in_body.wait(30)
        systemctl("stop", UNIT)
        assert service.show("Result") == "success"
        go_on.set()
        systemctl("start", UNIT)
        service.until("the message", lambda: recorder.accepted())
        systemctl("stop", UNIT)
        message, = recorder.accepted()
        assert "duplicate" not in message.trace()


def test_reload_good_and_bad(world, service, user):
    """systemctl reload waits, and fails when the new file is refused."""
    other = user + "b"
    fill(world, user, 1)
    fill(world, other, 1)
    with RecordingSmtp(world.certs) as recorder:
        service.account(user, "imap", world.dovecot.ports["imaps"])
        service.to_recorder(recorder)
        service.account(other, "imap", world.dovecot.ports["imaps"])
        later = service.accounts.pop()
        service.begin()
        service.until("one message", lambda: len(recorder.accepted()) == 1)
        pid = service.show("MainPID")

        service.accounts.append(later)
        service.write()
        systemctl("reload", UNIT)
        assert service.is_("active")
        assert service.show("StatusText").startswith("2 accounts")

        service.options["no_such_option"] = True
        service.write()
        with pytest.raises(RuntimeError):
            systemctl("reload", UNIT)
        assert service.is_("active")
        assert "no_such_option" in service.show("StatusText")

        del service.options["no_such_option"]
        service.write()
        systemctl("reload", UNIT)
        assert service.show("StatusText").startswith("2 accounts")
        assert service.show("MainPID") == pid
        assert service.show("NRestarts") == "0"


def test_control_socket(world, service, user):
    """0660, for the group; others cannot talk to it."""
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.destination(world.postfix.ports["submission"])
    service.begin()
    path = "/run/mailhaul/ctl.sock"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert run("stat", "-c", "%G", path) == "mailhaul\n"

    def ask(*groups):
        return subprocess.run(["mailhaul", "status"], user="nobody",
                              group="nogroup", extra_groups=groups,
                              check=False).returncode
    assert ask("mailhaul") == 0
    assert ask() != 0

# SPDX-License-Identifier: ISC
"""State that protects itself: missing, damaged, foreign, newer, out of reach,
on a full or failing disk.  The names are those of the cases in the design."""
import fcntl
import os
import re
import shutil
import sqlite3
import subprocess
import time

import pytest

import corpus
import servers
from fakes import RecordingSmtp
from haul import BUSY, FAILED, MAILHAUL, OK, STATE, Result
from servers import wait_for

IO_ERROR, NO_RIGHT = 74, 77
MIB = 1 << 20
SHIM = os.path.join(os.path.dirname(__file__), "..", "crash", "shim.c")


def fill(world, user, count, first=0):
    box = world.dovecot.mailbox(user)
    box.count = first
    for i in range(first, first + count):
        box.add(corpus.header(i, "number %d" % i) + b"\r\nx\r\n")
    return box


@pytest.fixture(name="recorder")
def _recorder(world):
    with RecordingSmtp(world.certs) as recorder:
        yield recorder


@pytest.fixture(name="kept")
def _kept(world, haul, user, port, recorder):
    """A mailbox of three that were relayed and kept."""
    fill(world, user, 3)
    haul.account(user, "imap", port("imap"), interval="10s")
    haul.to_recorder(recorder)
    haul.once()
    assert len(recorder.accepted()) == 3
    return haul


@pytest.fixture(name="disk")
def _disk(tmp_path):
    """A small file system of its own."""
    path = str(tmp_path / "disk")
    os.mkdir(path, 0o700)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o",
                           "size=16m,mode=700", "tmpfs", path], check=False)
    assert done.returncode == 0, "these tests want root, and may mount"
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture(name="shim", scope="session")
def _shim(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("shim") / "shim.so")
    servers.run(os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE",
                "-fPIC", "-shared", "-o", out, SHIM, "-ldl", "-lpthread")
    return out


def database(haul):
    return os.path.join(haul.state, "state.db")


def start_and_lock(haul):
    running = haul.start()

    def locked():
        with open(os.path.join(haul.state, "LOCK")) as f:
            return f.read().strip() == str(running.child.process.pid)
    wait_for("the lock", locked)
    return running


def refused(haul, code, *words):
    """It does not start, says so in one sentence, and sends nothing."""
    said = haul.once(expect=code)
    lines = [line for line in said.log.splitlines()
             if all(w in line for w in words)
             and not line.startswith("SQLite:")]
    assert len(lines) == 1, said.log
    return lines[0]


# --- what is not ours, or not whole ------------------------------------------

def test_D5_corrupt(kept, recorder):
    with open(database(kept), "r+b") as f:
        f.seek(4096)
        f.write(b"\x5a" * 8192)
    refused(kept, STATE, "state.db")
    assert len(recorder.messages) == 3


def test_D5_truncated(kept, recorder):
    with open(database(kept), "r+b") as f:
        f.truncate(4096 + 100)
    refused(kept, STATE, "state.db")
    with open(database(kept), "r+b") as f:
        f.truncate(0)
    refused(kept, STATE, "state.db", "is empty", "restore a backup")
    assert len(recorder.messages) == 3


def test_D5_foreign(kept):
    os.unlink(database(kept))
    with sqlite3.connect(database(kept)) as db:
        db.execute("CREATE TABLE t (a)")
    refused(kept, STATE, "another program")


def test_D5_not_a_database(kept):
    with open(database(kept), "wb") as f:
        f.write(b"From me@example.net\n" * 1000)
    refused(kept, STATE, "not a database")


def test_R12_newer_schema(kept):
    with sqlite3.connect(database(kept)) as db:
        db.execute("PRAGMA user_version = 4711")
    with open(database(kept), "rb") as f:
        before = f.read()
    refused(kept, STATE, "schema version 4711", "install the one that made")
    with open(database(kept), "rb") as f:
        assert f.read() == before


def test_D6_missing(kept, recorder):
    os.unlink(database(kept))
    refused(kept, STATE, "state.db is missing", "restore a backup")
    assert not os.path.exists(database(kept))
    assert len(recorder.messages) == 3


# --- out of reach -------------------------------------------------------------

def test_D7_wrong_owner(kept):
    os.chown(kept.state, 65534, -1)
    refused(kept, NO_RIGHT, "belongs to uid 65534, not to us")


def test_D7_open_to_others(kept):
    os.chmod(kept.state, 0o755)
    refused(kept, NO_RIGHT, "is open to others", "chmod 700")


def test_D7_read_only(kept, disk):
    there = os.path.join(disk, "state")
    shutil.copytree(kept.state, there)
    kept.state = there
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    refused(kept, NO_RIGHT, "Read-only file system")


def test_D7_in_memory(kept, disk):
    """It runs, but not without a word."""
    kept.options["min_free"] = "1M"
    kept.state = os.path.join(disk, "state")
    said = kept.once()
    assert len(said.lines("is in memory", "will be lost")) == 1


def test_D7_no_such_place(kept):
    kept.state = os.path.join(kept.path, "no", "such")
    refused(kept, 73, "cannot make the state directory")


def test_D9_second_instance(kept):
    running = start_and_lock(kept)
    line = refused(kept, BUSY, "another mailhauld is using")
    assert "(pid %d)" % running.child.process.pid in line
    assert running.stop().code == OK


# --- a full disk ---------------------------------------------------------------

def leave(disk, size):
    """Fills the disk up to that many bytes, as well as that can be done while
    somebody else writes there."""
    for _ in range(3):
        fs = os.statvfs(disk)
        rest = b"\0" * max(0, fs.f_bavail * fs.f_frsize - size)
        try:
            with open(os.path.join(disk, "filler"), "ab", 0) as f:
                f.write(rest)
        except OSError:
            pass


def test_D1_min_free(kept, world, user, disk, recorder):
    """Pauses, says so once, and goes on by itself."""
    there = os.path.join(disk, "state")
    shutil.copytree(kept.state, there)
    kept.state = there
    kept.options["min_free"] = "8M"
    running = kept.start()
    wait_for("the first poll", lambda: user in running.text() or
             os.path.exists(there + "/state.db-wal"))
    time.sleep(1)
    leave(disk, 4 * MIB)
    wait_for("the pause", lambda: "nothing is polled" in running.text(), 20)
    fill(world, user, 2, 3)
    time.sleep(11)
    assert len(recorder.messages) == 3
    os.unlink(os.path.join(disk, "filler"))
    wait_for("the rest", lambda: len(recorder.accepted()) == 5, 20)
    said = running.stop()
    assert said.code == OK
    assert len(said.lines("nothing is polled")) == 1, said.log
    assert len(said.lines("has room again")) == 1, said.log


def test_D1_min_free_once(kept, disk, recorder, world, user):
    """Also when not one byte is left: it starts, and ends with 75."""
    there = os.path.join(disk, "state")
    shutil.copytree(kept.state, there)
    kept.state = there
    kept.options["min_free"] = "1M"
    fill(world, user, 1, 3)
    leave(disk, 0)
    refused(kept, BUSY, "less than min_free (1048576)")
    assert len(recorder.messages) == 3
    os.unlink(os.path.join(disk, "filler"))
    kept.once()
    assert len(recorder.accepted()) == 4


def test_D1_full_in_mid_poll(world, haul, user, port, disk, recorder):
    """The disk fills up behind the start of a poll: no dot without a record,
    and the rest comes when there is room."""
    fill(world, user, 200)
    haul.state = os.path.join(disk, "state")
    haul.options["min_free"] = "1M"
    haul.account(user, "imap", port("imap"))
    haul.to_recorder(recorder)

    def hook(_session, _message):
        if len(recorder.messages) == 3:
            leave(disk, 0)
    recorder.on("mail", hook)
    said = haul.once(expect=IO_ERROR)
    assert len(said.lines("state database failed", "full")) >= 1, said.log
    assert len(recorder.accepted()) < 200
    recorder.on("mail", lambda *_: None)
    os.unlink(os.path.join(disk, "filler"))
    haul.once()
    judge(recorder, 200)


def test_D12_no_inode(kept, disk, recorder):
    there = os.path.join(disk, "state")
    shutil.copytree(kept.state, there)
    kept.state = there
    used = os.statvfs(disk).f_files - os.statvfs(disk).f_ffree
    subprocess.run(["mount", "-o", "remount,nr_inodes=%d" % used, disk],
                   check=True)
    refused(kept, IO_ERROR, "state.db unable to open database file")
    subprocess.run(["mount", "-o", "remount,nr_inodes=1000", disk],
                   check=True)
    kept.options["min_free"] = "1M"
    kept.once()
    assert len(recorder.messages) == 3


def judge(recorder, count):
    """Each arrived, and what arrived twice said so."""
    seen = {}
    for m in recorder.accepted():
        subject = re.search(rb"^Subject: (.*?)\r$", m.raw, re.M).group(1)
        if subject in seen:
            assert "possible-duplicate=yes" in m.trace()
        seen[subject] = m
    assert len(seen) == count


# --- a disk that fails ---------------------------------------------------------

@pytest.mark.parametrize("steps,act,lasting", [
    ("s", "EIO", 0),      # D4: fsync fails once, then works again
    ("s", "EIO", 1),      # D3: COMMIT fails from here on
    ("p", "ENOSPC", 1),   # D1, D2
    ("p", "EDQUOT", 0)])  # D12
def test_D2_D3_D4_D12_commit_fails(world, haul, user, port, shim, recorder,
                                   steps, act, lasting):
    """At each of the first writes or syncs of a poll: the process ends with
    74 or does not start, nothing is sent without its record, and the next run
    loses nothing and repeats nothing silently."""
    haul.account(user, "imap", port("imap"))
    haul.to_recorder(recorder)
    world.dovecot.mailbox(user)
    haul.once()
    clean, count = haul.env, 0
    codes = []
    for at in range(1, 8):
        fill(world, user, 2, count)
        count += 2
        haul.env = lambda at=at: dict(
            clean(), LD_PRELOAD=shim, CRASH_STATE=haul.state,
            CRASH_STEPS=steps, CRASH_AT=str(at), CRASH_WHEN="before",
            CRASH_ACT=act, CRASH_LASTING=str(lasting))
        failed = haul.once(expect=None)
        codes.append(failed.code)
        if failed.code == IO_ERROR:
            assert failed.lines("state"), failed.log
        haul.env = clean
        haul.once()
        judge(recorder, count)
    assert set(codes) <= {OK, BUSY, IO_ERROR}, codes
    assert codes.count(IO_ERROR) > 2, codes


def test_D3_says_it_once(kept, world, user, shim, recorder):
    """One clear sentence for the failed commit, not one per message."""
    fill(world, user, 20, 3)
    clean = kept.env
    kept.env = lambda: dict(
        clean(), LD_PRELOAD=shim, CRASH_STATE=kept.state, CRASH_STEPS="s",
        CRASH_AT="3", CRASH_WHEN="before", CRASH_ACT="EIO",
        CRASH_LASTING="0")
    said = kept.once(expect=IO_ERROR)
    assert len(said.lines("nothing more is recorded or relayed until a "
                          "restart")) == 1, said.log
    assert len(said.log.splitlines()) < 40, said.log
    kept.env = clean
    kept.once()
    judge(recorder, 23)


# --- spool and log -------------------------------------------------------------

def test_D11_spool_full(world, haul, user, port, disk, recorder):
    """The one that does not fit is put off, the others pass."""
    box = fill(world, user, 3)
    box.add(corpus.header(9, "big") + b"\r\n" + b"0123456789abcde\r\n" * 900000)
    haul.state = os.path.join(disk, "state")
    haul.options["min_free"] = "1M"
    haul.account(user, "imap", port("imap"))
    haul.to_recorder(recorder)
    leave(disk, 6 * MIB)
    said = haul.once(expect=BUSY)
    assert len(recorder.accepted()) == 3, said.log
    assert said.lines(user, "deferred", "No space left"), said.log


def test_D13_log_blocked(world, haul, user, port, recorder):
    """Nobody reads the log: lines are dropped, mail is not."""
    fill(world, user, 100)
    haul.account(user, "imap", port("imap"))
    haul.to_recorder(recorder)
    haul.write()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(haul.argv("--once", "--verbose"),
                               stdin=subprocess.DEVNULL, stderr=writer,
                               env=haul.env())
    os.close(writer)
    try:
        assert process.wait(60) == OK
    finally:
        process.kill()
        process.wait()
        os.close(reader)
    assert len(recorder.accepted()) == 100


# --- backup and restore (D8) ---------------------------------------------------

def mailhaul(haul, *argv):
    done = subprocess.run([MAILHAUL, "--state", haul.state, *argv],
                          stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=haul.env(), check=False)
    return Result(done.returncode, done.stdout.decode())


def test_backup_while_running(kept):
    running = start_and_lock(kept)
    assert mailhaul(kept, "backup", kept.path + "/copy").code == OK
    said = mailhaul(kept, "restore", "--force", kept.path + "/copy")
    assert said.code == BUSY and said.lines("stop mailhauld first")
    assert running.stop().code == OK


def test_backup_of_nothing(haul):
    assert mailhaul(haul, "backup", haul.path + "/copy").code == 66
    assert not os.path.exists(haul.state)


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
@pytest.mark.parametrize("option", (None, "--as-known", "--relay"))
def test_D8_old_backup(world, haul, user, port, recorder, protocol, option):
    """Ten are relayed and kept after the backup: no second copy of any, but
    what says so."""
    fill(world, user, 3)
    haul.account(user, protocol, port(protocol))
    haul.to_recorder(recorder)
    haul.once()
    copy = os.path.join(haul.path, "copy")
    assert mailhaul(haul, "backup", copy).code == OK
    assert os.stat(copy).st_mode & 0o777 == 0o600
    box = fill(world, user, 10, 3)
    haul.once()
    assert len(recorder.messages) == 13
    said = mailhaul(haul, "restore", copy)
    assert said.code == 73 and said.lines("--force"), said.log
    more = [option] if option else []
    said = mailhaul(haul, "restore", "--force", copy, *more)
    assert said.code == OK and said.lines("restored: 1 accounts"), said.log
    assert said.lines("kept as", "state.db.before-"), said.log
    if option is None:
        said = haul.once(expect=FAILED)
        assert said.lines(user, "10 messages are not in the restored state",
                          "mailhaul accept"), said.log
        assert len(recorder.messages) == 13
        assert mailhaul(haul, "accept", user, "--as-known").code == OK
        haul.once()
        assert len(recorder.messages) == 13
        return
    box.add(corpus.header(50, "number 50") + b"\r\nx\r\n")
    haul.once()
    again = recorder.accepted()[13:]
    if option == "--relay":
        assert len(again) == 11
        assert all("attempt=2; possible-duplicate=yes" in m.trace()
                   for m in again)
    else:
        assert again == []
    box.add(corpus.header(51, "number 51") + b"\r\nx\r\n")
    haul.once()
    assert len(recorder.accepted()) == 14 + len(again)
    assert "duplicate" not in recorder.accepted()[-1].trace()
    assert len(box) == 15


def test_D8_a_few(world, kept, user, recorder):
    copy = os.path.join(kept.path, "copy")
    assert mailhaul(kept, "backup", copy).code == OK
    fill(world, user, 2, 3)
    kept.once()
    assert mailhaul(kept, "restore", "--force", copy).code == OK
    kept.once()
    assert len(recorder.messages) == 7
    judge(recorder, 5)
    first, second = [m.trace().split(";")[0] for m in recorder.messages
                     if b"Subject: number 3\r" in m.raw]
    assert first == second
    kept.once()
    assert len(recorder.messages) == 7


def test_D8_bad_backup(kept, world, user, recorder):
    """Nothing is touched; and a run goes on as if nothing had been asked."""
    copy = os.path.join(kept.path, "copy")
    with open(copy, "wb") as f:
        f.write(b"x" * 9000)
    before = sorted(os.listdir(kept.state))
    said = mailhaul(kept, "restore", "--force", copy)
    assert said.code == STATE and said.lines(copy, "not a database"), said.log
    assert sorted(os.listdir(kept.state)) == before
    fill(world, user, 1, 3)
    kept.once()
    assert len(recorder.messages) == 4


# --- an old state.db that is put there by hand (D8) ----------------------------

NOTICED = "treated as a backup that was restored"


@pytest.mark.parametrize("protocol", ("pop3", "imap"))
@pytest.mark.parametrize("count", (2, 9))
def test_D8_put_back_by_hand(world, haul, user, port, recorder, protocol,
                             count):
    """A few are relayed again and say so, more are a question."""
    fill(world, user, 3)
    haul.account(user, protocol, port(protocol))
    haul.to_recorder(recorder)
    haul.once()
    shutil.copy(database(haul), haul.path + "/old")
    fill(world, user, count, 3)
    assert not haul.once().lines(NOTICED)
    assert len(recorder.messages) == 3 + count
    shutil.copy(haul.path + "/old", database(haul))
    dry = haul.once("--dry-run", expect=None)
    assert dry.lines(NOTICED), dry.log
    said = haul.once(expect=OK if count < 6 else FAILED)
    assert len(said.lines(NOTICED)) == 1, said.log
    if count > 5:
        assert said.lines(user, "mailhaul accept"), said.log
        assert len(recorder.messages) == 3 + count
        haul.accept(user, "--as-known")
        haul.once()
        assert len(recorder.messages) == 3 + count
    else:
        assert len(recorder.messages) == 3 + 2 * count
        judge(recorder, 3 + count)
    fill(world, user, 1, 50)
    before = len(recorder.messages)
    assert not haul.once().lines(NOTICED)
    assert len(recorder.messages) == before + 1
    assert "duplicate" not in recorder.accepted()[-1].trace()


def test_D8_put_back_after_a_kill(kept, world, user, recorder):
    """The copy was made, and the rest relayed, by one process that then had no
    time to say anything."""
    running = start_and_lock(kept)
    shutil.copy(database(kept), kept.path + "/old")
    fill(world, user, 2, 3)
    wait_for("two more", lambda: running.text().count(": relayed INBOX") == 2)
    running.signal(9)
    running.wait()
    shutil.copy(kept.path + "/old", database(kept))
    os.unlink(database(kept) + "-wal")
    said = kept.once()
    assert said.lines(NOTICED), said.log
    judge(recorder, 5)
    assert len(recorder.messages) == 7

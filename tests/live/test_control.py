# SPDX-License-Identifier: ISC
"""The control socket of a running mailhauld, by curl and by the command."""
import json
import os
import re
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time

import pytest

import corpus
from fakes import FakePop3, RecordingSmtp
from haul import MAILHAUL, OK
from servers import free_ports, wait_for

USAGE, DATA, NOINPUT, UNAVAILABLE, TEMPFAIL, NOPERM, CONFIG = \
    64, 65, 66, 69, 75, 77, 78


def message(i, what="number", body=b"x\r\n"):
    return corpus.header(i, "%s %d" % (what, i)) + b"\r\n" + body


class Control:
    """A daemon with one POP3 account "me", and its socket."""

    def __init__(self, haul, pop, recorder):
        self.haul, self.pop, self.recorder = haul, pop, recorder
        self.socket = os.path.join(haul.state, "ctl.sock")
        self.running = None

    def start(self, *more):
        self.running = self.haul.start(*more)
        wait_for("an answer", lambda: self.running.child.check() or
                 self.curl("/v1/status")[0] == 200)
        return self.running

    @property
    def pid(self):
        return self.running.child.process.pid

    def curl(self, path, *argv, text=True):
        """Code and body; JSON where it says so."""
        done = subprocess.run(
            ["curl", "-s", "--max-time", "30", "--unix-socket", self.socket,
             "-w", "\n%{http_code} %{content_type}", *argv,
             "http://localhost" + path], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, check=False, timeout=40)
        body, _, last = done.stdout.rpartition(b"\n")
        code, _, kind = last.decode().partition(" ")
        if kind == "application/json":
            return int(code), json.loads(body)
        return int(code), body.decode() if text else body

    def post(self, path):
        return self.curl(path, "-X", "POST")

    def status(self):
        code, status = self.curl("/v1/status")
        assert code == 200
        return status

    def me(self):
        return self.status()["accounts"][0]

    def command(self, *argv):
        return self.haul.command(*argv)

    def raw(self, data, timeout=15):
        """Says data over the socket; what comes back until the end."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(self.socket)
            try:
                s.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = b""
            try:
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        return answer
                    answer += piece
            except ConnectionResetError:
                return answer

    def add(self, uid, raw):
        self.pop.mailbox[uid] = raw


@pytest.fixture
def control(world, haul):
    with FakePop3(world.certs, [message(i) for i in range(3)]) as pop, \
            RecordingSmtp(world.certs) as recorder:
        haul.account("me", "pop3", pop.port, interval="1h")
        haul.to_recorder(recorder)
        yield Control(haul, pop, recorder)


def relayed(control, n):
    wait_for("%d messages" % n,
             lambda: len(control.recorder.accepted()) == n)
    wait_for("the end of the poll",
             lambda: control.me()["state"] == "waiting")


# --- every route

def test_status(control):
    control.start()
    relayed(control, 3)
    status = control.status()
    assert status["version"] and status["pid"] == control.pid
    assert not status["stopping"] and not status["no_room"]
    assert 0 < status["started"] <= status["now"]
    me, = status["accounts"]
    assert (me["name"], me["protocol"], me["host"]) == \
        ("me", "pop3", "localhost")
    assert (me["waiting"], me["held"], me["in_doubt"]) == (0, 0, 0)
    assert me["oldest"] is None and me["reason"] == ""
    assert me["counts"]["relayed"] == 3 and me["counts"]["polls"] == 1
    assert me["next_poll"] > status["now"] + 600
    assert me["last_success"] <= status["now"]
    box, = me["mailboxes"]
    assert box["folder"] == "INBOX" and box["message"] is None
    home, = status["destinations"]
    assert home["name"] == "home" and home["queued"] == 0
    # The command: text, and the same for programs.
    said = control.command("status")
    assert said.code == OK and said.lines("me", "waiting"), said.log
    assert said.lines("home", "idle") and "\033" not in said.log
    said = json.loads(control.command("status", "--json").log)
    assert said["accounts"][0]["counts"] == me["counts"]
    assert said.keys() == status.keys()


def test_metrics(control):
    control.start()
    relayed(control, 3)
    code, text = control.curl("/metrics")
    assert code == 200 and 'mailhaul_messages_total{account="me",' \
        'result="relayed"} 3\n' in text
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], check=True,
                       input=text.encode(), timeout=30)


@pytest.mark.parametrize("way", ("curl", "command"))
def test_poll_pause_resume(control, way):
    def ask(verb, name="me", kind="accounts"):
        if way == "curl":
            code, answer = control.post("/v1/%s/%s/%s" % (kind, name, verb))
            return code == 202, answer.get("error", "")
        said = control.command(verb, name)
        return said.code == OK, said.log
    control.start()
    relayed(control, 3)
    control.add("later", message(9, "later"))
    assert ask("poll")[0]
    relayed(control, 4)
    assert ask("pause")[0]
    assert control.me()["state"] == "paused"
    control.add("paused", message(10, "paused"))
    good, why = ask("poll")
    assert not good and "paused" in why
    # It stays so over a restart.
    assert control.running.stop().code == OK
    control.start()
    wait_for("the pause", lambda: control.me()["state"] == "paused")
    assert ask("resume")[0]
    relayed(control, 5)
    assert ask("pause", "home", "destinations")[0]
    assert control.status()["destinations"][0]["state"] == "paused"
    assert ask("resume", "home", "destinations")[0]
    assert control.status()["destinations"][0]["state"] != "paused"
    good, why = ask("poll", "you")
    assert not good and "there is no account you" in why
    good, why = ask("resume", "you")
    assert not good and "there is no account" in why
    assert len(control.recorder.accepted()) == 5


def refuse_second(control):
    control.recorder.on("dot", lambda _, m: "550 5.7.1 not this one"
                        if b"number 1" in m.raw else None)


def test_held(control):
    refuse_second(control)
    control.start()
    relayed(control, 2)
    assert control.me()["held"] == 1
    code, answer = control.curl("/v1/held")
    row, = answer["held"]
    assert code == 200 and answer["next"] is None
    assert row["account"] == "me" and "not this one" in row["reason"]
    name, number = row["name"], row["number"]
    # By trace, by number, by account; and none.
    for path in (name, str(number)):
        assert control.curl("/v1/held/" + path)[1]["held"] == [row]
    assert control.curl("/v1/held?account=me")[1]["held"] == [row]
    assert control.curl("/v1/held?account=you")[1]["held"] == []
    assert control.curl("/v1/held?after=%d" % number)[1]["held"] == []
    assert control.curl("/v1/held/abcdefg")[0] == 404
    # The command prints the same.
    assert json.loads(control.command("held", "--json").log)["held"] == [row]
    said = control.command("held", "show", name)
    assert said.code == OK and said.lines("why:", "not this one")
    assert control.command("held", "show", "x").code == NOINPUT
    # Released: refused again, then accepted; the poll comes at once.
    assert control.post("/v1/held/%s/release" % name) == \
        (200, {"decided": 1})
    wait_for("another refusal", lambda: len(
        [m for m in control.recorder.messages if not m.accepted]) == 2)
    wait_for("it is held again", lambda: control.me()["held"] == 1)
    control.recorder.on("dot", lambda *_: None)
    said = control.command("held", "release", name)
    assert said.code == OK and said.lines("1 released: sent now"), said.log
    relayed(control, 3)
    assert control.me()["held"] == 0
    assert control.post("/v1/held/%s/release" % name)[0] == 404
    assert control.post("/v1/held/release?account=me") == \
        (200, {"decided": 0})


def test_drop(control):
    refuse_second(control)
    control.start()
    relayed(control, 2)
    assert control.post("/v1/held/drop")[0] == 400
    said = control.command("held", "drop", "--all", "--account", "me")
    assert said.code == OK and said.lines("1 dropped"), said.log
    control.command("poll", "me")
    assert control.me()["held"] == 0
    assert control.command("held").log == "no message is held\n"


def test_history(control):
    refuse_second(control)
    control.start()
    relayed(control, 2)
    code, answer = control.curl("/v1/history")
    assert code == 200 and answer["next"] is None
    rows = answer["history"]
    assert sorted(r["state"] for r in rows) == ["held", "relayed", "relayed"]
    assert [r["number"] for r in rows] == sorted(
        (r["number"] for r in rows), reverse=True)
    for row in rows:
        assert row["account"] == "me" and row["destination"] == "home"
        assert row["size"] > 0 and len(row["trace"]) == 26
        assert row["reply"][:3] == ("550" if row["state"] == "held"
                                    else "250")
        assert "@" not in json.dumps(row)
    # In pages.
    code, answer = control.curl("/v1/history?limit=2")
    assert answer["history"] == rows[:2]
    assert answer["next"] == rows[1]["number"]
    code, answer = control.curl("/v1/history?limit=2&before=%d"
                                % answer["next"])
    assert answer["history"] == rows[2:]
    assert control.curl("/v1/history?account=you")[1]["history"] == []
    said = control.command("history", "me")
    assert len(said.lines("me", "INBOX", "home")) == 3
    assert said.lines("held", "550", "5.7.1 not this one")
    said = control.command("history", "-n", "1", "--json")
    assert json.loads(said.log)["history"] == rows[:1]
    # Without a daemon: the same rows.
    running = json.loads(control.command("history", "--json").log)
    assert control.running.stop().code == OK
    assert json.loads(control.command("history", "--json").log) == running
    assert control.command("history", "-n", "0").code == USAGE


def test_accept(control):
    """Most of the mailbox is another one's: asked, decided, polled."""
    for i in range(3, 40):
        control.add("uid-%d" % i, message(i))
    control.start()
    relayed(control, len(control.pop.mailbox))
    before = len(control.pop.mailbox)
    control.pop.mailbox.clear()
    for i in range(40):
        control.add("other-%d" % i, message(i, "stranger"))
    control.command("poll", "me")
    wait_for("the question", lambda: control.me()["state"] == "asks")
    assert "mailhaul accept" in control.me()["reason"]
    assert control.post("/v1/accounts/me/accept")[0] == 400
    assert control.post("/v1/accounts/you/accept?as=known")[0] == 404
    said = control.command("accept", "me", "--as-known")
    assert said.code == OK and said.lines("40 messages are known"), said.log
    wait_for("the poll", lambda: control.me()["state"] == "waiting")
    assert len(control.recorder.accepted()) == before
    # Nothing is asked now.
    assert control.post("/v1/accounts/me/accept?as=relay")[0] == 409
    said = control.command("accept", "me", "--relay")
    assert said.code == DATA and said.lines("nothing is asked")


def test_reload(control):
    control.start()
    relayed(control, 3)
    assert control.post("/v1/reload") == (200, {"problems": []})
    control.haul.write(control.haul.text() + "intervall = 3;\n")
    code, answer = control.post("/v1/reload")
    assert code == 422 and "nothing was changed" in answer["error"]
    problem, = answer["problems"]
    assert problem["file"] == control.haul.conf and not problem["warning"]
    assert problem["line"] > 0 and "intervall" in problem["text"]
    said = control.command("reload")
    assert said.code == CONFIG and said.lines(
        "mailhaul.conf:%d: " % problem["line"], "intervall"), said.log
    status = control.status()
    assert (status["reloads"], status["reloads_failed"]) == (1, 2)
    control.haul.accounts[0]["name"] = "mine"
    control.haul.write()
    assert control.command("reload").code == OK
    wait_for("the new name", lambda: [
        a["name"] for a in control.status()["accounts"]] == ["mine"])


def test_events(control):
    control.start()
    relayed(control, 3)
    with socket.socket(socket.AF_UNIX) as follow:
        follow.settimeout(30)
        follow.connect(control.socket)
        # 1.0 has no chunks: what comes is the lines themselves.
        follow.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        lines = follow.makefile("rb")
        assert b" 200 OK" in lines.readline()
        while lines.readline() != b"\r\n":
            pass
        control.add("later", message(9, "later"))
        control.command("poll", "me")
        while True:
            event = json.loads(lines.readline())
            if event.get("uid"):
                break
        assert event["account"] == "me" and event["state"] == "relayed"
        assert event["trace"] and event["size"] > 0
        assert "relayed" in event["text"] and event["message_id"]
    # Who left holds up nobody.
    control.command("poll", "me")
    assert control.running.stop().code == OK


def test_backup(control):
    """While it runs; what was relayed until then is in it."""
    control.start()
    relayed(control, 3)
    copy = os.path.join(control.haul.path, "copy")
    said = control.command("backup", copy)
    assert said.code == OK and said.log == ""
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    assert not [n for n in os.listdir(control.haul.state) if "backup" in n]
    assert not [n for n in os.listdir(control.haul.path)
                if n.startswith("copy.")]
    said = control.command("backup", copy)
    assert said.code == 73 and said.lines("File exists")
    code, body = control.curl("/v1/backup", "-X", "POST", text=False)
    assert code == 200 and body.startswith(b"SQLite format 3\0")
    with sqlite3.connect(copy) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM delivery WHERE"
                          " state = 'relayed'").fetchall() == [(3,)]
    db.close()
    assert control.running.stop().code == OK
    said = control.command("restore", "--force", copy)
    assert said.code == OK, said.log
    control.haul.once()
    assert len(control.recorder.accepted()) == 3


def test_backup_under_load(control):
    """Its file is whole while hundreds of messages are recorded."""
    for i in range(400):
        control.add("many-%d" % i, message(i, "many"))
    control.start()
    copies = []
    while len(control.recorder.accepted()) < 403:
        copies.append(os.path.join(control.haul.path, "c%d" % len(copies)))
        assert control.command("backup", copies[-1]).code == OK
    relayed(control, 403)
    assert copies
    for copy in copies:
        with sqlite3.connect(copy) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


# --- who may

@pytest.fixture
def public():
    """A place that everybody can reach."""
    path = tempfile.mkdtemp(prefix="mailhaul-ctl-")
    os.chmod(path, 0o755)
    yield os.path.join(path, "ctl.sock")
    shutil.rmtree(path)


def as_nobody(socket_path, *groups):
    clear = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    done = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", *clear,
         MAILHAUL, "--socket", socket_path, "status"], check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=30,
        stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


@pytest.fixture
def reachable():
    """What nobody can run."""
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup",
                           "--clear-groups", MAILHAUL, "--version"],
                          check=False, timeout=30, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.skip("another user cannot reach the program here")


def test_group(control, public, reachable):
    control.haul.options["control_group"] = "mail"
    control.socket = public
    control.start("--socket", public)
    info = os.stat(public)
    assert stat.S_IMODE(info.st_mode) == 0o660
    code, said = as_nobody(public)
    assert code == NOPERM and "members of the group mail" in said
    code, said = as_nobody(public, "mail")
    assert code == OK and "mailhauld" in said, said
    assert control.running.stop().code == OK
    assert not os.path.exists(public)


def test_owner_alone(control, public, reachable):
    """Without a group; the text does not promise one that would not help."""
    control.socket = public
    control.start("--socket", public)
    os.chown(public, -1, 0)
    code, said = as_nobody(public)
    assert code == NOPERM and "permission denied" in said
    assert "control_group" in said
    # In a folder that one may not even enter.
    os.chmod(os.path.dirname(public), 0o700)
    code, said = as_nobody(public)
    assert code == NOPERM and "permission denied" in said


def test_unknown_group(control):
    """No socket, a line that says so, and mail goes on."""
    control.haul.options["control_group"] = "no-such-group"
    running = control.haul.start()
    wait_for("mail", lambda: len(control.recorder.accepted()) == 3)
    assert "there is no such group" in running.text()
    assert not os.path.exists(control.socket)
    assert running.stop().code == OK


# --- the place

def test_stale_socket(control):
    control.start()
    control.running.child.process.kill()
    control.running.child.process.wait(10)
    assert os.path.exists(control.socket)
    said = control.command("status")
    assert said.code == UNAVAILABLE and said.lines("is not running")
    control.start()
    assert control.running.stop().code == OK
    assert not os.path.exists(control.socket)


def test_live_socket_is_left_alone(world, control, tmp_path):
    """Another installation with the same --socket."""
    import haul as haul_module
    control.start()
    other = haul_module.Haul(tmp_path / "other", world.certs)
    other.account("other", "pop3", control.pop.port, interval="1h")
    other.to_recorder(control.recorder)
    relayed(control, 3)
    second = other.start("--socket", control.socket)
    try:
        wait_for("its mail",
                 lambda: len(control.recorder.accepted()) == 6)
        assert "another process listens there" in second.text()
        assert control.status()["pid"] == control.pid
        assert second.stop().code == OK
    finally:
        other.close()
    assert control.status()["pid"] == control.pid


def test_file_in_the_way(control):
    path = os.path.join(control.haul.path, "precious")
    with open(path, "w") as f:
        f.write("x")
    running = control.haul.start("--socket", path)
    wait_for("mail", lambda: len(control.recorder.accepted()) == 3)
    assert "is no socket" in running.text()
    assert running.stop().code == OK
    with open(path) as f:
        assert f.read() == "x"


def test_not_for_once(control):
    control.haul.once()
    assert not os.path.exists(control.socket)


def test_runtime_directory(control, tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", "%s:/nowhere" % run)
    control.socket = str(run / "ctl.sock")
    control.start()
    assert control.command("status").code == OK


def test_listen(control):
    port, = free_ports(1)
    control.haul.options["listen"] = "127.0.0.1:%d" % port
    control.start()

    def get(path, *argv, host="127.0.0.1"):
        done = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
             "--noproxy", "*", *argv, "http://%s:%d%s" % (host, port, path)],
            check=True, stdout=subprocess.PIPE, timeout=30)
        return int(done.stdout)
    assert get("/metrics") == 200 and get("/v1/status") == 200
    assert get("/v1/status", "--connect-to", "::127.0.0.1:%d" % port,
               host="localhost") == 200
    # A name that somebody else's DNS leads here.
    assert get("/v1/status", "-H", "Host: evil.test") == 403
    assert get("/metrics", "-H", "Host:") == 403
    for path in ("/v1/held", "/v1/history", "/v1/events"):
        assert get(path) == 403
    for path in ("/v1/reload", "/v1/accounts/me/poll", "/v1/backup"):
        assert get(path, "-X", "POST") == 403
    assert get("/v1/status", "-X", "POST") == 405
    assert get("/etc/passwd") == 404


# --- hostile input

def test_wrong_requests(control):
    control.start()
    relayed(control, 3)
    for method, path, code in (
            ("GET", "/", 404), ("GET", "/v1/nothing", 404),
            ("GET", "/v1/accounts/me/poll", 405), ("GET", "/v1/reload", 405),
            ("GET", "/v1/held/release?account=me", 405),
            ("POST", "/v1/status", 405), ("DELETE", "/v1/held", 405),
            ("POST", "/v1/accounts/%2e%2e%2fme/poll", 404),
            ("POST", "/v1/accounts/" + "a" * 65 + "/poll", 404),
            ("GET", "/v1/history?limit=1e9", 400)):
        got, answer = control.curl(path, "-X", method, "--path-as-is")
        assert got == code and answer["error"], (method, path, got, answer)
    allow = control.raw(b"PUT /v1/reload HTTP/1.1\r\n\r\n")
    assert b" 405 " in allow and b"\r\nAllow: POST\r\n" in allow
    assert control.curl("/v1/reload", "-d", "x=y")[0] == 400
    assert control.curl("/v1/reload", "-d", "x" * 5000)[0] == 413
    assert control.status()["reloads"] == 0
    assert control.me()["counts"]["polls"] == 1


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def test_hostile_clients(control):
    """Garbage, floods, half requests and idlers, while mail is relayed."""
    for i in range(300):
        control.add("many-%d" % i, message(i, "many"))
    control.start()
    before = open_files(control.pid)
    answers = []
    for data in (b"\0" * 100_000, b"\r\n" * 10_000, os.urandom(200_000),
                 b"GET " + b"/" * 100_000, b"\x16\x03\x01" + b"a" * 500,
                 b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000,
                 b"GET /v1/status HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
                 b"GET /v1/status HTTP/9.1\r\n\r\n",
                 b"POST /v1/backup HTTP/1.1\r\nContent-Length: 9999999999"
                 b"\r\n\r\n"):
        answers.append(control.raw(data))
    for answer in answers:
        # An error, or a closed door; never an answer.
        assert re.match(rb"HTTP/1\.[01] (400|413|431|501|505) |$", answer), \
            answer
    # A request cut in two, and one in single bytes.
    for pause, pieces in ((0.3, (b"GET /v1/status HT", b"TP/1.1\r\n\r\n")),
                          (0, [b"%c" % c for c in
                               b"GET /v1/status HTTP/1.1\r\n\r\n"])):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(15)
            s.connect(control.socket)
            for piece in pieces:
                s.sendall(piece)
                time.sleep(pause)
            # Who closes his half still gets the answer.
            s.shutdown(socket.SHUT_WR)
            assert s.recv(100).startswith(b"HTTP/1.1 200 OK")
    # A hundred that say nothing: all are thrown out in time.
    idlers = []
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX)
        s.connect(control.socket)
        s.settimeout(30)
        idlers.append(s)
    said = [s.recv(12) for s in idlers]
    assert not any(b" 200" in word for word in said), said
    for s in idlers:
        s.close()
    wait_for("its descriptors", lambda: open_files(control.pid) <= before + 2)
    relayed(control, 303)
    assert len(control.recorder.messages) == 303
    assert control.running.stop().code == OK


def test_slow_readers(control):
    """Who asks and does not read, and who goes in the middle."""
    control.start()
    relayed(control, 3)
    clients = []
    for _ in range(20):
        s = socket.socket(socket.AF_UNIX)
        s.connect(control.socket)
        s.sendall(b"POST /v1/backup HTTP/1.1\r\n\r\n"
                  if len(clients) % 2 else b"GET /metrics HTTP/1.1\r\n\r\n")
        clients.append(s)
    for s in clients[:10]:
        s.close()
    assert control.status()["pid"] == control.pid
    for s in clients[10:]:
        s.close()
    control.add("later", message(9, "later"))
    assert control.command("poll", "me").code == OK
    relayed(control, 4)
    assert control.running.stop().code == OK


def test_out_of_descriptors(control):
    """R6: accepting pauses instead of spinning, and comes back."""
    control.start()
    relayed(control, 3)
    limits = resource.prlimit(control.pid, resource.RLIMIT_NOFILE)
    highest = max(int(n) for n in os.listdir("/proc/%d/fd" % control.pid))
    resource.prlimit(control.pid, resource.RLIMIT_NOFILE,
                     (highest + 1, limits[1]))
    clients = []
    for _ in range(40):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(control.socket)
        except BlockingIOError:
            pass
        clients.append(s)
    wait_for("a pause", lambda: "no connection is taken now"
             in control.running.text())
    ticks = cpu_ticks(control.pid)
    time.sleep(2)
    assert cpu_ticks(control.pid) - ticks < 50
    assert control.running.text().count("no connection is taken now") < 10
    resource.prlimit(control.pid, resource.RLIMIT_NOFILE, limits)
    for s in clients:
        s.close()
    wait_for("an answer", lambda: control.curl("/v1/status")[0] == 200)
    control.add("later", message(9, "later"))
    assert control.command("poll", "me").code == OK
    relayed(control, 4)


def cpu_ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


HANGING = r"""
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	while (access(getenv("HANG_WHILE"), F_OK) == 0)
		usleep(20000);
	return real(fd);
}
"""


def test_disk_hangs(control, tmp_path, monkeypatch):
    """Who looks then gets what is known without the state."""
    source, library = tmp_path / "hang.c", str(tmp_path / "hang.so")
    flag = tmp_path / "hang"
    source.write_text(HANGING)
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared",
                    "-fPIC", "-o", library, str(source), "-ldl"], check=True,
                   timeout=60)
    clean = control.haul.env
    with monkeypatch.context() as m:
        m.setattr(control.haul, "env", lambda: dict(
            clean(), LD_PRELOAD=library, HANG_WHILE=str(flag)))
        control.start()
    relayed(control, 3)
    flag.touch()
    control.add("later", message(9, "later"))
    assert control.post("/v1/accounts/me/poll")[0] == 202
    wait_for("a record that hangs",
             lambda: control.me()["waiting"] is None, 30)
    assert control.me()["state"] == "polling"
    assert control.curl("/metrics")[0] == 503
    assert control.command("status").lines("me", "polling", " - ")
    flag.unlink()
    relayed(control, 4)
    assert control.me()["waiting"] == 0
    assert control.running.stop().code == OK


# --- no daemon

@pytest.mark.parametrize("argv", (
    ("status",), ("status", "--json"), ("poll", "me"), ("pause", "me"),
    ("reload",)))
def test_says_what_to_do(haul, argv):
    os.makedirs(haul.state)
    said = haul.command(*argv)
    assert said.code == UNAVAILABLE
    assert said.lines("mailhauld is not running (no socket at %s/ctl.sock)"
                      % haul.state, "systemctl start mailhauld"), said.log


def test_offline(control):
    """What works on the state itself when nobody runs."""
    refuse_second(control)
    control.haul.once()
    row, = json.loads(control.command("held", "--json").log)["held"]
    said = control.command("held", "release", row["name"])
    assert said.code == OK and said.lines("at the next poll"), said.log
    assert control.command("resume", "me").log == \
        "me: there is no pause of that name\n"
    assert control.command("accept", "me", "--relay").code == DATA
    copy = os.path.join(control.haul.path, "copy")
    assert control.command("backup", copy).code == OK
    assert os.path.getsize(copy) > 0
    # Not even a state.
    said = control.haul.command("--state", control.haul.path + "/none",
                                "history")
    assert said.code == NOINPUT and said.lines("none", "No such file")
    assert not os.path.exists(control.haul.path + "/none")


def test_another_server(control, tmp_path):
    """Something else answers at the socket."""
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)

    def serve():
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n",
                       b"nonsense\r\n", b"HTTP/1.1 500 x\r\n\r\n"):
            s, _ = listener.accept()
            s.recv(4096)
            s.sendall(answer)
            s.close()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    for _ in range(3):
        said = control.haul.command("--socket", path, "status")
        assert said.code == UNAVAILABLE and said.lines(path), said.log
    thread.join(10)
    listener.close()


@pytest.mark.parametrize("argv", (
    ("status", "x"), ("status", "--json", "--watch"), ("poll",),
    ("poll", "a", "b"), ("pause", "--all"), ("resume", ""), ("reload", "x"),
    ("history", "a", "b"), ("history", "-n", "x"), ("backup",)))
def test_usage(haul, argv):
    assert haul.command(*argv).code == USAGE

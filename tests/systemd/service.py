# SPDX-License-Identifier: ISC
"""The installed units, as an administrator uses them: configuration in /etc,
secrets as credentials, drop-ins, systemctl and the journal."""
import json
import os
import shutil

import corpus
import haul
from servers import run, wait_for

UNIT, ARCHIVE = "mailhauld.service", "mailhaul-archive.service"
TIMER = "mailhaul-archive.timer"
ETC, STATE = "/etc/mailhaul", "/var/lib/private/mailhaul"
DROP_INS = "/run/systemd/system"

# src/base/log.h
RELAYED, HELD, ACCOUNT_FAILED, STATE_ID = (
    "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d" + n for n in ("01", "03", "05", "07"))


def systemctl(*argv):
    return run("systemctl", *argv)


def journal(*matches):
    """Entries since the boot, oldest first, that have all these fields."""
    run("journalctl", "--sync")
    text = run("journalctl", "-b", "-o", "json", "--no-pager", *matches)
    return [json.loads(line) for line in text.splitlines()]


def messages(count, body=b"x\r\n"):
    return [corpus.header(i, "number %d" % i) + b"\r\n" + body
            for i in range(count)]


class Service(haul.Haul):
    """The configuration of the installed service."""

    def __init__(self, certs):
        super().__init__(ETC, certs)
        self.state = STATE
        self.secrets = os.path.join(ETC, "secrets")
        self.sealed = os.path.join(ETC, "sealed")
        self.drop_ins = []
        self.clear()

    def secret(self, name, text, mode=0o600):
        path = os.path.join(self.secrets, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.chmod(path, mode)
        return "credential:" + name

    def write(self, text=None):
        super().write(text)
        os.chmod(self.conf, 0o644)  # of the dynamic user's, and no secret

    def drop_in(self, section, *lines, unit=UNIT):
        path = os.path.join(DROP_INS, unit + ".d")
        os.makedirs(path, exist_ok=True)
        self.drop_ins.append(path)
        with open(os.path.join(path, "%d.conf" % len(self.drop_ins)), "w",
                  encoding="ascii") as f:
            f.write("\n".join(("[%s]" % section,) + lines) + "\n")
        systemctl("daemon-reload")

    def show(self, name, unit=UNIT):
        return systemctl("show", "--value", "-p", name, unit).rstrip("\n")

    def is_(self, state, unit=UNIT):
        return self.show("ActiveState", unit) == state

    def begin(self, *options):
        """systemctl start, which waits for READY."""
        self.write()
        systemctl("start", *options, UNIT)

    @staticmethod
    def offline(*argv):
        """mailhaul on the state while nothing runs, as mailhauld(8) says."""
        return run("systemd-run", "--quiet", "--wait", "--pipe", "-p",
                   "DynamicUser=yes", "-p", "User=mailhauld", "-p",
                   "Group=mailhaul", "-p", "StateDirectory=mailhaul",
                   "-p", "StateDirectoryMode=0700", "-p", "UMask=0077",
                   "mailhaul", *argv)

    def log(self, *matches, unit=UNIT):
        """What this service logged since this object is there."""
        return [e for e in journal("_SYSTEMD_UNIT=" + unit, *matches)
                if int(e["__REALTIME_TIMESTAMP"]) >= self.since]

    def clear(self):
        run("systemctl", "stop", TIMER, UNIT, ARCHIVE)
        for path in set(self.drop_ins):
            shutil.rmtree(path)
        self.drop_ins = []
        systemctl("daemon-reload")
        systemctl("reset-failed", UNIT, ARCHIVE, TIMER)
        while os.path.ismount(STATE):
            run("umount", STATE)
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(os.path.join(ETC, "conf.d"), ignore_errors=True)
        for path in (self.secrets, self.sealed):
            shutil.rmtree(path, ignore_errors=True)
            os.mkdir(path, 0o700)
        self.since = int(run("date", "+%s%6N"))

    def close(self):
        self.clear()

    def until(self, what, ready, seconds=30):
        try:
            return wait_for(what, ready, seconds)
        except TimeoutError as e:
            raise AssertionError("%s\n%s\n%s" % (
                e, run("sh", "-c", "systemctl status --no-pager -n0 %s; true"
                       % UNIT),
                "\n".join(x["MESSAGE"] for x in self.log()))) from None

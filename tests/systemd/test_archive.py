# SPDX-License-Identifier: ISC
"""mailhaul-archive: the job for a timer."""
import os
import threading

from fakes import RecordingSmtp
from service import ARCHIVE, TIMER, UNIT, messages, systemctl


def prepare(world, service, user, recorder, count=2):
    box = world.dovecot.mailbox(user)
    for raw in messages(count):
        box.add(raw)
    service.account(user, "imap", world.dovecot.ports["imaps"])
    service.to_recorder(recorder)
    service.write()
    return box


def ended(service, code):
    assert service.is_("inactive", ARCHIVE)
    assert service.show("Result", ARCHIVE) == "success"
    assert service.show("ExecMainStatus", ARCHIVE) == str(code)


def test_timer(world, service, user):
    """The timer runs the job, which runs once and ends."""
    service.drop_in("Timer", "OnCalendar=", "OnActiveSec=100ms",
                    "RandomizedDelaySec=0", unit=TIMER)
    with RecordingSmtp(world.certs) as recorder:
        prepare(world, service, user, recorder)
        systemctl("start", TIMER)
        service.until("the messages", lambda: len(recorder.accepted()) == 2)
        service.until("the end", lambda: service.show(
            "ExecMainExitTimestampMonotonic", ARCHIVE) != "0"
            and service.is_("inactive", ARCHIVE))
        ended(service, 0)
        assert len([e for e in service.log(unit=ARCHIVE)
                    if "relayed" == e.get("MAILHAUL_STATE")]) == 2
        # The state is the one of the service.
        systemctl("start", UNIT)
        assert service.is_("active")
        systemctl("stop", UNIT)
        assert len(recorder.accepted()) == 2


def test_refused_for_now(world, service, user):
    """A greylisted message is no failed job."""
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("rcpt", lambda *_: "450 4.7.1 Try again later")
        prepare(world, service, user, recorder)
        systemctl("start", ARCHIVE)
        ended(service, 75)


def test_beside_the_service(world, service, user):
    """The job finds the state in use and leaves everything as it is."""
    with RecordingSmtp(world.certs) as recorder:
        prepare(world, service, user, recorder)
        systemctl("start", UNIT)
        service.until("the messages", lambda: len(recorder.accepted()) == 2)
        pid = service.show("MainPID")
        systemctl("start", ARCHIVE)
        ended(service, 75)
        assert service.is_("active")
        assert service.show("MainPID") == pid
        assert os.path.isdir("/run/mailhaul")


def test_service_waits_for_the_job(world, service, user):
    """A job under way is waited for, not run into."""
    at_dot, go_on = threading.Event(), threading.Event()

    def late(*_):
        at_dot.set()
        go_on.wait(30)
    with RecordingSmtp(world.certs) as recorder:
        recorder.on("dot", late)
        prepare(world, service, user, recorder)
        systemctl("start", "--no-block", ARCHIVE)
        assert at_dot.wait(30)
        systemctl("start", "--no-block", UNIT)
        jobs = systemctl("list-jobs", "--no-legend")
        assert [line.split()[2:] for line in jobs.splitlines()
                if UNIT in line] == [["start", "waiting"]], jobs
        go_on.set()
        service.until("READY", lambda: service.is_("active"))
        ended(service, 0)
        assert service.show("NRestarts") == "0"
        systemctl("stop", UNIT)
        assert len(recorder.accepted()) == 2

"""Starting a run, and asking something of it, from the command line or the application."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from db import progress, requests
from db.connect import Busy, reading, writing
from db.rows import RequestRow, SupervisorRow
from engine import devices as device_list
from engine import process
from engine.books import Books
from engine.errors import BadInput, Refused
from engine.launchers.local import command
from engine.lock import Held, ProjectLock
from engine.policy import Policy
from engine.project import Project
from engine.steering import carry_out

START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
POLL_SECONDS = 0.05


def supervisor(project: Project) -> SupervisorRow | None:
    """The live one."""
    with reading(project.database) as connection:
        row = progress.supervisor(connection)
    return row if row is not None and process.lives(row) else None


def start(project: Project, devices: str = "auto") -> SupervisorRow:
    """Starts a supervisor in its own session and waits until it is up. Raises `BadInput`."""
    running = supervisor(project)
    if running is not None:
        return running
    device_list.find(devices)
    project.logs.mkdir(exist_ok=True)
    with project.supervisor_log.open("ab") as log:
        started = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            command("engine.supervise", str(project.folder), devices),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (running := supervisor(project)) is not None:
            return running
        code = started.poll()
        if code == 0:  # there was nothing to do, or it is done already
            return SupervisorRow(started.pid, 0.0, "", process.host(), time.time(), devices)
        if code is not None:
            raise BadInput(f"the supervisor did not start: {last_line(project)}")
        time.sleep(POLL_SECONDS)
    raise BadInput(f"the supervisor did not start within {START_SECONDS:.0f} s")


def last_line(project: Project) -> str:
    lines = project.supervisor_log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {project.supervisor_log}"


def ask(project: Project, kind: str, **payload: Any) -> str:
    """Has a request carried out and returns the answer. Raises `Refused`, `BadInput`."""
    if supervisor(project) is None:
        return apply(project, kind, payload)
    with writing(project.database) as connection:
        number = requests.add(connection, kind, payload)
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with reading(project.database) as connection:
            request = requests.get(connection, number)
        if request.state != "new":
            return spoken(request)
        if supervisor(project) is None:  # it ended meanwhile
            return apply(project, kind, payload)
        time.sleep(POLL_SECONDS)
    raise Refused(f"no answer for {ANSWER_SECONDS:.0f} s; the request stands")


def spoken(request: RequestRow) -> str:
    if request.state == "refused":
        raise Refused(request.note or "refused")
    return request.note or "done"


def apply(project: Project, kind: str, payload: dict[str, Any]) -> str:
    """Carries a request out here, under the lock: no supervisor runs."""
    try:
        with ProjectLock(project.lock):
            books = Books(project, Policy())
            request = RequestRow(0, time.time(), kind, payload)
            state, note = carry_out(books, request, None)
            books.commit()
    except Held as held:
        raise Refused(f"the project is in use by {held}") from held
    except Busy as busy:
        raise Refused(str(busy)) from busy
    return spoken(RequestRow(0, 0.0, kind, payload, state, note))

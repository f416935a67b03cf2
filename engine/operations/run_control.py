"""Starting a run, and asking something of it, from the command line or the application."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from db import progress, requests
from db.connection import BUSY_SECONDS, reading, writing
from db.rows import RequestRow, SupervisorRow
from engine.launchers.factory import check_devices
from engine.launchers.local import command
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import Held, ProjectLock
from engine.requests.handlers import handle_request
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.utils.errors import BadInput, Refused

START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
POLL_SECONDS = 0.05


def supervisor(project: Project) -> SupervisorRow | None:
    """The live one."""
    with reading(project.database) as connection:
        row = progress.supervisor(connection)
    return row if row is not None and identity.lives(row) else None


def refuse_running(project: Project, what: str) -> None:
    """Raises `Refused`."""
    if supervisor(project) is not None:
        raise Refused(f"the run has the devices: 'stop' it, then {what}")


def last_devices(project: Project) -> str:
    """The devices of the last run: one that is not told otherwise goes on there."""
    with reading(project.database) as connection:
        return progress.last_devices(connection) or "auto"


def start(project: Project, devices: str) -> SupervisorRow:
    """Starts a supervisor in its own session and waits until it is up. Raises `BadInput`."""
    running = supervisor(project)
    if running is not None:
        return running
    check_devices(devices)
    started = spawn(project, devices)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (running := supervisor(project)) is not None:
            return running
        code = started.poll()
        if code == 0:  # there was nothing to do, or it is done already
            return SupervisorRow(started.pid, 0.0, "", identity.host(), time.time(), devices)
        if code is not None:
            raise BadInput(f"the supervisor did not start: {last_line(project)}")
        time.sleep(POLL_SECONDS)
    raise BadInput(f"the supervisor did not start within {START_SECONDS:.0f} s")


def spawn(project: Project, devices: str) -> subprocess.Popen[bytes]:
    """Raises `BadInput`."""
    try:
        project.logs.mkdir(exist_ok=True)
        with project.supervisor_log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (our own interpreter and code)
                command("engine.supervisor.main", str(project.folder), devices),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise BadInput(f"cannot start a run in {project.folder}: {error}") from error


def last_line(project: Project) -> str:
    lines = project.supervisor_log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {project.supervisor_log}"


def ask(project: Project, kind: str, **payload: Any) -> str:
    """Has a request carried out once and returns the answer.

    A supervisor does it; where none runs this process does, under the lock. Raises `Refused`,
    `DatabaseError`.
    """
    number: int | None = None
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        if number is None and supervisor(project) is not None:
            with writing(project.database) as connection:
                number = requests.add(connection, kind, payload)
        alive = supervisor(project) is not None
        # Read after that: a supervisor that has ended answers no more.
        if number is not None and (answered := answer_to(project, number)) is not None:
            return spoken(answered)
        held = None
        if not alive:
            try:
                return apply(project, kind, payload, number)
            except Held as error:  # it is starting up, or ending
                held = error
        if time.monotonic() > deadline:
            if held is not None:
                raise Refused(f"the project is in use by {held}")
            raise Refused(f"no answer for {ANSWER_SECONDS:.0f} s; the request stands")
        time.sleep(POLL_SECONDS)


def answer_to(project: Project, number: int) -> RequestRow | None:
    with reading(project.database) as connection:
        request = requests.get(connection, number)
    return None if request.state == "new" else request


def spoken(request: RequestRow) -> str:
    if request.state == "refused":
        raise Refused(request.note or "refused")
    return request.note or "done"


def apply(project: Project, kind: str, payload: dict[str, Any], number: int | None) -> str:
    """Carries a request out here. Raises `Held`, `Refused`."""
    try:
        with ProjectLock(project.lock):
            if number is not None and (answered := answer_to(project, number)) is not None:
                return spoken(answered)
            project_state = ProjectState(project, Policy(busy_seconds=BUSY_SECONDS))
            request = RequestRow(number or 0, time.time(), kind, payload)
            state, note = handle_request(project_state, request, None)
            project_state.answers.append((request.id, state, note))
            project_state.commit()
            keep_manifest(project, project_state)
    except OSError as error:
        raise Refused(f"the project cannot be written: {error}") from error
    return spoken(RequestRow(0, 0.0, kind, payload, state, note))

"""Starting a run, and sending requests to it, from the command line or the application."""

from __future__ import annotations

import subprocess

from db import progress, requests
from db.connection import BUSY_SECONDS, reading, writing
from db.rows import SupervisorRow
from engine.launchers.factory import ClusterSpec, check_devices
from engine.process import identity
from engine.process.python_command import python_command
from engine.project import own_commands
from engine.project.layout import Project
from engine.project.live_run import LiveRun, find_live_run
from engine.project.lock import ProjectInUse, ProjectLock
from engine.requests.answers import Answer
from engine.requests.handlers import carry_out, save_answer, save_request
from engine.requests.kinds import Request, Undo, checked, to_payload
from engine.state.policy import NO_HEALTH_STOP, Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.state.reconcile import take_over_running_tasks
from engine.utils.clock import Clock, SystemClock
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plain_files import make_folder, open_stream
from engine.utils.tail import last_lines
from engine.utils.user_config import stops_sick_models

START_SECONDS = 30.0
"""Seconds within which a supervisor must be up after its start."""
ANSWER_SECONDS = 10.0
"""Seconds within which a request must be answered."""
POLL_SECONDS = 0.05
"""Seconds between two looks at the database while something is waited for."""
SYSTEM_CLOCK = SystemClock()
"""The clock by which everything here waits; a test hands in its own."""


def live_run(project: Project) -> LiveRun:
    """Return who works on the project now."""
    with reading(project.database) as connection:
        row = progress.supervisor(connection)
    return find_live_run(project, row)


def live_supervisor(project: Project) -> SupervisorRow | None:
    """Return the supervisor of the project if it is alive, otherwise None."""
    return live_run(project).supervisor


def refuse_while_running(project: Project, what: str) -> None:
    """Raise `RequestRefused` while the project runs; `what` completes "stop it, then"."""
    if live_supervisor(project) is not None:
        raise RequestRefused(f"the run has the devices: 'stop' it, then {what}")


def last_devices(project: Project) -> str:
    """Return the devices of the last run, on which the next one runs if no others are named.

    Raises `BadInput` for a cluster at an address that no run of this boot has used: Ray trusts a
    cluster with everything, and the tracker may be a received one.
    """
    with reading(project.database) as connection:
        devices = progress.last_devices(connection) or "auto"
        boot_id = progress.last_boot(connection)
    cluster = ClusterSpec.parse(devices)
    if cluster is not None and cluster.address != "auto" and boot_id != identity.boot_id():
        raise BadInput(
            f"the project says that it ran last on the cluster {cluster.address}: if you trust"
            f" it, name it with --cluster {cluster.address} (in the application: u)"
        )
    return devices


def start(
    project: Project, devices: str, clock: Clock = SYSTEM_CLOCK, *, health_stop: bool | None = None
) -> SupervisorRow:
    """Start a supervisor in its own session, wait until it is up, and return its row.

    With `health_stop` False no model is stopped for the health of its captions; None is as the
    user's `config.toml` says. Returns the row of a supervisor that is alive already. Raises
    `BadInput`.
    """
    running = live_supervisor(project)
    if running is not None:
        return running
    check_devices(devices)
    process = spawn(project, devices, health_stop)
    deadline = clock.monotonic() + START_SECONDS
    while clock.monotonic() < deadline:
        if (running := live_supervisor(project)) is not None:
            return running
        code = process.poll()
        if code == 0:  # there was nothing to do, or it is done already
            return SupervisorRow(
                pid=process.pid,
                created=0.0,
                boot_id="",
                host=identity.host_name(),
                heartbeat=clock.time(),
                devices=devices,
            )
        if code is not None:
            raise BadInput(f"the supervisor did not start: {last_log_line(project)}")
        clock.sleep(POLL_SECONDS)
    raise BadInput(f"the supervisor did not start within {START_SECONDS:.0f} s")


def spawn(
    project: Project, devices: str, health_stop: bool | None = None
) -> subprocess.Popen[bytes]:
    """Start the process of a supervisor, whose output goes into its log. Raises `BadInput`."""
    stops = stops_sick_models() if health_stop is None else health_stop
    try:
        make_folder(project.logs)
        with open_stream(project.supervisor_log, "ab") as log:
            return subprocess.Popen(  # noqa: S603 (our own interpreter and code)
                python_command(
                    "engine.supervisor.main",
                    str(project.folder),
                    devices,
                    *([] if stops else [NO_HEALTH_STOP]),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise BadInput(f"cannot start a run in {project.folder}: {error}") from error


def last_log_line(project: Project) -> str:
    """Return the last line of the supervisor's log, or where that log lies if it is empty."""
    lines = last_lines(project.supervisor_log, 1)
    return lines[-1] if lines else f"see {project.supervisor_log}"


def send_request(project: Project, request: Request, clock: Clock = SYSTEM_CLOCK) -> Answer:
    """Have a request carried out once, and return the answer.

    A live supervisor carries it out; if there is none, this process does, under the project's lock.
    Raises `RequestRefused`, also if the project is in use on another machine: two machines are not
    trusted to write one database, `DatabaseError`.
    """
    request = checked(request)
    request_id: int | None = None
    deadline = clock.monotonic() + ANSWER_SECONDS
    while True:
        run = live_run(project)
        if run.elsewhere is not None and not run.elsewhere.on_this_machine:
            raise RequestRefused(
                f"the project is in use elsewhere, by {run.elsewhere}: give this command there"
            )
        if request_id is None and run.supervisor is not None:
            with writing(project.database) as connection:
                request_id = requests.add(connection, request.kind, to_payload(request))
        alive = live_supervisor(project) is not None
        # The answer is read after that: a supervisor that has ended answers no more.
        if request_id is not None and (answer := read_answer(project, request_id)) is not None:
            return raise_if_refused(answer)
        holder = None
        if not alive:
            try:
                return raise_if_refused(apply(project, request, request_id, clock))
            except ProjectInUse as error:  # a supervisor starts up, or ends
                holder = error
        if clock.monotonic() > deadline:
            if holder is not None:
                raise RequestRefused(f"the project is in use by {holder}")
            raise RequestRefused(
                f"no answer for {ANSWER_SECONDS:.0f} s; the run will still carry the request out"
            )
        clock.sleep(POLL_SECONDS)


def read_answer(project: Project, request_id: int) -> Answer | None:
    """Return the answer to a request; None while there is none."""
    with reading(project.database) as connection:
        row = requests.get(connection, request_id)
    return None if row.state == "new" else Answer.of_row(row)


def raise_if_refused(answer: Answer) -> Answer:
    """Return the answer. Raises `RequestRefused` with its text if the request was refused."""
    if answer.state == "refused":
        raise RequestRefused(answer.text)
    return answer


def apply(project: Project, request: Request, request_id: int | None, clock: Clock) -> Answer:
    """Carry a request out in this process, under the project's lock, and return the answer.

    `request_id` is its id if it was also added to the database for a supervisor. Raises
    `ProjectInUse`, `RequestRefused`.
    """
    try:
        with ProjectLock(project.lock):
            if request_id is not None:
                answer = read_answer(project, request_id)
                if answer is not None:
                    return answer
            project_state = ProjectState.load(project, Policy(busy_seconds=BUSY_SECONDS), clock)
            take_over_running_tasks(project_state)
            uid, before = project_state.settings.uid, dict(project_state.models)
            answer = carry_out(project_state, request, None)
            own_commands.allow_changes(project, uid, before, project_state.models)
            if request_id is not None:
                save_answer(project_state, request_id, answer)
            elif answer.before or isinstance(request, Undo):  # what can be undone, and what is
                save_request(project_state, request, answer)
            project_state.commit()
            keep_manifest(project, project_state)
    except OSError as error:
        raise RequestRefused(f"the project cannot be written: {error}") from error
    return answer

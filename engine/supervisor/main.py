"""The supervisor's process: `python -m engine.supervisor.main PROJECT DEVICES [--no-health-stop]`.

`supervise` runs a project under its lock; a headless `run` calls it in its own process.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db.connection import DatabaseError
from engine.hardware.open_files import ensure_open_files
from engine.launchers.factory import make_launcher
from engine.notices.run_end import remember_run
from engine.project import outside_images, own_commands
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.opening import open_project
from engine.state.policy import NO_HEALTH_STOP, Policy
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput

LOCK_SECONDS = 5.0
"""How long a new supervisor waits for the project's lock, in seconds: the one that was just stopped
may still be ending its workers."""


def supervise(
    project: Project,
    spec: str,
    policy: Policy | None = None,
    module: str = "engine.worker.worker",
    on_interrupt: Callable[[], None] = lambda: None,
) -> bool:
    """Run the project in this process, its main thread, until it is finished or stopped.

    `spec` names the devices (see `engine.launchers.factory`), `module` is the worker's program,
    and `on_interrupt` is called from the handler of SIGTERM and SIGINT, which stop the run;
    SIGHUP does not. Returns True if no task is left pending or running. Raises `ProjectInUse`,
    `BadInput`, `DatabaseError`.
    """
    supervisor: Supervisor | None = None
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        on_interrupt()
        if supervisor is not None:
            supervisor.stop()

    try:
        with signal_handlers(interrupt), ProjectLock(project.lock) as lock:
            outside_images.check_image_root(project)
            own_commands.check(project)
            launcher = make_launcher(project, spec, module)
            ensure_open_files(len(launcher.devices()))
            remember_run(project)
            supervisor = Supervisor(project, launcher, policy, spec, lock=lock)
            if interrupted:
                supervisor.stop()
            return supervisor.run()
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be worked on: {error}") from error


@contextmanager
def signal_handlers(interrupt: Callable[..., None]) -> Iterator[None]:
    """Call `interrupt` on SIGTERM and SIGINT and ignore SIGHUP, until the block ends."""
    handlers: dict[signal.Signals, Any] = {
        signal.SIGTERM: interrupt,
        signal.SIGINT: interrupt,
        signal.SIGHUP: signal.SIG_IGN,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def main() -> None:
    """Supervise the project and devices that the command line names; exit with text on error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        project = open_project(Path(sys.argv[1]))
        while True:
            try:
                policy = Policy(health_stop=NO_HEALTH_STOP not in sys.argv[3:])
                supervise(project, sys.argv[2], policy)
                return
            except ProjectInUse:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    except (BadInput, DatabaseError, ProjectInUse) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()

"""The supervisor's process: `python -m engine.supervisor.main PROJECT DEVICES`."""

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
from engine.launchers.factory import launcher
from engine.project.layout import Project
from engine.project.lock import Held, ProjectLock
from engine.project.opening import open_project
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from engine.utils.errors import BadInput

PATIENCE = 5.0
"""Seconds that a started supervisor waits for one that is ending."""


def supervise(
    project: Project,
    spec: str,
    policy: Policy | None = None,
    module: str = "engine.worker.worker",
    on_interrupt: Callable[[], None] = lambda: None,
) -> bool:
    """Runs the project in this process, its main thread, until done or stopped.

    SIGTERM and SIGINT stop it, SIGHUP does not. Raises `Held`, `BadInput`, `DatabaseError`.
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
        with handled(interrupt), ProjectLock(project.lock) as lock:
            supervisor = Supervisor(
                project, launcher(project, spec, module), policy, spec, lock=lock
            )
            if interrupted:
                supervisor.stop()
            return supervisor.run()
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be worked on: {error}") from error


@contextmanager
def handled(interrupt: Callable[..., None]) -> Iterator[None]:
    """SIGTERM and SIGINT interrupt, SIGHUP is ignored; afterwards all is as it was."""
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    deadline = time.monotonic() + PATIENCE
    try:
        project = open_project(Path(sys.argv[1]))
        while True:
            try:
                supervise(project, sys.argv[2])
                return
            except Held:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    except (BadInput, DatabaseError, Held) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()

"""The supervisor's process: `python -m engine.supervise PROJECT DEVICES`, started detached."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from engine import devices
from engine.errors import BadInput
from engine.launchers.local import LocalLauncher
from engine.lock import Held, ProjectLock
from engine.policy import Policy
from engine.project import Project
from engine.supervisor import Supervisor


def supervise(
    project: Project,
    spec: str,
    policy: Policy | None = None,
    module: str = "engine.worker",
    on_interrupt: Callable[[], None] = lambda: None,
) -> bool:
    """Runs the project in this process, its main thread, until done or stopped.

    SIGTERM and SIGINT stop it, SIGHUP does not. Raises `Held`, `BadInput`, `OSError`.
    """

    def interrupt(*_: object) -> None:
        on_interrupt()
        supervisor.stop()

    found = devices.find(spec)
    with ProjectLock(project.lock):
        supervisor = Supervisor(project, LocalLauncher(project, module), found, policy, spec)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, interrupt)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return supervisor.run()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        supervise(Project.open(Path(sys.argv[1])), sys.argv[2])
    except (BadInput, Held, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()

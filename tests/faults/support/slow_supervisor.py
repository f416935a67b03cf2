"""The program `engine.supervisor.main` with workers that take half a second per image."""

from __future__ import annotations

import functools
import os

import engine.supervisor.main


def main() -> None:
    os.environ["MISBEHAVIOUR_SECONDS"] = "0.5"
    engine.supervisor.main.supervise = functools.partial(
        engine.supervisor.main.supervise, module="tests.faults.support.misbehaving_worker"
    )
    engine.supervisor.main.main()

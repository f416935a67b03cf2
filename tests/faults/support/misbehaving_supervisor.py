"""The program `engine.supervisor.main` with the workers of `misbehaving_worker`."""

from __future__ import annotations

import functools

import engine.supervisor.main


def main() -> None:
    engine.supervisor.main.supervise = functools.partial(
        engine.supervisor.main.supervise, module="tests.faults.support.misbehaving_worker"
    )
    engine.supervisor.main.main()

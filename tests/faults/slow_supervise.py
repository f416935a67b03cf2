"""`engine.supervise` with workers that take their time."""

from __future__ import annotations

import functools
import os

import engine.supervise


def main() -> None:
    os.environ["MISBEHAVIOUR_SECONDS"] = "0.5"
    engine.supervise.supervise = functools.partial(
        engine.supervise.supervise, module="tests.faults.workers"
    )
    engine.supervise.main()

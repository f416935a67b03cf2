"""Runs parts one after the other, and keeps what each printed, whatever becomes of the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

from tests.gpu.parts import Part

ERROR_CHARACTERS = 2000
"""Characters of a failed part's error output that are kept: the end of a traceback."""
State = Literal["good", "wrong", "failed", "timed out", "left out"]
"""`wrong`: a result is not what it must be. `failed`: the process ended with an error."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one part did."""

    part: str
    state: State
    seconds: float
    lines: list[dict[str, Any]]
    """The results that the part printed."""
    error: str = ""
    """The end of its error output, if it failed or timed out."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run_parts(
    parts: Sequence[Part],
    seconds: float,
    arguments: Sequence[str] = (),
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[PartResult]:
    """Run the parts within so many seconds in all. `arguments` follow each part's command."""
    deadline = monotonic() + seconds
    for part in parts:
        left = deadline - monotonic()
        if left <= 0:
            yield PartResult(part.name, "left out", 0.0, [])
        else:
            yield run_part(part, min(part.seconds, left), arguments)


def run_part(part: Part, limit: float, arguments: Sequence[str] = ()) -> PartResult:
    """Run one part for at most `limit` seconds."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *part.command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end_session(process)
        lines, error = list(read_results(out)), read_all(errors)[-ERROR_CHARACTERS:]
    return PartResult(
        part.name,
        judge(code, lines),
        round(time.monotonic() - began, 1),
        lines,
        "" if code == 0 else error,
    )


def end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever the part has left: a worker would keep the GPU's memory."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def judge(code: int | None, lines: Sequence[dict[str, Any]]) -> State:
    """Return how a part ended. `code` is its exit code, None after its time limit."""
    if any(line["good"] is False for line in lines):
        return "wrong"
    if code is None:
        return "timed out"
    return "good" if code == 0 and lines else "failed"


def read_results(file: IO[str]) -> Iterator[dict[str, Any]]:
    """Yield the lines that are results; libraries may print others."""
    for line in read_all(file).splitlines():
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict) and value.keys() >= {"case", "value", "unit", "good"}:
                yield value


def read_all(file: IO[str]) -> str:
    file.seek(0)
    return file.read()

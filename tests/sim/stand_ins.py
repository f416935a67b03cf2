"""What stands in for the disk, the database and the requests' answers while a schedule runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from engine.captioners.model_families import FAMILIES
from engine.project import caption_log, sheared_file
from engine.project.log_rows import LogContents, Wanted
from engine.utils.atomic_write import write_beside
from tests.sim.file_operations import before_each
from tests.support.fake_scorer import FAMILY

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

READERS = (
    "engine.state.project_state",
    "engine.requests.handlers",
    "engine.requests.exclude",
    "engine.supervisor.supervisor",
)
"""Modules that read the database in a run or a command."""


@contextmanager
def stand_in(simulation: Simulation) -> Iterator[None]:
    """Put the simulated disk and database in the place of the real ones, and watch."""
    disk, database = simulation.disk, simulation.database
    targets: dict[str, Any] = {
        "engine.project.caption_log.os": disk,
        "engine.project.caption_log.open_file": disk.open_file,
        "engine.project.caption_log.open_stream": disk.open_stream,
        "engine.project.caption_log.read_bytes": disk.read_bytes,
        "engine.supervisor.attempt.open_stream": disk.open_stream,
        "engine.state.project_state.writing": database.writing,
        "engine.state.project_state.requests": SimpleNamespace(answer=database.answer),
        "engine.state.completion.caption_log": SimpleNamespace(read=reader_back(simulation)),
        "engine.state.completion.replace_sheared": sheared_writer(simulation),
        "engine.project.manifest.write_beside": manifest_writer(simulation),
        **{f"{name}.reading": database.reading for name in READERS},
    }
    with ExitStack() as stack:
        stack.enter_context(patch.dict(FAMILIES, {FAMILY.name: FAMILY}))
        for target, replacement in targets.items():
            stack.enter_context(patch(target, replacement))
        if simulation.coverage is not None:
            simulation.coverage.next_schedule()
            simulation.coverage.watch(stack)
        stack.enter_context(before_each(simulation.on_file_operation))
        yield


def reader_back(simulation: Simulation) -> Any:
    """Return what reads a log back at its end: somebody may have cut it just before."""

    def read(path: Path, count: int, wanted: Wanted | None = None) -> LogContents:
        if simulation.faults.happens("log is cut while it is read back"):
            simulation.disk.cut(path)
        return caption_log.read(path, count, wanted=wanted)

    return read


def sheared_writer(simulation: Simulation) -> Any:
    """Return what writes sheared files: it may fail, and the process may die before or after."""

    def replace_sheared(path: Path, captions: Any) -> None:
        simulation.maybe_die("supervisor is killed before a sheared file")
        if simulation.faults.happens("sheared file cannot be written"):
            raise OSError(28, "simulated")
        sheared_file.replace_sheared(path, captions)
        simulation.maybe_die("supervisor is killed after a sheared file")

    return replace_sheared


def manifest_writer(simulation: Simulation) -> Any:
    """Return the same for project.json."""

    @contextmanager
    def write(out: Path, *arguments: Any) -> Iterator[Path]:
        simulation.maybe_die("supervisor is killed before project.json")
        if simulation.faults.happens("project.json cannot be written"):
            raise OSError(5, "simulated")
        inner: AbstractContextManager[Path] = write_beside(out, *arguments)
        with inner as part:
            yield part

    return write

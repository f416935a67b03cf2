"""Runs of a project on the device: the real supervisor and workers, watched by their messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db import projects
from db.connection import reading
from engine.captioners.registry import choose
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Loaded, Rows
from engine.supervisor.supervisor import Supervisor

WORKER = "engine.worker.worker"


@dataclass
class RunResult:
    """What one run did."""

    captions: dict[int, str]
    """Raw caption by record number; a record that failed has none."""
    records: int
    messages: list[Any] = field(default_factory=list)
    """The messages of workers, rows apart."""
    seconds: float = 0.0
    """From the first loaded model to the last row."""
    first_caption: float = 0.0
    """Seconds from the first loaded model to the first row."""


def caption_project(
    folder: Path,
    captions: Path,
    model: str,
    changes: Mapping[str, str],
    spec: str,
    module: str = WORKER,
    on_rows: Callable[[int], None] = lambda pid: None,
) -> RunResult:
    """Make a project of a captions file, run it to its end, and read its captions.

    `on_rows` is called with the pid of a worker that sent rows. Raises RuntimeError if the run does
    not finish.
    """
    new_project = NewProject(captions=[captions], models=[choose(model, "paper", dict(changes))])
    project = create(folder, new_project).project
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices(spec), module)
        supervisor = WatchedSupervisor(project, launcher, spec=spec, lock=lock)
        supervisor.on_rows = on_rows
        if not supervisor.run():
            raise RuntimeError("the run did not finish")
    made, records = read_captions(project)
    return RunResult(
        made,
        records,
        supervisor.messages,
        supervisor.last_row - supervisor.loaded,
        supervisor.first_row - supervisor.loaded,
    )


class WatchedSupervisor(Supervisor):
    """A supervisor that keeps the messages of its workers, and the times of the first and last."""

    on_rows: Callable[[int], None]
    loaded = first_row = last_row = 0.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.messages: list[Any] = []

    def receive(self, handle: Any, message: Any) -> None:
        now = time.monotonic()
        if isinstance(message, Rows):
            self.first_row, self.last_row = self.first_row or now, now
            self.on_rows(handle.pid)
        elif message is not None:
            self.messages.append(message)
            if isinstance(message, Loaded):
                self.loaded = self.loaded or now
        super().receive(handle, message)


def read_captions(project: Project) -> tuple[dict[int, str], int]:
    """Return the raw captions of a project of one model by record number, and how many records it
    has."""
    with reading(project.database) as connection:
        (model,) = projects.models(connection)
        shards: Sequence[Any] = projects.shards(connection)
    captions: dict[int, str] = {}
    for shard in shards:
        log = caption_log.read(project.caption_log_file(model, shard.number), shard.count)
        captions |= {shard.first + i: row.raw for i, row in log.captions.items()}
    return captions, sum(shard.count for shard in shards)

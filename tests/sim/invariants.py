"""What must hold after every run of a simulation, and at its end: the promise of the README."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from db import progress, projects, requests
from db.connection import reading
from db.rows import ModelRow, TaskRow
from engine.project import caption_log
from engine.project.layout import Project
from engine.protocol.caption_row import CaptionRow
from tests.sim.worker import BAD, POISON, SERVER_POISON, caption_of


@dataclass
class Checker:
    """What has been seen of one project so far, and what was violated."""

    project: Project
    violations: list[str] = field(default_factory=list)
    durable: dict[Path, set[int]] = field(default_factory=dict)
    """Indexes of the captions that each log held, durably, at an earlier check."""
    redone: set[int] = field(default_factory=set)
    """Tasks that a person had done again: only their records may be captioned twice."""
    excluded: bool = False
    """True if a person has excluded records."""
    deaths_alone: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Evidence as the checker counts it: ends of a worker (2) or kills (1) with one record alone,
    by (task id, index)."""
    outages_alone: Counter[tuple[int, int]] = field(default_factory=Counter)
    """The same for servers that went away with one record alone."""

    def violate(self, text: str) -> None:
        self.violations.append(text)

    def check(self, where: str, synced: dict[Path, int]) -> None:
        """Check logs and database after a run; `synced` are the durable bytes of each log."""
        with reading(self.project.database) as connection:
            tasks = projects.tasks(connection)
            models = {model.id: model for model in projects.models(connection)}
        for task in tasks:
            self.check_task(where, task, models[task.model_id], synced)

    def check_task(
        self, where: str, task: TaskRow, model: ModelRow, synced: dict[Path, int]
    ) -> None:
        path = self.project.caption_log_file(model, task.shard)
        before = self.durable.get(path, set())
        if not path.exists():
            if before:
                self.violate(f"{where}: the log of task {task.id} has vanished")
            return
        images = self.images(task.shard)
        contents = caption_log.read(path, task.count)
        if contents.foreign:
            self.violate(f"{where}: task {task.id} has {contents.foreign} foreign lines")
        for i, row in contents.captions.items():
            if row.raw != caption_of(model.name, images[i]):
                self.violate(f"{where}: record {task.id}/{i} has a caption of another: {row.raw}")
        if lost := before - set(contents.captions):
            self.violate(f"{where}: captions of task {task.id} are lost: {sorted(lost)}")
        data = path.read_bytes()
        self.durable.setdefault(path, set()).update(
            caption_log.captioned(data[: synced.get(path, len(data))])
        )
        if task.id not in self.redone and (twice := captioned_twice(data, task.count)):
            self.violate(f"{where}: records of task {task.id} were captioned twice: {twice}")
        for i, error in contents.errors.items():
            self.check_failure(where, task, model, i, images[i], error.error)
        self.check_reason(where, task, model)

    def check_failure(
        self, where: str, task: TaskRow, model: ModelRow, i: int, image: str, kind: str
    ) -> None:
        """An innocent record is not failed, not even for a time."""
        key = (task.id, i)
        allowed = {"invalid"}  # the row that came could not be kept
        if BAD in image:
            allowed.add("corrupt")
        # Less evidence is enough only for the last record of a task whose strikes are used up.
        last_strike = self.deaths_alone[key] >= 1 and task.attempt >= 3
        if self.deaths_alone[key] >= 4 or last_strike or self.outages_alone[key] >= 3:
            allowed.add("poison")
        if self.excluded:
            allowed |= {"excluded", "readmitted"}
        if kind not in allowed:
            self.violate(f"{where}: record {task.id}/{i} ({image}) was failed as {kind}")

    def check_reason(self, where: str, task: TaskRow, model: ModelRow) -> None:
        """A task is failed only for a reason that the table of states has."""
        if task.state != "failed":
            return
        if task.error_cause is None or not task.error:
            self.violate(f"{where}: task {task.id} failed without a reason")
        shard_or_model = ("shard_missing", "shard_changed", "shard_unreadable", "model_blocked")
        if task.error_cause not in shard_or_model and task.strikes < 3:
            self.violate(f"{where}: task {task.id} failed with {task.strikes} strikes")

    def images(self, shard: int) -> list[str]:
        lines = self.project.shard_file(shard).read_text().splitlines()
        return [json.loads(line)["image"] for line in lines if line.startswith("{")]

    def check_end(self, where: str) -> None:
        """Check that everything is done as if nothing had happened."""
        with reading(self.project.database) as connection:
            tasks = projects.tasks(connection)
            models = {model.id: model for model in projects.models(connection)}
            failed = {
                task.id: sum(row.count for row in progress.failures(connection, task.id))
                for task in tasks
            }
            waiting = requests.pending(connection)
        if waiting:
            self.violate(f"{where}: {len(waiting)} requests were never answered")
        for task in tasks:
            if task.state != "done":
                self.violate(f"{where}: task {task.id} is {task.state}: {task.error}")
                continue
            model = models[task.model_id]
            log = caption_log.read(self.project.caption_log_file(model, task.shard), task.count)
            if (task.captioned, task.failed) != (len(log.captions), len(log.errors)):
                self.violate(f"{where}: the counts of task {task.id} are not those of its log")
            if failed[task.id] != task.failed:
                self.violate(f"{where}: the failures of task {task.id} are not those it counts")
            if task.digest != log.digest:
                self.violate(f"{where}: the digest of task {task.id} is not that of its log")
            for i, image in enumerate(self.images(task.shard)):
                want = expected_end(model, image)
                error = log.errors.get(i)
                got = "caption" if i in log.captions else error.error if error else "nothing"
                if got != want:
                    self.violate(f"{where}: record {task.id}/{i} ({image}) ends as {got}")


def expected_end(model: ModelRow, image: str) -> str:
    """Return what a record ends as if nothing happens to it but what its image does."""
    if BAD in image:
        return "corrupt"
    deadly = SERVER_POISON in image if model.family == "endpoint" else image.startswith(POISON)
    return "poison" if deadly else "caption"


def captioned_twice(data: bytes, count: int) -> list[int]:
    rows = [caption_log.parse(line, count) for line in data.splitlines()]
    seen = Counter(row.i for row in rows if isinstance(row, CaptionRow))
    return [i for i, times in seen.items() if times > 1]

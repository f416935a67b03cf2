"""Reading every file of a project and comparing it with what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db import projects
from db.connection import DatabaseDamaged, reading
from db.integrity import check_integrity
from engine.operations import run_control
from engine.operations.damage import NOT_TOLD, tell_damage
from engine.operations.verify_job import VerifyJob, verify_shard
from engine.process.pool import map_on_all_cores
from engine.project import manifest, rebuild
from engine.project.damage import Damage
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.shearing.shear import Shearing
from engine.utils.clock import Clock
from engine.utils.errors import BadInput
from engine.utils.plurals import plural

SETTLE_SECONDS = 3.0
"""Seconds after which what looked damaged while the project runs is read again: a run commits once
a second, and only then are a changed log and its digest of one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was read of a project, and what of it is damaged."""

    project: Project
    damage: tuple[Damage, ...]
    files: int
    """The number of files that were read."""
    bytes: int
    """Their size."""
    running: int
    """Tasks that are running, whose logs were not read."""
    told: str
    """What becomes of the damage, as sentences; empty if there is none."""

    def lines(self) -> Iterator[str]:
        """Yield the result as lines for people, one for each damaged file."""
        for each in self.damage:
            yield f"{self.name(each)} {each.text}: {each.advice}"
        left_out = f"; {plural(self.running, 'running task')} left out" if self.running else ""
        counted = f"{plural(self.files, 'file')}, {self.bytes / 1e6:,.1f} MB{left_out}"
        if self.damage:
            yield f"{plural(len(self.damage), 'file')} damaged of {counted}. {self.told}"
        else:
            yield f"sound: {counted}"

    def as_dict(self) -> dict[str, Any]:
        """Return the result as the JSON object that `verify --json` prints."""
        return {
            "sound": not self.damage,
            "files": self.files,
            "bytes": self.bytes,
            "running": self.running,
            "damage": [
                {
                    "file": self.name(each),
                    "shard": each.shard,
                    "problem": each.text,
                    "advice": each.advice,
                }
                for each in self.damage
            ],
            "told": self.told,
        }

    def name(self, damage: Damage) -> str:
        """Return the path of a damaged file in the project."""
        return str(damage.path.relative_to(self.project.folder))


def verify(
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    readonly: bool = False,
    clock: Clock = run_control.SYSTEM_CLOCK,
) -> Verification:
    """Read the project in a folder, and have its tracker know what is damaged.

    With `readonly` nothing is changed: the tracker is not told, and a damaged one is not rebuilt.
    `progress` gets the numbers of shards read and of all. Raises `BadInput` if the folder holds no
    project that can be used.
    """
    tracker = tracker_damage(Project.at(folder))
    project = open_project(folder, readonly)
    damage = [*tracker, *manifest_damage(project)]
    files = size = 0
    jobs = list(verify_jobs(project))
    running = sum(task.state == "running" for job in jobs for task, _ in job.tasks)
    in_shards: list[Damage] = []
    for number, verified in enumerate(map_on_all_cores(verify_shard, jobs), start=1):
        in_shards += verified.damage
        files += verified.files
        size += verified.bytes
        progress(number, len(jobs))
    if in_shards and run_control.live_supervisor(project) is not None:
        clock.sleep(SETTLE_SECONDS)
        numbers = {each.shard for each in in_shards}
        again = map(verify_shard, verify_jobs(project, numbers))
        in_shards = [each for verified in again for each in verified.damage]
    damage += in_shards
    return Verification(
        project=project,
        damage=tuple(damage),
        files=files,
        bytes=size,
        running=running,
        told=what_was_told(project, damage, tell=not readonly),
    )


def what_was_told(project: Project, damage: Sequence[Damage], tell: bool) -> str:
    """Return what becomes of the damage; the tracker is told of it only if `tell` is True."""
    if not damage:
        return ""
    return tell_damage(project, damage) if tell else NOT_TOLD


def verify_jobs(
    project: Project, numbers: Collection[int | None] | None = None
) -> Iterator[VerifyJob]:
    """Yield a job for each shard, or each of these, by what the tracker says now."""
    with reading(project.database) as connection:
        shearing = Shearing.of(projects.project(connection))
        models = {model.id: model for model in projects.models(connection)}
        shards = projects.shards(connection)
        tasks = projects.tasks(connection)
    of_shard: dict[int, list[Any]] = {shard.number: [] for shard in shards}
    for task in tasks:
        of_shard[task.shard].append((task, models[task.model_id]))
    for shard in shards:
        if numbers is None or shard.number in numbers:
            yield VerifyJob(project, shard, of_shard[shard.number], shearing)


def tracker_damage(project: Project) -> list[Damage]:
    """Return what is wrong with the tracker, before it is opened and made good."""
    found = None
    if project.database.is_file() or project.manifest.is_file():
        found = rebuild.damage(project)
    if found is None and project.database.is_file():
        try:
            check_integrity(project.database)
        except DatabaseDamaged as error:
            found = str(error)
    if found is None:
        return []
    text = found.removeprefix(f"{project.database} ")
    return [Damage(project.database, text, "it is rebuilt from project.json and the logs")]


def manifest_damage(project: Project) -> list[Damage]:
    """Return what is wrong with `project.json`, by which a lost tracker is rebuilt."""
    with reading(project.database) as connection:
        settings, models = projects.project(connection), projects.models(connection)
        shards = projects.shards(connection)
    try:
        same = manifest.is_up_to_date(project, settings, models, shards)
        text = "differs from the tracker"
    except BadInput:
        same, text = False, "cannot be read"
    advice = "it is written again from the tracker"
    return [] if same else [Damage(project.manifest, text, advice)]

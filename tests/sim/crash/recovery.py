"""The real recovery of a project after a crash, on real files, fast enough for all crash states.

What is a function of the database alone is done once for each content of the database: opening it,
reading it, and the commit at the end of the recovery for each set of changed rows. Everything that
the caption logs decide is done anew for each state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from db import progress
from db.connection import reading
from db.rows import TaskRow
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, SavedProject, keep_manifest, read_project
from engine.state.reconcile import reconcile
from tests.sim.crash.lives import DAMAGED, open_anyhow, take_step
from tests.sim.crash.obedient import StandingClock
from tests.sim.crash.operations import (
    Commit,
    Disk,
    Link,
    Operation,
    Rename,
    Truncate,
    Unlink,
    Write,
)
from tests.sim.crash.recorder import Recorder

DATABASE = "project.db"
MANIFEST = "project.json"
FORGOTTEN = ("attempt", "device", "started", "finished", "seconds", "error", "updated")
"""Fields of a task by which nothing is decided after a crash."""
DECISIVE = tuple(field.name for field in fields(TaskRow) if field.name not in FORGOTTEN)

Files = dict[str, bytes | None]
"""The content of every file by path; None for a folder."""


@dataclass(frozen=True)
class Known:
    """A database that was read once."""

    saved: SavedProject
    content: bytes
    """The first database that said the same of models and tasks: it stands for all that do."""


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """A recovery that has ended."""

    operations: list[Operation]
    state: ProjectState
    """The project, after its commit or as it would have been committed."""


class Workshop:
    """A folder in memory in which projects are laid out, live and recover."""

    def __init__(self, recorder: Recorder, folder: Path) -> None:
        self.recorder = recorder
        self.folder = folder
        self.project = Project(folder)
        self.present: Files = {}
        """What the folder holds, as far as it is known."""
        self.touched: set[str] = set()
        """Paths of which it is not known what they hold."""
        self.known: dict[bytes, Known] = {}
        """Every database that was read, by its content."""
        self.by_meaning: dict[object, Known] = {}
        """The first database of each meaning."""
        self.commits: dict[object, bytes] = {}
        """The database after a recovery's commit, by the one before and the rows that changed."""

    # Laying out

    def lay_out(self, files: Files) -> None:
        """Have the folder hold these files and no others."""
        for path in [p for p in (*self.present, *self.touched) if p not in files]:
            whole = self.folder / path
            if whole.is_dir():
                remove_tree(whole)
            else:
                whole.unlink(missing_ok=True)
            self.present.pop(path, None)
            self.touched.discard(path)
        for path, data in sorted(files.items()):
            if path not in self.touched and self.present.get(path, ...) == data:
                continue
            whole = self.folder / path
            if data is None:
                whole.mkdir(exist_ok=True)
            else:
                whole.write_bytes(data)
                self.recorder.set_time(whole)
            self.present[path] = data
        self.touched.clear()

    @contextmanager
    def record(self, disk: Disk) -> Iterator[list[Operation]]:
        """Record what happens to the folder, which is laid out as `disk` shows."""
        self.lay_out(disk.visible())
        with self.recorder.record(disk) as operations:
            try:
                yield operations
            finally:
                for operation in operations:
                    self.touched |= self.paths_of(operation)

    def paths_of(self, operation: Operation) -> set[str]:
        """Return the paths whose content an operation may have changed."""
        match operation:
            case Rename(old, new):
                return {old, new}
            case Link(path) | Unlink(path):
                return {path}
            case Write(file) | Truncate(file) | Commit(file):
                return {path for path, known in self.recorder.files.items() if known == file}
        return set()

    # Living

    def live(self, step: str, disk: Disk) -> list[Operation]:
        """Take a step of a life, and return what was recorded of it."""
        with self.record(disk) as operations:
            take_step(step, self.folder)
        after = disk
        for operation in operations:
            after = after.after(operation)
        missed = self.recorder.missed(after)
        assert not missed, f"{step}: the recorder missed changes of {sorted(missed)}"
        return [self.with_meaning(operation) for operation in operations]

    def with_meaning(self, operation: Operation) -> Operation:
        """Return a commit of the database that stands for all of the same meaning."""
        if isinstance(operation, Commit) and operation.data != DAMAGED:
            return Commit(operation.file, self.read(operation.data).content)
        return operation

    def recover(self, disk: Disk) -> Recovered:
        """Do what the start of a run does before any worker is started; may raise anything."""
        database = disk.visible().get(DATABASE)
        with self.record(disk) as operations:
            if database is None or database not in self.known:
                open_anyhow(self.folder)
                self.recorder.note_commits()
                database = self.project.database.read_bytes()
            known = self.read(database)
            state = ProjectState(self.project, known.saved, Policy(), StandingClock())
            keep_manifest(self.project, state)
            reconcile(state)
            rows = tuple(decisive(task) for _, task in state.ledger.changed())
            failures = sorted((task, tuple(found)) for task, found in state.failures.items())
            key = (known.content, rows, tuple(failures))
            is_new = key not in self.commits
            if is_new:
                self.commits[key] = self.commit(state)
        done = [self.with_meaning(operation) for operation in operations]
        if not is_new:  # it is done in the books alone
            done.append(Commit(self.recorder.files[DATABASE], self.commits[key]))
        return Recovered(operations=done, state=state)

    def commit(self, state: ProjectState) -> bytes:
        """Save a recovered state by a real commit, and return a database of the same meaning."""
        state.commit()
        after = self.read(self.project.database.read_bytes())
        rows = [decisive(task) for task in after.saved.tasks]
        expected = [decisive(state.ledger[task.id]) for task in after.saved.tasks]
        assert rows == expected, "a commit did not save what the ledger had"
        return after.content

    # Databases

    def read(self, content: bytes) -> Known:
        """Return what a sound database says."""
        if content in self.known:
            return self.known[content]
        copy = self.folder.with_suffix(".db")
        copy.write_bytes(content)
        with reading(copy) as connection:
            saved = read_project(connection)
            failed = tuple((f.task_id, f.kind, f.count) for f in progress.failures(connection))
        settings = saved.settings
        meaning = (
            tuple((model.id, model.folder, model.blocked) for model in saved.models),
            tuple(decisive(task) for task in saved.tasks),
            failed,
            (settings.shear_mode, settings.shear_max_words, settings.paused),
        )
        known = self.by_meaning.setdefault(meaning, Known(saved, content))
        if known.content is content:
            self.known[content] = known
        return known


def decisive(task: TaskRow) -> tuple[Any, ...]:
    """Return the fields of a task by which something is decided after a crash."""
    return tuple(getattr(task, name) for name in DECISIVE)


def remove_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()

"""Writing imported captions into the caption logs of their model, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from db.rows import ModelRow, SampleRow, TaskRow
from engine.captioners.registry import IMPORTED
from engine.operations.imports.caption_spool import CaptionSpool, row_line
from engine.operations.imports.finish_log import FinishedLog, FinishJob, finish_log
from engine.operations.imports.import_result import Counts
from engine.operations.records import input_record
from engine.process.pool import map_on_all_cores
from engine.project import caption_log
from engine.project.caption_log import CaptionLog, sync_folder
from engine.project.log_rows import EXCLUDED, HAS_CAPTION, NOT_IMPORTED_KIND
from engine.protocol import caption_row
from engine.protocol.caption_row import ErrorRow
from engine.shearing.shear import shear
from engine.state.damaged_log import check_log
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.state.reconcile import file_size, lacks_nothing, log_path, record_completed
from engine.utils import jsonlines
from engine.utils.plain_files import make_folder

TASKS_AT_ONCE = 16
"""Tasks whose rows are held in memory at a time; before these are appended, the tracker is told of
the tasks among them that are done no more."""
COMMIT_SECONDS = 1.0
"""Seconds between two commits."""
SAMPLES = 500
"""Captions of an import that the screens show at once, at most."""
NOT_IMPORTED = "the imported files have no caption for it"


class Plan(NamedTuple):
    """The rows that one caption log is to get."""

    task: TaskRow
    log: Path
    lines: dict[int, bytes]
    """The lines of imported captions by the index of their record."""


class CaptionWriter:
    """Appends the captions of a spool to the caption logs of one model."""

    def __init__(
        self,
        project_state: ProjectState,
        model: ModelRow,
        spool: CaptionSpool,
        counts: Counts,
        replace: bool,
    ) -> None:
        """The caller holds the project's lock. `replace` is as in `CaptionImport`."""
        self.project_state = project_state
        self.model = model
        self.spool = spool
        self.counts = counts
        self.replace = replace
        self.appended = 0
        """Captions that were appended."""
        self.replaced = 0
        """Those of them that took the place of another caption."""
        self.next_commit = 0.0

    def write_all(self, progress: Callable[[int, int], None]) -> None:
        """Append all captions and complete the tasks that lack nothing any more.

        `progress` gets the numbers of logs done and of all. Raises `OSError`: what was written
        before counts.
        """
        ledger = self.project_state.ledger
        tasks = [task for task in ledger.tasks.values() if task.model_id == self.model.id]
        captions = self.project_state.project.captions
        make_folder(captions / self.model.folder)
        sync_folder(captions)
        done = 0
        try:
            with closing(map_on_all_cores(finish_log, self.append_all(tasks))) as results:
                for finished in results:
                    self.record(finished)
                    done += 1
                    progress(done, len(tasks))
        finally:
            if self.appended:
                text = f"{self.appended:,} captions imported"
                self.project_state.event("info", text, model=self.model.name)
            self.project_state.commit()

    def append_all(self, tasks: Sequence[TaskRow]) -> Iterator[FinishJob]:
        """Append the rows of each task, and yield the jobs that sync and complete the logs."""
        for start in range(0, len(tasks), TASKS_AT_ONCE):
            some = tasks[start : start + TASKS_AT_ONCE]
            plans = [plan for task in some if (plan := self.plan(task)) is not None]
            self.reopen([plan.task for plan in plans if plan.task.state == "done"])
            for plan in plans:
                yield self.append(plan)

    def plan(self, task: TaskRow) -> Plan | None:
        """Return the rows that a task's log is to get; None if it needs none."""
        log = log_path(self.project_state, task)
        lines = self.choose_lines(task.shard, *self.spool.read(task.shard))
        keeps_all = task.state == "done" and not task.failed and not self.replace
        if keeps_all:
            self.count("there", task.shard, lines)
            return None
        if lines:
            task = check_log(self.project_state, task, log, self.project_state.clock.time())
            lines = self.drop_known(task, log, lines)
        is_up_to_date = file_size(log) == task.log_bytes and not lacks_nothing(task)
        is_whole = self.model.family != IMPORTED or task.state == "done"
        return None if not lines and is_up_to_date and is_whole else Plan(task, log, lines)

    def choose_lines(
        self, shard: int, indices: Sequence[int], lines: Sequence[bytes]
    ) -> dict[int, bytes]:
        """Return one line of each record, of the first file that has one or of the last."""
        chosen = dict(zip(indices, lines, strict=True))
        if self.replace or len(chosen) == len(lines):
            return chosen
        chosen.clear()
        for i, line in zip(indices, lines, strict=True):
            chosen.setdefault(i, line)
        later = [i for n, i in enumerate(indices) if lines[n] is not chosen[i]]
        self.count("there", shard, later)
        return chosen

    def drop_known(self, task: TaskRow, log: Path, lines: dict[int, bytes]) -> dict[int, bytes]:
        """Return the lines of records that have no caption, or of those that get another one."""
        contents = caption_log.read(log, task.count)
        if not contents.rows:
            return lines
        new: dict[int, bytes] = {}
        known: dict[str, list[int]] = {"there": [], "same": [], "excluded": []}
        for i, line in lines.items():
            flags = contents.flags[i]
            if flags & EXCLUDED:
                known["excluded"].append(i)
            elif not flags & HAS_CAPTION:
                new[i] = line
            elif not self.replace:
                known["there"].append(i)
            elif row_line(i, contents.captions[i].raw) == line:
                known["same"].append(i)
            else:
                new[i] = line
        for reason, indices in known.items():
            self.count(reason, task.shard, indices)
        return new

    def count(self, reason: str, shard: int, indices: Iterable[int]) -> None:
        """Count captions of records of a shard that are not appended."""
        names = [f"{shard}:{i}" for i in indices]
        if names:
            self.counts.add(reason, names)

    def reopen(self, tasks: Sequence[TaskRow]) -> None:
        """Have the tracker know tasks that are done as pending, before their logs grow."""
        for task in tasks:
            now = self.project_state.clock.time()
            self.project_state.ledger.change(task.id, now, state="pending", finished=None)
        if tasks:
            self.project_state.commit()

    def append(self, plan: Plan) -> FinishJob:
        """Append the rows of a plan to its log, which is not synced yet. Raises `OSError`."""
        state, now = self.project_state, self.project_state.clock.time()
        task = state.ledger.change(
            plan.task.id, now, digest=None, redo_from=min(plan.task.redo_from, file_size(plan.log))
        )
        log = CaptionLog(plan.log, task.count, task.redo, task.redo_from)
        try:
            captioned = log.captioned
            if plan.lines:
                log.append_lines(plan.lines)
            if self.model.family == IMPORTED:
                without = [i for i, flags in enumerate(log.flags) if not flags]
                log.append(ErrorRow(i, NOT_IMPORTED_KIND, NOT_IMPORTED) for i in without)
        finally:
            log.close()
        self.add_samples(plan)
        self.appended += len(plan.lines)
        self.replaced += len(plan.lines) - (log.captioned - captioned)
        return FinishJob(
            task_id=task.id,
            log=plan.log,
            counts=log.counts,
            failures=group_failures(task.id, log.errors),
            records=task.count,
            family=self.model.family,
            shearing=state.shearing,
            ends=not log.left and (task.state != "skipped" or self.model.family == IMPORTED),
        )

    def add_samples(self, plan: Plan) -> None:
        """Have the screens show some of the captions, of records spread over the project."""
        state = self.project_state
        shard = state.shards[plan.task.shard]
        stride = max(1, state.settings.records // SAMPLES)
        for i in range(-shard.first % stride, shard.count, stride):
            record = input_record(state.project, shard.number, i) if i in plan.lines else None
            if record is None:
                continue
            raw = jsonlines.loads(plan.lines[i])["raw"]
            sheared = shear(raw, self.model.family, state.shearing)
            state.samples.append(
                SampleRow(
                    created=state.clock.time(),
                    model_id=self.model.id,
                    shard=shard.number,
                    i=i,
                    image=record["image"],
                    original=record.get("caption") or "",
                    raw=raw,
                    sheared=sheared.text,
                    start=sheared.start,
                    end=sheared.end,
                    tokens=0,
                    finish=caption_row.IMPORTED,
                )
            )

    def record(self, finished: FinishedLog) -> None:
        """Take over what was found in a log that is synced."""
        state, now = self.project_state, self.project_state.clock.time()
        task_id = finished.job.task_id
        if finished.completed is not None:
            record_completed(state, task_id, finished.completed, finished.failures, now)
        else:
            state.ledger.set_counts(task_id, finished.job.counts, now)
            state.failures[task_id] = finished.job.failures
        if finished.trouble:
            shard = state.ledger[task_id].shard
            state.event("fail", finished.trouble, model=self.model.name, shard=shard)
            state.fail_if_imported(task_id, now)
        if now >= self.next_commit:
            self.next_commit = now + COMMIT_SECONDS
            state.commit()

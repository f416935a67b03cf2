"""What must hold after every run of a simulation, and at its end: the promise of the README."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from db import progress, projects, requests
from db.connection import reading
from db.rows import AttemptRow, ModelRow, ShardRow, TaskRow
from db.tables import ATTEMPT
from db.values import columns
from engine.project import log_rows
from engine.project.layout import Project
from engine.project.log_rows import LogContents
from engine.protocol.caption_row import AskedAgainRow, ErrorRow
from engine.quality import comparison
from tests.sim.disk import SimulatedDisk
from tests.sim.log_reading import (
    asked_though_excluded,
    captioned_twice,
    expected_end,
    read_log,
)
from tests.sim.naming import BAD, ORIGINAL
from tests.sim.scores import (
    Scored,
    is_scorer,
    lacking_scores,
    present_texts,
    scored,
    texts_ever,
    wrong_scores,
    wrongly_shown,
)
from tests.sim.truth import Truth

SHARD_CAUSES = ("shard_missing", "shard_changed", "shard_unreadable")
STRIKES = 3
"""Strikes with which a task fails, and failures of loads that block a model."""
OWN_FILES = re.compile(
    r"project\.(db|json)[\w.-]*|lock|inputs\.json"
    r"|shards/\d{5}\.jsonl"
    r"|captions/[\w.-]+/\d{5}(\.sheared-\w+)?\.jsonl(\.\w+\.part|\.damaged-[\d-]+)?"
    r"|logs/[\w.-]+"
)
"""Every file that a project may have, by its path in the project's folder."""
ENDED_OUTCOMES = ("done", "withdrawn", "died", "stopped", "lost")


@dataclass
class Checker:
    """What has been seen of one project so far, and what was violated."""

    project: Project
    images: Mapping[int, Sequence[str]]
    """The images of every shard, as it was cut."""
    truth: Truth = field(default_factory=Truth)
    violations: list[str] = field(default_factory=list)
    durable: dict[Path, set[int]] = field(default_factory=dict)
    """Indexes of the captions that each log held, durably, at an earlier check."""
    durable_scores: dict[Path, set[Scored]] = field(default_factory=dict)
    """The scores that each log of a scorer held, durably, at an earlier check."""
    changed: set[Path] = field(default_factory=set)
    """Logs that were changed while nothing ran, and by nothing else since."""
    power_was_cut: bool = False
    """True once logs may have lost rows that the database counts."""
    captioners: set[str] = field(default_factory=set)
    """The names of all models that have written captions."""
    where: str = ""
    """After what the present check is made."""

    def violate(self, text: str) -> None:
        self.violations.append(f"{self.where}: {text}")

    def forget_durable(self, path: Path) -> None:
        """Expect nothing of a log that was damaged: a finished one is captioned anew."""
        self.durable.pop(path, None)
        self.durable_scores.pop(path, None)
        self.changed.discard(path)
        self.truth.damaged.add(path)

    def on_change(self, path: Path) -> None:
        """Expect the next run to find that a log was changed while nothing ran."""
        self.forget_durable(path)
        self.changed.add(path)

    def check_place(self, path: str) -> None:
        """Nothing outside the project is changed; `path` is what is about to be changed."""
        # A relative path is a name in a folder that the project has open (`plain_files`).
        if path.startswith("/") and not path.startswith(str(self.project.folder)):
            self.violate(f"{Path(path).name} is changed, outside the project")

    def on_write(self, path: Path, data: bytes) -> None:
        """Check what is about to be appended to a log: only rows that a worker was asked for."""
        for line in data.splitlines():
            row = log_rows.parse(line, 2**31)
            if row is None:
                self.violate(f"a line that is no row is written: {line[:80]!r}")
            elif isinstance(row, AskedAgainRow):
                self.check_asked(path, row)
            elif not isinstance(row, ErrorRow) or row.error not in ("excluded", "readmitted"):
                self.check_sent(path, row.i)

    def check_sent(self, path: Path, i: int) -> None:
        sent = (
            indexes
            for task_id, (_, indexes) in self.truth.sent.items()
            if self.truth.names[task_id][1] == int(path.stem)
            and path.parent.name.startswith(f"{self.truth.names[task_id][0]}-")
        )
        if not any(i in indexes for indexes in sent):
            self.violate(f"record {i} of {path.name} gets a row, and was with no worker")

    def check_asked(self, path: Path, row: AskedAgainRow) -> None:
        prompts = (
            prompts
            for (model, shard), prompts in self.truth.prompts.items()
            if shard == int(path.stem) and path.parent.name.startswith(f"{model}-")
        )
        if not any(row.changes["prompt"] in of_task for of_task in prompts):
            self.violate(f"record {row.i} of {path.name} is asked again, and nobody wanted that")

    # After every run

    def check(self, where: str, disk: SimulatedDisk, saved: bool) -> None:
        """Check logs and database after a run; `saved` is True if it came to its last commit."""
        self.where = where
        with reading(self.project.database) as connection:
            tasks = projects.tasks(connection)
            models = {model.id: model for model in projects.models(connection)}
            settings = projects.project(connection)
            query = select(*columns(ATTEMPT, AttemptRow)).order_by(ATTEMPT.c.number)
            attempts = [AttemptRow(**row._asdict()) for row in connection.execute(query)]
        self.truth.learn_tasks(list(tasks), models)
        self.captioners |= {m.name for m in models.values() if not is_scorer(m.family)}
        for task in tasks:
            model = models[task.model_id]
            path = self.project.caption_log_file(model, task.shard)
            log = read_log(path, task, model)
            self.check_log(task, model, path, log, disk)
            if saved and path in self.changed:
                self.check_found(task, path, log)
            if path not in disk.taken_back:
                self.check_counts(task, model, path, log, saved)
            self.check_reason(task, model, path)
            own = [attempt for attempt in attempts if attempt.task_id == task.id]
            self.check_attempts(task, own, saved)
        if saved:
            self.check_all_scored(tasks, models, settings.shear_max_words)
        for breach in self.truth.breaches:
            self.violate(breach)
        self.truth.breaches.clear()
        for request_id, times in self.truth.answers.items():
            if times > 1:
                self.violate(f"request {request_id} was answered {times} times")

    def check_log(
        self, task: TaskRow, model: ModelRow, path: Path, log: LogContents, disk: SimulatedDisk
    ) -> None:
        """Every record has its own caption or a failure for a reason, and none is lost."""
        data = path.read_bytes() if path.exists() else b""
        if log.foreign and path not in self.truth.damaged:
            self.violate(f"task {task.id} has {log.foreign} foreign lines")
        images = self.images[task.shard]
        for i, row in log.captions.items():
            if row.raw not in self.truth.captions_ever(model.name, task.shard, images[i]):
                self.violate(f"record {task.id}/{i} has a caption of another: {row.raw}")
        if is_scorer(model.family):
            self.check_scores(task, path, data, disk)
        recorded = data[: task.log_bytes]  # rows behind that are cut if a request was killed
        unsynced = disk.durable_bytes(path, data)[: task.log_bytes] != recorded
        if task.state == "done" and unsynced and path not in self.truth.damaged:
            self.violate(f"task {task.id} is done, and its log was not synced")
        if lost := self.durable.get(path, set()) - set(log.captions):
            self.violate(f"captions of task {task.id} are lost: {sorted(lost)}")
        if path not in self.truth.damaged:
            durable = log_rows.captioned(disk.durable_bytes(path, data)) & set(log.captions)
            self.durable.setdefault(path, set()).update(durable)
        redone = self.truth.names[task.id] in self.truth.redone
        if not redone and (twice := captioned_twice(data, task.count)):
            self.violate(f"records of task {task.id} were captioned twice: {twice}")
        if path not in self.truth.damaged and (asked := asked_though_excluded(data, task.count)):
            self.violate(f"excluded records of task {task.id} were asked again: {asked}")
        for i, error in log.errors.items():
            self.check_failure(task, model, i, images[i], error)

    def check_scores(self, task: TaskRow, path: Path, data: bytes, disk: SimulatedDisk) -> None:
        """Every score is that of its caption, none is lost, and none is made twice."""
        for wrong in wrong_scores(data, task.count):
            self.violate(f"task {task.id}: {wrong}")
        times = scored(data, task.count)
        ever = [
            texts_ever(
                [
                    caption
                    for name in self.captioners
                    for caption in self.truth.captions_ever(name, task.shard, image)
                ]
            )
            for image in self.images[task.shard]
        ]
        if foreign := [(i, digest) for i, digest in times if digest not in ever[i]]:
            self.violate(f"task {task.id} has scores of what no record said: {foreign}")
        if lost := self.durable_scores.get(path, set()) - set(times):
            self.violate(f"scores of task {task.id} are lost: {sorted(lost)}")
        if path not in self.truth.damaged:
            durable = set(scored(disk.durable_bytes(path, data), task.count)) & set(times)
            self.durable_scores.setdefault(path, set()).update(durable)
        redone = self.truth.names[task.id] in self.truth.redone
        if not redone and (twice := [key for key, number in times.items() if number > 1]):
            self.violate(f"captions of task {task.id} were scored twice: {twice}")

    def check_all_scored(
        self, tasks: Sequence[TaskRow], models: Mapping[int, ModelRow], max_words: int | None
    ) -> None:
        """No caption is without a score once the last task of its shard is closed."""
        shards: defaultdict[int, list[tuple[TaskRow, Path]]] = defaultdict(list)
        for task in tasks:
            path = self.project.caption_log_file(models[task.model_id], task.shard)
            shards[task.shard].append((task, path))
        for shard, closed in shards.items():
            is_open = any(task.state in ("pending", "running") for task, _ in closed)
            if is_open or shard in self.truth.touched_shards or self.power_was_cut:
                continue
            if self.truth.damaged.intersection(path for _, path in closed):
                continue
            logs = [
                (task, models[task.model_id], read_log(path, task, models[task.model_id]))
                for task, path in closed
            ]
            for lacking in lacking_scores(logs, max_words):
                self.violate(lacking)

    def check_found(self, task: TaskRow, path: Path, log: LogContents) -> None:
        """A run does not believe a finished log that was changed before it."""
        self.changed.discard(path)
        if task.state == "done" and task.digest != log.digest:
            self.violate(f"task {task.id} is done, and its log was changed")

    def check_failure(
        self, task: TaskRow, model: ModelRow, i: int, image: str, error: ErrorRow
    ) -> None:
        """An innocent record is not failed, not even for a time."""
        name = (model.name, task.shard, i)
        allowed = set()
        if BAD in image:
            allowed.add("corrupt")
        if name in self.truth.unkeepable:  # the row that came could not be kept
            allowed.add("invalid")
        if name in self.truth.guilty:
            allowed.add("poison")
        if name[:2] in self.truth.excluded:
            allowed |= {"excluded", "readmitted"}
        if error.error not in allowed:
            self.violate(f"record {task.id}/{i} ({image}) was failed as {error.error}")
        elif not error.detail:
            self.violate(f"record {task.id}/{i} ({image}) was failed without a reason")

    def check_counts(
        self, task: TaskRow, model: ModelRow, path: Path, log: LogContents, saved: bool
    ) -> None:
        """The database believes no more than the logs hold, and as much after a last commit.

        How many records of a scorer have all their scores is checked at the end.
        """
        if path in self.truth.damaged or self.power_was_cut:
            return
        if task.rows > log.rows:
            self.violate(f"task {task.id} counts {task.rows} rows, its log has {log.rows}")
        counted = (task.captioned, task.failed, task.rows)
        held = (len(log.captions), len(log.errors), log.rows)
        if is_scorer(model.family):
            if task.state != "done":  # it is counted once its shard is captioned
                return
            counted, held = (0, 0, task.rows), (0, 0, log.rows)
        if saved and task.state != "running":
            if counted != held:
                self.violate(f"task {task.id} counts {counted}, which its log does not hold")
            if task.state == "done" and task.digest != log.digest:
                self.violate(f"the digest of task {task.id} is not that of its log")

    def check_reason(self, task: TaskRow, model: ModelRow, path: Path) -> None:
        """A task is failed only for a reason that the table of states has, and that is true."""
        if task.state != "failed":
            return
        truth, name, cause = self.truth, (model.name, task.shard), task.error_cause
        if cause is None or not task.error:
            self.violate(f"task {task.id} failed without a reason")
        elif cause in SHARD_CAUSES:
            if task.shard not in truth.touched_shards:
                self.violate(f"task {task.id} failed as {cause}, and its shard was not touched")
        elif cause == "model_blocked":
            if truth.load_failures[model.name] < STRIKES:
                self.violate(f"task {task.id} failed, and its model was loaded well enough")
        elif task.strikes < STRIKES:
            self.violate(f"task {task.id} failed as {cause} with {task.strikes} strikes")
        elif truth.ends[name] < STRIKES and path not in truth.damaged:
            self.violate(f"task {task.id} failed as {cause} after {truth.ends[name]} ends")

    def check_attempts(self, task: TaskRow, attempts: list[AttemptRow], saved: bool) -> None:
        """The attempts of a task are consistent with it and with each other."""
        open_attempts = [attempt for attempt in attempts if attempt.ended is None]
        if len(open_attempts) > 1:
            self.violate(f"task {task.id} has {len(open_attempts)} open attempts")
        if open_attempts and task.state != "running":
            self.violate(f"task {task.id} is {task.state} and has an open attempt")
        if saved and task.state == "running" and not open_attempts:
            self.violate(f"task {task.id} is running and has no open attempt")
        for attempt in attempts:
            if attempt.number > task.attempt:
                self.violate(f"task {task.id} has attempt {attempt.number} of {task.attempt}")
            if (attempt.ended is None) != (attempt.outcome is None):
                self.violate(f"attempt {attempt.number} of task {task.id} has half an end")
            if attempt.outcome not in (None, *ENDED_OUTCOMES):
                self.violate(f"attempt {attempt.number} of task {task.id}: {attempt.outcome}")
        if task.state == "running" and any(a.number != task.attempt for a in open_attempts):
            self.violate(f"task {task.id} is at attempt {task.attempt}, an older one is open")

    # At the end

    def unlike_undisturbed(self) -> list[str]:
        """Return what is not yet as if nothing had happened, without holding it against anybody."""
        kept, self.violations = self.violations, []
        try:
            self.check_end()
            return self.violations
        finally:
            self.violations = kept

    def check_end(self) -> None:
        """Check that everything is done as if nothing had happened."""
        self.where = "at the end"
        with reading(self.project.database) as connection:
            tasks = projects.tasks(connection)
            models = {model.id: model for model in projects.models(connection)}
            failed = {
                task.id: sum(row.count for row in progress.failures(connection, task.id))
                for task in tasks
            }
            shards = projects.shards(connection)
            waiting = requests.pending(connection)
        unanswered = [i for i in self.truth.asked if self.truth.answers[i] != 1]
        if waiting or unanswered:
            self.violate(f"{len(waiting)} requests wait, {unanswered} were not answered once")
        captions = self.present_captions(tasks, models)
        for task in tasks:
            self.check_done(task, models[task.model_id], failed[task.id], captions)
        for scorer in (model for model in models.values() if is_scorer(model.family)):
            for shard in shards:
                self.check_shown(scorer, list(models.values()), shard, captions)
        self.check_files()

    def present_captions(
        self, tasks: Sequence[TaskRow], models: Mapping[int, ModelRow]
    ) -> dict[tuple[str, str], str]:
        """Return the raw captions that the logs have now, by the model's name and the image."""
        captions = {}
        for task in tasks:
            model = models[task.model_id]
            log = read_log(self.project.caption_log_file(model, task.shard), task, model)
            for i, row in log.captions.items():
                captions[model.name, self.images[task.shard][i]] = row.raw
        return captions

    def check_shown(
        self,
        scorer: ModelRow,
        models: Sequence[ModelRow],
        shard: ShardRow,
        captions: Mapping[tuple[str, str], str],
    ) -> None:
        """Every caption is shown with its own score, and none with that of one that is gone."""
        readable = {
            i: image
            for i, image in enumerate(self.images[shard.number])
            if expected_end(scorer, image) == "caption"
        }
        captioners = [model for model in models if not is_scorer(model.family)]
        shown: dict[str, dict[int, str | None]] = {
            model.name: {i: captions.get((model.name, image)) for i, image in readable.items()}
            for model in captioners
        }
        shown[comparison.ORIGINAL] = dict.fromkeys(readable, ORIGINAL)
        for wrong in wrongly_shown(self.project, scorer, captioners, shard, shown):
            self.violate(wrong)

    def check_done(
        self,
        task: TaskRow,
        model: ModelRow,
        failed: int,
        captions: Mapping[tuple[str, str], str],
    ) -> None:
        if task.state != "done":
            self.violate(f"task {task.id} is {task.state}: {task.error}")
            return
        path = self.project.caption_log_file(model, task.shard)
        log = read_log(path, task, model)
        answered = set(log.captions)
        if is_scorer(model.family):
            times = scored(path.read_bytes(), task.count)
            for i, image in enumerate(self.images[task.shard]):
                own = [captions[n, image] for n in self.captioners if (n, image) in captions]
                if all((i, digest) in times for digest in present_texts(own, None)):
                    answered.add(i)
        if (task.captioned, task.failed) != (len(answered), len(log.errors.keys() - answered)):
            self.violate(f"the counts of task {task.id} are not those of its log")
        if failed != task.failed:
            self.violate(f"the failures of task {task.id} are not those it counts")
        if task.digest != log.digest:
            self.violate(f"the digest of task {task.id} is not that of its log")
        if log.asked_again:
            self.violate(f"records of task {task.id} wait to be asked: {list(log.asked_again)}")
        for i, image in enumerate(self.images[task.shard]):
            want, error = expected_end(model, image), log.errors.get(i)
            got = "caption" if i in answered else error.error if error else "nothing"
            if got != want:
                self.violate(f"record {task.id}/{i} ({image}) ends as {got}")

    def check_files(self) -> None:
        """Check that nothing is in the project that does not belong there."""
        for path in sorted(self.project.folder.rglob("*")):
            name = path.relative_to(self.project.folder).as_posix()
            if path.is_symlink() or (path.is_file() and not OWN_FILES.fullmatch(name)):
                self.violate(f"{name} is no file of a project")

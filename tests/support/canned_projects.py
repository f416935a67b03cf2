"""Project databases with fixed contents and times, for tests of the code that reads them.

A test names one of `MAKERS`, and `copy_canned_project` gives it a copy of that project. The rows
come from `canned_rows`.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageDraw

from db import flags, projects, supervisor_writes
from db.connection import migrate, reading, writing
from db.rows import (
    AttemptOutcome,
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    ProjectRow,
    SampleRow,
    ShardRow,
)
from engine.project.caption_log import file_digest
from engine.project.layout import Project
from engine.utils import jsonlines
from tests.support.canned_rows import (
    FAMILIES,
    HOSTILE,
    HOSTILE_TEXTS,
    NOW,
    SHARD_SIZE,
    attempt_rows,
    done_task,
    event_rows,
    failed_task,
    failure_rows,
    gpu_row,
    model_row,
    running_task,
    sample_row,
    sample_rows,
    supervisor_row,
    throughput_rows,
    worker_row,
)

WORKER_LOG = """Loading checkpoint shards: 100%
batch 48 in 0.71 s on GPU {n}
UserWarning: `torch_dtype` is deprecated [/x]
Traceback (most recent call last):
  File "engine/worker.py", line 188, in caption
    out = self.model.generate(**inputs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.22 GiB
batch 24 in 0.40 s on GPU {n}
"""
"""The log of the worker on GPU `n`."""


def make_new_project(
    folder: Path, shards: int = 12, size: int = SHARD_SIZE, names: tuple[str, ...] = FAMILIES
) -> Project:
    """Make a project of four models in which nothing was done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    migrate(project.database)
    models = [model_row(number, name) for number, name in enumerate(names, 1)]
    rows = [
        ShardRow(number=n, first=n * size, count=size, bytes=1_000, digest="d")
        for n in range(shards)
    ]
    head = ProjectRow(
        uid="canned", created=NOW - 86_400, records=shards * size, image_root="images"
    )
    with writing(project.database) as connection:
        projects.create(connection, head, models, rows)
    return project


def write_files(project: Project, rows: Sequence[SampleRow]) -> None:
    """Write images, shards and caption logs that agree with the samples, and some log files."""
    records = {(row.shard, row.i): (row.image, row.original) for row in rows}
    for number in sorted({shard for shard, _ in records}):
        last = max(i for shard, i in records if shard == number)
        project.shards.mkdir(exist_ok=True)
        with project.shard_file(number).open("wb") as file:
            for i in range(last + 1):
                image, original = records.get((number, i), (f"none/{i}.jpg", f"alt text {i}"))
                file.write(jsonlines.dumps({"image": image, "caption": original}) + b"\n")
    with reading(project.database) as connection:
        models = {model.id: model for model in projects.models(connection)}
    for row in rows:
        log = project.caption_log_file(models[row.model_id], row.shard)
        log.parent.mkdir(parents=True, exist_ok=True)
        caption = {"i": row.i, "raw": row.raw, "tokens": row.tokens, "finish": row.finish}
        with log.open("ab") as file:
            file.write(jsonlines.dumps(caption) + b"\n")
    for n, image in enumerate(sorted({image for image, _ in records.values()})):
        path = project.folder / "images" / image
        if len(image) < 100 and path.is_relative_to(project.folder) and "\0" not in image:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (64, 48), (40 * n % 256, 90, 160))
            ImageDraw.Draw(picture).ellipse((16, 8, 48, 40), fill=(230, 120, 40))
            picture.save(path, "PNG")
    project.logs.mkdir(exist_ok=True)
    for n in (0, 5):
        project.worker_log(f"cuda:{n}").write_text(WORKER_LOG.format(n=n))
    project.supervisor_log.write_text("2025-10-09 08:45:00 info started on cuda:0\n")


def record_digests(project: Project) -> None:
    """Record the digests of the shards and caption logs that were written."""
    with reading(project.database) as connection:
        models = projects.models(connection)
        shards = projects.shards(connection)
    with closing(sqlite3.connect(project.database)) as database, database:
        for shard in (each.number for each in shards):
            if (file := project.shard_file(shard)).exists():
                database.execute(
                    "UPDATE shard SET digest = ? WHERE number = ?", (file_digest(file), shard)
                )
            for model in models:
                if (log := project.caption_log_file(model, shard)).exists():
                    database.execute(
                        "UPDATE task SET digest = ?"
                        " WHERE shard = ? AND model_id = ? AND state = 'done'",
                        (file_digest(log), shard, model.id),
                    )


def write_missing_shards(project: Project, count: int) -> None:
    """Write what the first `count` shards lack: a shard file of one record, empty caption logs."""
    with reading(project.database) as connection:
        models = projects.models(connection)
    for number in range(count):
        if not project.shard_file(number).exists():
            project.shard_file(number).write_bytes(b'{"image": "none.jpg", "caption": ""}\n')
        for model in models:
            log = project.caption_log_file(model, number)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
    record_digests(project)


def make_busy_project(folder: Path, shards: int = 331, paused: bool = False) -> Project:
    """Make a project with eight devices at work.

    Their workers count as alive only while `engine.process.identity.is_alive` is replaced.
    """
    project = make_new_project(folder, shards)
    write_files(project, sample_rows())
    with writing(project.database) as connection:
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
        now = dict(tasks)
        for key, task in tasks.items():
            if task.shard < shards * (7 - task.model_id) // 12:
                now[key] = done_task(task, failed=task.shard * 7 % 23)
        for shard in (12, 33, 47):
            now[shard, 4] = failed_task(tasks[shard, 4])
        now[shards - 1, 3] = replace(tasks[shards - 1, 3], state="skipped")
        workers = []
        for n in range(8):
            device, model_id = f"cuda:{n}", n // 2 + 1
            key = (shards - 20 + n, model_id)
            now[key] = running_task(
                tasks[key], device, (0.71, 0.12, 0.4, 0.88, 0.05, 0.0, 0.63, 0.22)[n]
            )
            workers.append(worker_row(n, device, model_id, now[key].id))
        supervisor_writes.save_tasks(connection, [(tasks[key], now[key]) for key in now])
        supervisor_writes.set_devices(connection, [gpu_row(n) for n in range(8)])
        supervisor_writes.save_workers(connection, workers)
        supervisor_writes.save_attempts(connection, attempt_rows(list(now.values())))
        supervisor_writes.save_supervisor(connection, supervisor_row())
        for shard in (12, 33, 47):
            supervisor_writes.set_failures(
                connection, now[shard, 4].id, failure_rows(now[shard, 4].id)
            )
        supervisor_writes.set_failures(connection, now[1, 1].id, failure_rows(now[1, 1].id))
        supervisor_writes.add_throughput(connection, list(throughput_rows(110)))
        supervisor_writes.add_samples(connection, sample_rows())
        supervisor_writes.add_events(connection, event_rows())
        flags.change(connection, [(42, 9), (41, 7)], [])
        if paused:
            projects.set_paused(connection, True, "paused by the user", "user")
    record_digests(project)
    return project


def make_hostile_project(folder: Path) -> Project:
    """Make a project in which every text that comes from outside is one of `HOSTILE_TEXTS`."""
    project = make_new_project(folder, shards=8, size=100)
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        texts = [HOSTILE_TEXTS[task.id % len(HOSTILE_TEXTS)] for task in tasks]
        failed = [
            replace(task, state="failed", error=text, device=HOSTILE, attempt=1, updated=NOW - 9)
            for task, text in zip(tasks, texts, strict=True)
        ]
        failed[-1] = replace(tasks[-1], error=HOSTILE)
        supervisor_writes.save_tasks(connection, list(zip(tasks, failed, strict=True)))
        device = DeviceRow(id=HOSTILE, label=HOSTILE_TEXTS[1])
        supervisor_writes.set_devices(connection, [device])
        for task, text in zip(tasks, texts, strict=True):
            attempt = AttemptRow(
                task_id=task.id,
                number=1,
                worker_id=f"w{task.id}",
                device=HOSTILE,
                started=NOW - 99,
                ended=NOW - 9,
                outcome=cast("AttemptOutcome", text),
                detail=text,
            )
            supervisor_writes.save_attempts(connection, [attempt])
            supervisor_writes.set_failures(
                connection, task.id, [FailureRow(task.id, HOSTILE, 2, ((1, text),))]
            )
        bad = [
            replace(
                sample_row(n, n % 4 + 1, text, text, text or "no name"), sheared=text[:9], shard=1
            )
            for n, text in enumerate(HOSTILE_TEXTS * 2)
        ]
        supervisor_writes.add_samples(connection, bad)
        write_files(project, bad)
        supervisor_writes.add_events(
            connection,
            [
                EventRow(created=NOW, level="warn", text=t, device=HOSTILE, model=t)
                for t in HOSTILE_TEXTS
            ],
        )
    return project


def make_finished_project(folder: Path) -> Project:
    """Make a project of four shards whose tasks are all done, with a few failures."""
    project = make_new_project(folder, shards=4, size=100)
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        done = [done_task(task, failed=task.shard) for task in tasks]
        supervisor_writes.save_tasks(connection, list(zip(tasks, done, strict=True)))
        supervisor_writes.add_samples(connection, sample_rows(16))
    return project


def make_large_project(folder: Path, shards: int = 2_500) -> Project:
    """Make a project of four tasks a shard: by default 10,000, half of them done or failed."""
    project = make_new_project(folder, shards)
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        changed = [(t, done_task(t, t.id % 9) if t.id % 3 else failed_task(t)) for t in tasks[::2]]
        supervisor_writes.save_tasks(connection, changed)
    return project


MAKERS: Mapping[str, Callable[..., Project]] = {
    "create": make_new_project,
    "busy": make_busy_project,
    "hostile": make_hostile_project,
    "finished": make_finished_project,
    "large": make_large_project,
}
"""The functions that make the canned projects, by the name that tests use. Each takes the project's
folder, and further options by keyword."""


def copy_canned_project(folder: Path, name: str, **options: Any) -> Project:
    """Make the same project in `folder` as `MAKERS[name]` does.

    The project is made once per process and then copied: making it takes most of a test's time.
    """
    shutil.copytree(canned_folder(name, tuple(sorted(options.items()))), folder)
    return Project(folder.absolute())


@cache
def canned_folder(name: str, options: tuple[tuple[str, Any], ...]) -> Path:
    """Return the folder of the project that is copied. It lasts as long as the process."""
    parent = Path(tempfile.mkdtemp(prefix="canned-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return MAKERS[name](parent / "project", **dict(options)).folder

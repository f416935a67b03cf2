"""Project databases with fixed contents and times, for tests of whatever reads them."""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from db import flags, projects, supervisor_writes
from db.connection import migrate, reading, writing
from db.rows import (
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    ModelRow,
    ProjectRow,
    SampleRow,
    ShardRow,
    SupervisorRow,
    TaskRow,
    ThroughputRow,
    WorkerRow,
)
from engine.project.layout import Project
from engine.utils import jsonlines

NOW = 1_760_000_000.0
"""2025-10-09 08:53:20 UTC."""

HOSTILE = "[person] rides a [bold]bike[/bold] [/x] end"
HOSTILE_TEXTS = (
    HOSTILE,
    "\x1b[31mred\x1b[0m alert\x07 and\na second line\r\twith a tab",
    "一只猫坐在桌子上。 猫 שלום عالم 👩‍👩‍👧 wide",
    "x" * 400,
    "",
    "[",
    "\\[link=file:///etc/passwd]click[/link] {curly} $dollar @click=app.quit",
)

LOG_LINES = """Loading checkpoint shards: 100%
batch 48 in 0.71 s on GPU {n}
UserWarning: `torch_dtype` is deprecated [/x]
Traceback (most recent call last):
  File "engine/worker.py", line 188, in caption
    out = self.model.generate(**inputs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.22 GiB
batch 24 in 0.40 s on GPU {n}
"""

FAMILIES = ("llava-1.5", "minigpt-4", "otter", "qwen-vl")
SIZE = 10_000
RAW = (
    "A brown dog runs along a sandy beach next to the sea. It has a red ball in its mouth and",
    "Two people sit on a wooden bench under a tree. The sky behind them is grey and",
    "A red car is parked in front of an old house. There is a bicycle leaning against the",
    "The picture shows a plate of pasta with basil on top",
)
ORIGINALS = ("dog running on the beach", "couple on bench", "vintage car for sale", "dinner")


def model(number: int, name: str) -> ModelRow:
    return ModelRow(
        id=number,
        position=number,
        name=name,
        family=name,
        checkpoint=f"/models/{name}",
        settings={"prompt": "Describe <image> in English:", "max_new_tokens": 30},
        settings_hash=f"{number}c0ffee{number}",
    )


def create(
    folder: Path, shards: int = 12, size: int = SIZE, names: tuple[str, ...] = FAMILIES
) -> Project:
    """A project in which nothing was done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    migrate(project.database)
    models = [model(number, name) for number, name in enumerate(names, 1)]
    rows = [ShardRow(n, n * size, size, 1_000, "d") for n in range(shards)]
    head = ProjectRow("canned", NOW - 86_400, shards * size, image_root="images")
    with writing(project.database) as connection:
        projects.create(connection, head, models, rows)
    return project


def finish(task: TaskRow, failed: int = 0, minutes: float = 4.2) -> TaskRow:
    ended = NOW - 60 * (200 - task.shard % 180) - task.model_id
    return replace(
        task,
        state="done",
        attempt=1,
        captioned=task.count - failed,
        failed=failed,
        left=0,
        rows=task.count,
        digest="d",
        device=f"cuda:{task.shard % 8}",
        started=ended - 60 * minutes,
        finished=ended,
        seconds=60 * minutes,
        updated=ended,
    )


def give_up(task: TaskRow) -> TaskRow:
    return replace(
        task,
        state="failed",
        attempt=3,
        strikes=3,
        captioned=0,
        device="cuda:5",
        error="out of memory at batch 1: tried to allocate 1.22 GiB",
        updated=NOW - 3_000 + task.shard,
    )


def start(task: TaskRow, device: str, share: float) -> TaskRow:
    done = int(task.count * share)
    return replace(
        task,
        state="running",
        attempt=1,
        captioned=done - 3 if done > 3 else 0,
        failed=3 if done > 3 else 0,
        left=task.count - done,
        device=device,
        started=NOW - 200,
        updated=NOW - 1,
    )


def sample(number: int, model_id: int, raw: str, original: str, image: str) -> SampleRow:
    kept = raw.split(".")[0].strip()
    found = raw.find(kept)
    return SampleRow(
        created=NOW - 300 + number,
        model_id=model_id,
        shard=40 + number // 16,
        i=number // 4,
        image=image,
        original=original,
        raw=raw,
        sheared=kept,
        start=found,
        end=found + len(kept),
        tokens=min(30, 2 + len(raw.split())),
        finish="stop" if raw.endswith(".") or len(raw.split()) < 15 else "length",
    )


def samples(count: int = 40) -> list[SampleRow]:
    """Pictures in turn, each captioned by all four models, newest last."""
    rows = []
    for number in range(count):
        picture, model_id = number // 4, number % 4 + 1
        raw = RAW[picture % 4] if model_id != 3 else RAW[(picture + 1) % 4]
        image = f"{picture // 4:05}/{4140030 + picture:09}.jpg"
        rows.append(sample(number, model_id, raw, ORIGINALS[picture % 4], image))
    return rows


def write_files(project: Project, rows: Sequence[SampleRow]) -> None:
    """The images, records and caption logs that the samples are of, and some log lines."""
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
        log = project.log_file(models[row.model_id], row.shard)
        log.parent.mkdir(parents=True, exist_ok=True)
        said = {"i": row.i, "raw": row.raw, "tokens": row.tokens, "finish": row.finish}
        with log.open("ab") as file:
            file.write(jsonlines.dumps(said) + b"\n")
    for n, image in enumerate(sorted({image for image, _ in records.values()})):
        path = project.folder / "images" / image
        if len(image) < 100 and path.is_relative_to(project.folder) and "\0" not in image:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (64, 48), (40 * n % 256, 90, 160))
            ImageDraw.Draw(picture).ellipse((16, 8, 48, 40), fill=(230, 120, 40))
            picture.save(path, "PNG")
    project.logs.mkdir(exist_ok=True)
    for n in (0, 5):
        project.worker_log(f"cuda:{n}").write_text(LOG_LINES.format(n=n))
    project.supervisor_log.write_text("2025-10-09 08:45:00 info started on cuda:0\n")


def write_missing_shards(project: Project, count: int) -> None:
    for number in range(count):
        if not project.shard_file(number).exists():
            project.shard_file(number).write_bytes(b'{"image": "none.jpg", "caption": ""}\n')


def busy(folder: Path, shards: int = 331, paused: bool = False) -> Project:
    """Eight devices at work; their processes live only where `lives` is replaced."""
    project = create(folder, shards)
    write_files(project, samples())
    with writing(project.database) as connection:
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
        now = dict(tasks)
        for key, task in tasks.items():
            if task.shard < shards * (7 - task.model_id) // 12:
                now[key] = finish(task, failed=task.shard * 7 % 23)
        for shard in (12, 33, 47):
            now[shard, 4] = give_up(tasks[shard, 4])
        now[shards - 1, 3] = replace(tasks[shards - 1, 3], state="skipped")
        workers = []
        for n in range(8):
            device, model_id = f"cuda:{n}", n // 2 + 1
            key = (shards - 20 + n, model_id)
            now[key] = start(tasks[key], device, (0.71, 0.12, 0.4, 0.88, 0.05, 0.0, 0.63, 0.22)[n])
            workers.append(worker(n, device, model_id, now[key].id))
        supervisor_writes.save_tasks(connection, [(tasks[key], now[key]) for key in now])
        supervisor_writes.set_devices(connection, [gpu(n) for n in range(8)])
        supervisor_writes.save_workers(connection, workers)
        supervisor_writes.save_attempts(connection, attempts(list(now.values())))
        supervisor_writes.save_supervisor(connection, supervisor())
        for shard in (12, 33, 47):
            supervisor_writes.set_failures(connection, now[shard, 4].id, failures(now[shard, 4].id))
        supervisor_writes.set_failures(connection, now[1, 1].id, failures(now[1, 1].id))
        supervisor_writes.add_throughput(connection, list(throughput(110)))
        supervisor_writes.add_samples(connection, samples())
        supervisor_writes.add_events(connection, events())
        flags.change(connection, [(42, 9), (41, 7)], [])
        if paused:
            projects.set_paused(connection, True, "paused by the user")
    return project


def gpu(number: int) -> DeviceRow:
    gib = 1024**3
    return DeviceRow(
        id=f"cuda:{number}",
        label="NVIDIA A100-SXM4-80GB",
        uuid=f"GPU-{number}",
        memory_total=80 * gib,
        memory_used=(21 - number // 2) * gib,
        utilisation=float(97 - number * 3) if number != 5 else None,
    )


def worker(number: int, device: str, model_id: int, task_id: int) -> WorkerRow:
    loading = number == 5
    return WorkerRow(
        id=f"w{number}",
        device=device,
        pid=20_930 + number,
        created=1.0,
        boot_id="boot",
        model_id=model_id,
        task_id=task_id,
        state="loading" if loading else "captioning",
        heartbeat=NOW - 1,
        rate=0.0 if loading else 44.1 - number,
        batch=48,
    )


def supervisor() -> SupervisorRow:
    return SupervisorRow(
        pid=20_900, created=1.0, boot_id="boot", host="node7", heartbeat=NOW - 1, devices="auto"
    )


def attempts(tasks: list[TaskRow]) -> list[AttemptRow]:
    rows = []
    for task in tasks:
        if task.state == "running":
            number = task.device.removeprefix("cuda:") if task.device else "0"
            rows.append(AttemptRow(task.id, 1, f"w{number}", f"cuda:{number}", NOW - 200))
        if task.state == "failed":
            for number in range(1, 4):
                began = task.updated - 600 * (4 - number)
                detail = "tried to allocate 1.22 GiB"
                rows.append(
                    AttemptRow(
                        task.id,
                        number,
                        f"old{task.id}-{number}",
                        "cuda:5",
                        began,
                        began + 250,
                        "out of memory",
                        0,
                        detail,
                    )
                )
    return rows


def failures(task_id: int) -> list[FailureRow]:
    return [
        FailureRow(task_id, "missing", 12, ((17, "00000/000000017.jpg"), (18, "no such file"))),
        FailureRow(task_id, "undecodable", 3, ((771, "cannot identify image file"),)),
    ]


def throughput(minutes: int) -> list[ThroughputRow]:
    last = int(NOW // 60) - 1
    return [
        ThroughputRow(
            minute=last - back,
            device=f"cuda:{n}",
            model_id=n // 2 + 1,
            images=int(60 * (40 - n) * (1 - math.exp((back - minutes) / 25))),
            tokens=60_000,
        )
        for back in range(minutes)
        for n in range(8)
    ]


def events() -> list[EventRow]:
    return [
        EventRow(NOW - 500, "info", "the run started on 8 devices"),
        EventRow(NOW - 180, "info", "done: 9,997 captions, 3 failed", "cuda:7", "minigpt-4", 409),
        EventRow(NOW - 150, "fail", "3 attempts without a row", "cuda:5", "qwen-vl", 47),
        EventRow(NOW - 90, "warn", "out of memory, batch 32 -> 16", "cuda:5", "otter", 120),
        EventRow(NOW - 20, "info", "done: 10,000 captions", "cuda:2", "qwen-vl", 414),
    ]


def hostile(folder: Path) -> Project:
    """Every text that comes from outside is as bad as it can be."""
    project = create(folder, shards=8, size=100)
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
            attempt = AttemptRow(task.id, 1, f"w{task.id}", HOSTILE, NOW - 99, NOW - 9, text, 0)
            supervisor_writes.save_attempts(connection, [replace(attempt, detail=text)])
            supervisor_writes.set_failures(
                connection, task.id, [FailureRow(task.id, HOSTILE, 2, ((1, text),))]
            )
        bad = [
            replace(sample(n, n % 4 + 1, text, text, text or "no name"), sheared=text[:9], shard=1)
            for n, text in enumerate(HOSTILE_TEXTS * 2)
        ]
        supervisor_writes.add_samples(connection, bad)
        write_files(project, bad)
        supervisor_writes.add_events(
            connection, [EventRow(NOW, "warn", t, HOSTILE, t) for t in HOSTILE_TEXTS]
        )
    return project


def finished(folder: Path) -> Project:
    project = create(folder, shards=4, size=100)
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        done = [finish(task, failed=task.shard) for task in tasks]
        supervisor_writes.save_tasks(connection, list(zip(tasks, done, strict=True)))
        supervisor_writes.add_samples(connection, samples(16))
    return project


def large(folder: Path, shards: int = 2_500) -> Project:
    """Ten thousand tasks."""
    project = create(folder, shards)
    with writing(project.database) as connection:
        tasks = projects.tasks(connection)
        changed = [(t, finish(t, t.id % 9) if t.id % 3 else give_up(t)) for t in tasks[::2]]
        supervisor_writes.save_tasks(connection, changed)
    return project


def copied(folder: Path, variant: str, **options: Any) -> Project:
    """The same as calling the variant, made once a process: most of the time a test takes."""
    shutil.copytree(original(variant, tuple(sorted(options.items()))), folder)
    return Project(folder.absolute())


@cache
def original(variant: str, options: tuple[tuple[str, Any], ...]) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="canned-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    return globals()[variant](kept / "project", **dict(options)).folder

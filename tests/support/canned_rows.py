"""Rows with fixed contents and times, which the canned projects are made of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

from db.rows import (
    AttemptOutcome,
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    ModelRow,
    SampleRow,
    SupervisorRow,
    TaskRow,
    ThroughputRow,
    WorkerRow,
)
from engine.hardware.host import HostFigures
from engine.project import log_rows

NOW = 1_760_000_000.0
"""The present in the canned projects, in seconds since the epoch: 2025-10-09 08:53:20 UTC."""

HOSTILE = "[person] rides a [bold]bike[/bold] [/x] end"
"""A text that looks like Rich markup."""
HOSTILE_TEXTS = (
    HOSTILE,
    "\x1b[31mred\x1b[0m alert\x07 and\na second line\r\twith a tab",
    "一只猫坐在桌子上。 猫 שלום عالم 👩‍👩‍👧 wide",
    "x" * 400,
    "",
    "[",
    "\\[link=file:///etc/passwd]click[/link] {curly} $dollar @click=app.quit",
)
"""Texts with markup, control characters, wide letters, great length and none."""

HOST = HostFigures(memory_free=181 * 2**30, memory_total=512 * 2**30, disk_free=1_240 * 2**30)
"""What the machine of the canned projects has free."""
FAMILIES = ("llava-1.5", "minigpt-4", "otter", "qwen-vl")
SHARD_SIZE = 10_000
"""Number of records in a shard."""
EMPTY_DIGEST = log_rows.digest(b"")
"""The digest of a caption log without rows, as which one that was never written is read."""
RAW = (
    "A brown dog runs along a sandy beach next to the sea. It has a red ball in its mouth and",
    "Two people sit on a wooden bench under a tree. The sky behind them is grey and",
    "A red car is parked in front of an old house. There is a bicycle leaning against the",
    "The picture shows a plate of pasta with basil on top",
)
"""Raw captions of the samples."""
ORIGINALS = ("dog running on the beach", "couple on bench", "vintage car for sale", "dinner")
"""Original captions of the same images."""


def model_row(number: int, name: str) -> ModelRow:
    return ModelRow(
        id=number,
        position=number,
        name=name,
        family=name,
        checkpoint=f"/models/{name}",
        settings={"prompt": "Describe <image> in English:", "max_new_tokens": 30},
        settings_hash=f"{number}c0ffee{number}",
    )


def done_task(task: TaskRow, failed: int = 0, minutes: float = 4.2) -> TaskRow:
    """Return the task as done, with so many failed records."""
    ended = NOW - 60 * (200 - task.shard % 180) - task.model_id
    return replace(
        task,
        state="done",
        attempt=1,
        captioned=task.count - failed,
        failed=failed,
        left=0,
        rows=task.count,
        digest=EMPTY_DIGEST,
        device=f"cuda:{task.shard % 8}",
        started=ended - 60 * minutes,
        finished=ended,
        seconds=60 * minutes,
        updated=ended,
    )


def failed_task(task: TaskRow) -> TaskRow:
    """Return the task as failed after three strikes."""
    return replace(
        task,
        state="failed",
        attempt=3,
        strikes=3,
        captioned=0,
        device="cuda:5",
        error="out of memory at batch 1: tried to allocate 1.22 GiB",
        error_cause="out_of_memory",
        updated=NOW - 3_000 + task.shard,
    )


def running_task(task: TaskRow, device: str, share: float) -> TaskRow:
    """Return the task as running on the device, with this share of its records done."""
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


def sample_row(number: int, model_id: int, raw: str, original: str, image: str) -> SampleRow:
    """Return sample `number`, sheared at the first full stop."""
    sheared = raw.split(".")[0].strip()
    start = raw.find(sheared)
    return SampleRow(
        created=NOW - 300 + number,
        model_id=model_id,
        shard=40 + number // 16,
        i=number // 4,
        image=image,
        original=original,
        raw=raw,
        sheared=sheared,
        start=start,
        end=start + len(sheared),
        tokens=min(30, 2 + len(raw.split())),
        finish="stop" if raw.endswith(".") or len(raw.split()) < 15 else "length",
    )


def sample_rows(count: int = 40) -> list[SampleRow]:
    """Return samples of one image after another, each captioned by all four models, newest last."""
    rows = []
    for number in range(count):
        picture, model_id = number // 4, number % 4 + 1
        raw = RAW[picture % 4] if model_id != 3 else RAW[(picture + 1) % 4]
        image = f"{picture // 4:05}/{4140030 + picture:09}.jpg"
        rows.append(sample_row(number, model_id, raw, ORIGINALS[picture % 4], image))
    return rows


def gpu_row(number: int) -> DeviceRow:
    gib = 1024**3
    return DeviceRow(
        id=f"cuda:{number}",
        label="NVIDIA A100-SXM4-80GB",
        uuid=f"GPU-{number}",
        memory_total=80 * gib,
        memory_used=(21 - number // 2) * gib,
        utilisation=float(97 - number * 3) if number != 5 else None,
        temperature=float(71 - number),
        power=float(391 - 7 * number),
        power_limit=400.0,
    )


def worker_row(number: int, device: str, model_id: int, task_id: int) -> WorkerRow:
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


def supervisor_row() -> SupervisorRow:
    return SupervisorRow(
        pid=20_900, created=1.0, boot_id="boot", host="node7", heartbeat=NOW - 1, devices="auto"
    )


def attempt_rows(tasks: list[TaskRow]) -> list[AttemptRow]:
    """Return one attempt for each running task, and three for each failed task."""
    rows = []
    for task in tasks:
        if task.state == "running":
            number = task.device.removeprefix("cuda:") if task.device else "0"
            rows.append(
                AttemptRow(
                    task_id=task.id,
                    number=1,
                    worker_id=f"w{number}",
                    device=f"cuda:{number}",
                    started=NOW - 200,
                )
            )
        if task.state == "failed":
            for attempt in range(1, 4):
                began = task.updated - 600 * (4 - attempt)
                detail = "tried to allocate 1.22 GiB"
                rows.append(
                    AttemptRow(
                        task_id=task.id,
                        number=attempt,
                        worker_id=f"old{task.id}-{attempt}",
                        device="cuda:5",
                        started=began,
                        ended=began + 250,
                        outcome=cast("AttemptOutcome", "out of memory"),
                        rows=0,
                        detail=detail,
                    )
                )
    return rows


def failure_rows(task_id: int) -> list[FailureRow]:
    return [
        FailureRow(task_id, "missing", 12, ((17, "00000/000000017.jpg"), (18, "no such file"))),
        FailureRow(task_id, "undecodable", 3, ((771, "cannot identify image file"),)),
    ]


def throughput_rows(minutes: int) -> list[ThroughputRow]:
    """Return the throughput of eight devices in the last `minutes` minutes."""
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


def event_rows() -> list[EventRow]:
    return [
        EventRow(created=NOW - 500, level="info", text="the run started on 8 devices"),
        EventRow(
            created=NOW - 180,
            level="info",
            text="done: 9,997 captions, 3 failed",
            device="cuda:7",
            model="minigpt-4",
            shard=409,
        ),
        EventRow(
            created=NOW - 150,
            level="fail",
            text="3 attempts without a row",
            device="cuda:5",
            model="qwen-vl",
            shard=47,
        ),
        EventRow(
            created=NOW - 90,
            level="warn",
            text="out of memory, batch 32 -> 16",
            device="cuda:5",
            model="otter",
            shard=120,
        ),
        EventRow(
            created=NOW - 20,
            level="info",
            text="done: 10,000 captions",
            device="cuda:2",
            model="qwen-vl",
            shard=414,
        ),
    ]

"""Data for the benches, made here, and measuring in a process of its own."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project import caption_log
from engine.project.layout import Project
from engine.shearing.shear import Shearing
from engine.state.completion import complete
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.utils import jsonlines

SHARD = 10_000
SAMPLED_SECONDS = 0.1
SAMPLED_COST = 0.01
"""Of the time, at most, goes into looking at memory: 4 ms a look at 640 MB."""
VOCABULARY = """
a the dog cat man woman child sits stands runs on in near with red blue car house tree
beach table city street people walking holding photo of view from large small old
"""
WORDS = VOCABULARY.split()


class Run(NamedTuple):
    seconds: float
    cpu: float
    """Seconds, of the process and its children."""
    megabytes: float
    """Peak of the memory of the process and its children, shared pages counted once."""
    result: Any


def measured(work: Callable[..., Any], *arguments: Any, imported: Sequence[str] = ()) -> Run:
    """Runs a function of a module in a fresh process.

    It has `imported` these modules: once for all such processes, which share them.
    """
    context = get_context("forkserver" if imported else "spawn")
    if imported:
        context.set_forkserver_preload(list(imported))
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    peak, pause = 0, SAMPLED_SECONDS
    while not ours.poll(pause):
        looked = time.perf_counter()
        peak = max(peak, memory(psutil.Process(process.pid)))
        pause = max(SAMPLED_SECONDS, (time.perf_counter() - looked) / SAMPLED_COST)
    seconds, cpu, result = ours.recv()
    process.join()
    return Run(seconds, cpu, peak / 2**20, result)


def memory(process: psutil.Process) -> int:
    found = 0
    for member in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            info = member.memory_full_info()
            found += getattr(info, "pss", info.uss)
    return found


def answer(pipe: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    began, cpu = time.perf_counter(), cpu_seconds()
    result = work(*arguments)
    pipe.send((time.perf_counter() - began, cpu_seconds() - cpu, result))


def cpu_seconds() -> float:
    """Of this process and its children that have ended: says more on a busy machine."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def sentences(count: int, words: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=words)).capitalize() for _ in range(count)]


def records(count: int, caption_words: int = 18) -> Iterator[dict[str, str]]:
    """CC3M-like: about 150 bytes each as JSON."""
    texts = sentences(5000, caption_words, 1)
    for number in range(count):
        yield {
            "image": f"cc3m/train/{number // 10_000:05}/{number:09}.jpg",
            "caption": texts[number % len(texts)],
        }


def write_array(path: Path, count: int) -> None:
    """As json.dump writes it."""
    with path.open("w") as file:
        for number, record in enumerate(records(count)):
            file.write((", " if number else "[") + json.dumps(record))
        file.write("]")


def make_project(folder: Path, count: int, models: int) -> Project:
    """A finished project of whole shards. The shards are alike: one file under many names."""
    project = Project(folder)
    for path in (project.shards, project.captions, project.logs):
        path.mkdir(parents=True)
    first = project.shard_file(0)
    first.write_bytes(b"".join(jsonlines.dumps(record) + b"\n" for record in records(SHARD)))
    numbers = range(count // SHARD)
    size, digest = first.stat().st_size, caption_log.file_digest(first)
    shards = [ShardRow(number, number * SHARD, SHARD, size, digest) for number in numbers]
    rows = [
        ModelRow(number, number, f"model-{number}", "dry-run", None, {"prompt": "Say"}, f"{number}")
        for number in range(1, models + 1)
    ]
    migrate(project.database)
    row = ProjectRow(uuid.uuid4().hex, time.time(), len(numbers) * SHARD, str(folder))
    with writing(project.database) as connection:
        projects.create(connection, row, rows, shards)
    link(first, [project.shard_file(number) for number in numbers[1:]])
    project_state = ProjectState(project, Policy())
    for model in rows:
        log = project.log_file(model, 0)
        log.parent.mkdir()
        write_log(log, model.id)
        done, _ = complete(log, SHARD, model.family, Shearing())
        (sheared,) = log.parent.glob("*.sheared-*")
        link(log, [project.log_file(model, number) for number in numbers[1:]])
        names = [sheared.name.replace("00000", f"{number:05}", 1) for number in numbers[1:]]
        link(sheared, [log.parent / name for name in names])
        values = {name: getattr(done, name) for name in done.__slots__}
        for task in [t for t in project_state.ledger.tasks.values() if t.model_id == model.id]:
            project_state.ledger.done(task.id, time.time(), **values)
    project_state.commit()
    return project


def link(source: Path, names: list[Path]) -> None:
    for name in names:
        os.link(source, name)


def write_log(log: Path, seed: int) -> None:
    """Two sentences a caption, the second cut by the cap of 30 tokens."""
    kept, tail = sentences(SHARD, 11, seed), sentences(SHARD, 7, seed + 100)
    log.write_bytes(
        b"".join(
            jsonlines.dumps({"i": i, "raw": f"{first}. {second}", "tokens": 30, "finish": "length"})
            + b"\n"
            for i, (first, second) in enumerate(zip(kept, tail, strict=True))
        )
    )


def sizes(cases: list[str], *usual: int) -> list[int]:
    return [int(case) for case in cases] or list(usual)

"""What the tests share: pictures, projects, and the command as people run it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from engine import jsonlines
from engine.books import Books
from engine.captioners.registry import ModelChoice
from engine.lock import ProjectLock
from engine.policy import Policy
from engine.project import Project
from engine.reconcile import reconcile
from tui.cli import main

PATIENCE = 120.0
"""Seconds: a slow machine is no failure."""
MAIN = "from tui.cli import main; main()"
MISBEHAVING = """
import functools, tui.headless
from engine.supervise import supervise
tui.headless.supervise = functools.partial(supervise, module="tests.faults.workers")
"""
"""Makes `run` use the workers of `tests.faults.workers`."""


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def cli(*arguments: object) -> Done:
    """`mllmaug-tui` with these arguments, in this process: starting another takes half a second."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    return Done(code, out.getvalue(), err.getvalue())


def cli_ok(*arguments: object) -> str:
    done = cli(*arguments)
    assert done.returncode == 0, f"{arguments}: {done}"
    return done.stdout


def start(*arguments: object, code: str = MAIN, cwd: Path | None = None) -> subprocess.Popen:
    """Runs `mllmaug-tui` beside the test."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        cwd=cwd,
    )


def status(project: Path) -> dict[str, Any]:
    return json.loads(cli_ok("status", project, "--json"))


def wait_for(condition: Callable[[], Any], timeout: float = PATIENCE, every: float = 0.05) -> Any:
    """The first true value; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(every)
    raise AssertionError(f"not so within {timeout} s: {condition}")


def draw(path: Path, number: int, size: tuple[int, int] = (24, 16)) -> None:
    """A small picture unlike any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65536))
    image.save(path)


def make_captions(folder: Path, count: int, suffix: str = "png") -> Path:
    """Pictures and a caption file in upstream's form; returns the file."""
    records = []
    for number in range(count):
        name = f"images/{number:06}.{suffix}"
        draw(folder / name, number)
        records.append({"image": name, "caption": f"alt text {number}"})
    path = folder / "captions.json"
    path.write_text(json.dumps(records))
    return path


def choice(name: str, **settings: Any) -> ModelChoice:
    """A model that nothing loads."""
    return ModelChoice(name, "dry-run", None, settings, f"hash-{name}"[:12])


def write_captions(project: Project, say: Callable[[str, int, int], dict[str, Any]]) -> None:
    """Captions every shard as if models had run; `say` gives the row of a model, shard and `i`."""
    with ProjectLock(project.lock):
        books = Books(project, Policy())
        for task in books.ledger.tasks.values():
            model = books.models[task.model_id]
            log = project.log_file(model, task.shard)
            log.parent.mkdir(exist_ok=True)
            rows = ({"i": i} | say(model.name, task.shard, i) for i in range(task.count))
            log.write_bytes(b"".join(jsonlines.dumps(row) + b"\n" for row in rows))
        reconcile(books)
        books.commit()


def dry_run_caption(path: Path) -> str:
    """What `dry-run` must say of a file, sheared."""
    with Image.open(path) as image:
        width, height = image.size
        mode = image.mode
    return f"{width}x{height} {mode} image, crc32 {zlib.crc32(path.read_bytes()):08x}"


def check_dry_run_export(export: Path, root: Path, images: list[str]) -> None:
    """Every one of these images is there once, in this order, with its own caption."""
    found = json.loads(export.read_text())
    assert [record["image"] for record in found] == images
    for record in found:
        assert record["caption"] == dry_run_caption(root / record["image"])

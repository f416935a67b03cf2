"""Loading a random checkpoint of the official size, in each official layout.

The baselines are reading the files' bytes, and the weights' size. Neither finds anything in the
page cache. Memory counts from before loading. Pages of the mapped files count as resident, and the
system takes them back when memory is short; anonymous memory is what is not backed by the files.
Some 15 MB of the resident memory are code: the process is forked from one that imported it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.captioners.registry import FAMILIES
from engine.captioners.remote.probe_image import drawing
from engine.captioners.settings import DTYPES
from engine.images.image import open_image
from tests.bench.layouts import FAMILY, SHARD_BYTES
from tests.bench.made import cpu_seconds, measured
from tests.bench.report import report

READ_AT_ONCE = 2**24
WATCHED_SECONDS = 0.02
GB = 1e9
MODULES = ["tests.bench.official", "tests.bench.load"]
"""Imported before anything is measured; with them the families' own."""


def main(cases: list[str]) -> None:
    wanted = arguments(cases)
    for layout, family in FAMILY.items():
        if wanted.model in (None, family):
            folder = Path(tempfile.mkdtemp(dir=wanted.folder))
            try:
                checkpoint = folder / "checkpoint"
                measured(make, layout, wanted.size, checkpoint, imported=MODULES)
                run(layout, checkpoint, wanted)
            finally:
                shutil.rmtree(folder)


def make(layout: str, size: str, checkpoint: Path) -> None:
    """Imported where it runs."""
    from tests.bench import official

    official.make(layout, size, checkpoint)


def arguments(cases: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench load", description=__doc__)
    parser.add_argument("--model", choices=set(FAMILY.values()), default=None)
    parser.add_argument("--size", choices=SHARD_BYTES, default="7b")
    parser.add_argument("--folder", default=None, help="where the checkpoint is written")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--caption", action="store_true", help="caption a picture, too")
    return parser.parse_args(cases)


def run(layout: str, checkpoint: Path, wanted: argparse.Namespace) -> None:
    case = f"{layout} {wanted.size} {wanted.dtype} {wanted.device}"
    forget(checkpoint)
    reading, reading_cpu = read(checkpoint)
    forget(checkpoint)
    found = measured(load, FAMILY[layout], checkpoint, wanted, imported=MODULES).result
    weights = found["weights"] / GB
    report("load", f"{case}: seconds", found["seconds"], "s", reading)
    report("load", f"{case}: processor", found["cpu"], "CPU s", reading_cpu)
    report("load", f"{case}: peak resident", found["resident"] / GB, "GB", weights)
    report("load", f"{case}: peak anonymous", found["anonymous"] / GB, "GB", weights)
    if wanted.caption:
        report("load", f"{case}: first caption", found["caption"], "s")


def files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file())


def forget(checkpoint: Path) -> None:
    """Out of the page cache."""
    for path in files(checkpoint):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(checkpoint: Path) -> tuple[float, float]:
    """Seconds, and CPU seconds."""
    began, cpu = time.perf_counter(), cpu_seconds()
    for path in files(checkpoint):
        with path.open("rb", buffering=0) as file:
            while file.read(READ_AT_ONCE):
                pass
    return time.perf_counter() - began, cpu_seconds() - cpu


def load(family: str, checkpoint: Path, wanted: argparse.Namespace) -> dict[str, float]:
    settings = replace(FAMILIES[family].presets["paper"], dtype=wanted.dtype)
    import_module(FAMILIES[family].module)
    before = {key: memory(key) for key in ("VmRSS", "RssAnon")}
    began, cpu = time.perf_counter(), cpu_seconds()
    with watched() as peak:
        captioner = FAMILIES[family].load(str(checkpoint), settings, wanted.device)
    found = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}
    assert captioner.loaded is not None
    found |= {"weights": captioner.loaded.bytes}
    found |= {"resident": memory("VmHWM") - before["VmRSS"]}
    found |= {"anonymous": peak[0] - before["RssAnon"]}
    if wanted.caption:
        found["caption"] = caption(captioner)
    return found


@contextmanager
def watched() -> Iterator[list[int]]:
    """The peak of anonymous memory, which the kernel does not note."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(WATCHED_SECONDS):
            peak[0] = max(peak[0], memory("RssAnon"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
    peak[0] = max(peak[0], memory("RssAnon"))


def memory(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def caption(captioner: Any) -> float:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        drawing().save(file.name)
        began = time.perf_counter()
        captioner.caption([captioner.prepare(open_image(file.name))], [0])
    return time.perf_counter() - began

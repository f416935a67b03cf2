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
from engine.captioners.settings import DTYPES
from engine.images.image import open_image
from engine.images.probe_image import draw_probe_image
from tests.bench.checkpoint_layouts import FAMILY, SHARD_BYTES
from tests.bench.measuring import cpu_seconds, measure
from tests.bench.report import report

READ_BYTES = 2**24
"""Bytes that the baseline reads at once."""
SAMPLE_SECONDS = 0.02
"""Seconds between two samples of anonymous memory."""
GB = 1e9
PRELOADED_MODULES = ["tests.bench.official_checkpoints", "tests.bench.load"]
"""Modules that are imported, with those of the families, before anything is measured."""


def main(cases: list[str]) -> None:
    options = parse_options(cases)
    for layout, family in FAMILY.items():
        if options.model in (None, family):
            folder = Path(tempfile.mkdtemp(dir=options.folder))
            try:
                checkpoint = folder / "checkpoint"
                measure(
                    make_checkpoint, layout, options.size, checkpoint, preload=PRELOADED_MODULES
                )
                run(layout, checkpoint, options)
            finally:
                shutil.rmtree(folder)


def make_checkpoint(layout: str, size: str, checkpoint: Path) -> None:
    """Write a random checkpoint."""
    # Imported only in the process that runs it: it needs torch.
    from tests.bench import official_checkpoints

    official_checkpoints.make_checkpoint(layout, size, checkpoint)


def parse_options(cases: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench load", description=__doc__)
    parser.add_argument("--model", choices=set(FAMILY.values()), default=None)
    parser.add_argument("--size", choices=SHARD_BYTES, default="7b")
    parser.add_argument("--folder", default=None, help="where the checkpoint is written")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--caption", action="store_true", help="caption a picture, too")
    return parser.parse_args(cases)


def run(layout: str, checkpoint: Path, options: argparse.Namespace) -> None:
    """Measure and report loading the checkpoint."""
    case = f"{layout} {options.size} {options.dtype} {options.device}"
    drop_from_page_cache(checkpoint)
    read_seconds, read_cpu = read_files(checkpoint)
    drop_from_page_cache(checkpoint)
    figures = measure(load, FAMILY[layout], checkpoint, options, preload=PRELOADED_MODULES).result
    weights = figures["weights"] / GB
    report("load", f"{case}: seconds", figures["seconds"], "s", read_seconds)
    report("load", f"{case}: processor", figures["cpu"], "CPU s", read_cpu)
    report("load", f"{case}: peak resident", figures["resident"] / GB, "GB", weights)
    report("load", f"{case}: peak anonymous", figures["anonymous"] / GB, "GB", weights)
    if options.caption:
        report("load", f"{case}: first caption", figures["caption"], "s")


def files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file())


def drop_from_page_cache(checkpoint: Path) -> None:
    for path in files(checkpoint):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_files(checkpoint: Path) -> tuple[float, float]:
    """Read all files. Return the seconds and CPU seconds that this takes."""
    began, cpu = time.perf_counter(), cpu_seconds()
    for path in files(checkpoint):
        with path.open("rb", buffering=0) as file:
            while file.read(READ_BYTES):
                pass
    return time.perf_counter() - began, cpu_seconds() - cpu


def load(family: str, checkpoint: Path, options: argparse.Namespace) -> dict[str, float]:
    """Load the checkpoint in this process, and return the figures."""
    settings = replace(FAMILIES[family].presets["paper"], dtype=options.dtype)
    import_module(FAMILIES[family].module)
    before = {key: memory(key) for key in ("VmRSS", "RssAnon")}
    began, cpu = time.perf_counter(), cpu_seconds()
    with sample_anonymous_memory() as peak:
        captioner = FAMILIES[family].load(str(checkpoint), settings, options.device)
    figures = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}
    assert captioner.loaded is not None
    figures |= {"weights": captioner.loaded.bytes}
    figures |= {"resident": memory("VmHWM") - before["VmRSS"]}
    figures |= {"anonymous": peak[0] - before["RssAnon"]}
    if options.caption:
        figures["caption"] = caption_probe_image(captioner)
    return figures


@contextmanager
def sample_anonymous_memory() -> Iterator[list[int]]:
    """Put the peak of anonymous memory, in bytes, into the list. The kernel does not record it."""
    peak, over = [0], threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], memory("RssAnon"))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
    peak[0] = max(peak[0], memory("RssAnon"))


def memory(key: str) -> int:
    """Return a field of `/proc/self/status` in bytes, or 0 if it is missing."""
    match = re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(match[1]) * 1024 if match else 0


def caption_probe_image(captioner: Any) -> float:
    """Return the seconds that the first caption takes."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        draw_probe_image().save(file.name)
        began = time.perf_counter()
        captioner.caption([captioner.prepare(open_image(file.name))], [0])
    return time.perf_counter() - began

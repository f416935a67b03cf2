"""The parts of captioning alone: decode + preprocess, vision and prefill, decode steps.

One thread each on a CPU, where more only add processor seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import torch

from engine.captioners.generation import decode_loop
from engine.images.image import open_image
from engine.process.pool import cores
from tests.bench.roofline import decoded_by, machine, work

ROUNDS_LEAST = 3
SECONDS = 8.0
"""Parts are measured beside each other."""


@torch.inference_mode()
def parts(model: Any, images: list[str], size: int) -> dict[str, Any]:
    """For each part, images a second and processor seconds an image, in batches of `size`.

    On a GPU also the roofline of the model, in images a second.
    """
    from tests.bench.engine import Rate

    captioner, clock = load(model), Clock(model.device)
    batches = in_batches(images, size)
    batches = batches[: max(ROUNDS_LEAST, len(batches) // 3)]
    count = sum(map(len, batches))
    prepared = clock.time("decode", lambda: decode(captioner, batches))
    if model.device != "cpu":
        alone = in_batches(list(chain(*batches)), 1)
        with ThreadPoolExecutor(cores()) as pool:

            def on_all_cores() -> list[Any]:
                return list(pool.map(lambda it: decode(captioner, [it]), alone))

            clock.time("decode_all_cores", on_all_cores)
    caption(captioner, clock, prepared[:1])  # warm
    clock.reset("prefill", "decode_steps")
    caption(captioner, clock, prepared)
    found = clock.rates(count)
    if model.device != "cpu":
        needed = work(captioner, prepared[0])
        found["roofline"] = Rate(len(prepared[0]) / needed.seconds(machine(model.device)), None)
    return found


@torch.inference_mode()
def beside(model: Any, images: list[str], size: int, captions: bool, ready: Any) -> dict[str, Any]:
    """Decoding, or the model's parts, for `SECONDS` from when all who measure are `ready`."""
    captioner, clock = load(model), Clock(model.device)
    batches = in_batches(images, size)[:ROUNDS_LEAST]
    prepared = decode(captioner, batches)
    if captions:
        caption(captioner, Clock(model.device), prepared)  # warm
    ready.wait()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        if captions:
            caption(captioner, clock, prepared)
        else:
            clock.time("decode", lambda: decode(captioner, batches))
        count += sum(map(len, batches))
    return clock.rates(count)


def load(model: Any) -> Any:
    if model.device == "cpu":
        torch.set_num_threads(1)
    return model.load()


def in_batches(images: list[str], size: int) -> list[list[str]]:
    return [images[first : first + size] for first in range(0, len(images), size)]


def decode(captioner: Any, batches: list[list[str]]) -> list[list[Any]]:
    return [[captioner.prepare(open_image(it)) for it in batch] for batch in batches]


def caption(captioner: Any, clock: Clock, prepared: list[list[Any]]) -> None:
    """Counts prefill, with the vision tower, and decode steps."""

    def timed(running: Any, *arguments: Any) -> Any:
        clock.stop("prefill")
        found = decode_loop.decode(running, *arguments)
        clock.stop("decode_steps")
        return found

    with decoded_by(timed):
        for batch in prepared:
            clock.start()
            captioner.caption(batch, range(len(batch)))


class Clock:
    def __init__(self, device: str) -> None:
        self.cuda = device != "cpu"
        self.wall: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self.start()

    def start(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()
        self.began = (time.perf_counter(), time.process_time())

    def stop(self, name: str) -> None:
        """Counts the time since the last start or stop."""
        before = self.began
        self.start()
        self.wall[name] += self.began[0] - before[0]
        self.cpu[name] += self.began[1] - before[1]

    def time(self, name: str, work: Any) -> Any:
        self.start()
        found = work()
        self.stop(name)
        return found

    def rates(self, count: int) -> dict[str, Any]:
        """Of so many images."""
        from tests.bench.engine import Rate

        return {name: Rate(count / self.wall[name], self.cpu[name] / count) for name in self.wall}

    def reset(self, *names: str) -> None:
        for name in names:
            del self.wall[name], self.cpu[name]

"""The stages of captioning alone: decoding with preprocessing, vision with prefill, decode steps.

On a CPU each uses one thread: more threads only add CPU seconds.
"""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import torch

from engine.captioners.generation import decode_loop
from engine.images.image import open_image
from engine.utils.cpu_count import usable_cores
from tests.bench.bench_model import CaptioningRate
from tests.bench.ceiling import MatrixProducts
from tests.bench.roofline import measure_machine, measure_work, use_decode_loop

MIN_BATCHES = 3
"""The least number of batches that are measured."""
SECONDS = 8.0
"""How long stages are measured beside each other."""


@torch.inference_mode()
def measure_stages(model: Any, images: list[str], batch_size: int) -> dict[str, Any]:
    """Return the rate of each stage, and the model's ceiling; on a GPU its roofline instead."""
    captioner, clock = load(model), Clock(model.device)
    batches = in_batches(images, batch_size)
    batches = batches[: max(MIN_BATCHES, len(batches) // 3)]
    count = sum(map(len, batches))
    prepared = clock.time("decode", lambda: decode(captioner, batches))
    if model.device != "cpu":
        single_images = in_batches(list(chain(*batches)), 1)
        with ThreadPoolExecutor(usable_cores()) as pool:

            def on_all_cores() -> list[Any]:
                return list(pool.map(lambda image: decode(captioner, [image]), single_images))

            clock.time("decode_all_cores", on_all_cores)
    with MatrixProducts() as products:
        caption(captioner, clock, prepared[:1])  # also to warm up
    clock.reset("prefill", "decode_steps")
    caption(captioner, clock, prepared)
    rates = clock.rates(count)
    if model.device == "cpu":
        rates["ceiling"] = CaptioningRate(len(prepared[0]) / products.seconds(), None)
    if model.device != "cpu":
        work = measure_work(captioner, prepared[0])
        seconds = work.seconds(measure_machine(model.device))
        rates["roofline"] = CaptioningRate(len(prepared[0]) / seconds, None)
    return rates


@torch.inference_mode()
def measure_stages_beside_others(
    model: Any, images: list[str], batch_size: int, captions: bool, ready: Any
) -> dict[str, Any]:
    """Return the rates of the model's stages, or of decoding, measured for `SECONDS`.

    `captions` is True for the model's stages. The barrier `ready` is where all processes that
    measure wait for each other before they begin.
    """
    captioner, clock = load(model), Clock(model.device)
    batches = in_batches(images, batch_size)[:MIN_BATCHES]
    prepared = decode(captioner, batches)
    if captions:
        caption(captioner, Clock(model.device), prepared)  # to warm up
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
    """Return the captioner, which uses one thread on a CPU."""
    if model.device == "cpu":
        torch.set_num_threads(1)
    return model.load()


def in_batches(images: list[str], size: int) -> list[list[str]]:
    return [images[first : first + size] for first in range(0, len(images), size)]


def decode(captioner: Any, batches: list[list[str]]) -> list[list[Any]]:
    return [[captioner.prepare(open_image(image)) for image in batch] for batch in batches]


def caption(captioner: Any, clock: Clock, prepared: list[list[Any]]) -> None:
    """Caption the batches, and add their prefill (with vision) and decode steps to the clock."""

    def decode_timed(state: Any, *arguments: Any) -> Any:
        clock.stop("prefill")
        output = decode_loop.decode(state, *arguments)
        clock.stop("decode_steps")
        return output

    with use_decode_loop(decode_timed):
        for batch in prepared:
            clock.start()
            captioner.caption(batch, range(len(batch)))


class Clock:
    """Seconds and CPU seconds by stage. On a GPU, each start and stop waits for it."""

    def __init__(self, device: str) -> None:
        self.cuda = device != "cpu"
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.start()

    def start(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()
        self.began = (time.perf_counter(), time.process_time())

    def stop(self, name: str) -> None:
        """Add the time since the last start or stop to the stage."""
        before = self.began
        self.start()
        self.wall[name] += self.began[0] - before[0]
        self.cpu[name] += self.began[1] - before[1]

    def time(self, name: str, function: Any) -> Any:
        """Call the function, and add its time to the stage. Return its result."""
        self.start()
        result = function()
        self.stop(name)
        return result

    def rates(self, count: int) -> dict[str, Any]:
        """Return the rate of each stage, which has worked on so many images."""
        return {
            name: CaptioningRate(count / self.wall[name], self.cpu[name] / count)
            for name in self.wall
        }

    def reset(self, *names: str) -> None:
        """Forget the time of these stages."""
        for name in names:
            del self.wall[name], self.cpu[name]

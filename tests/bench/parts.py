"""The parts of captioning alone: decode + preprocess, vision and prefill, decode steps.

One thread each on a CPU, where more only add processor seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from engine.captioners import decoding
from engine.cores import cores
from engine.images import open_image

ROUNDS_LEAST = 3


@torch.inference_mode()
def parts(model: Any, images: list[str]) -> dict[str, Any]:
    """For each part, images a second and processor seconds an image."""
    from tests.bench.engine import Rate

    on_cpu = model.device == "cpu"
    if on_cpu:
        torch.set_num_threads(1)
    captioner = model.load()
    batches = [
        images[first : first + captioner.batch] for first in range(0, len(images), captioner.batch)
    ]
    batches = batches[: max(ROUNDS_LEAST, len(batches) // 3)]
    count = sum(map(len, batches))

    def prepare(image: str) -> Any:
        return captioner.prepare(open_image(image))

    clock = Clock(model.device)
    prepared = clock.time("decode", lambda: [[prepare(it) for it in batch] for batch in batches])
    if not on_cpu:
        with ThreadPoolExecutor(cores()) as pool:
            flat = [image for batch in batches for image in batch]
            clock.time("decode_all_cores", lambda: list(pool.map(prepare, flat)))
    decode = decoding.decode
    for module in captioner_modules():

        def timed(running: Any, *arguments: Any) -> Any:
            clock.stop("prefill")
            found = decode(running, *arguments)
            clock.stop("decode_steps")
            return found

        module.decode = timed
    captioner.caption(prepared[0], range(len(prepared[0])))  # warm
    clock.reset("prefill", "decode_steps")
    for batch in prepared:
        clock.start()
        captioner.caption(batch, range(len(batch)))
    return {
        name: Rate(count / seconds, clock.cpu[name] / count) for name, seconds in clock.wall.items()
    }


def captioner_modules() -> list[Any]:
    from engine.captioners import otter, spliced

    return [otter, spliced]


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

    def reset(self, *names: str) -> None:
        for name in names:
            del self.wall[name], self.cpu[name]

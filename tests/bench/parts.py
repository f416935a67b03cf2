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
from tests.bench.roofline import decoded_by, machine, work

ROUNDS_LEAST = 3


@torch.inference_mode()
def parts(model: Any, images: list[str], size: int) -> dict[str, Any]:
    """For each part, images a second and processor seconds an image, in batches of `size`.

    On a GPU also the roofline of the model, in images a second.
    """
    from tests.bench.engine import Rate

    on_cpu = model.device == "cpu"
    if on_cpu:
        torch.set_num_threads(1)
    captioner = model.load()
    batches = [images[first : first + size] for first in range(0, len(images), size)]
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

    def timed(running: Any, *arguments: Any) -> Any:
        clock.stop("prefill")
        found = decoding.decode(running, *arguments)
        clock.stop("decode_steps")
        return found

    with decoded_by(timed):
        captioner.caption(prepared[0], range(len(prepared[0])))  # warm
        clock.reset("prefill", "decode_steps")
        for batch in prepared:
            clock.start()
            captioner.caption(batch, range(len(batch)))
    found = {
        name: Rate(count / seconds, clock.cpu[name] / count) for name, seconds in clock.wall.items()
    }
    if not on_cpu:
        needed = work(captioner, prepared[0])
        found["roofline"] = Rate(len(prepared[0]) / needed.seconds(machine(model.device)), None)
    return found


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

"""A worker that sleeps as long as a GPU would take, without image or model."""

from __future__ import annotations

import time

from engine.captioners.base import Caption, Captioner
from engine.worker import worker

BATCH = 32
SECONDS = 0.4
"""A batch: 80 images a second, as LLaVA-1.5 on a large GPU."""


class Sleeping(Captioner):
    batch = BATCH

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        time.sleep(SECONDS * len(inputs) / BATCH)
        return [Caption(f"an image called {name}. And a tail.", 30, "length") for name in inputs]


class SleepingWorker(worker.Worker):
    def make_captioner(self):
        return Sleeping()

    def start(self, message):
        super().start(message)
        self.images.prepare = str


def main() -> None:
    worker.main(SleepingWorker)

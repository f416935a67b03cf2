"""The real worker without images and model: it sleeps as long as a GPU would take."""

from __future__ import annotations

import time

from engine.captioners.base import Caption, Captioner
from engine.worker import worker

BATCH = 32
BATCH_SECONDS = 0.4
"""The duration of a batch in seconds: 80 images a second, as LLaVA-1.5 on a large GPU."""


class SleepingCaptioner(Captioner):
    """A captioner that sleeps, and makes a caption of an image's path."""

    batch = BATCH

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        time.sleep(BATCH_SECONDS * len(inputs) / BATCH)
        return [Caption(f"an image called {name}. And a tail.", 30, "length") for name in inputs]


class SleepingWorker(worker.Worker):
    """The real worker, with paths in place of decoded images."""

    def make_captioner(self, model):
        return SleepingCaptioner()

    def start(self, message) -> None:
        super().start(message)
        self.prefetcher.prepare = str


def main() -> None:
    worker.main(SleepingWorker)

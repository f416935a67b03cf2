"""The real worker without images and model: it sleeps as long as a GPU would take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from engine.captioners.base import Caption, Captioner
from engine.protocol.messages import ModelSpec, Start
from engine.worker import worker

BATCH = 32
BATCH_SECONDS = 0.4
"""The duration of a batch in seconds: 80 images a second, as LLaVA-1.5 on a large GPU."""


class SleepingCaptioner(Captioner):
    """A captioner that sleeps, and makes a caption of an image's path."""

    batch = BATCH

    def prepare(self, picture: Any) -> Any:
        return picture

    def caption(self, inputs: Sequence[str], records: Sequence[int]) -> list[Caption]:
        time.sleep(BATCH_SECONDS * len(inputs) / BATCH)
        return [Caption(f"an image called {name}. And a tail.", 30, "length") for name in inputs]


class SleepingWorker(worker.Worker):
    """The real worker, with paths in place of decoded images."""

    def make_captioner(self, model: ModelSpec) -> Captioner:
        return SleepingCaptioner()

    def start(self, message: Start) -> None:
        super().start(message)
        setattr(self.prefetcher, "open", str)  # noqa: B010 (a method)


def main() -> None:
    worker.main(SleepingWorker)

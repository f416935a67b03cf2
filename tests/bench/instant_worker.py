"""The real worker without images and model: it answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.captioners.base import Caption, Captioner
from engine.protocol.messages import ModelSpec, Start
from engine.worker import worker


class InstantCaptioner(Captioner):
    """A captioner that makes a caption of an image's path."""

    batch = 256

    def prepare(self, picture: Any) -> Any:
        return picture

    def caption(self, inputs: Sequence[str], records: Sequence[int]) -> list[Caption]:
        return [Caption(f"an image called {name}. And a tail.", 9, "stop") for name in inputs]


class InstantWorker(worker.Worker):
    """The real worker, with paths in place of decoded images."""

    def make_captioner(self, model: ModelSpec) -> Captioner:
        return InstantCaptioner()

    def start(self, message: Start) -> None:
        super().start(message)
        setattr(self.prefetcher, "open", str)  # noqa: B010 (a method)


def main() -> None:
    worker.main(InstantWorker)

"""The real worker without images and model: it answers at once."""

from __future__ import annotations

from engine.captioners.base import Caption, Captioner
from engine.worker import worker


class InstantCaptioner(Captioner):
    """A captioner that makes a caption of an image's path."""

    batch = 256

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        return [Caption(f"an image called {name}. And a tail.", 9, "stop") for name in inputs]


class InstantWorker(worker.Worker):
    """The real worker, with paths in place of decoded images."""

    def make_captioner(self, model):
        return InstantCaptioner()

    def start(self, message) -> None:
        super().start(message)
        self.prefetcher.prepare = str


def main() -> None:
    worker.main(InstantWorker)

"""A worker that answers at once: everything of the real one but the image and the model."""

from __future__ import annotations

from engine.captioners.base import Caption, Captioner
from engine.worker import worker


class Instant(Captioner):
    batch = 256

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        return [Caption(f"an image called {name}. And a tail.", 9, "stop") for name in inputs]


class InstantWorker(worker.Worker):
    def make_captioner(self):
        return Instant()

    def start(self, message):
        super().start(message)
        self.images.prepare = str


def main() -> None:
    worker.main(InstantWorker)

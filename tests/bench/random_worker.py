"""The real worker with random weights of the official size in place of a checkpoint."""

from __future__ import annotations

from engine.captioners.base import Captioner
from engine.captioners.registry import Settings
from engine.protocol.messages import ModelSpec
from engine.worker import worker
from tests.bench.random_models import load


class RandomWorker(worker.Worker):
    """The real worker, with a captioner from `random_models`."""

    def make_captioner(self, model: ModelSpec) -> Captioner:
        return load(model.family, Settings.of(model.settings), self.device)


def main() -> None:
    worker.main(RandomWorker)

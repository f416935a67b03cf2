"""A worker that is slow and that lacks images or checkpoints on some nodes.

The launcher runs it as its module.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.captioners.base import Caption, CheckpointError, LoadedModel, Scorer, Scores
from engine.captioners.families.dry_run import DryRunCaptioner
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem
from engine.protocol.messages import ModelSpec, Start
from engine.worker import worker

NODE = os.environ["NODE"]
"""The name of the node that this process runs on."""
MISSING = Path(os.environ["MISSING"])
"""A folder of empty files named NODE.WHAT, one for each thing that a node lacks.

WHAT is `images` (the image root), `checkpoint`, `haste` (images take longer), `leave` (nothing
is captioned until the file is deleted) or `scores` (a scorer waits as long after one batch)."""


def missing(what: str) -> bool:
    """Return True if this node lacks `what`."""
    return (MISSING / f"{NODE}.{what}").exists()


class SlowCaptioner(DryRunCaptioner):
    """The captioner `dry-run`, at a speed at which tests can intervene."""

    def caption(self, inputs: Sequence[str], records: Sequence[int]) -> list[Caption]:
        while missing("leave"):
            time.sleep(0.05)
        time.sleep((0.1 if missing("haste") else 0.03) * len(inputs))
        return super().caption(inputs, records)


def pausing(scorer: Scorer) -> Scorer:
    """Have a scorer wait before its second batch while this node lacks `scores`."""
    score, batches = scorer.score, count()

    def score_slowly(inputs: Sequence[Any]) -> Sequence[Scores | ImageProblem]:
        while next(batches) and missing("scores"):
            time.sleep(0.05)
        return score(inputs)

    scorer.score = score_slowly  # type: ignore[method-assign]
    return scorer


class ClusterWorker(worker.Worker):
    """The real worker, on a node that may lack something."""

    def start(self, message: Start) -> None:
        if missing("images"):
            message = replace(message, images=replace(message.images, root="/nowhere"))
        super().start(message)

    def make_captioner(self, model: ModelSpec) -> LoadedModel:
        if missing("checkpoint"):
            raise CheckpointError("there is no folder /nowhere/llava")
        loaded = super().make_captioner(model)
        if isinstance(loaded, Scorer):
            return pausing(loaded)
        return SlowCaptioner(Settings(batch=8))


def main() -> None:
    worker.main(ClusterWorker)

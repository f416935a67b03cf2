"""A worker that is slow and that lacks images or checkpoints on some nodes.

The launcher runs it as its module.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from engine.captioners.base import Caption, Captioner, CheckpointError
from engine.captioners.families.dry_run import DryRunCaptioner
from engine.captioners.settings import Settings
from engine.protocol.messages import ModelSpec, Start
from engine.worker import worker

NODE = os.environ["NODE"]
"""The name of the node that this process runs on."""
MISSING = Path(os.environ["MISSING"])
"""A folder of empty files named NODE.WHAT, one for each thing that a node lacks.

WHAT is `images` (the image root), `checkpoint`, `haste` (images take longer) or `leave` (nothing
is captioned until the file is deleted)."""


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


class ClusterWorker(worker.Worker):
    """The real worker, on a node that may lack something."""

    def start(self, message: Start) -> None:
        if missing("images"):
            message = replace(message, images=replace(message.images, root="/nowhere"))
        super().start(message)

    def make_captioner(self, model: ModelSpec) -> Captioner:
        if missing("checkpoint"):
            raise CheckpointError("there is no folder /nowhere/llava")
        return SlowCaptioner(Settings(batch=8))


def main() -> None:
    worker.main(ClusterWorker)

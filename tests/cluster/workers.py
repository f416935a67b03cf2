"""Workers that take their time, and on some nodes do not find what lies there for others."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.captioners.base import CheckpointError
from engine.captioners.families.dry_run import DryRun
from engine.worker import worker

NODE = os.environ["NODE"]
MISSING = Path(os.environ["MISSING"])
"""A folder of files called `a.images`, `b.checkpoint`: what node a, node b does not find. On a node
without `haste` an image takes longer; without `leave` nothing is captioned for as long."""


def missing(what: str) -> bool:
    return (MISSING / f"{NODE}.{what}").exists()


class Slow(DryRun):
    def caption(self, inputs, records):
        while missing("leave"):
            time.sleep(0.05)
        time.sleep((0.1 if missing("haste") else 0.03) * len(inputs))
        return super().caption(inputs, records)


class NodeWorker(worker.Worker):
    def start(self, message):
        if missing("images"):
            message["images"]["root"] = "/nowhere"
        super().start(message)

    def make_captioner(self):
        if missing("checkpoint"):
            raise CheckpointError("there is no folder /nowhere/llava")
        return Slow(8)


def main() -> None:
    worker.main(NodeWorker)

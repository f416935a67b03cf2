"""The real worker, with little patience for servers: run as the launcher's module."""

from __future__ import annotations

import os

from engine.captioners.remote import captioner
from engine.captioners.remote.client import Patience
from engine.worker import worker

worker.HEARTBEAT_SECONDS = 0.2
captioner.PATIENCE = Patience(
    connect=1.0,
    request=float(os.environ.get("REQUEST_SECONDS", "5")),
    first_pause=0.01,
    longest_pause=0.05,
    failing=0.3,
    longest_wait=0.4,
)


def main() -> None:
    worker.main()

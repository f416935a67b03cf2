"""The real worker with a retry policy for servers that gives up within a second.

A launcher runs it as its module. The environment variable REQUEST_SECONDS sets the time limit of
a request.
"""

from __future__ import annotations

import os

from engine.captioners.remote import captioner
from engine.captioners.remote.client import RetryPolicy
from engine.captioners.remote.engines import captioner as served
from engine.captioners.remote.engines import server_process
from engine.worker import worker

worker.HEARTBEAT_SECONDS = 0.2
captioner.RETRY_POLICY = RetryPolicy(
    connect_timeout=10.0,
    request_timeout=float(os.environ.get("REQUEST_SECONDS", "5")),
    first_backoff=0.01,
    max_backoff=0.05,
    outage_seconds=0.3,
    max_retry_after=0.4,
)
served.SLOW_REQUEST_SECONDS = 0.0  # as long as any other server may take
server_process.LOOK_SECONDS = 0.05


def main() -> None:
    worker.main()

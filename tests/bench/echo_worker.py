"""A worker that answers every message with a heartbeat, the smallest message."""

from __future__ import annotations

import sys

from engine.protocol.messages import encode


def main() -> None:
    for _ in sys.stdin.buffer:
        sys.stdout.buffer.write(encode({"type": "heartbeat", "rss": 0}))
        sys.stdout.buffer.flush()

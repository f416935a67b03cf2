"""A worker that answers every message with a heartbeat, the smallest message."""

from __future__ import annotations

import sys

from engine.protocol.framing import encode
from engine.protocol.messages import Heartbeat


def main() -> None:
    for _ in sys.stdin.buffer:
        sys.stdout.buffer.write(encode(Heartbeat(rss=0)))
        sys.stdout.buffer.flush()

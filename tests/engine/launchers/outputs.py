"""What workers write: messages, and what is none."""

from __future__ import annotations

from engine.protocol.caption_row import CaptionRow
from engine.protocol.framing import encode
from engine.protocol.messages import Heartbeat, Rows

ROWS = Rows(task=1, attempt=1, rows=(CaptionRow(i=0, raw="a dog", tokens=2, finish="stop"),))
HEARTBEAT = Heartbeat(rss=5)
NONSENSE = (
    b"Traceback (most recent call last):\n",
    b"\xff\xfe\n",
    b"7\n",
    b'{"type": "rows", "task": 1, "attempt": 1, "rows": [{"i": "0", "raw": "x"}]}\n',
    b'{"type": "rows", "task": 1, "attempt": 1, "rows": [7]}\n',
    b'{"type": "decoding", "task": 1, "attempt": 1, "records": [[]]}\n',
    b'{"type": "start"}\n',
    b'{"type": "waiting", "text": "only a launcher says this"}\n',
    b"[" * 10_000 + b"\n",
)
"""Lines that are no message of a worker."""


def around(line: bytes) -> bytes:
    """Return the line between two messages, `ROWS` and `HEARTBEAT`."""
    return encode(ROWS) + line + encode(HEARTBEAT)

"""The messages between supervisor and worker: one JSON object a line, over stdin and stdout.

Supervisor to worker
    start     device, threads, images {root, path_map, allow_outside, witness}
    load      model {id, name, family, checkpoint, settings}, batch (or null)
    image     i, bytes; so many bytes follow the line: the file of a record that comes next
    records   task, attempt, first, records [[i, image], ...], last, alone
    cancel    forget the records that are not being generated yet
    forget_witness   probe for missing images with the image root alone

Worker to supervisor
    ready         the process is up
    loading       text                          a step of a load
    loaded        model, batch, seconds
    load_failed   model, kind (checkpoint, memory, error), text
    decoding      attempt, records [i, ...]     about to be decoded
    generating    attempt, records [i, ...]     about to be generated
    rows          task, attempt, rows [...]     rows of the caption log
    asking        attempt                       a server said something: a sign of life
    computing     attempt                       a layer of the model was computed: another
    unavailable   model, text, seconds, records [i, ...]
                                                a server captions nothing for now, and may want
                                                to be left alone so long; these records were with it
                                                when it stopped; all are forgotten
    batch         model, size, fits, text       another size, the largest that is known to fit
                                                and why: out of memory, or to see what is faster
    root_lost     attempt, text                 images went missing and so did the image root
    stuck         text                          half of the decoding threads hang in a read
    failed        kind (sticky, memory, error), text            the worker is about to exit
    heartbeat     rss (bytes)

Launcher to supervisor, in the place of a worker that is not up yet
    waiting       text                          for a place to run
"""

from __future__ import annotations

from typing import Any

from engine.utils import jsonlines

LONGEST_LINE = 32 * 2**20
"""Bytes without a line's end after which a worker no longer speaks this protocol."""

OUT_OF_MEMORY = "out of memory"
"""Why a batch was halved."""

Message = dict[str, Any]

FROM_WORKER: dict[str, dict[str, type | tuple[type, ...]]] = {
    "ready": {},
    "loading": {"text": str},
    "loaded": {"model": int, "batch": int, "seconds": (int, float)},
    "load_failed": {"model": int, "kind": str, "text": str},
    "decoding": {"attempt": int, "records": list},
    "generating": {"attempt": int, "records": list},
    "rows": {"task": int, "attempt": int, "rows": list},
    "batch": {"model": int, "size": int, "fits": int, "text": str},
    "asking": {"attempt": int},
    "computing": {"attempt": int},
    "unavailable": {"model": int, "text": str, "seconds": (int, float), "records": list},
    "root_lost": {"attempt": int, "text": str},
    "stuck": {"text": str},
    "failed": {"kind": str, "text": str},
    "heartbeat": {"rss": int},
}
"""What the supervisor relies on."""


class ProtocolError(Exception):
    """What a worker wrote is no message."""


def encode(message: Message) -> bytes:
    return jsonlines.dumps(message) + b"\n"


def decode(line: bytes) -> Message:
    """Raises `ProtocolError`."""
    try:
        message = jsonlines.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not a message: {line[:200]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f"not a message: {line[:200]!r}")
    return message


def check(message: Message) -> Message:
    """A worker's message with every field that it must have. Raises `ProtocolError`."""
    fields = FROM_WORKER.get(message["type"])
    good = fields is not None and all(
        isinstance(message.get(name), kind) for name, kind in fields.items()
    )
    # Rows are checked where they are taken.
    if not good or not all(type(i) is int for i in message.get("records", ())):
        raise ProtocolError(f"not a message: {str(message)[:200]}")
    return message


class Lines:
    """Cuts what a worker writes into messages."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Raises `ProtocolError`."""
        first, end, rest = data.partition(b"\n")
        self.buffer += first
        if len(self.buffer) > LONGEST_LINE:
            raise ProtocolError(f"a line of more than {LONGEST_LINE} bytes")
        if not end:
            return []
        *lines, last = rest.split(b"\n")
        lines.insert(0, bytes(self.buffer))
        self.buffer = bytearray(last)
        return [check(decode(line)) for line in lines]

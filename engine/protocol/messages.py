"""The messages between supervisor and worker: one JSON object a line, over stdin and stdout.

`i` is the index of a record in its shard, `model`, `task` and `attempt` are ids, `text` is for the
log of events. `records` are indices, except in the message `records` itself.

Supervisor to worker
    start     device, threads, images {root, path_map, allow_outside, witness}
                                                once, before all others
    load      model {id, name, family, checkpoint, settings}, batch (or null)
                                                load a model; batch is the known batch size
    image     i, bytes                          the image file of a record that comes next: so
                                                many bytes follow the line
    records   task, attempt, first, records [[i, image], ...], last, alone
                                                records to caption; first is the record id of
                                                index 0, last says that no more come for now,
                                                alone that this record is isolated
    cancel                                      forget the records that no batch holds yet
    forget_witness                              when images are missing, probe only the image
                                                root, not an image seen before

Worker to supervisor
    ready                                       the process is up
    loading       text                          a step of a load
    loaded        model, batch, seconds         a model is loaded; batch is its batch size
    load_failed   model, kind (checkpoint, memory, error), text
    decoding      attempt, records [i, ...]     the images of these are about to be decoded
    generating    attempt, records [i, ...]     these are about to be captioned
    rows          task, attempt, rows [...]     rows of the caption log
    asking        attempt                       sign of life: a server has replied
    computing     attempt                       sign of life: a layer of the model was computed
    unavailable   model, text, seconds, records [i, ...]
                                                a server captions nothing for now, and may have
                                                asked to be left alone for so many seconds; it had
                                                these records when it stopped; the worker has
                                                forgotten all records and the model
    batch         model, size, fits, text       the batch size has changed to size for the reason
                                                text (memory, or a search for the fastest); fits is
                                                the largest size that is known to fit
    root_lost     attempt, text                 images are missing and so is the image root; the
                                                worker has forgotten all records
    stuck         text                          at least half of the decoding threads are blocked
                                                in a read; the worker is about to exit
    failed        kind (sticky, memory, error), text
                                                the worker is about to exit
    heartbeat     rss                           bytes of memory that the process uses

Launcher to supervisor, in the name of a worker whose process is not up yet
    waiting       text                          the worker waits for a slot to run in
"""

from __future__ import annotations

from typing import Any

from engine.utils import jsonlines

MAX_LINE_BYTES = 32 * 2**20
"""Bytes without a line's end after which a worker counts as not speaking this protocol."""

OUT_OF_MEMORY = "out of memory"
"""The text of a message `batch` if the batch size was halved because a batch did not fit."""

Message = dict[str, Any]
"""A message in either direction: its `type` and the fields of that type."""

WORKER_MESSAGE_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
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
"""The fields, with their Python types, on which the supervisor relies in each worker message."""


class ProtocolError(Exception):
    """Raised when a worker wrote something that is not a message."""


def encode(message: Message) -> bytes:
    return jsonlines.dumps(message) + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line, whose fields are not checked. Raises `ProtocolError`."""
    try:
        message = jsonlines.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not a message: {line[:200]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f"not a message: {line[:200]!r}")
    return message


def check_message(message: Message) -> Message:
    """Return a worker's message if it has every field that it must have.

    Raises `ProtocolError`.
    """
    fields = WORKER_MESSAGE_FIELDS.get(message["type"])
    valid = fields is not None and all(
        isinstance(message.get(name), types) for name, types in fields.items()
    )
    # The rows themselves are checked where the supervisor appends them to the caption log.
    if not valid or not all(type(i) is int for i in message.get("records", ())):
        raise ProtocolError(f"not a message: {str(message)[:200]}")
    return message


class MessageReader:
    """Cuts the bytes that one worker writes into messages."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        """The beginning of a line whose end has not come yet."""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that end within `data`. Raises `ProtocolError`."""
        first, end, rest = data.partition(b"\n")
        self.buffer += first
        if len(self.buffer) > MAX_LINE_BYTES:
            raise ProtocolError(f"a line of more than {MAX_LINE_BYTES} bytes")
        if not end:
            return []
        *lines, last = rest.split(b"\n")
        lines.insert(0, bytes(self.buffer))
        self.buffer = bytearray(last)
        return [check_message(decode(line)) for line in lines]

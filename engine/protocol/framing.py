"""Messages as lines of JSON: encoding one, and cutting what a worker writes into messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.protocol.messages import FromWorker, Message, ProtocolError, from_worker, to_wire
from engine.utils import jsonlines

MAX_LINE_BYTES = 32 * 2**20
"""Bytes without a line's end after which a worker counts as not speaking this protocol."""


def encode(message: Message) -> bytes:
    """Return the line of a message, with its end."""
    return jsonlines.dumps(to_wire(message)) + b"\n"


def parse_line(line: bytes) -> Any:
    """Return the JSON value of one line. Raises `ProtocolError`."""
    try:
        return jsonlines.loads(line)
    except ValueError as error:
        text = line[:200].decode(errors="replace")
        raise ProtocolError(f"not a message: {text!r}") from error


class MessageReader:
    """Cuts the bytes that one worker writes into messages."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        """The beginning of a line whose end has not come yet."""

    def feed(self, data: bytes) -> Iterator[FromWorker]:
        """Yield the messages that end within `data`.

        Raises `ProtocolError` at the first line that is no message: what stood before it is valid.
        """
        first, end, rest = data.partition(b"\n")
        self.buffer += first
        if len(self.buffer) > MAX_LINE_BYTES:
            raise ProtocolError(f"a line of more than {MAX_LINE_BYTES} bytes")
        if not end:
            return
        *lines, last = rest.split(b"\n")
        lines.insert(0, bytes(self.buffer))
        self.buffer = bytearray(last)
        for line in lines:
            yield from_worker(parse_line(line))

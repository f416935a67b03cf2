"""The lines of a text file as texts."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from engine.datasets.inputs.byte_stream import ByteStream
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.utils.errors import BadInput

READ_BYTES = 1 << 20
"""Bytes that are read at a time."""
LONGEST_LINE = 16 << 20
"""Bytes that a line may have: a file with longer ones is no caption file, and must not fill the
memory."""


def text_lines(stream: ByteStream, report: InputReport) -> Iterator[str]:
    """Yield lines with their ends, cut as the csv module expects it.

    A line that is not UTF-8 is a bad record, in whose place an empty line is yielded, so that lines
    keep their numbers. Raises `BadInput`.
    """
    rest = b""
    while block := stream.read(READ_BYTES):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if len(rest) > LONGEST_LINE:
            raise BadInput(
                f"{stream.path}: a line of more than {LONGEST_LINE:,} bytes"
                f" (at byte {stream.position - len(rest):,}): is this a caption file?"
            )
        yield from decoded(block[:end], stream, len(rest), report)
    yield from decoded(rest, stream, 0, report)


def decoded(
    data: bytes, stream: ByteStream, bytes_after: int, report: InputReport
) -> Iterator[str]:
    """Yield the lines of bytes that end `bytes_after` bytes before the stream's position."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        offset = stream.position - bytes_after - len(data)
        problem = f"{stream.path}: not UTF-8 at byte {offset + error.start:,}: save it as UTF-8"
        if data.count(b"\n") > 1 or not report.skip_bad:
            if not report.skip_bad:
                raise BadRecord(problem) from error
            for line in data.splitlines(keepends=True):
                offset += len(line)
                yield from decoded(line, stream, stream.position - offset, report)
        else:
            report.skipped.add(problem)
            yield "\n"
    else:
        yield from StringIO(text, newline="")

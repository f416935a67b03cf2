"""The exact JSON reader: values one by one, with exact positions and messages.

`json_reader` uses it for what its fast way stumbles over. It is written by hand, since the records'
own bytes must survive, with odd escapes and long numbers, and errors must name their byte.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.byte_stream import ByteStream
from engine.datasets.inputs.input_report import BadRecord, CutShort
from engine.datasets.inputs.record_layouts import UnknownKeys
from engine.datasets.inputs.value_reader import ValueReader
from engine.utils import jsonlines
from engine.utils.errors import BadInput

LONGEST_RECORD = 64 << 20
"""Characters that a record may have: more is no record, and must not fill the memory."""
NEAR_END = 32
"""Characters: an error this close to the end of the window may only mean that there is more to
read."""
NEXT_RECORD = re.compile(r"\}\s{0,15},\s{0,15}(?=\{)")
"""What stands before the next record of an array, and perhaps within a damaged one."""
BLANK = re.compile(r"[ \t\n\r]*")
"""The characters that JSON allows between values."""


class TextWindow:
    """A window on a UTF-8 stream that knows its position, in characters and in bytes."""

    def __init__(self, stream: ByteStream, read_bytes: int) -> None:
        """Start where the stream is. `read_bytes` are read at a time, at least."""
        self.path = stream.path
        self.stream = stream
        self.read_bytes = read_bytes
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.window = ""
        """The text that is in memory."""
        self.cursor = 0
        """The index in `window` of the next character."""
        self.start_offset = stream.position
        """The offset in bytes at which `window` starts."""
        self.ended = False
        """True once the stream has ended."""

    def read_more(self) -> None:
        """Drop what was consumed and read on. Raises `BadInput` if the file is not UTF-8."""
        self.start_offset += self.byte_length(self.cursor)
        pending = self.decoder.getstate()[0]
        decoded_from = self.stream.position - len(pending)
        data = self.stream.read(max(self.read_bytes, len(self.window) - self.cursor))
        self.ended = not data
        try:
            text = self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            offset = decoded_from + error.start
            raise BadInput(
                f"{self.path}: not UTF-8 at byte {offset:,}: save it as UTF-8"
            ) from error
        self.window = self.window[self.cursor :] + text
        self.cursor = 0

    def byte_length(self, index: int) -> int:
        """Return how many bytes the window's characters before `index` have."""
        return len(self.window[:index].encode())

    def push_back(self) -> None:
        """Leave the stream where the cursor is."""
        self.stream.push_back(self.window[self.cursor :].encode() + self.decoder.getstate()[0])

    def skip_blanks(self) -> str:
        """Return the next character that is not a blank, or '' at the end; it is not consumed."""
        while True:
            match = BLANK.match(self.window, self.cursor)
            self.cursor = match.end() if match else self.cursor
            if self.cursor < len(self.window):
                return self.window[self.cursor]
            if self.ended:
                return ""
            self.read_more()

    def read_value(self, decoder: json.JSONDecoder) -> tuple[Any, str]:
        """Return the JSON value that starts at the cursor, and its text. Raises `BadInput`."""
        while True:
            try:
                value, end = decoder.raw_decode(self.window, self.cursor)
            except json.JSONDecodeError as error:
                unfinished = error.pos >= len(self.window) - NEAR_END or "Unterminated" in error.msg
                if self.ended or not unfinished:
                    found = self.error(f"not JSON: {jsonlines.problem_of(error)}", error.pos)
                    raise CutShort(str(found)) if unfinished else found from error
            except RecursionError as error:
                raise self.error("a record is nested too deeply") from error
            except ValueError as error:
                raise self.error(f"a value cannot be read: {error}") from error
            else:
                if end == len(self.window) and not self.ended:  # a number may go on
                    self.read_more()
                    continue
                text = self.window[self.cursor : end]
                self.cursor = end
                return value, text
            if len(self.window) - self.cursor > LONGEST_RECORD:
                raise self.error(f"a record of more than {LONGEST_RECORD:,} characters")
            self.read_more()

    def skip_to(self, start: re.Pattern[str]) -> bool:
        """Go to the end of the next match, which has some characters at most; False if none is."""
        while (match := start.search(self.window, self.cursor)) is None:
            if self.ended:
                return False
            self.cursor = max(self.cursor, len(self.window) - NEAR_END)
            self.read_more()
        self.cursor = match.end()
        return True

    def error(self, message: str, index: int | None = None) -> BadInput:
        """Return the error that something is wrong at an index of the window, or at the cursor."""
        offset = self.start_offset + self.byte_length(self.cursor if index is None else index)
        return BadInput(f"{self.path}: {message} (at byte {offset:,})")


def read_array(text: TextWindow, reader: ValueReader) -> Iterator[Record | None]:
    """Yield the rest of an array's records; the text stands at the start of a value.

    After each comma None is yielded: the text stands at the start of a value again. Values that are
    no records are bad records, and so is what is damaged, up to the next `}, {`. Raises `BadInput`.
    """
    decoder = json.JSONDecoder()
    while True:
        if not text.skip_blanks():
            raise CutShort(str(text.error("the file is cut short: the array does not end")))
        try:
            value = text.read_value(decoder)
        except CutShort:
            raise
        except BadInput as error:
            pass_damage(text, reader, error)
            yield None
            continue
        yield from records_or_left_out(text, reader, *value)
        following = text.skip_blanks()
        if following == "]":
            break
        after = f"after record {reader.number - 1:,}"
        if not following:
            raise CutShort(str(text.error(f"the file is cut short {after}")))
        if following == ",":
            text.cursor += 1
            text.skip_blanks()
        else:
            pass_damage(text, reader, text.error(f"a comma is missing {after}"))
        yield None
    text.cursor += 1
    if text.skip_blanks():
        raise text.error("something follows the array: give one array, or JSON Lines")


def pass_damage(text: TextWindow, reader: ValueReader, problem: BadInput) -> None:
    """Leave out what is damaged, up to the next record of an array.

    Raises `BadRecord` unless that is left out, and `CutShort` if no record follows.
    """
    reader.report.leave_out(BadRecord(str(problem)))
    if not text.skip_to(NEXT_RECORD):
        raise CutShort(str(text.error("no record follows the damage")))


def read_lines(text: TextWindow, reader: ValueReader) -> Iterator[Record | None]:
    """Yield the rest of the records of JSON Lines, as `read_array` does of an array."""
    decoder = json.JSONDecoder()
    while text.skip_blanks():
        try:
            value = text.read_value(decoder)
        except CutShort:
            raise
        except BadInput as error:
            raise BadRecord(str(error)) from error
        yield from records_or_left_out(text, reader, *value)
        match = BLANK.match(text.window, text.cursor)
        blanks = match.group() if match else ""
        if match and match.end() < len(text.window) and "\n" not in blanks:
            number = reader.number - 1
            raise BadRecord(
                str(text.error(f"record {number:,} is not followed by the end of its line"))
            )
        text.skip_blanks()
        yield None


def records_or_left_out(
    text: TextWindow, reader: ValueReader, value: Any, source: str
) -> list[Record]:
    """Return the records that a value is; none if it is left out.

    `source` is the value's JSON, as the input writes it. Raises `BadRecord`, with the position, and
    `BadInput` if it is the first value and its keys are unknown: then leaving it out is no help.
    """
    try:
        return reader.read(value, source)
    except ValueError as error:
        problem = text.error(f"record {reader.number - 1:,}: {error}")
        if isinstance(error, UnknownKeys) and not reader.records and not reader.report.skip_bad:
            raise problem from error
        reader.report.leave_out(BadRecord(str(problem)))
        return []

"""JSON values one by one, with exact positions and messages; the fast readers' other half."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.byte_stream import Stream
from engine.datasets.inputs.skipped import BadRecord, Skipped
from engine.utils.errors import BadInput

LONGEST_RECORD = 64 << 20
"""Characters."""
NEAR_END = 32
"""An error this close to the end of what was read may only mean that there is more to read."""
BLANK = re.compile(r"[ \t\n\r]*")


class Text:
    """A window on a UTF-8 stream that knows its position."""

    def __init__(self, stream: Stream, read_bytes: int) -> None:
        self.path = stream.path
        self.stream = stream
        self.read_bytes = read_bytes
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.window = ""
        self.at = 0
        self.passed = stream.position
        """Bytes before the window."""
        self.ended = False

    def more(self) -> None:
        """Drops what was consumed and reads on. Raises `BadInput` if the file is not UTF-8."""
        self.passed += self.width(self.at)
        pending = self.decoder.getstate()[0]
        start = self.stream.position - len(pending)
        data = self.stream.read(max(self.read_bytes, len(self.window) - self.at))
        self.ended = not data
        try:
            read = self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            place = start + error.start
            raise BadInput(f"{self.path}: not UTF-8 at byte {place:,}: save it as UTF-8") from error
        self.window = self.window[self.at :] + read
        self.at = 0

    def width(self, at: int) -> int:
        """Bytes of the window's first characters."""
        return len(self.window[:at].encode())

    def give_back(self) -> None:
        """Leaves the stream where this text is."""
        self.stream.unread(self.window[self.at :].encode() + self.decoder.getstate()[0])

    def skip_blanks(self) -> str:
        """The next character that is not a blank, or '' at the end; it is not consumed."""
        while True:
            match = BLANK.match(self.window, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.window):
                return self.window[self.at]
            if self.ended:
                return ""
            self.more()

    def value(self, decoder: json.JSONDecoder) -> tuple[Any, str]:
        """The JSON value that starts here, and its text. Raises `BadInput`."""
        while True:
            try:
                value, end = decoder.raw_decode(self.window, self.at)
            except json.JSONDecodeError as error:
                unfinished = error.pos >= len(self.window) - NEAR_END or "Unterminated" in error.msg
                if self.ended or not unfinished:
                    raise self.error(f"not JSON: {error.msg}", error.pos) from error
            except RecursionError as error:
                raise self.error("a record is nested too deeply") from error
            except ValueError as error:
                raise self.error(f"a value cannot be read: {error}") from error
            else:
                text = self.window[self.at : end]
                self.at = end
                return value, text
            if len(self.window) - self.at > LONGEST_RECORD:
                raise self.error(f"a record of more than {LONGEST_RECORD:,} characters")
            self.more()

    def error(self, what: str, at: int | None = None) -> BadInput:
        byte = self.passed + self.width(self.at if at is None else at)
        return BadInput(f"{self.path}: {what} (at byte {byte:,})")


def array(text: Text, number: int, skipped: Skipped | None = None) -> Iterator[Record | None]:
    """The records from number `number` on, the text being at the start of one.

    After each comma None: the text is again at a start. Values that are no records are left out
    where `skipped` takes them. Raises `BadInput`.
    """
    decoder = json.JSONDecoder()
    while True:
        if not text.skip_blanks():
            raise text.error("the file is cut short: the array does not end")
        value = text.value(decoder)
        try:
            yield record(text, number, *value)
        except BadRecord as error:
            if skipped is None:
                raise
            skipped.add(str(error))
        number += 1
        following = text.skip_blanks()
        if following == "]":
            break
        if following != ",":
            what = "the file is cut short" if not following else "a comma is missing"
            raise text.error(f"{what} after record {number - 1:,}")
        text.at += 1
        text.skip_blanks()
        yield None
    text.at += 1
    if text.skip_blanks():
        raise text.error("something follows the array: give one array, or JSON Lines")


def lines(text: Text, number: int) -> Iterator[Record | None]:
    """As `array`, of JSON Lines."""
    decoder = json.JSONDecoder()
    while text.skip_blanks():
        try:
            value = text.value(decoder)
        except BadInput as error:
            raise BadRecord(str(error)) from error
        yield record(text, number, *value)
        number += 1
        end = BLANK.match(text.window, text.at)
        blanks = end.group() if end else ""
        if end and end.end() < len(text.window) and "\n" not in blanks:
            raise BadRecord(str(text.error(f"record {number - 1:,} does not end with its line")))
        text.skip_blanks()
        yield None


def record(text: Text, number: int, value: Any, source: str) -> Record:
    """Checks one value of the input. Raises `BadRecord`."""
    try:
        return plain_record(value, source)
    except ValueError as error:
        raise BadRecord(str(text.error(f"record {number:,}: {error}"))) from error


def plain_record(value: Any, source: str) -> Record:
    """Raises `ValueError` that says what is wrong."""
    if not isinstance(value, dict):
        raise ValueError('not an {"image", "caption"} object')
    image, caption = value.get("image"), value.get("caption")
    if "image" not in value:
        raise ValueError("no 'image'")
    if not isinstance(image, str) or not image:
        raise ValueError(f"'image' must be a path, not {short(image)}")
    if caption is not None and not isinstance(caption, str):
        raise ValueError(f"'caption' must be text, not {short(caption)}")
    # Outside of strings a line break is only layout, and inside it cannot stand raw.
    line = source.replace("\n", " ").replace("\r", " ").encode()
    return Record(line, image, caption or "")


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:37]}..."

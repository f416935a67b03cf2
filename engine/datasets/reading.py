"""Reading caption files as a stream: upstream's JSON array, and JSON Lines.

Every record comes with its own text, copied from the file, so that extra keys, long numbers and
odd escapes survive. Memory does not depend on the file's size.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.errors import BadInput

READ_BYTES = 1 << 20
LONGEST_RECORD = 64 << 20
"""Characters."""
NEAR_END = 32
"""An error this close to the end of what was read may only mean that there is more to read."""
BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Record:
    """`text` is the record's JSON in one line."""

    text: str
    image: str
    caption: str


class Incomplete(Exception):
    """The value goes on beyond what was read."""


class Text:
    """A window on a UTF-8 file that knows its position."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.window = ""
        self.at = 0
        self.passed = 0
        """Bytes before the window."""
        self.ended = False

    def more(self) -> None:
        """Drops what was consumed and reads on. Raises `BadInput` if the file is not UTF-8."""
        consumed = self.window[: self.at]
        self.passed += len(consumed.encode("utf-8", "surrogatepass"))
        data = self.file.read(max(READ_BYTES, len(self.window) - self.at))
        self.ended = not data
        try:
            read = self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            place = self.file.tell() - len(data) + error.start
            raise BadInput(f"{self.path}: not UTF-8 at byte {place:,}: save it as UTF-8") from error
        self.window = self.window[self.at :] + read
        self.at = 0

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
        before = self.window[: self.at if at is None else at]
        byte = self.passed + len(before.encode("utf-8", "surrogatepass"))
        return BadInput(f"{self.path}: {what} (at byte {byte:,})")


def read_records(path: Path) -> Iterator[Record]:
    """The records of a caption file in order. Raises `BadInput` with the position."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        text = Text(path, file)
        try:
            first = text.skip_blanks()
            if first == "[":
                yield from array(text)
            elif first == "{":
                yield from lines(text)
            elif not first:
                raise BadInput(f"{path} is empty")
            else:
                raise text.error(
                    'neither a JSON array of {"image", "caption"} records nor JSON Lines'
                )
        except IsADirectoryError as error:
            raise BadInput(f"{path} is a folder, not a caption file") from error
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def array(text: Text) -> Iterator[Record]:
    decoder = json.JSONDecoder()
    text.at += 1
    number = 0
    if text.skip_blanks() == "]":
        raise BadInput(f"{text.path} holds no records: the array is empty")
    while True:
        if not text.skip_blanks():
            raise text.error("the file is cut short: the array does not end")
        yield record(text, number, *text.value(decoder))
        number += 1
        following = text.skip_blanks()
        if following == "]":
            break
        if following != ",":
            what = "the file is cut short" if not following else "a comma is missing"
            raise text.error(f"{what} after record {number - 1:,}")
        text.at += 1
    text.at += 1
    if text.skip_blanks():
        raise text.error("something follows the array: give one array, or JSON Lines")


def lines(text: Text) -> Iterator[Record]:
    decoder = json.JSONDecoder()
    number = 0
    while text.skip_blanks():
        yield record(text, number, *text.value(decoder))
        number += 1
        end = BLANK.match(text.window, text.at)
        blanks = end.group() if end else ""
        if end and end.end() < len(text.window) and "\n" not in blanks:
            raise text.error(f"record {number - 1:,} does not end with its line")


def record(text: Text, number: int, value: Any, source: str) -> Record:
    """Checks one value of the input. Raises `BadInput`."""
    if not isinstance(value, dict):
        raise text.error(f'record {number:,} is no {{"image", "caption"}} object')
    image, caption = value.get("image"), value.get("caption")
    if "image" not in value:
        raise text.error(f"record {number:,} has no 'image'")
    if not isinstance(image, str) or not image:
        raise text.error(f"record {number:,}: 'image' must be a path, not {short(image)}")
    if caption is not None and not isinstance(caption, str):
        raise text.error(f"record {number:,}: 'caption' must be text, not {short(caption)}")
    # Outside of strings a line break is only layout, and inside it cannot stand raw.
    return Record(source.replace("\n", " ").replace("\r", " "), image, caption or "")


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:37]}..."

"""The rows of a caption log: their form, what they say together, and what is asked again.

A row is one JSON object in one line, `{"i", "raw", "tokens", "finish"}` for a caption or
`{"i", "error", "detail"}` for a failure; `i` is the index of the record in the shard. Rows stand in
the order in which they arrived. The last caption of an `i` counts, and an error never replaces a
caption. These files are the truth about captions: database and sheared files are made from them.

A caption that was made elsewhere and imported has `"source": "imported"` behind these fields, 0
tokens and the finish `stop`; it counts as any other.

A record that a person gave up on has a row with the error `excluded`: it is not captioned again
unless a later row of it has the error `readmitted`.

Each record has a byte of flags, which together with `CaptionLog.redo` says whether it is still to
be captioned ("asked again"). A new row changes the flags as follows:

| row             | record without a caption  | record with a caption         |
|-----------------|---------------------------|-------------------------------|
| caption         | + HAS_CAPTION, - EXCLUDED | no change, the last one counts|
| `excluded`      | + HAS_ERROR, + EXCLUDED   | + HAS_ERROR, caption counts   |
| any other error | + HAS_ERROR, - EXCLUDED   | + HAS_ERROR, caption counts   |

A record that has a caption may have a row with the error `asked_again`: a person wants a better
one. It says which defects (`bad`) a new caption must not have, which ones the caption there `had`,
and with which `changes` of settings it is asked. It sets AGAIN, which every later row of the record
takes away: a caption, which then counts, or the error `not_better`. A caption that came so has its
`changes` behind its fields.

Every row at or after the offset `redo_from` also sets REDONE. Whether a record is asked again:

| flags                            | redo "all" | redo "failed" |
|----------------------------------|------------|---------------|
| none                             | yes        | yes           |
| HAS_ERROR                        | yes        | yes           |
| HAS_CAPTION, also with HAS_ERROR | yes        | no            |
| EXCLUDED, with any other         | no         | no            |
| REDONE, with any other           | no         | no            |
| AGAIN, with any other            | yes        | yes           |

The log of a scorer holds `{"i", "scores"}` in the place of captions: each score by the digest of
the text that it is of. Rows of a record add up, and the last score of a digest counts. `Wanted`
says which texts there are, and `mark_scored` sets the flags by it: HAS_CAPTION then means that each
has its score. So a record is asked again once it has a new text, unless its last row is a failure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from engine.protocol.caption_row import (
    ASKED_AGAIN,
    NOT_BETTER,
    TOKEN_COUNT_LIMIT,
    AskedAgainRow,
    CaptionRow,
    ErrorRow,
    ImportedRow,
    RetriedRow,
    Row,
    ScoreRow,
    parse_row,
)
from engine.utils import jsonlines

CAPTION_LINE = re.compile(rb'\{"i": ?(\d{1,8}), ?"raw":')
"""The start of a caption's line as `CaptionLog.append` writes it; other writers may put a blank
after colon and comma. Inside of a text it cannot occur: quotation marks are escaped there."""

ROW_START = b'{"i":'
"""The start of a line as `CaptionLog.append` writes it."""
CAPTION_ROWS = msgspec.json.Decoder(CaptionRow)
IMPORTED_ROWS = msgspec.json.Decoder(ImportedRow)
CaptionText = tuple[int, str, str]
"""(index, raw caption, finish) of a caption row."""

Wanted = Sequence[Mapping[str, str]]
"""The texts of each record of a shard that a scorer is to score, by their digests."""

HAS_CAPTION = 1
"""The record has a caption; of a scorer, a score for each of its texts."""
HAS_ERROR = 2
"""The record has a row with an error, before or after its caption or without one."""
REDONE = 4
"""The record has a row at or after the offset from which the records are being redone."""
EXCLUDED = 8
"""The record has no caption and a person gave up on it: it is not captioned again."""
AGAIN = 16
"""The record has a caption, and a person wants a better one."""
ALL_FLAGS = HAS_CAPTION | HAS_ERROR | REDONE | EXCLUDED | AGAIN
EXCLUDED_KIND = "excluded"
"""The error of a row that excludes a record."""
READMITTED_KIND = "readmitted"
"""The error of a row that takes an excluded record back."""
NOT_IMPORTED_KIND = "not_imported"
"""The error of a record for which the files of an imported model had no caption."""
OF_A_CAPTION = (ASKED_AGAIN, NOT_BETTER)
"""The errors of rows that say something of a caption before them, and nothing without one."""
UNTRIED_KIND = "untried"
"""The error that stands for the last one of a record that has no row yet."""


@dataclass(slots=True, kw_only=True)
class LogContents:
    """A caption log, or some records of it, as read from disk."""

    captions: dict[int, CaptionRow] = field(default_factory=dict)
    """The caption row that counts, by the record's index in the shard."""
    scores: dict[int, dict[str, float | None]] = field(default_factory=dict)
    """The score of each text, by the record's index in the shard and by the text's digest."""
    errors: dict[int, ErrorRow] = field(default_factory=dict)
    """The last error row of every record that has no caption, by its index in the shard."""
    asked_again: dict[int, AskedAgainRow] = field(default_factory=dict)
    """How records are asked again that have the flag AGAIN, by index."""
    flags: bytearray = field(default_factory=bytearray)
    """One byte per record of the shard."""
    rows: int = 0
    """The number of all rows, also of those that later rows replaced."""
    foreign: int = 0
    """The number of whole lines that are no rows of this shard: passed over, never cut."""
    good_bytes: int = 0
    """The offset of the end of the last whole line; what follows is a torn or zero-filled tail."""
    digest: str = ""
    """The digest of the first `good_bytes` bytes."""


def parse_log(
    data: bytes, count: int, redo_from: int = 0, wanted: Wanted | None = None
) -> LogContents:
    """Return what the bytes of a whole log say, as `read` does."""
    contents = LogContents(flags=bytearray(count))
    end = data.rfind(b"\n") + 1
    # A machine that lost its power can leave zeros where the last rows should be.
    while end and b"\0" in data[data.rfind(b"\n", 0, end - 1) + 1 : end]:
        end = data.rfind(b"\n", 0, end - 1) + 1
    contents.good_bytes = end
    contents.digest = digest(data[:end])
    captions = plain_captions(data[:end], count) if wanted is None else None
    if captions is not None and not redo_from:
        contents.captions, contents.rows = captions, len(captions)
        for i in captions:
            contents.flags[i] = HAS_CAPTION | REDONE
        return contents
    other_kind = ScoreRow if wanted is None else CaptionRow
    offset = 0
    for line in data[:end].splitlines(keepends=True):
        row = parse(line, count)
        if row is None or isinstance(row, other_kind):
            contents.foreign += 1
        else:
            apply_row(contents, row, redone=offset >= redo_from)
        offset += len(line)
    if wanted is not None:
        mark_scored(contents, wanted)
    return contents


def plain_captions(data: bytes, count: int) -> dict[int, CaptionRow] | None:
    """Return the rows of whole lines that are one caption each, of different records; else None.

    Most logs are like that, and parsing all lines at once takes a third of the time.
    """
    decoder = IMPORTED_ROWS if b'"source"' in data else CAPTION_ROWS
    try:
        data.decode()  # the decoder does not look at what it passes over
        rows = decoder.decode_lines(data)
    except (ValueError, RecursionError):
        return None
    captions: dict[int, CaptionRow] = {row.i: row for row in rows}
    numbers = [*captions, *(row.tokens for row in rows)]
    starts = data.startswith(ROW_START) + data.count(b"\n" + ROW_START)
    one_a_line = len(captions) == len(rows) == starts == data.count(b"\n") and b"\r" not in data
    fit = max(captions, default=-1) < count and max(numbers, default=0) < TOKEN_COUNT_LIMIT
    return captions if one_a_line and fit and min(numbers, default=0) >= 0 else None


def captioned(data: bytes) -> set[int]:
    """Return the indices of the records that have a caption, by the start of each line alone.

    `data` are the bytes of a whole log. Much faster than `read`, which parses every row.
    """
    return set(map(int, CAPTION_LINE.findall(data)))


def parse_records(data: bytes, count: int, indices: set[int]) -> LogContents:
    """Parse the rows of the records with these indices, in the bytes of a whole log.

    The same as `read` for these records, and a hundred times faster where they are few.
    """
    contents = LogContents(flags=bytearray(count))
    lines_of_records = rb'\{"i": ?(?:%s),[^\n]*' % "|".join(map(str, indices)).encode()
    for line in re.findall(lines_of_records, data):
        row = parse(line, count)
        if row is not None:
            apply_row(contents, row, redone=True)
    return contents


def parse(line: bytes, count: int) -> Row | None:
    """Return the row in a line, or None if it is not a row of a shard of `count` records."""
    try:
        value = jsonlines.loads(line)
        if isinstance(value, dict) and not isinstance(value.get("detail", ""), str):
            value["detail"] = str(value["detail"])  # written by no version of this program
        row = parse_row(value)
        if isinstance(row, CaptionRow) and isinstance(value.get("source"), str):
            row = ImportedRow(row.i, row.raw, row.tokens, row.finish, value["source"])
        elif isinstance(row, CaptionRow) and "changes" in value:
            with suppress(msgspec.ValidationError):
                row = msgspec.convert(value, RetriedRow)
        elif isinstance(row, ErrorRow) and row.error == ASKED_AGAIN:
            with suppress(msgspec.ValidationError):
                row = msgspec.convert(value, AskedAgainRow)
    except (ValueError, RecursionError):
        return None
    return row if fits_shard(row, count) else None


def fits_shard(row: Row, count: int) -> bool:
    """Return True if the numbers of a row can be those of one of the `count` records of a shard."""
    if not 0 <= row.i < count:
        return False
    if isinstance(row, ScoreRow):
        return row.is_finite
    return isinstance(row, ErrorRow) or 0 <= row.tokens < TOKEN_COUNT_LIMIT


def apply_row(contents: LogContents, row: Row, redone: bool) -> None:
    """Add the next row of a log to its contents, by the first table above."""
    i = row.i
    contents.rows += 1
    if isinstance(row, ErrorRow) and row.error in OF_A_CAPTION and i not in contents.captions:
        return  # damage has taken the caption, and the record is captioned as any other
    contents.flags[i] &= ~AGAIN
    contents.asked_again.pop(i, None)
    if isinstance(row, AskedAgainRow) and i in contents.captions:
        contents.flags[i] |= AGAIN
        contents.asked_again[i] = row
    if isinstance(row, CaptionRow):
        contents.captions[i] = row
        contents.errors.pop(i, None)
        contents.flags[i] = contents.flags[i] & ~EXCLUDED | HAS_CAPTION
    elif isinstance(row, ScoreRow):
        contents.scores.setdefault(i, {}).update(row.scores)
        contents.errors.pop(i, None)
        contents.flags[i] &= ~EXCLUDED
    else:
        contents.flags[i] |= HAS_ERROR
        if i not in contents.captions:
            contents.errors[i] = row
            contents.flags[i] = with_exclusion(contents.flags[i], row)
    if redone:
        contents.flags[i] |= REDONE


def unknown_texts(count: int) -> Wanted:
    """Return what stands for the texts of `count` records where these are not known or not needed.

    No log has scores of them: of what is read with them, only rows and failures say something.
    """
    return [{"": ""}] * count


def mark_scored(contents: LogContents, wanted: Wanted) -> None:
    """Tell which records have a score for each of their texts, by the rows of a whole score log."""
    for i, texts in enumerate(wanted):
        if contents.scores.get(i, {}).keys() >= texts.keys():
            contents.flags[i] = contents.flags[i] & ~EXCLUDED | HAS_CAPTION
            contents.errors.pop(i, None)
            if not texts:  # there is nothing to ask
                contents.flags[i] |= REDONE
        elif i not in contents.errors:  # a text is new since its last row
            contents.flags[i] &= ~REDONE


def with_exclusion(flags: int, row: ErrorRow) -> int:
    """Return the flags of a record without a caption after this error row about it."""
    return flags | EXCLUDED if row.error == EXCLUDED_KIND else flags & ~EXCLUDED


def digest(data: bytes) -> str:
    """Return the digest of the bytes of a log: BLAKE2b of 16 bytes, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()

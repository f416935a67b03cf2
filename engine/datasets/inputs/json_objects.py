"""Reader of a JSON file that is one object around its records.

That is a list under a key (`{"data": [...]}`, Karpathy's `images`, splits), COCO's two lists, or
records under their image paths (`{path: caption}`, kohya's `{path: {"caption": ...}}`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from engine.datasets.inputs.batch import Record, RecordBatch, line_of
from engine.datasets.inputs.byte_stream import ByteStream
from engine.datasets.inputs.columns import IMAGE_COLUMNS, find_name, listed
from engine.datasets.inputs.conversations import ANSWERS, TURNS
from engine.datasets.inputs.exact_json import NEAR_END, TextWindow, records_or_left_out
from engine.datasets.inputs.input_report import CutShort
from engine.datasets.inputs.json_walk import begins_list_of_objects, elements, members
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.record_layouts import NoImage, UnknownKeys, find_image
from engine.datasets.inputs.value_reader import ValueReader
from engine.utils.errors import BadInput

HEAD_BYTES = 1 << 20
"""Bytes at the start of a file by which it is told whether it is one object or JSON Lines. Hardly
any line is longer."""
READ_BYTES = 1 << 19
"""Bytes that are read at a time."""
BATCH_RECORDS = 1000
"""Records of a batch."""
FIRST_KEY = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
"""The first key of an object."""
FIRST_MEMBER = re.compile(r'\{\s*"([^"\\]*)"\s*:\s*+(?!\[\s*\{)')
"""The first key of an object, unless its value is a list of objects."""
PATH = re.compile(r".*[^./]\.[A-Za-z0-9]{2,5}", re.DOTALL)
"""A key that may be an image path: it has a suffix."""


def is_container(stream: ByteStream, options: ReadOptions) -> bool:
    """Return True if the text that begins with `{` is one object around its records.

    Otherwise it is a record, or JSON Lines. Nothing is consumed.
    """
    head = stream.read(HEAD_BYTES)
    stream.push_back(head)
    text = head.decode(errors="replace")
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text) - NEAR_END or "Unterminated" in error.msg
        return is_cut and not begins_record(text)
    except (RecursionError, ValueError):
        return False
    return not text[end:].strip() and holds_records(value, options)


def begins_record(text: str) -> bool:
    """Return True if an object that is longer than the text begins like a record, or like none."""
    if FIRST_KEY.match(text) is None:
        return True
    match = FIRST_MEMBER.match(text)
    return match is not None and match[1].lower() in {*TURNS, *IMAGE_COLUMNS, "id"}


def holds_records(value: dict[str, Any], options: ReadOptions) -> bool:
    """Return True if an object is no record, but has records in it."""
    image = options.image_column if options.image_column in value else None
    if image is not None or find_name(value, TURNS) is not None:
        return False
    image = find_name(value, IMAGE_COLUMNS)
    if image is not None and not is_list_of_objects(value[image]):
        return False
    return any(
        is_list_of_objects(item) or is_pair(key, item)
        for key, item in value.items()
        if key.lower() not in ANSWERS
    )


def is_list_of_objects(item: Any) -> bool:
    """Return True for a list that begins with an object."""
    return isinstance(item, list) and bool(item) and isinstance(item[0], dict)


def is_pair(key: str, item: Any) -> bool:
    """Return True if a key is an image path, and its value what is said of the image."""
    if isinstance(item, dict):
        return PATH.fullmatch(key) is not None or "caption" in item or "tags" in item
    return PATH.fullmatch(key) is not None and (item is None or isinstance(item, (str, list)))


def read_container(stream: ByteStream, reader: ValueReader) -> Iterator[RecordBatch]:
    """Yield the records of an object around them. Raises `BadInput`."""
    records: list[Record] = []
    try:
        for record in container_records(TextWindow(stream, READ_BYTES), reader):
            records.append(record)
            if len(records) >= BATCH_RECORDS:
                yield RecordBatch.from_records(records)
                records = []
    except CutShort as error:
        if records:
            yield RecordBatch.from_records(records)
        reader.report.leave_out(error)
    else:
        if records:
            yield RecordBatch.from_records(records)


def container_records(text: TextWindow, reader: ValueReader) -> Iterator[Record]:
    """Yield the records of an object around them.

    Raises `BadInput`, and `BadRecord` unless such records are left out.
    """
    from engine.datasets.inputs import coco  # brings NumPy, for which other inputs need not wait

    keys: list[str] = []
    problem: BadInput | None = None
    found = False
    for key in members(text):
        keys = [*keys[:100], key]
        if begins_list_of_objects(text):
            if key in coco.LISTS and (table := coco.read_captions(reader)) is not None:
                with table:
                    yield from coco.images_with_captions(table, reader)
                return
            values = elements(text)
            first = next(values)
            problem_here = why_no_records(text, first[0], reader)
            if problem_here is None:
                found = True
                for value, source in chain([first], values):
                    yield from records_or_left_out(text, reader, value, source)
                continue
            problem = problem or problem_here
            count = 1 + sum(1 for _ in values)
            if key not in coco.OTHER_LISTS:
                others = f"values of {key[:40]!r} without an image"
                reader.report.pass_over(others, f"the first of {reader.path}", count=count)
            continue
        value, _ = text.read_value(json.JSONDecoder())
        if is_pair(key, value):
            found = True
            yield from pair_records(text, reader, key, value)
    if text.skip_blanks():
        raise text.error("something follows the object: give one object, an array, or JSON Lines")
    if not found:
        raise problem or BadInput(
            f"{reader.path} is one object, whose keys are {listed(keys)}, without a list of records"
            ' in it: give an array of {"image", "caption"} records, or JSON Lines'
        )


def why_no_records(text: TextWindow, first: Any, reader: ValueReader) -> BadInput | None:
    """Return why a list that begins with this value is about something else than images, if so."""
    try:
        find_image(first, reader.options)
    except UnknownKeys as error:
        return text.error(str(error))
    except (ValueError, NoImage):
        pass  # said where the value is read
    return None


def pair_records(text: TextWindow, reader: ValueReader, image: str, value: Any) -> list[Record]:
    """Return the records of an image path and what is said of the image."""
    caption = reader.options.caption_column or "caption"
    if isinstance(value, dict):
        image = reader.resolve_stem(image)
    record = value if isinstance(value, dict) else {caption: value}
    record = record | {reader.options.image_column or "image": image}
    return records_or_left_out(text, reader, record, line_of(record).decode())

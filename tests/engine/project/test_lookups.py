"""Reading and searching single records without parsing a whole shard."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.operations.records import locate_record, read_record
from engine.project import caption_log
from engine.project.log_rows import parse_records
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support import canned_projects, canned_rows


def test_parse_the_rows_of_one_record(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [
        {"i": 1, "raw": 'he said {"i":7,"raw":"no"}', "tokens": 3, "finish": "stop"},
        {"i": 7, "error": "missing", "detail": "x"},
        {"i": 7, "raw": "first", "tokens": 1, "finish": "stop"},
        {"i": 71, "raw": "other", "tokens": 1, "finish": "stop"},
        {"i": 7, "raw": "second \u2028 \udce9", "tokens": 1, "finish": "stop"},
    ]
    path.write_bytes(b"".join(jsonlines.dumps(row) + b"\n" for row in rows))
    for i in (1, 7, 71, 5):
        whole, part = caption_log.read(path, 100), parse_records(path.read_bytes(), 100, {i})
        assert part.captions.get(i) == whole.captions.get(i)
        assert part.errors.get(i) == whole.errors.get(i)
    assert parse_records(path.read_bytes(), 100, {7}).rows == 3


def test_read_and_locate_a_record(tmp_path: Path) -> None:
    project = canned_projects.make_busy_project(tmp_path / "p", shards=50)
    canned_projects.write_missing_shards(project, 50)
    record = read_record(project, 42, 9)
    assert record is not None
    assert [caption.model for caption in record.captions] == list(canned_rows.FAMILIES)
    assert record.captions[0].raw == canned_rows.RAW[1]
    assert read_record(project, 42, 9_999) is None
    assert read_record(project, 99, 0) is None
    assert locate_record(project, "42/9") == (42, 9)
    assert locate_record(project, "420009") == (42, 9)
    assert locate_record(project, "004140037") == (41, 7), (
        "a number too large is looked for as text"
    )
    assert locate_record(project, "004140037", after=(41, 7)) == (41, 7), "round and back"
    assert locate_record(project, "nowhere [/x]") is None
    with pytest.raises(BadInput):
        locate_record(project, "50/0")

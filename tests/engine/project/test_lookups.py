"""One record of a shard found without parsing the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.operations.records import find, locate
from engine.project import caption_log
from engine.project.caption_log import rows_of
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support import canned_projects as canned


def test_rows_of_one_record(tmp_path: Path) -> None:
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
        whole, some = caption_log.read(path, 100), rows_of(path.read_bytes(), 100, {i})
        assert some.captions.get(i) == whole.captions.get(i)
        assert some.errors.get(i) == whole.errors.get(i)
    assert rows_of(path.read_bytes(), 100, {7}).rows == 3


def test_find_and_locate(tmp_path: Path) -> None:
    project = canned.busy(tmp_path / "p", shards=50)
    canned.write_missing_shards(project, 50)
    found = find(project, 42, 9)
    assert found is not None
    assert [caption.model for caption in found.captions] == list(canned.FAMILIES)
    assert found.captions[0].raw == canned.RAW[1]
    assert find(project, 42, 9_999) is None
    assert find(project, 99, 0) is None
    assert locate(project, "42/9") == (42, 9)
    assert locate(project, "420009") == (42, 9)
    assert locate(project, "004140037") == (41, 7), "a number too large is looked for as text"
    assert locate(project, "004140037", after=(41, 7)) == (41, 7), "round and back"
    assert locate(project, "nowhere [/x]") is None
    with pytest.raises(BadInput):
        locate(project, "50/0")

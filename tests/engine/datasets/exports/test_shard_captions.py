"""The input of an export: what of a shard's captions is taken, and what is counted as left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db.rows import ModelRow, ProjectRow, ShardRow, TaskRow
from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.shard_captions import (
    CaptionFilter,
    ExportSource,
    ShardCaptions,
    read_shard_captions,
)
from engine.project.layout import Project
from engine.project.log_rows import digest
from engine.project.sheared_file import sheared_path, write_sheared
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, row_fields
from engine.utils import jsonlines

RECORDS = [{"image": f"{i}.jpg", "caption": f"alt {i}" if i else ""} for i in range(5)]
MODEL = ModelRow(
    id=1,
    position=1,
    name="m",
    family="llava-1.5",
    checkpoint=None,
    settings={},
    settings_hash="h",
)
LOG = (
    CaptionRow(0, "a red dog. It", 4, "stop"),
    CaptionRow(1, "a cat", 2, "length"),
    CaptionRow(2, ". nothing", 2, "stop"),
    ErrorRow(3, "missing", ""),
)
"""Of the five records, one has no row."""


def write_log(path: Path, rows: Iterable[Row]) -> bytes:
    data = b"".join(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return data


@pytest.fixture
def source(tmp_path: Path) -> ExportSource:
    """A project of one shard and one model, whose task is under way."""
    project = Project(tmp_path)
    data = b"".join(jsonlines.dumps(record) + b"\n" for record in RECORDS)
    project.shards.mkdir()
    project.shard_file(0).write_bytes(data)
    write_log(project.caption_log_file(MODEL, 0), LOG)
    shard = ShardRow(number=0, first=0, count=5, bytes=len(data), digest=digest(data))
    return ExportSource(
        project=project,
        settings=ProjectRow(uid="u", created=0.0, records=5, image_root="images"),
        shards=[shard],
        models=[MODEL],
        tasks={(0, 1): TaskRow(id=1, shard=0, model_id=1, count=5, failed=1)},
    )


def done(source: ExportSource, rows: Iterable[Row] = LOG) -> ExportSource:
    """Return the source with its task done, whose log was read back."""
    log = source.project.caption_log_file(MODEL, 0)
    data = write_log(log, rows)
    task = replace(
        source.tasks[0, 1],
        state="done",
        digest=digest(data),
        log_bytes=len(data),
        log_mtime_ns=log.stat().st_mtime_ns,
    )
    return replace(source, tasks={(0, 1): task})


def read(source: ExportSource, **options: Any) -> tuple[ShardCaptions, ExportCounts]:
    counts = ExportCounts()
    chosen = CaptionFilter(**options)
    return read_shard_captions(source, source.shards[0], chosen, counts), counts


DOG, CAT = b'"a red dog"', b'"a cat"'
TOO_SHORT, CUT_OFF = "with too few words", "cut off by the token cap"


def left_out(*reasons: str) -> dict[str, Any]:
    """Return the counts of captions of which one is left out for each of these reasons."""
    return {"left_out": Counter({(MODEL.name, reason): 1 for reason in reasons})}


@pytest.mark.parametrize(
    ("options", "column", "counts"),
    [
        ({}, [DOG, CAT, None, None, None], {}),
        ({"min_words": 3}, [DOG, None, None, None, None], left_out(TOO_SHORT)),
        ({"only_finished": True}, [DOG, None, None, None, None], left_out(CUT_OFF)),
        ({"only_finished": True, "min_words": 4}, [None] * 5, left_out(TOO_SHORT, CUT_OFF)),
        ({"with_finishes": True}, [DOG, CAT, None, None, None], {}),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_what_is_taken_and_left_out(
    source: ExportSource,
    options: dict[str, Any],
    column: list[bytes | None],
    counts: dict[str, Any],
    finished: bool,
) -> None:
    captions, counted = read(done(source) if finished else source, **options)
    assert captions.columns == [column]
    expected = ExportCounts(
        records=5, possible=5, failed=1, empty=1, missing=1, unreadable_images=1
    )
    assert counted == replace(expected, **counts)
    assert captions.images == [record["image"] for record in RECORDS]
    assert captions.originals == []


def test_originals_and_finishes_are_read_on_demand(source: ExportSource) -> None:
    captions, _ = read(source, with_originals=True, with_finishes=True)
    assert captions.originals == [None, b'"alt 1"', b'"alt 2"', None, b'"alt 4"']
    assert captions.finishes == [["stop", "length", None, None, None]]


def test_flagged_records_have_no_captions(source: ExportSource) -> None:
    flagged = replace(source, flags=frozenset({(0, 0), (0, 4), (1, 1)}))
    captions, counts = read(flagged, with_originals=True, without_flagged=True)
    assert captions.columns == [[None, CAT, None, None, None]]
    assert [text is None for text in captions.originals] == [True, False, False, True, True]
    assert (counts.flagged, counts.flagged_images) == (2, 2)


def test_the_sheared_file_of_a_done_task_is_used_and_made_where_it_is_absent(
    source: ExportSource,
) -> None:
    source = done(source)
    log = source.project.caption_log_file(MODEL, 0)
    sheared = sheared_path(log, source.shearing, source.tasks[0, 1].digest or "")
    read(source)
    assert sheared.exists()
    write_sheared(sheared, ["from the file", *[None] * 4], sync=False)
    assert read(source)[0].columns[0][0] == b'"from the file"'
    sheared.write_bytes(sheared.read_bytes().replace(b"file", b"FILE"))
    assert read(source)[0].columns[0][0] == DOG, "a file that was changed is not used"
    assert b"FILE" not in sheared.read_bytes(), "it is made again"


def test_a_task_that_is_not_done_leaves_no_sheared_file(source: ExportSource) -> None:
    read(source)
    assert not list(source.project.captions.rglob("*.sheared-*"))


@pytest.mark.parametrize("options", [{}, {"only_finished": True}])
@pytest.mark.parametrize("keeps_time", [True, False])
def test_nothing_is_taken_of_a_log_that_is_not_what_was_read_back(
    source: ExportSource, options: dict[str, Any], keeps_time: bool
) -> None:
    finished = done(source)
    log = source.project.caption_log_file(MODEL, 0)
    status = log.stat()
    log.write_bytes(log.read_bytes().replace(b"a cat", b"a cow"))
    if keeps_time:
        os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))
    captions, counts = read(finished, **options)
    assert captions.columns == [[None] * 5]
    assert counts == ExportCounts(
        records=5, possible=5, failed=1, damaged=4, damage=counts.damage, unreadable_images=1
    )
    assert [each.path for each in counts.damage] == [log]
    assert "was changed after its task was done" in str(counts.damage[0])


def test_nothing_is_taken_of_a_shard_that_is_not_what_was_split(source: ExportSource) -> None:
    path = source.project.shard_file(0)
    path.write_bytes(path.read_bytes() + b"\n")
    captions, counts = read(source, with_originals=True, without_flagged=True)
    assert (captions.images, captions.columns) == ([], [[]])
    assert counts == ExportCounts(possible=5, damaged=5, damage=counts.damage)
    assert str(counts.damage[0]) == f"{path} was changed since the input was split"
    path.unlink()
    _, counts = read(source)
    assert str(counts.damage[0]).startswith(f"{path} is missing")

"""Score logs: their rows, which records lack a score, and what is read of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import ModelRow, ShardRow
from engine.captioners.model_families import FAMILIES
from engine.project import caption_log, log_rows
from engine.project.caption_log import CaptionLog, to_lines
from engine.project.layout import Project
from engine.project.log_rows import EXCLUDED_KIND, Wanted, parse_log
from engine.project.score_log import parse_scores, read_scores, score_of
from engine.project.scored_texts import TEXT_LIMIT, texts_to_score
from engine.project.sheared_file import sheared_path, write_sheared
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, ScoreRow, parse_row
from engine.quality.caption_digest import caption_digest
from engine.shearing.shear import Shearing
from engine.utils import jsonlines
from tests.support.fake_scorer import FAMILY

A, B, C = "a" * 16, "b" * 16, "c" * 16
"""Digests."""
FAILED = ErrorRow(0, "missing", "it is not there")


def scores(*digests: str, i: int = 0) -> ScoreRow:
    return ScoreRow(i, dict.fromkeys(digests, 0.5))


@pytest.mark.parametrize(
    ("rows", "texts", "complete", "failed", "asked"),
    [
        ([], [A], False, False, True),
        ([], [], True, False, False),
        ([scores(A)], [A], True, False, False),
        ([scores(A, B)], [A], True, False, False),
        ([scores(A)], [A, B], False, False, True),
        ([scores(A), scores(B)], [A, B], True, False, False),
        ([FAILED], [A], False, True, False),
        ([FAILED], [], True, False, False),
        ([FAILED, scores(A)], [A], True, False, False),
        ([FAILED, scores(A)], [A, B], False, False, True),
        ([scores(A), FAILED], [A, B], False, True, False),
        ([scores(A), FAILED], [A], True, False, False),
        ([ErrorRow(0, EXCLUDED_KIND, "x")], [A], False, True, False),
        ([ErrorRow(0, EXCLUDED_KIND, "x"), scores(A)], [A], True, False, False),
    ],
)
def test_which_record_is_asked_again(
    tmp_path: Path, rows: list[Row], texts: list[str], complete: bool, failed: bool, asked: bool
) -> None:
    path = tmp_path / "captions" / "clip-1" / "00000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_lines(rows))
    log = CaptionLog(path, 1, wanted=[dict.fromkeys(texts, "text")])
    assert (log.captioned, log.failed, log.left) == (complete, failed, asked)
    assert log.missing(0) == asked
    log.close()


def test_a_retry_asks_for_all_records_or_for_those_that_lack_something(tmp_path: Path) -> None:
    path = tmp_path / "captions" / "clip-1" / "00000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_lines([scores(A), scores(A, i=1), ErrorRow(2, "missing", "x")]))
    size = path.stat().st_size
    wanted: Wanted = [{A: "x"}, {A: "x", B: "y"}, {A: "x"}]
    asked = {}
    for redo in ("all", "failed"):
        log = CaptionLog(path, 3, redo, size, wanted)
        asked[redo] = [log.missing(i) for i in range(3)]
        log.close()
    assert asked == {"all": [True, True, True], "failed": [False, True, True]}


def test_rows_of_the_other_kind_are_foreign() -> None:
    data = to_lines([CaptionRow(0, "A cat.", 2, "stop"), scores(A, i=1)])
    captions, of_scorer = parse_log(data, 2), parse_log(data, 2, wanted=[{}, {A: "x"}])
    assert (list(captions.captions), captions.foreign) == ([0], 1)
    assert (of_scorer.scores, of_scorer.foreign) == ({1: {A: 0.5}}, 1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"i":0,"scores":{"a":NaN}}',
        b'{"i":0,"scores":{"a":null}}',
        b'{"i":0,"scores":{"a":1e400}}',
        b'{"i":0,"scores":{"a":"1"}}',
        b'{"i":0,"scores":{"a":true}}',
        b'{"i":0,"scores":[1]}',
        b'{"i":0,"scores":null}',
        b'{"i":9,"scores":{"a":1}}',
        b'{"i":-1,"scores":{"a":1}}',
        b'{"i":0.5,"scores":{"a":1}}',
        b'{"scores":{"a":1}}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_row_of_scores_is_passed_over(line: bytes) -> None:
    good = to_lines([scores(A)])
    data = good + line + b"\n"
    contents = parse_log(data, 1, wanted=[{A: "x"}])
    assert (contents.rows, contents.foreign, contents.captions) == (1, 1, {})
    assert parse_scores(data, 1) == {0: {A: 0.5}}


@given(st.binary())
def test_bytes_of_any_kind_are_read(data: bytes) -> None:
    contents = parse_log(data, 3, wanted=[{A: "x"}] * 3)
    assert contents.good_bytes <= len(data)
    assert parse_scores(data, 3) == contents.scores or b"\0" in data


@given(
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    st.integers(0, 2**31),
)
def test_a_row_of_scores_comes_back_as_it_was_written(values: dict[str, float], i: int) -> None:
    row = ScoreRow(i, dict(values))
    (line,) = to_lines([row]).splitlines()
    assert parse_row(jsonlines.loads(line)) == row


def test_the_last_score_of_a_caption_counts() -> None:
    rows: list[Row] = [
        ScoreRow(0, {A: 0.1, B: 0.2}),
        ScoreRow(0, {A: 0.3}),
        ErrorRow(0, "missing", "x"),
    ]
    found = parse_scores(to_lines(rows) + b'{"i":0,"scores":{"a', 1)
    assert found == {0: {A: 0.3, B: 0.2}}


def test_a_score_is_found_by_its_text() -> None:
    found = {0: {caption_digest("A cat."): 0.25}}
    assert score_of(found, 0, "A cat.") == 0.25
    assert score_of(found, 0, "A cat") is None
    assert score_of(found, 1, "A cat.") is None


class SmallShard:
    """A project of one shard, with a captioner, an imported model and a scorer."""

    def __init__(self, folder: Path, originals: list[object]) -> None:
        self.project = Project(folder)
        self.models = [
            ModelRow(
                id=n,
                position=n,
                name=name,
                family=family,
                checkpoint=None,
                settings={},
                settings_hash="1",
            )
            for n, (name, family) in enumerate(
                [("a", "dry-run"), ("old", "imported"), ("clip", FAMILY.name)]
            )
        ]
        path = self.project.shard_file(0)
        path.parent.mkdir(parents=True)
        records = [{"image": "x.png", "caption": original} for original in originals]
        data = b"".join(jsonlines.dumps(record) + b"\n" for record in records)
        path.write_bytes(data)
        digest = log_rows.digest(data)
        self.shard = ShardRow(
            number=0, first=0, count=len(originals), bytes=len(data), digest=digest
        )

    def log(self, model: int, *raw: str) -> Path:
        """Write the log of a model: a caption of each of the first records."""
        path = self.project.caption_log_file(self.models[model], 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_lines(CaptionRow(i, text, 1, "stop") for i, text in enumerate(raw)))
        return path

    def texts(self, shearing: Shearing | None = None) -> list[set[str]]:
        wanted = texts_to_score(
            self.project, self.shard, self.models, shearing or Shearing(mode="paper")
        )
        return [set(texts.values()) for texts in wanted]


@pytest.fixture(autouse=True)
def fake_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, FAMILY.name, FAMILY)


def test_the_texts_of_a_record_are_its_captions_raw_and_sheared(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["an original", None, "", 5, "A cat. It sits."])
    small.log(0, "A dog. It runs.", "One")
    small.log(1, "An old caption. Of it.")
    small.log(2, "what a scorer has is no text")
    assert small.texts() == [
        {"an original", "A dog. It runs.", "A dog", "An old caption. Of it.", "An old caption"},
        {"One"},
        set(),
        set(),
        {"A cat. It sits."},
    ]


def test_blank_texts_are_none_and_the_same_text_is_one(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["  \t", "Same"])
    small.log(0, "\n ", "Same")
    assert small.texts() == [set(), {"Same"}]


def test_a_long_text_is_sent_cut_under_the_digest_of_all_of_it(tmp_path: Path) -> None:
    text = "word " * TEXT_LIMIT
    small = SmallShard(tmp_path / "p", [text])
    wanted = texts_to_score(small.project, small.shard, small.models, Shearing())
    assert wanted == [{caption_digest(text): text[:TEXT_LIMIT]}]


def test_a_text_that_is_not_utf_8_has_a_digest(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["a \ud800 of old"])
    assert small.texts() == [{"a \ud800 of old"}]


@pytest.mark.parametrize(
    "lines",
    [b"", b"nothing\n", b'"of another log"\n{"digest":"0"}\n'],
)
def test_a_sheared_file_that_cannot_be_trusted_is_not_read(tmp_path: Path, lines: bytes) -> None:
    small = SmallShard(tmp_path / "p", ["an original"])
    log = small.log(0, "A dog. It runs.")
    path = sheared_path(log, Shearing(), caption_log.read(log, 1).digest)
    path.write_bytes(lines)
    assert small.texts(Shearing()) == [{"an original", "A dog. It runs.", "A dog"}]


def test_a_sheared_file_is_read_where_it_is_right(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["an original"])
    log = small.log(0, "A dog. It runs.")
    path = sheared_path(log, Shearing(), caption_log.read(log, 1).digest)
    write_sheared(path, ["from the file"], sync=False)
    assert small.texts(Shearing()) == [{"an original", "A dog. It runs.", "from the file"}]


def test_a_shard_that_is_not_the_one_that_was_split_has_unknown_texts(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["an original", "another"])
    for shard in (replace(small.shard, digest="0"), replace(small.shard, number=7)):
        wanted = texts_to_score(small.project, shard, small.models, Shearing())
        contents = parse_log(to_lines([scores(A), FAILED]), 2, wanted=wanted)
        assert (len(contents.flags), list(contents.errors)) == (2, [0])
        assert not any(flags & log_rows.HAS_CAPTION for flags in contents.flags)


def test_a_shard_without_a_score_log_has_no_scores(tmp_path: Path) -> None:
    small = SmallShard(tmp_path / "p", ["an original"])
    assert read_scores(small.project, small.models[2], small.shard) == {}

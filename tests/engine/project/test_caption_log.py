"""The caption log: counting, torn tails, foreign lines, redoing, a full disk."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.project import caption_log, log_rows
from engine.project.caption_log import CaptionLog
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, row_fields


def caption(i: int, raw: str = "a dog. It") -> CaptionRow:
    return CaptionRow(i, raw, 3, "stop")


def error(i: int) -> ErrorRow:
    return ErrorRow(i, "missing", "no such file")


def line_of(row: Row) -> str:
    return json.dumps(row_fields(row))


ROWS = st.lists(
    st.builds(lambda i, ok: caption(i) if ok else error(i), st.integers(0, 9), st.booleans()),
    max_size=20,
)


@given(st.lists(ROWS, max_size=4))
def test_counts_are_the_same_when_the_log_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Row]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "00000.jsonl"
    for batch in batches:
        log = CaptionLog(path, 10)
        log.append(batch)
        counted = log.counts
        log.close()
        again = CaptionLog(path, 10)
        assert again.counts == counted
        again.close()
        assert counted.captioned + counted.failed + counted.left == 10
        assert counted.rows == path.read_bytes().count(b"\n")
        assert counted.log_bytes == path.stat().st_size


@settings(max_examples=200)
@given(st.integers(0, 400), st.binary(max_size=20), st.booleans())
def test_a_torn_or_zeroed_tail_is_cut_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes, zeros: bool
) -> None:
    path = tmp_path_factory.mktemp("torn") / "00000.jsonl"
    log = CaptionLog(path, 10)
    log.append([caption(i, f"caption {i}") for i in range(8)])
    log.close()
    whole = path.read_bytes()
    whole_lines = whole[:cut].count(b"\n")
    path.write_bytes(whole[:cut] + (b"\0" * len(tail) if zeros else tail.replace(b"\n", b"?")))
    log = CaptionLog(path, 10)
    assert log.captioned == whole_lines
    assert log.left == 10 - whole_lines
    log.append([caption(9)])
    log.close()
    contents = caption_log.read(path, 10)
    assert sorted(contents.captions) == [*range(whole_lines), 9]
    assert contents.foreign == 0
    assert path.stat().st_size == contents.good_bytes


def test_zeros_that_end_in_a_line_break_are_a_tail_too(tmp_path: Path) -> None:
    path = tmp_path / "00000.jsonl"
    good = line_of(caption(0)).encode() + b"\n"
    path.write_bytes(good + b"\0" * 50 + b"\n" + b"\0" * 10)
    log = CaptionLog(path, 2)
    log.close()
    assert path.read_bytes() == good


def test_a_foreign_line_in_the_middle_is_passed_over_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "00000.jsonl"
    lines = [line_of(caption(0)), "what is this", line_of(caption(99)), line_of(error(1))]
    path.write_text("\n".join(lines) + "\n")
    log = CaptionLog(path, 3)
    assert (log.captioned, log.failed, log.left, log.foreign) == (1, 1, 1, 2)
    log.close()
    assert path.read_text().splitlines() == lines


def test_the_last_caption_counts_and_an_error_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "00000.jsonl"
    rows: list[CaptionRow | ErrorRow] = [
        error(0),
        caption(0, "first"),
        caption(0, "second"),
        error(0),
    ]
    path.write_text("".join(line_of(row) + "\n" for row in rows))
    contents = caption_log.read(path, 1)
    assert contents.captions[0].raw == "second"
    assert contents.errors == {}
    assert contents.rows == 4


@pytest.mark.parametrize("kind", ["asked_again", "not_better"])
def test_a_record_whose_caption_damage_has_taken_is_asked_for_as_any_other(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "00000.jsonl"
    rows = caption(0), ErrorRow(0, kind, "loops"), caption(1)
    text = "".join(f"{line_of(row)}\n" for row in rows)
    path.write_text(text)
    whole = CaptionLog(path, 2)
    assert (whole.captioned, whole.failed) == (2, 0)
    path.write_text(text.replace('"raw"', '"r w"', 1))
    log = CaptionLog(path, 2)
    assert (log.captioned, log.failed, log.foreign, log.rows) == (1, 0, 1, 2)
    assert [log.missing(i) for i in range(2)] == [True, False]


def test_a_record_is_written_once_until_it_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "00000.jsonl"
    log = CaptionLog(path, 3)
    assert log.append([caption(0, "a"), caption(0, "b"), error(1)]) == 2
    assert log.append([caption(0, "c"), caption(1, "d")]) == 0
    size = log.size
    log.close()

    failed_only = CaptionLog(path, 3, "failed", size)
    assert [failed_only.missing(i) for i in range(3)] == [False, True, True]
    failed_only.close()

    everything = CaptionLog(path, 3, "all", size)
    assert everything.left == 3
    assert everything.append([caption(0, "new"), error(1)]) == 2
    assert (everything.captioned, everything.failed, everything.left) == (1, 1, 1)
    everything.close()
    # The flag outlives a kill: what was redone is not asked for again.
    assert CaptionLog(path, 3, "all", size).left == 1
    assert caption_log.read(path, 3).captions[0].raw == "new"


SMALL_DISK = """
import resource, sys
from pathlib import Path
from engine.project.caption_log import CaptionLog, DiskFull
from engine.protocol.caption_row import CaptionRow
log = CaptionLog(Path(sys.argv[1]), 100)
row = lambda i: CaptionRow(i, "x" * 50, 1, "stop")
log.append([row(0), row(1)])
before = log.size
resource.setrlimit(resource.RLIMIT_FSIZE, (before + 130, before + 130))
try:
    log.append([row(i) for i in range(2, 9)])
except DiskFull as error:
    print("full", log.size == before, log.left, Path(sys.argv[1]).stat().st_size == before)
print(log.append([row(2)]))
"""


def test_a_short_write_is_taken_back(tmp_path: Path) -> None:
    """A file size limit gives the same short write as a full disk."""

    def no_signal() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path / "log.jsonl")],
        capture_output=True,
        text=True,
        preexec_fn=no_signal,
    )
    assert done.stdout.split() == ["full", "True", "98", "True", "1"], done.stderr
    assert caption_log.read(tmp_path / "log.jsonl", 100).rows == 3


def test_an_error_with_a_detail_that_is_no_text_is_a_row_all_the_same() -> None:
    row = log_rows.parse(b'{"i": 1, "error": "corrupt", "detail": [7]}', 5)
    assert row == ErrorRow(1, "corrupt", "[7]")


def test_a_detail_nested_without_end_is_no_row() -> None:
    nested = b"[" * 1_000 + b"]" * 1_000
    assert log_rows.parse(b'{"i": 1, "error": "corrupt", "detail": %s}' % nested, 5) is None


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[1]", b'{"i": true, "raw": "x"}', b'{"i": 0}', b'{"i": 0, "raw": "x"}']
)
def test_lines_that_are_no_rows(line: bytes) -> None:
    assert log_rows.parse(line, 5) is None

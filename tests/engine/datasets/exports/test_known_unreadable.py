"""Which images are known to be unreadable: all models' logs tell, and each one's last word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.datasets.exports.known_unreadable import unreadable_in_log
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, row_fields
from engine.utils import jsonlines

CAPTION = CaptionRow(0, 'a "quoted" {"i": 1, "error": "missing"}', 3, "stop")


def log(*rows: Row) -> bytes:
    return b"".join(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows)


@pytest.mark.parametrize(
    ("kind", "unreadable"),
    [
        ("missing", True),
        ("not_a_file", True),
        ("unreadable", True),
        ("corrupt", True),
        ("too_large", True),
        ("timeout", True),
        ("excluded", True),
        ("readmitted", False),
        ("refused", False),
        ("unanswered", False),
        ("outside", False),
        ("poison", False),
        ("error", False),
    ],
)
def test_what_a_failure_tells_of_the_image(kind: str, unreadable: bool) -> None:
    assert unreadable_in_log(log(ErrorRow(0, kind, "detail")), 3) == ({0} if unreadable else set())


@pytest.mark.parametrize(
    ("rows", "indices"),
    [
        ([], set()),
        ([CAPTION], set()),
        ([ErrorRow(0, "missing"), CAPTION], set()),
        ([CAPTION, ErrorRow(0, "missing")], set()),
        ([ErrorRow(0, "missing"), ErrorRow(0, "refused")], set()),
        ([ErrorRow(0, "excluded"), ErrorRow(0, "readmitted")], set()),
        ([ErrorRow(0, "refused"), ErrorRow(0, "corrupt")], {0}),
        ([ErrorRow(2, "missing"), CAPTION, ErrorRow(1, "corrupt")], {1, 2}),
        ([ErrorRow(3, "missing")], set()),
    ],
)
def test_the_last_failure_counts_where_there_is_no_caption(
    rows: Sequence[Row], indices: set[int]
) -> None:
    assert unreadable_in_log(log(*rows), 3) == indices


def test_a_torn_last_line_tells_nothing() -> None:
    assert unreadable_in_log(log(ErrorRow(0, "missing"), ErrorRow(1, "missing"))[:-1], 3) == {0}


def test_rows_with_other_blanks_are_read_as_well() -> None:
    assert unreadable_in_log(b'{"i": 1, "error": "missing", "detail": ""}\n', 3) == {1}
    assert unreadable_in_log(b'{"i":1,"error":"missing","detail":""}\n', 3) == {1}

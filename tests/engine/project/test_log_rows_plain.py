"""The quick way to parse a log of captions gives what the slow way gives, or gives up."""

from __future__ import annotations

import pytest

from engine.project import log_rows
from engine.protocol.caption_row import CaptionRow, ImportedRow

ROW = b'{"i":0,"raw":"a dog","tokens":2,"finish":"stop"}\n'
NEXT = b'{"i":1,"raw":"a cat","tokens":2,"finish":"length"}\n'
IMPORTED = b'{"i":1,"raw":"a cat","tokens":0,"finish":"stop","source":"imported"}\n'
ODD_LOGS = [
    b"",
    b"\n",
    ROW + NEXT,
    IMPORTED,
    ROW + IMPORTED,
    IMPORTED + ROW.replace(b"0", b"0"),
    ROW + ROW,
    ROW.strip() + NEXT + b"\n",
    ROW.strip() + NEXT,
    ROW.replace(b'"raw"', b'\n"raw"'),
    ROW.strip() + NEXT.replace(b'"raw"', b'\n"raw"'),
    ROW.replace(b'"raw"', b'\r"raw"'),
    ROW + b"\n" + NEXT,
    ROW.replace(b'"stop"', b'"stop","more":"\xff"'),
    ROW.replace(b'"stop"', b'"stop","more":"\\ud83d"'),
    ROW.replace(b"a dog", b"\\ud83d"),
    ROW.replace(b'"i":0', b'"i":7'),
    ROW.replace(b'"i":0', b'"i":-1'),
    ROW.replace(b'"i":0', b'"i":1e400'),
    ROW.replace(b'"tokens":2', b'"tokens":123456789012345678901234567890'),
    ROW.replace(b'"tokens":2', b'"tokens":2147483648'),
    ROW.replace(b'"tokens":2', b'"tokens":-1'),
    ROW.replace(b"{", b" {"),
    ROW.replace(b'"i":0', b'"i": 0'),
    IMPORTED.replace(b'"imported"', b"5"),
    ROW.replace(b"a dog", b'a \\"source\\" of'),
    b'{"i":0,"error":"missing","detail":"gone"}\n' + NEXT,
    b'{"i":0,"raw":"x"}\n',
    b'"raw"\n',
    b"5\n",
    ROW + b"\0\0\0\n",
    ROW + b'{"i":1,"ra',
]


@pytest.mark.parametrize("data", ODD_LOGS)
def test_both_ways_agree(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = log_rows.parse_log(data, 3)
    monkeypatch.setattr(log_rows, "plain_captions", lambda data, count: None)
    assert quick == log_rows.parse_log(data, 3)


def test_plain_logs_go_the_quick_way() -> None:
    assert log_rows.plain_captions(ROW + NEXT, 2) == {
        0: CaptionRow(0, "a dog", 2, "stop"),
        1: CaptionRow(1, "a cat", 2, "length"),
    }
    assert log_rows.plain_captions(IMPORTED, 2) == {
        1: ImportedRow(1, "a cat", 0, "stop", "imported")
    }
    assert log_rows.plain_captions(ROW + IMPORTED, 2) is None


def test_an_imported_row_is_known_among_others() -> None:
    captions = log_rows.parse_log(ROW + IMPORTED, 2).captions
    assert type(captions[0]) is CaptionRow
    assert captions[1] == ImportedRow(1, "a cat", 0, "stop", "imported")

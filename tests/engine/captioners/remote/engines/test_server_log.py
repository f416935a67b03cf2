"""What a server prints: in whole lines, without control characters, and not without end."""

from __future__ import annotations

import io

import pytest

from engine.captioners.remote.engines.server_log import BYTES_A_SECOND, LINE_CHARACTERS, ServerLog

KEY = "the-key"


def read(output: bytes, clock: float = 0.0) -> tuple[ServerLog, list[str]]:
    written: list[str] = []
    stream = io.BufferedReader(io.BytesIO(output))
    log = ServerLog(stream, written.append, KEY, lambda: clock)
    log.thread.join()
    return log, written


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"1 %\r50 %\r100 %\n\n", ["1 %", "50 %", "100 %"]),
        (b"\x1b[31mred\x1b[0m\x07 [b]x[/b]\n", ["red   [b]x[/b]"]),
        (b"\xff\n", ["\N{REPLACEMENT CHARACTER}"]),
        (b"api_key='the-key'\n", ["api_key='***'"]),
        (b"x" * 10_000 + b"\nnext\n", ["x" * LINE_CHARACTERS, "next"]),
    ],
)
def test_lines(output: bytes, lines: list[str]) -> None:
    log, written = read(output)
    assert written == [f"server: {line}\n" for line in lines]
    assert list(log.last_lines) == lines
    assert log.last_line == (lines[-1] if lines else "")


def test_megabytes_are_read_and_left_out() -> None:
    log, written = read(b"".join(b"line %d\n" % n for n in range(400_000)))
    assert sum(map(len, written)) < 3 * BYTES_A_SECOND
    assert written[-1].endswith("lines left out)\n")
    assert log.last_line == "line 399999"


def test_megabytes_without_a_line_are_not_kept() -> None:
    written = read(b"x" * 2**24)[1]
    assert written == [f"server: {'x' * LINE_CHARACTERS}\n"]

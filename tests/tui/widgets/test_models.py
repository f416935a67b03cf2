"""The warnings of the Dashboard's pane of models."""

from __future__ import annotations

import pytest

from tui.widgets.models import warning_lines


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (0, ["  WARN 5 of 9 captions loop: look at dtype"]),
        (80, ["  WARN 5 of 9 captions loop: look at dtype"]),
        (30, ["  WARN 5 of 9 captions loop:", "       look at dtype"]),
    ],
)
def test_a_warning_is_read_whole(width: int, lines: list[str]) -> None:
    warning = "5 of 9 captions loop: look at dtype"
    assert [line.plain for line in warning_lines("  WARN ", warning, width)] == lines

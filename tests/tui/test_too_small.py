"""What covers the screen while the terminal is too small, without a terminal."""

from __future__ import annotations

from typing import Any, cast

import pytest
from textual.app import App
from textual.geometry import Size

from tui.screens.too_small import TooSmall, cover_if_too_small


class FakeApp:
    """A stack of screens in a terminal of a given size."""

    def __init__(self, size: Size, covered: bool) -> None:
        self.size = size
        self.stack: list[object] = ["dashboard", *[TooSmall()] * covered]

    @property
    def screen(self) -> object:
        return self.stack[-1]

    def push_screen(self, screen: object) -> None:
        self.stack.append(screen)

    def pop_screen(self) -> None:
        self.stack.pop()


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize(
    ("size", "too_small"),
    [(Size(60, 24), False), (Size(59, 24), True), (Size(60, 23), True), (Size(200, 60), False)],
)
def test_the_screen_is_covered_once_and_uncovered(
    size: Size, covered: bool, too_small: bool
) -> None:
    app = FakeApp(size, covered)
    cover_if_too_small(cast("App[Any]", app))
    assert len(app.stack) == 1 + too_small
    assert isinstance(app.screen, TooSmall) == too_small

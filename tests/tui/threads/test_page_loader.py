"""The page loader: one reading at a time, the last of what waits, and failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from textual.widget import Widget

from engine.utils.errors import BadInput
from tui.threads.page_loader import PageLoader


class FakeWidget:
    """Stands in for a widget: the test runs its threads and the turns of its loop."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []
        """What was started as a thread and has not run yet."""
        self.calls: list[Callable[[], None]] = []
        """What the loop is to call."""

    def run_worker(self, job: Callable[[], None], **options: Any) -> None:
        assert options["thread"]
        assert options["exit_on_error"] is False
        self.jobs.append(job)

    def call_later(self, callback: Callable[..., None], *args: Any) -> None:
        self.calls.append(lambda: callback(*args))

    def finish_reading(self) -> None:
        self.jobs.pop()()
        self.calls.pop()()


class Shown:
    """Collects what a loader shows."""

    def __init__(self, read: Callable[[int], str] = str) -> None:
        self.widget = FakeWidget()
        self.pages: list[tuple[int, str]] = []
        self.failures: list[tuple[int, str]] = []
        self.loader = PageLoader(
            cast(Widget, self.widget),
            read,
            lambda query, page: self.pages.append((query, page)),
            lambda query, reason: self.failures.append((query, reason)),
        )


def test_a_page_is_shown_with_its_query() -> None:
    shown = Shown()
    shown.loader.load(1)
    assert shown.pages == []
    shown.widget.finish_reading()
    assert shown.pages == [(1, "1")]
    assert shown.widget.jobs == []


def test_of_what_waits_only_the_last_is_read() -> None:
    shown = Shown()
    for query in (1, 2, 3):
        shown.loader.load(query)
        assert len(shown.widget.jobs) == 1
    shown.widget.finish_reading()
    shown.widget.finish_reading()
    assert shown.pages == [(1, "1"), (3, "3")]
    assert shown.widget.jobs == []


def test_a_query_of_the_page_that_is_shown_goes_first() -> None:
    shown = Shown()
    shown.loader.show = lambda query, page: shown.loader.load(query + 10)
    shown.loader.load(1)
    shown.loader.load(2)
    shown.widget.finish_reading()
    assert len(shown.widget.jobs) == 1
    assert shown.loader.waiting == [2]


def test_a_failure_is_shown_and_the_next_query_is_read() -> None:
    errors = {1: BadInput("no such state"), 2: ValueError("bad\nvalue")}

    def read(query: int) -> str:
        if query in errors:
            raise errors[query]
        return str(query)

    shown = Shown(read)
    for query in (1, 2, 3):
        shown.loader.load(query)
        shown.widget.finish_reading()
    assert shown.failures == [(1, "no such state"), (2, "ValueError: bad")]
    assert shown.pages == [(3, "3")]

"""Reads what a screen shows in a thread, one reading at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from textual.widget import Widget

from engine.utils.errors import BadInput
from tui.formatting.text import describe_error

Query = TypeVar("Query")
Page = TypeVar("Page")


def ignore_failure(query: Any, reason: str) -> None:
    """Show nothing of a failure: the status bar says what is wrong with the database."""


class PageLoader(Generic[Query, Page]):
    """Reads pages for a widget. What it is asked for while a thread reads waits until that ends.

    Of several queries that wait, only the last one is read.
    """

    def __init__(
        self,
        owner: Widget,
        read: Callable[[Query], Page],
        show: Callable[[Query, Page], None],
        show_failure: Callable[[Query, str], None] = ignore_failure,
    ) -> None:
        self.owner = owner
        """The widget in whose threads pages are read, and in whose loop they are shown."""
        self.read = read
        """Reads the page of a query. Called in a thread."""
        self.show = show
        """Shows a page, together with the query that it was read for."""
        self.show_failure = show_failure
        """Shows why the page of a query could not be read."""
        self.reading = False
        """True while a thread reads."""
        self.waiting: list[Query] = []
        """The query to read next, if there is one."""

    def load(self, query: Query) -> None:
        """Read a page, or have it read after the one that is being read."""
        if self.reading:
            self.waiting = [query]
        else:
            self.reading = True
            job = partial(self.read_in_thread, query)
            self.owner.run_worker(job, thread=True, group="pages", exit_on_error=False)

    def read_in_thread(self, query: Query) -> None:
        """Read a page, and hand it or the failure to the widget's loop."""
        try:
            shown = partial(self.show, query, self.read(query))
        except BadInput as error:
            shown = partial(self.show_failure, query, str(error))
        except Exception as error:
            shown = partial(self.show_failure, query, describe_error(error))
        self.owner.call_later(self.finish, shown)

    def finish(self, show: Callable[[], None]) -> None:
        """Show what was read, and read what waits."""
        self.reading = False
        show()
        if self.waiting and not self.reading:
            self.load(self.waiting.pop())

"""Runs one slow function of the engine at a time in a process of its own, for a widget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from textual.widget import Widget

from engine.process.background import BackgroundCall, BackgroundFailed, Cancelled
from engine.utils.errors import BadInput
from tui.formatting.text import describe_error, number, plural

Result = TypeVar("Result")


class BackgroundJob(Generic[Result]):
    """Starts a call, shows how far it is, and then its result or why there is none."""

    def __init__(
        self,
        owner: Widget,
        show_progress: Callable[[], None],
        show: Callable[[Result], None],
        show_failure: Callable[[str], None],
        show_part: Callable[..., None] | None = None,
    ) -> None:
        self.owner = owner
        """The widget in whose threads the call is waited for, and in whose loop all is shown."""
        self.show_progress = show_progress
        """Shows `progress_text`, which has changed."""
        self.show = show
        self.show_failure = show_failure
        """Shows why there is no result; empty if the call was cancelled."""
        self.show_part = show_part
        """Shows a part of the result that is there already, of a call that has several."""
        self.call: BackgroundCall[Result] | None = None
        """The call that goes on; None while there is none."""
        self.progress_text = ""
        """How many shards are done, such as " 3 of 1,500 shards"."""

    @property
    def running(self) -> bool:
        return self.call is not None

    def start(self, function: Callable[..., Result], *arguments: Any) -> None:
        """Start a call, unless one goes on."""
        if self.call is None:
            call = self.call = BackgroundCall(function, *arguments)
            self.progress_text = ""
            job = partial(self.wait, call)
            self.owner.run_worker(job, thread=True, group="background", exit_on_error=False)

    def cancel(self) -> None:
        """End the call, if one goes on."""
        if self.call is not None:
            self.call.cancel()

    def wait(self, call: BackgroundCall[Result]) -> None:
        """Wait for the end of the call, and hand over what it says. Called in a thread."""

        def progress(done: int, total: int, *parts: object) -> None:
            self.progress_text = f" {number(done)} of {plural(total, 'shard')}"
            if self.show_part is not None:
                self.owner.call_later(self.show_part, *parts)
            self.owner.call_later(self.show_progress)

        try:
            result = call.run(progress)
        except Cancelled:
            self.owner.call_later(self.fail, "")
        except (BadInput, BackgroundFailed) as error:
            self.owner.call_later(self.fail, str(error))
        except Exception as error:
            self.owner.call_later(self.fail, describe_error(error))
        else:
            self.owner.call_later(self.finish, result)

    def finish(self, result: Result) -> None:
        self.call = None
        self.show(result)

    def fail(self, reason: str) -> None:
        self.call = None
        self.show_failure(reason)

"""A thread in which one loaded model is asked with one prompt after another.

The model's process ends with the thread that started it, so that one thread asks all prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from textual.message import Message

from engine.utils.errors import BadInput
from tui.formatting.text import describe_error

if TYPE_CHECKING:
    from engine.operations.prompt_workshop import PromptTrial, PromptWorkshop
    from engine.operations.tryout import TryoutEvent


@dataclass
class TrialBegun(Message):
    """A prompt is good, and the model is asked with it."""

    side: str
    trial: PromptTrial
    note: str
    """What people should know of the device."""


@dataclass
class TrialAnswered(Message):
    """The model loads, captioned an image, or failed at it."""

    trial: PromptTrial
    event: TryoutEvent


@dataclass
class TrialEnded(Message):
    """All images are answered; or the trial was cancelled, or failed with `error`."""

    side: str
    error: str | None = None


class PromptAsker:
    """Asks the prompts that it is given in their order, and posts what comes as messages."""

    def __init__(
        self, open_workshop: Callable[[], PromptWorkshop], post: Callable[[Message], object]
    ) -> None:
        self.open_workshop = open_workshop
        self.post = post
        """Takes the messages. Called in the thread."""
        self.prompts: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        """The side and the text of each prompt that waits; None ends the thread."""
        self.workshop: PromptWorkshop | None = None
        self.closed = False

    def start(self) -> None:
        # A daemon, so that a thread that waits for a prompt never holds up the program's end.
        Thread(target=self.work, name="prompts", daemon=True).start()

    def ask(self, side: str, prompt: str) -> None:
        self.prompts.put((side, prompt))

    def cancel(self) -> None:
        """Drop the prompts that wait, and end the model's process at once."""
        while not self.prompts.empty():
            self.prompts.get()
        if self.workshop is not None:
            self.workshop.cancel()

    def close(self) -> None:
        """End the thread, and the model's process at once."""
        self.closed = True
        if self.workshop is not None:
            self.workshop.close()
        self.prompts.put(None)

    def work(self) -> None:
        while not self.closed and (asked := self.prompts.get()) is not None:
            self.post(TrialEnded(asked[0], self.answer(*asked)))
        if self.workshop is not None:
            self.workshop.close()
            self.workshop.unload()

    def answer(self, side: str, prompt: str) -> str | None:
        """Ask with a prompt, and return why that failed; None if it did not."""
        from engine.operations.tryout import TryoutFailed

        try:
            if self.workshop is None:
                self.workshop = self.open_workshop()
            trial = self.workshop.prepare(prompt)
            self.post(TrialBegun(side, trial, self.workshop.on.note))
            if not self.closed:
                self.workshop.ask(trial, lambda event: self.post(TrialAnswered(trial, event)))
        except (BadInput, TryoutFailed) as error:
            return str(error)
        except Exception as error:
            return describe_error(error)
        return None

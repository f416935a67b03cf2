"""What every captioner offers the worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from engine.images.image import ImageProblem, Picture

Finish = Literal["stop", "length"]


class CheckpointError(Exception):
    """A checkpoint that cannot be loaded, by its own fault; the message names what is wrong."""


class Unavailable(Exception):
    """A model elsewhere that does not answer now, and why: no record's fault."""

    def __init__(self, text: str, seconds: float = 0.0, records: Collection[int] = ()) -> None:
        super().__init__(text)
        self.seconds = seconds
        """After which to ask again, where it said so."""
        self.records = records
        """Those that were with it when it stopped answering: one of them may be why."""


@dataclass(frozen=True, slots=True)
class Caption:
    """`raw` is the newly generated text, `tokens` counts it without the end of sentence."""

    raw: str
    tokens: int
    finish: Finish


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read of a checkpoint."""

    layout: str
    dtype: str
    parameters: int
    bytes: int
    ignored: tuple[str, ...] = ()
    """Keys of the files that the model does not need."""
    mapped: bool = False
    """Whether the weights lie where the files' maps are, rather than in memory of their own."""


class Captioner(ABC):
    """One loaded model on one device. All rows of a batch have the same prompt."""

    batch: int
    """Images a batch, as the settings ask."""
    side_by_side = False
    """Whether several threads may caption a batch each."""
    loaded: Loaded | None = None

    @abstractmethod
    def prepare(self, picture: Picture) -> Any:
        """Decodes and preprocesses one image: CPU work, called from several threads.

        Raises `ImageProblem`.
        """

    @abstractmethod
    def caption(self, inputs: Sequence[Any], records: Sequence[int]) -> list[Caption]:
        """One caption for each prepared input, in order.

        `records` are the places of the images in the whole data set: sampled captions depend on
        them and the seed, never on the batch. Raises `torch.OutOfMemoryError`.
        """

    def release(self) -> None:  # noqa: B027
        """Gives back what is kept of one batch for the next."""

    def answers(
        self, inputs: Sequence[Any], records: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        """As `caption`, where a record may fail by itself."""
        return self.caption(inputs, records)


class Remote(Captioner):
    """A model elsewhere, which is asked about many records at a time; `batch` at most."""

    heard = 0
    """Requests that ended, well or not: a sign of life."""

    @abstractmethod
    def ask(self, prepared: Any, record: int, alone: bool = False) -> Future[Caption]:
        """Does not wait. The future may be cancelled; it ends with `ImageProblem` where the
        record is to blame, and with `Unavailable`. A record that is asked about `alone` is so only
        after the model was seen to answer."""

    @abstractmethod
    def close(self) -> None:
        """Forgets what is under way."""

    def caption(self, inputs: Sequence[Any], records: Sequence[int]) -> list[Caption]:
        """Raises `ImageProblem`, `Unavailable`."""
        asked = [self.ask(*each) for each in zip(inputs, records, strict=True)]
        return [future.result() for future in asked]

    def answers(
        self, inputs: Sequence[Any], records: Sequence[int]
    ) -> list[Caption | ImageProblem]:
        """Raises `Unavailable`."""
        found: list[Caption | ImageProblem] = []
        for future in [self.ask(*each) for each in zip(inputs, records, strict=True)]:
            try:
                found.append(future.result())
            except ImageProblem as problem:
                found.append(problem)
        return found

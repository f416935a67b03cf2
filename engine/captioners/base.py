"""What every captioner offers the worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.images import Picture

Finish = Literal["stop", "length"]


class CheckpointError(Exception):
    """A checkpoint that cannot be loaded, by its own fault; the message names what is wrong."""


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


class Captioner(ABC):
    """One loaded model on one device. All rows of a batch have the same prompt."""

    batch: int
    """Images a batch, as the settings ask."""
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

"""The interface between the worker and every captioner, local or on a server.

A family's module returns a `Captioner` (on a device of this machine) or a `RemoteCaptioner` (a
client of a server). This module has no model code and imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from db.rows import UnavailableCause
from engine.captioners.errors import CheckpointError as CheckpointError
from engine.captioners.record_prompt import PromptRecord
from engine.images.image import ImageProblem, Picture

Finish = Literal["stop", "length"]
"""Why generation ended: an end token, or the limit of new tokens."""


class ServerUnavailable(Exception):
    """A server that gives no captions now, and why. It says nothing against a record."""

    def __init__(
        self,
        text: str,
        *,
        cause: UnavailableCause,
        retry_after: float = 0.0,
        record_ids: Collection[int] = (),
    ) -> None:
        super().__init__(text)
        self.cause: UnavailableCause = cause
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again; 0 if it did not say."""
        self.record_ids = record_ids
        """Records that the server had when it stopped answering: one of them may be the cause."""


@dataclass(frozen=True, slots=True)
class Caption:
    """The text that a model generated for one image."""

    raw: str
    """The new text only, without prompt and end token."""
    tokens: int
    """Number of new tokens, without the end token."""
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCheckpoint:
    """Layout, size and form of a checkpoint that was loaded, for the doctor's report."""

    layout: str
    """Name of the layout in which the files are."""
    dtype: str
    parameters: int
    """Number of the model's parameters."""
    bytes: int
    """Size of the weights in memory."""
    unused_keys: tuple[str, ...] = ()
    """Keys of the files that the model does not need."""
    memory_mapped: bool = False
    """True if most weights are memory maps of the files, not copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPrompt:
    """What a model is really asked with every picture, for people."""

    text: str
    """The text before the picture's own tokens take the place of its mark."""
    tokens: int
    """Number of tokens for one of the pictures of the trial."""
    first: tuple[str, ...]
    last: tuple[str, ...]
    """The tokens at the beginning and at the end, in quotes; `last` is empty if `first` has all."""

    @property
    def shown(self) -> str:
        """The tokens in one line."""
        if not self.tokens:
            return "asked without a text"
        left_out = self.tokens - len(self.first) - len(self.last)
        middle = [f"({left_out} more)"] if left_out else []
        return f"asked with {self.tokens} tokens: {' '.join([*self.first, *middle, *self.last])}"


class Captioner(ABC):
    """One loaded model on one device. All rows of a batch have the same prompt."""

    batch: int
    """Images per batch, as the settings ask."""
    concurrent_batches = False
    """True if several threads may call `caption` at the same time."""
    fills_cores = False
    """True if one batch keeps all cores of a CPU busy, so that a second beside it gains nothing."""
    loaded: LoadedCheckpoint | None = None
    """The checkpoint of this model; None for a model without one."""
    asked: AskedPrompt | None = None
    """The prompt as the checkpoint's own processor makes it; None for a family that makes it by its
    setting alone."""

    @abstractmethod
    def prepare(self, picture: Picture) -> Any:
        """Decode and preprocess one image, of no record: CPU work, called from several threads.

        Raises `ImageProblem`.
        """

    def prepare_record(self, picture: Picture, record: PromptRecord) -> Any:
        """Do as `prepare` for the image of a record, on which its prompt may depend.

        Raises `ImageProblem`, also for a record that lacks what the prompt asks for.
        """
        return self.prepare(picture)

    @abstractmethod
    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        """Return one caption for each prepared input, in order.

        Sampled captions depend on the record ids and the seed, never on the batch. Raises
        `torch.OutOfMemoryError`.
        """

    def release(self) -> None:  # noqa: B027
        """Free the memory that is kept from one batch for the next."""

    def caption_each(
        self, inputs: Sequence[Any], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        """Return for each prepared input its caption, or why this record alone has none."""
        return self.caption(inputs, record_ids)


class RemoteCaptioner(Captioner):
    """A model on a server, which gets many requests at a time: `batch` at most."""

    ended_requests = 0
    """Number of requests that ended, well or not. Its growth shows that the server is alive."""

    @abstractmethod
    def submit(self, inputs: Any, record_id: int, isolated: bool = False) -> Future[Caption]:
        """Send one prepared input to the server, without waiting for the answer.

        The future may be cancelled. It ends with `ImageProblem` if the record is to blame, and with
        `ServerUnavailable` if the server is. An `isolated` record is sent only after the server has
        captioned our own probe image.
        """

    @abstractmethod
    def close(self) -> None:
        """Abandon all requests and close the connections."""

    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        """Return one caption for each input. Raises `ImageProblem`, `ServerUnavailable`."""
        futures = [self.submit(*each) for each in zip(inputs, record_ids, strict=True)]
        return [future.result() for future in futures]

    def caption_each(
        self, inputs: Sequence[Any], record_ids: Sequence[int]
    ) -> list[Caption | ImageProblem]:
        """Return the same as `Captioner.caption_each`. Raises `ServerUnavailable`."""
        results: list[Caption | ImageProblem] = []
        for future in [self.submit(*each) for each in zip(inputs, record_ids, strict=True)]:
            try:
                results.append(future.result())
            except ImageProblem as problem:
                results.append(problem)
        return results

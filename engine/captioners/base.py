"""The interface between the worker and every model, local or on a server.

A family's module returns a `Captioner` or a `Scorer` (on a device of this machine), or a
`RemoteCaptioner` (a client of a server). This module has no model code and imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from db.rows import UnavailableCause
from engine.captioners.answer_text import no_caption, why_no_caption
from engine.captioners.errors import CheckpointError as CheckpointError
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem, Picture

Finish = Literal["stop", "length"]
"""Why generation ended: an end token, or the limit of new tokens."""

PROBE_TEXTS = {"probe": "a red disc over a blue bar"}
"""The caption that a scorer is asked about with an image of no record: that of the probe image."""


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
    reasoning: str = ""
    """What the model thought, if that is known without tags: what a server tells apart from the
    answer; or all of `raw`, where the prompt opened the reasoning and nothing closed it."""

    @property
    def why_none(self) -> str | None:
        """Why this is no caption, for people; None if it is one."""
        return why_no_caption(self.raw, self.reasoning)

    def or_failure(self) -> Caption | ImageProblem:
        """Return this caption, or the failure of the record if it is none."""
        why = self.why_none
        return self if why is None else no_caption(why, self.raw or self.reasoning)


@dataclass(frozen=True, slots=True)
class Scores:
    """How well each caption of one image fits it, as one scorer sees it."""

    by_digest: dict[str, float]
    """The score of each caption, by the digest under which its text came. Higher is better."""

    @property
    def shown(self) -> str:
        """The scores in one line."""
        return ", ".join(f"{score:.3g}" for score in self.by_digest.values()) or "no captions"


Answer = Caption | Scores | ImageProblem
"""What a model makes of one prepared input: a captioner's caption, a scorer's scores, or why this
record alone has none."""


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


class LoadedModel(ABC):
    """One loaded model on one device, a captioner or a scorer, as a worker runs it."""

    batch: int
    """Images per batch, as the settings ask."""
    concurrent_batches = False
    """True if several threads may call `answer_each` at the same time."""
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

    def prompt_length(self, inputs: Any) -> int:
        """Return how long the prompt of a prepared input is, in tokens; 1 where all are alike.

        A batch is made of prompts that are about equally long.
        """
        return 1

    @abstractmethod
    def answer_each(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> Sequence[Answer]:
        """Return what the model makes of each prepared input, in order.

        Raises `torch.OutOfMemoryError`.
        """

    def release(self) -> None:  # noqa: B027
        """Free the memory that is kept from one batch for the next."""


class Captioner(LoadedModel):
    """A model that writes captions. All rows of a batch have the same prompt."""

    @abstractmethod
    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        """Return one caption for each prepared input, in order.

        Sampled captions depend on the record ids and the seed, never on the batch. Raises
        `torch.OutOfMemoryError`.
        """

    def caption_each(
        self, inputs: Sequence[Any], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        """Return for each prepared input its caption, or why this record alone has none."""
        return self.caption(inputs, record_ids)

    def with_settings(self, settings: Settings) -> Captioner:
        """Return a captioner with the same loaded model that asks with other settings.

        Raises `CheckpointError` if the model cannot be asked so.
        """
        raise CheckpointError("this model takes no other settings while it is loaded")

    def caption_longer(
        self, inputs: Sequence[Any], record_ids: Sequence[int]
    ) -> Sequence[Caption | ImageProblem]:
        """Do as `caption_each`, with the cap on new tokens of `answer_text.with_longer_cap`."""
        return self.caption_each(inputs, record_ids)

    def answer_each(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> Sequence[Answer]:
        """Return a caption for each prepared input, or why this record alone has none.

        An answer that the cap on new tokens ended before its caption is asked for again, once.
        """
        answers = list(self.caption_each(inputs, record_ids))
        cut = [
            n
            for n, it in enumerate(answers)
            if isinstance(it, Caption) and it.finish == "length" and it.why_none
        ]
        if cut:
            again = self.caption_longer([inputs[n] for n in cut], [record_ids[n] for n in cut])
            for n, answer in zip(cut, again, strict=True):
                if isinstance(answer, Caption):  # more tokens may be more than the model takes
                    answers[n] = answer
        return [it.or_failure() if isinstance(it, Caption) else it for it in answers]


class Scorer(LoadedModel):
    """A model that scores captions: how well each text of a record fits the record's image.

    The texts come in `PromptRecord.texts`, by their digests.
    """

    @abstractmethod
    def prepare_record(self, picture: Picture, record: PromptRecord) -> Any:
        """Decode and preprocess an image with the captions that are to be scored."""

    def prepare(self, picture: Picture) -> Any:
        """Do as `prepare_record` for an image of no record, with a caption of our own."""
        return self.prepare_record(picture, PromptRecord(record_id=0, texts=PROBE_TEXTS))

    @abstractmethod
    def score(self, inputs: Sequence[Any]) -> Sequence[Scores | ImageProblem]:
        """Return the scores of each prepared input's captions, or why this record has none.

        Scores depend on image and text alone, never on the batch. Raises `torch.OutOfMemoryError`.
        """

    def answer_each(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> Sequence[Answer]:
        return self.score(inputs)


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

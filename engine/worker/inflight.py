"""The records of the current attempt that a worker holds."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from engine.captioners.base import Caption
from engine.captioners.record_prompt import PromptRecord


@dataclass(slots=True, eq=False, kw_only=True)
class InflightRecords:
    """The records of one attempt that were sent to the worker and are not captioned yet.

    Records are named by their index in the shard.
    """

    task: int
    """Id of the task."""
    attempt: int
    """Number of the attempt."""
    first_record_id: int
    """Record id of the shard's first record: the record id of index `i` is this plus `i`."""
    model: Any = None
    """The loaded model as it is asked with `settings`; None for the model as it was loaded."""
    settings: dict[str, Any] | None = None
    """Settings other than those that the model was loaded with, if its records have any."""
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    """(index, image) of records whose image is not being decoded yet."""
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    """What the model's prompt asks for of waiting records, or the captions to score, by index and
    key."""
    decoding: deque[tuple[int, str, Future[Any]]] = field(default_factory=deque)
    """(index, image, prepared input) of records whose image is being or has been decoded."""
    ready: deque[tuple[int, Any]] = field(default_factory=deque)
    """(index, prepared input) of records whose image was decoded, and that are in no batch yet."""
    # Held here and not by the loop, so that a reply to another attempt can never be taken for one
    # to this attempt.
    pending_replies: dict[Future[Caption], int] = field(default_factory=dict)
    """Index of the record behind each caption that a server has not replied with yet."""
    complete: bool = False
    """True if no more records of this attempt will come for now: do not wait for a full batch."""
    isolated: bool = False
    """True if the last record sent is a suspect that is captioned alone: it may end the worker."""
    probing: bool = False
    """True if what was sent last is no record but the probe image."""

    def prompt_record(self, i: int) -> PromptRecord | None:
        """Return what the prompt of a record depends on, once; None for the probe image."""
        texts = self.texts.pop(i, {})
        if self.probing:
            return None
        return PromptRecord(record_id=self.first_record_id + i, texts=texts)

    @property
    def queued(self) -> int:
        """Number of records that are not with the model yet: waiting, decoding or ready."""
        return len(self.waiting) + len(self.decoding) + len(self.ready)

    @property
    def exhausted(self) -> bool:
        """True if no record is queued and none will come for now."""
        return self.complete and not self.queued

    def release(self) -> None:
        """Give up what is under way for the records: images that wait, requests to a server."""
        for _, _, image in self.decoding:
            image.cancel()
        for reply in self.pending_replies:
            reply.cancel()

"""The loop of a model on a server: records that are with it, and what follows when it goes away."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from engine.captioners.base import Caption, RemoteCaptioner, ServerUnavailable
from engine.images.image import ImageProblem
from engine.protocol.caption_row import Row
from engine.protocol.messages import RequestEnded, Unavailable
from engine.worker.caption_loop import CaptionLoop, ModelUnavailable, caption_row
from engine.worker.inflight import InflightRecords

REPLY_SECONDS = 0.2
"""Seconds for which the replies of a server are waited for before messages are handled again."""


class RemoteLoop(CaptionLoop[RemoteCaptioner]):
    """A model on a server, which gets one record a request (see `CaptionLoop`)."""

    def close(self) -> None:
        """Forget the records and close the connections to the server."""
        super().close()
        self.captioner.close()

    def can_advance(self, inflight: InflightRecords) -> bool:
        return bool(inflight.pending_replies or inflight.queued)

    def advance(self, inflight: InflightRecords) -> None:
        """Keep a batch of records with the server and send its captions as they come."""
        captioner = inflight.model or self.captioner
        ended_before = captioner.ended_requests
        self.decode_ahead(inflight)
        self.submit_decoded(inflight)
        self.decode_ahead(inflight)
        done, _ = wait(inflight.pending_replies, REPLY_SECONDS, FIRST_COMPLETED)
        try:
            self.collect_replies(inflight, done)
        except ServerUnavailable as error:
            lost = [record_id - inflight.first_record_id for record_id in error.record_ids]
            raise ModelUnavailable(unavailable_message(self.model_id, error, lost)) from error
        if captioner.ended_requests != ended_before:
            self.send(RequestEnded(attempt=inflight.attempt))

    def submit_decoded(self, inflight: InflightRecords) -> None:
        """Send the server the records whose images are ready, up to a batch at the same time."""
        replies = inflight.pending_replies
        batch: list[tuple[int, str, Future[Any]]] = []
        while inflight.decoding and len(replies) + len(batch) < self.batch_size:
            # Replies are not held up by an image that takes long to read.
            if (replies or batch) and not inflight.decoding[0][2].done():
                break
            batch.append(inflight.decoding.popleft())
        rows, ready = self.collect_decoded(inflight, batch)
        self.send_rows(inflight, rows)
        self.send_generating(inflight, ready)
        captioner = inflight.model or self.captioner
        for i, prepared in ready:
            record_id = inflight.first_record_id + i
            replies[captioner.submit(prepared, record_id, inflight.isolated)] = i

    def collect_replies(self, inflight: InflightRecords, done: Collection[Future[Caption]]) -> None:
        """Send the rows of replies that have come.

        Raises `ServerUnavailable` if that is one of the replies, once the others are sent.
        """
        rows: list[Row] = []
        unavailable: ServerUnavailable | None = None
        for future in done:
            i = inflight.pending_replies.pop(future)
            try:
                rows.append(caption_row(i, future.result()))
            except ImageProblem as problem:
                rows.append(problem.row(i))
            except ServerUnavailable as error:
                unavailable = error
        self.send_rows(inflight, rows)
        if unavailable is not None:
            raise unavailable


def unavailable_message(
    model_id: int, error: ServerUnavailable, lost: Collection[int] = ()
) -> Unavailable:
    """Return the message about a server that captions nothing for now.

    `lost` are the indexes of the records that the server had.
    """
    return Unavailable(
        model=model_id,
        cause=error.cause,
        text=str(error),
        seconds=error.retry_after,
        records=tuple(lost),
    )

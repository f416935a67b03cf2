"""The loop of a model on a server: what is with the server, and what follows when it goes away."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.captioners.base import Caption, ServerUnavailable
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import MissingImages
from engine.protocol.messages import Generating, RequestEnded, RootLost, Rows, Unavailable
from engine.worker import remote_loop
from engine.worker.caption_loop import ModelUnavailable
from engine.worker.remote_loop import RemoteLoop
from tests.engine.worker.fakes import SIZE, FakePrefetcher, FakeServerCaptioner, Wire, records


@dataclass
class RemoteCase:
    """A loop and all that it works with."""

    folder: Path
    """The image root."""
    wire: Wire = field(default_factory=Wire)
    images: FakePrefetcher = field(default_factory=FakePrefetcher)
    server: FakeServerCaptioner = field(default_factory=FakeServerCaptioner)

    def __post_init__(self) -> None:
        self.loop = RemoteLoop(
            model_id=7,
            captioner=self.server,
            batch_size=SIZE,
            prefetcher=self.images,
            missing_images=MissingImages(ImagePaths(str(self.folder)), None),
            send=self.wire.send,
        )

    @property
    def with_server(self) -> list[int]:
        """Record ids of the requests that the server has not replied to."""
        return [record_id for record_id, _, reply in self.server.requests if not reply.done()]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteCase:
    monkeypatch.setattr(remote_loop, "REPLY_SECONDS", 0.0)
    return RemoteCase(tmp_path)


def test_a_record_is_reported_before_it_is_decoded_and_before_it_is_sent(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 2, task=3, attempt=2, first_id=100, last=True))
    case.loop.step()
    assert case.wire.kinds() == ["Decoding", "Generating"]
    assert case.with_server == [100, 101]
    case.server.reply(101, "a dog")
    case.loop.step()
    assert case.wire.kinds()[2:] == ["Rows"]
    assert case.wire.rows() == {1: "a dog"}
    assert case.loop.can_step()
    case.server.reply(100, "a cat")
    case.loop.step()
    assert not case.loop.can_step()
    assert {(rows.task, rows.attempt) for rows in case.wire.of(Rows)} == {(3, 2)}


def test_no_more_than_a_batch_is_with_the_server(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 3 * SIZE))
    case.loop.step()
    assert case.with_server == list(range(SIZE))
    case.server.reply(2, "a dog")
    case.loop.step()
    case.loop.step()
    assert case.with_server == [0, 1, 3, 4]


def test_replies_are_not_held_up_by_an_image_that_takes_long(case: RemoteCase) -> None:
    case.images.late = {1}
    case.images.on_wait = lambda: pytest.fail("the image was waited for")
    case.loop.add_records(records(0, 2, last=True))
    case.loop.step()
    assert case.with_server == [0]
    case.server.reply(0, "a dog")
    case.loop.step()
    assert case.wire.rows() == {0: "a dog"}


def test_a_request_that_ends_without_a_caption_is_a_sign_of_progress(case: RemoteCase) -> None:
    """The captioner asks again by itself; meanwhile no future is done."""
    case.images.late, case.images.on_wait = {0}, case.server.end_request
    case.loop.add_records(records(0, 1, attempt=2, last=True))
    case.loop.step()
    assert case.wire.of(RequestEnded) == [RequestEnded(attempt=2)]
    case.loop.step()
    assert len(case.wire.of(RequestEnded)) == 1


def test_an_isolated_record_is_sent_as_such(case: RemoteCase) -> None:
    case.loop.add_records(records(5, 1, alone=True))
    case.loop.step()
    assert [(record_id, alone) for record_id, alone, _ in case.server.requests] == [(5, True)]


def test_a_record_that_the_server_refuses_is_a_failed_record(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 2, last=True))
    case.loop.step()
    case.server.reply(0, ImageProblem("refused", "HTTP 400"))
    case.server.reply(1, "a dog")
    case.loop.step()
    case.loop.step()
    assert case.wire.rows() == {0: "refused", 1: "a dog"}


# Attempts that are cancelled


def test_a_cancelled_attempt_takes_its_requests_back(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 2))
    case.loop.step()
    case.loop.cancel()
    assert all(reply.cancelled() for _, _, reply in case.server.requests)
    assert not case.loop.can_step()


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "replaced"])
def test_a_reply_to_an_earlier_attempt_never_lands_in_the_next_one(
    case: RemoteCase, cancelled: bool
) -> None:
    case.loop.add_records(records(0, 1, attempt=1, last=True))
    case.loop.step()
    _, _, late = case.server.requests[0]
    late.set_running_or_notify_cancel()  # too late to be taken back
    if cancelled:
        case.loop.cancel()
    case.loop.add_records(records(0, 1, attempt=2, last=True))
    case.loop.step()
    late.set_result(Caption("of the first attempt", 1, "stop"))
    case.loop.step()
    assert case.wire.of(Rows) == []
    case.server.reply(0, "of the second attempt")
    case.loop.step()
    assert case.wire.rows() == {0: "of the second attempt"}
    assert [rows.attempt for rows in case.wire.of(Rows)] == [2]


def test_a_closed_loop_has_closed_the_connections(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 2))
    case.loop.step()
    case.loop.close()
    assert case.server.closed and case.images.captioner is None
    assert not case.with_server


# Outages and images


def test_a_server_that_goes_away_is_reported_with_the_records_that_it_had(case: RemoteCase) -> None:
    case.loop.add_records(records(0, 3, first_id=100, last=True))
    case.loop.step()
    case.server.reply(100, "a dog")
    gone = ServerUnavailable(
        "nobody listens", cause="unreachable", retry_after=7.0, record_ids=[101, 102]
    )
    case.server.reply(101, gone)
    with pytest.raises(ModelUnavailable) as caught:
        while True:
            case.loop.step()
    assert caught.value.message == Unavailable(
        model=7, cause="unreachable", text="nobody listens", seconds=7.0, records=(1, 2)
    )
    assert case.wire.rows() == {0: "a dog"}


def test_a_lost_image_root_ends_the_attempt(case: RemoteCase) -> None:
    case.loop.missing_images.paths = ImagePaths(str(case.folder / "unmounted"))
    case.images.problems = {"image 0": "missing"}
    case.loop.add_records(records(0, 1, last=True))
    case.loop.step()
    assert case.wire.kinds() == ["Decoding", "RootLost"]
    assert case.wire.of(RootLost)[0].attempt == 1 and case.loop.attempt is None


def test_rows_of_missing_images_are_sent_at_the_end(case: RemoteCase) -> None:
    case.images.problems = {"image 0": "missing"}
    case.loop.add_records(records(0, 1))
    while case.loop.can_step():
        case.loop.step()
    assert case.wire.rows() == {}
    case.loop.add_records(records(1, 0, last=True))
    assert case.loop.can_step()
    case.loop.step()
    assert case.wire.rows() == {0: "missing"} and not case.wire.of(Generating)

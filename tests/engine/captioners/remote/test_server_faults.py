"""Servers that give no captions: why they are unavailable, and that no record fails for them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.api_keys import KeySource
from engine.captioners.base import Caption, ServerUnavailable
from engine.captioners.remote.chat_request import AskedPicture
from engine.captioners.remote.client import ServerError
from engine.images.image import ImageProblem, Picture, open_image
from tests.engine.captioners.remote.conftest import HASTY
from tests.faults.support.fake_server import FakeServer, Reply, caption_as_dry_run, error_reply
from tests.faults.support.server_faults import NONSENSE, reply_to
from tests.support.pictures import draw_picture

IMPATIENT = replace(HASTY, first_backoff=0.0, max_backoff=0.0, outage_seconds=0.0)
"""A policy for which the first failure is an outage."""


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (error_reply(500), "failing"),
        (Reply(body=b"nonsense"), "failing"),
        (Reply(body=b"cut off", delivery="cut"), "failing"),
        (Reply(delivery="reset"), "failing"),
        (error_reply(400, "I see no images"), "failing"),
        (Reply(delivery="silent"), "unreachable"),
        (error_reply(429, retry_after="60"), "overloaded"),
        (error_reply(503), "overloaded"),
        (error_reply(404), "model_not_served"),
        (error_reply(401), "unauthorized"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{value.delivery}",
)
def test_a_server_that_gives_no_captions_is_unavailable_for_a_cause(
    make: Callable[..., Any], server: FakeServer, picture: Picture, reply: Reply, cause: str
) -> None:
    captioner = make(replace(IMPATIENT, request_timeout=0.2))
    server.behave = lambda _: reply
    with pytest.raises(ServerUnavailable) as caught:
        captioner.caption([captioner.prepare(picture)], [0])
    assert caught.value.cause == cause


def test_a_server_that_is_not_there_is_unreachable(
    make: Callable[..., Any], server: FakeServer
) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(ServerUnavailable) as caught:
        make(IMPATIENT)
    assert caught.value.cause == "unreachable"


@pytest.mark.parametrize(
    ("listing", "cause"),
    [
        (error_reply(500), "failing"),
        (error_reply(400), "failing"),
        (Reply(body=b"{}"), "failing"),
        (error_reply(429, retry_after="60"), "overloaded"),
        (error_reply(401), "unauthorized"),
        (error_reply(404), "model_not_served"),
        (Reply(body=b'{"data": []}'), "model_not_served"),
        (Reply(body=b'{"data": [{"id": "one"}, {"id": "two"}]}'), "model_not_served"),
    ],
)
def test_a_server_that_does_not_say_what_it_serves_is_unavailable_for_a_cause(
    make: Callable[..., Any], server: FakeServer, listing: Reply, cause: str
) -> None:
    server.listing = listing
    with pytest.raises(ServerUnavailable) as caught:
        make()
    assert caught.value.cause == cause


@pytest.mark.parametrize("fault", NONSENSE)
def test_what_is_wrong_with_a_server_is_told_and_later_it_captions_again(
    make: Callable[..., Any],
    server: FakeServer,
    picture: Picture,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    reply, message = NONSENSE[fault]
    policy = replace(IMPATIENT, request_timeout=1.0, max_retry_after=0.4)
    captioner = make(policy, KeySource(("A_KEY",)))
    image = captioner.prepare(picture)
    server.behave = lambda _: reply
    with pytest.raises(ServerUnavailable, match=re.escape(message)):
        captioner.caption([image], [0])
    server.behave = lambda _: None
    (caption,) = captioner.caption([image], [0])
    assert caption.raw == caption_as_dry_run(picture.data)


def test_a_server_that_fails_every_other_time_in_many_ways_fails_no_record(
    make: Callable[..., Any], server: FakeServer, picture: Picture
) -> None:
    faults = ("html", "cut", "reset", "500", "503", "429", "empty choices")
    server.behave = lambda request: (
        NONSENSE[faults[request.number // 2 % len(faults)]][0] if request.number % 2 else None
    )
    captioner = make(batch=8)
    captions = captioner.caption([captioner.prepare(picture)] * 40, range(40))
    assert {caption.raw for caption in captions} == {caption_as_dry_run(picture.data)}
    assert len(server.requests) > 40 + len(faults)


@pytest.mark.parametrize("fault", ["html", "500", "reset"])
@pytest.mark.parametrize("position", [0, 3])
def test_an_image_that_the_server_fails_at_every_time_fails_alone(
    make: Callable[..., Any], server: FakeServer, tmp_path: Path, fault: str, position: int
) -> None:
    """This holds for the first image of all, and for the last."""
    captioner = make(replace(HASTY, first_backoff=0.0, max_backoff=0.0))
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        draw_picture(path, number)
    server.behave = reply_to({paths[position].read_bytes()}, NONSENSE[fault][0])
    images = [captioner.prepare(open_image(str(path))) for path in paths]
    replies = [captioner.submit(image, number) for number, image in enumerate(images)]
    failed = [reply.exception() for reply in replies]
    assert [error is not None for error in failed] == [n == position for n in range(4)]
    error = failed[position]
    assert isinstance(error, ImageProblem) and error.kind == "unanswered"


@pytest.mark.parametrize("every", [2, 3])
def test_a_server_that_fails_every_so_many_times_fails_no_record(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """No record fails, although each is a suspect after its first failure.

    One in 200 failed when the server was probed once or twice.
    """
    captioner = make(replace(HASTY, first_backoff=0.0, max_backoff=0.0, tries_before_suspicion=1))
    requests = count(1)

    async def caption(_: bytes) -> Caption:
        if next(requests) % every == 1:
            raise ServerError("HTTP 500")
        return Caption("a dog", 2, "stop")

    monkeypatch.setattr(captioner.client, "caption", caption)
    for record_id in range(350):
        random.seed(record_id)  # so that the test does not pass by luck
        requests = count(1)
        assert captioner.caption([AskedPicture("data:,", "What?")], [record_id])

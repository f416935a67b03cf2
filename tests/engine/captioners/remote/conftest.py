"""A server in this process, and captioners that ask it and soon give up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.api_keys import NO_KEY, KeySource
from engine.captioners.registry import FAMILIES
from engine.captioners.remote.captioner import EndpointCaptioner
from engine.captioners.remote.client import RetryPolicy
from engine.images.image import Picture, open_image
from tests.faults.support.fake_server import FakeServer
from tests.support.pictures import draw_picture

SETTINGS = FAMILIES["endpoint"].presets["paper"]
HASTY = RetryPolicy(
    connect_timeout=1,
    request_timeout=2,
    first_backoff=0.01,
    max_backoff=0.05,
    outage_seconds=0.3,
)
"""A policy that gives up soon, so that tests end."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as started:
        yield started


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    draw_picture(tmp_path / "a.png", 7)
    return open_image(str(tmp_path / "a.png"))


@pytest.fixture
def make(server: FakeServer) -> Iterator[Callable[..., Any]]:
    captioners = []

    def captioner(
        policy: RetryPolicy = HASTY, key: KeySource = NO_KEY, **settings: Any
    ) -> EndpointCaptioner:
        changed = replace(SETTINGS, **settings)
        captioners.append(EndpointCaptioner(server.address, changed, policy, key))
        return captioners[-1]

    yield captioner
    for each in captioners:
        each.close()

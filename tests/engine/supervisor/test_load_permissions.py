"""What the supervisor lets a model on a server have: whose key, and which images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from db.rows import DeviceRow
from engine.project import outside_images
from engine.protocol.messages import Load
from engine.state.policy import Policy
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.worker_state import WorkerState
from tests.support.run_in_memory import FakeHandle
from tests.support.small_project import SmallProject, small, template  # noqa: F401 (fixtures)

LOCAL, SERVED = 1, 2


def load_sent(project: SmallProject, model_id: int) -> Load:
    """Return the message by which the supervisor has a worker load a model."""
    handle = FakeHandle(DeviceRow(id="cpu"))
    unused: Any = None
    loader = ModelLoader({}, project.state, unused, unused, Policy())
    loader.request_load(WorkerState(handle=handle, started_at=0.0), model_id)
    (message,) = handle.sent
    assert isinstance(message, Load)
    return message


def test_a_local_model_reads_what_it_likes_and_gets_no_key(small: SmallProject) -> None:  # noqa: F811
    message = load_sent(small, LOCAL)
    assert (message.confined, message.key_variables) == (False, ())


@pytest.mark.parametrize("by_project", [False, True])
def test_a_server_gets_only_what_this_user_allows(small: SmallProject, by_project: bool) -> None:  # noqa: F811
    small.state.settings = replace(small.state.settings, allow_outside=by_project)
    assert load_sent(small, SERVED).confined
    outside_images.allow_in(small.project)
    assert not load_sent(small, SERVED).confined


def test_the_key_of_a_server_is_named_by_the_model(small: SmallProject) -> None:  # noqa: F811
    assert load_sent(small, SERVED).key_variables == ("MLLMAUG_API_KEY_SERVED",)

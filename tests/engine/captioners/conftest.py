"""The fixtures of this folder."""

from __future__ import annotations

import json

import pytest

from engine.captioners.preprocessing import chat_template, template_process
from tests.support.checkpoint_fixtures import (  # noqa: F401 (pytest finds them by name)
    caption_pictures,
    checkpoints,
    damaged_checkpoint,
    family,
    one_thread,
    pictures,
)


@pytest.fixture
def templates_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render chat templates here and without limits: a process of their own takes half a second."""

    def answer(request: str) -> str:
        said = template_process.answer(json.loads(request))
        if "error" in said:
            raise chat_template.refusal(said["error"])
        return said["text"]

    monkeypatch.setattr(template_process, "limit", lambda *_: None)
    monkeypatch.setattr(chat_template, "answer", answer)

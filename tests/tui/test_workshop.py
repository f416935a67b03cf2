"""The prompt workshop, driven by keys; a canned model stands in for the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input

from db.rows import Rating
from engine.operations.tryout import Question, TryoutEvent, TryoutJob
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.tui.conftest import FakeRunControl, label_text, press, ready, until
from tui.app import MllmaugApp
from tui.dialogs.confirm import Confirm
from tui.dialogs.models import Models
from tui.dialogs.workshop import Workshop
from tui.widgets.preview import Preview

pytestmark = pytest.mark.asyncio
SERVER = "http://localhost:8000/v1"


class CannedTryout:
    """Stands in for `Tryout`: answers with the prompt at once, and refuses one prompt."""

    made: list[CannedTryout]

    def __init__(self, job: TryoutJob) -> None:
        self.job = job
        self.cancelled = self.ended = False
        self.made.append(self)

    def ask(self, request: TryoutJob | Question) -> Iterator[TryoutEvent]:
        prompt = request.settings["prompt"]
        if request is self.job:
            yield TryoutEvent(loading="weights")
            yield TryoutEvent(loaded=1.0)
        if prompt == "too long":
            yield TryoutEvent(refused="the prompt is too long")
            return
        for i, _ in self.job.records:
            yield TryoutEvent(record=i, raw=f"{prompt} [/x] {i}.", tokens=5, finish="stop")
        yield TryoutEvent(rate=5.0)

    def cancel(self) -> None:
        self.cancelled = True

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def tryouts(monkeypatch: pytest.MonkeyPatch) -> list[CannedTryout]:
    made: list[CannedTryout] = []
    monkeypatch.setattr(CannedTryout, "made", made, raising=False)
    monkeypatch.setattr("engine.operations.prompt_workshop.Tryout", CannedTryout)
    return made


def make(tmp_path: Path, *models: str) -> MllmaugApp:
    captions = make_captions(tmp_path / "data", 3)
    named = [part for model in models for part in ("--model", model)]
    cli_ok("new", tmp_path / "run", captions, *named)
    return MllmaugApp(tmp_path / "run")


async def open_workshop(pilot: Any, *keys: str) -> Workshop:
    """Open the workshop by keys, and wait for the captions of the model's own prompt."""
    await ready(pilot)
    await press(pilot, *keys)
    screen = pilot.app.screen
    assert isinstance(screen, Workshop)
    await until(pilot, lambda: "3 captions" in label_text(pilot.app, "#head-a"))
    return screen


async def type_prompt(pilot: Any, prompt: str) -> None:
    """Type a prompt into the field of side B, and try it."""
    pilot.app.screen.query_one("#prompt-b", Input).value = prompt
    await press(pilot, "enter")


async def test_two_prompts_side_by_side(
    tmp_path: Path, tryouts: list[CannedTryout], run_control: FakeRunControl
) -> None:
    app = make(tmp_path, f"served={SERVER}")
    async with app.run_test(size=(120, 36)) as pilot:
        workshop = await open_workshop(pilot, "W")
        assert workshop.why_not("take") == "it is the model's own prompt"
        workshop.query_one("#prompt-b", Input).value = "Say it"
        await until(pilot, lambda: workshop.why_not("take") == "try the prompt first (enter)")
        await press(pilot, "enter")
        await until(pilot, lambda: ">1 Say it [/x] 0" in label_text(app, "#caption-b-0"))
        await press(pilot, "down")
        assert ">2 Say it [/x] 1" in label_text(app, "#caption-b-1")
        assert len(tryouts) == 1, "the model stays loaded"
        await type_prompt(pilot, "too long")
        await until(pilot, lambda: "FAIL the prompt is too long" in label_text(app, "#head-b"))
        await type_prompt(pilot, "<image>")
        workshop.query_one("#side-b").focus()
        await press(pilot, "d", "plus", *"exact", "enter")
        await until(pilot, lambda: "good (exact)" in label_text(app, "#caption-b-1"))
        await until(pilot, lambda: run_control.calls[-1:] != [])
        kind, payload = run_control.calls[-1]
        assert (kind, payload["good"], payload["reason"]) == ("rate", True, "exact")
        assert payload["records"] == [(0, 1)]
        assert payload["settings_hash"] == workshop.trials["b"].settings_hash
        assert workshop.trials["b"].rating(1) == Rating(True, "exact")
        await press(pilot, "ctrl+n")
        assert not isinstance(app.screen, Workshop), "there is no caption to lose"
        await until(pilot, lambda: run_control.calls[-1][0] == "set")
        assert run_control.calls[-1][1] == {"model": "served", "changes": {"prompt": "<image>"}}
        await until(pilot, lambda: tryouts[0].ended)


async def test_escape_ends_the_model_at_once_and_asks(
    tmp_path: Path, tryouts: list[CannedTryout]
) -> None:
    app = make(tmp_path, f"served={SERVER}", f"other={SERVER}", "dry-run")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "W")
        assert isinstance(app.screen, Models)
        assert len(app.screen.models) == 2, "dry-run is asked with no prompt"
        await press(pilot, "enter")
        await until(pilot, lambda: "3 captions" in label_text(app, "#head-a"))
        await press(pilot, "tab", "enter")
        assert app.screen.maximized is app.screen.query_one(Preview)
        assert app.screen.query_one(Preview).outer_size.width == 80
        await press(pilot, "enter", "shift+tab")
        await press(pilot, "x", "escape")
        assert tryouts[0].cancelled
        assert isinstance(app.screen, Confirm)
        await press(pilot, "n", "enter")
        await until(pilot, lambda: "3 captions" in label_text(app, "#head-b"))
        assert len(tryouts) == 2, "the next prompt loads it again"
        await press(pilot, "escape", "y")
        assert not isinstance(app.screen, Workshop)
        await until(pilot, lambda: tryouts[1].ended)


async def test_captions_are_made_again_after_a_question(
    tmp_path: Path, tryouts: list[CannedTryout], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(tmp_path, f"served={SERVER}")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "M", "w")
        workshop = app.screen
        assert isinstance(workshop, Workshop)
        monkeypatch.setattr(workshop, "captioned", 3)
        await type_prompt(pilot, "Say it")
        await until(pilot, lambda: not workshop.query_one("#take-b", Button).disabled)
        await press(pilot, "ctrl+n")
        assert isinstance(app.screen, Confirm)
        assert app.screen.question == "Take this prompt, and have 3 captions of served made again?"
        assert "captions/served-" in app.screen.consequence

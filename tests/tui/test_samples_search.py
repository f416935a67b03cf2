"""The search of the Samples screen, driven by keys, and `samples --where`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.widgets import Input, Static

from engine.process.background import Cancelled
from tests.support.cli import cli as run_cli
from tests.support.judged_project import copy_judged_project
from tests.tui.conftest import label_text, press, ready, settle, until
from tui.app import MllmaugApp
from tui.screens import record_search_screen
from tui.screens.samples import Samples

SIZE = (120, 36)
LOOPS = [(shard, i) for shard in range(2) for i in range(0, 20, 4)] + [(2, i) for i in range(20)]
"""The records of which otter's caption loops."""


def current(screen: Samples) -> tuple[int, int] | None:
    row = screen.table.current
    return None if row is None else (row.shard, row.i)


def is_at(screen: Samples, key: tuple[int, int]) -> bool:
    return current(screen) == key


@pytest.mark.asyncio
async def test_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_search_screen, "PAGE_ROWS", 9)
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "3")
        screen = app.screen
        assert isinstance(screen, Samples)
        assert screen.why_not("match", (1,)) == "nothing was searched, or found"
        await press(pilot, "slash", tuple("wrods<5"), "enter")
        assert "only words" in str(app.screen.query_one("#problem", Static).content)
        await press(pilot, ("backspace",) * 7, tuple("otter:loop"), "enter")
        await until(pilot, lambda: current(screen) == LOOPS[0])
        assert str(screen.table.border_title) == "Found: otter:loop, 30"
        assert not screen.live
        await until(pilot, lambda: "> otter" in label_text(app, "#captions"))
        shown = label_text(app, "#captions")
        assert shown.index("otter") < shown.index("llava-1.5"), "what was found comes first"
        for key, place in [("n", 1), ("n", 2), ("N", 1), ("N", 0), ("N", 29), ("n", 0), ("G", 29)]:
            await press(pilot, key)
            await until(pilot, partial(is_at, screen, LOOPS[place]))
        await press(pilot, "S")
        await until(pilot, lambda: len(screen.table.rows) == 30)
        assert [(row.shard, row.i) for row in screen.table.rows] == LOOPS[::-1]
        await press(pilot, "s", "s", "s", "s")
        assert str(screen.table.border_title) == "Found: otter:loop, 30, by image"
        assert [row.image for row in screen.table.rows] == sorted(
            f"{shard * 20 + i:03}.jpg" for shard, i in LOOPS
        )
        await pilot.click(screen.table, offset=(15, 1))
        assert str(screen.table.border_title) == "Found: otter:loop, 30, by record"
        monkeypatch.setattr("random.randrange", lambda total: 7 if total == 30 else 41)
        await press(pilot, "r")
        assert current(screen) == LOOPS[7]
        await press(pilot, "escape")
        assert screen.live, "esc leaves what was found"
        await press(pilot, "r")
        await until(pilot, lambda: current(screen) == (2, 1))
        await press(pilot, "n")
        await until(pilot, lambda: current(screen) == (2, 2))
        assert screen.lists_found, "n goes on from where a person is"
        await press(pilot, "slash")
        assert app.screen.query_one("#line", Input).value == "otter:loop"
        assert screen.preview.image is not None
        await press(pilot, ("backspace",) * 10, tuple("zebra"), "enter")
        await until(pilot, lambda: [n for n in app._notifications if "zebra" in n.message])
        assert screen.table.total == 0
        await until(pilot, lambda: label_text(app, "#captions") == "no record is listed")
        assert screen.preview.image is None
        assert not screen.query_one("#picture").display
        assert str(screen.captions.border_title) == "Captions"
        assert screen.chosen_caption is None
        await press(pilot, "r")
        await until(pilot, lambda: screen.preview.image is not None)
        await until(pilot, lambda: "Original" in label_text(app, "#captions"))


class PartCall:
    """Stands in for `BackgroundCall`: goes on after a third of the shards until it is cancelled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function = partial(function, *arguments)
        self.cancelled = Event()

    def run(self, progress: Callable[..., None]) -> None:
        def first_alone(done: int, total: int, part: object) -> None:
            if done == 1:
                progress(done, total, part)

        self.function(progress=first_alone)
        self.cancelled.wait()
        raise Cancelled

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.mark.asyncio
async def test_a_search_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.threads.background_job.BackgroundCall", PartCall)
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.press("3", "slash", *"loop", "enter")
        screen = app._screen_stacks["samples"][0]
        assert isinstance(screen, Samples)
        await until(pilot, lambda: current(screen) == LOOPS[0])
        assert str(screen.table.border_title) == (
            "Found: loop, 5  searching 1 of 3 shards (esc cancels)"
        )
        await pilot.press("s")
        await until(pilot, lambda: [n for n in app._notifications if "can be sorted" in n.message])
        await pilot.press("n")
        await until(pilot, lambda: current(screen) == LOOPS[1])
        await pilot.press("escape")
        await settle(pilot)
        assert not screen.searching
        assert str(screen.table.border_title) == "Found: loop, 5  not all: it was cancelled"
        assert current(screen) == LOOPS[1], "what was found stays"


def test_samples_where(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p").folder

    def samples(*arguments: str) -> tuple[int, str, str]:
        result = run_cli("samples", project, *arguments)
        return result.returncode, result.stdout, result.stderr

    code, out, err = samples("--where", "otter:loop", "--count", "2", "--json")
    assert code == 0
    assert [(image["shard"], image["i"]) for image in json.loads(out)] == LOOPS[:2]
    assert err.endswith("30 records found; --count N shows more\n")
    code, out, err = samples("--where", "refusal", "--model", "llava-1.5")
    assert "007.jpg" in out
    assert "otter" not in out
    assert "1 record found" in err
    assert samples("--where", "zebra") == (0, "", "0 records found\n")
    assert samples("--where", "refusal", "--flagged")[1] == ""
    code, _, err = samples("--where", "words<few")
    assert code == 2
    assert "words<few: words needs a number, such as words<5. A search is made of: dog" in err

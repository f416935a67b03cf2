"""The Quality screen, driven by keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from db import projects, ratings
from db.connection import writing
from db.rows import Rating
from engine.datasets.exports.export import ExportOptions, count_captions
from engine.operations.last_quality import QualityReport, count_quality, read_last_quality
from engine.process.background import BackgroundCall, Cancelled
from engine.project.layout import Project
from tests.support import canned_rows
from tests.support.judged_project import copy_judged_project
from tests.support.numbered_project import make_numbered_project
from tests.support.waiting import wait_for
from tests.tui.conftest import label_text, press, ready, settle, until
from tui.app import MllmaugApp
from tui.screens.quality import Quality
from tui.screens.samples import Samples
from tui.widgets.quality_plots import QualityPlots
from tui.widgets.tables.quality_tables import DefectTable, QualityTable
from tui.widgets.tables.record_table import RecordTable

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


async def quality(pilot: Pilot[Path]) -> tuple[QualityTable, DefectTable]:
    """Open the screen, and wait until everything is counted."""
    app = pilot.app
    await ready(pilot)
    await press(pilot, "6")
    screen = app.screen
    assert isinstance(screen, Quality)
    await until(pilot, lambda: screen.report is not None and not screen.count_job.running)
    return screen.models, screen.defects


def drawn(app: Any) -> str:
    """Return the text of the screen in front."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_what_is_counted_is_shown_model_by_model(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        models, defects = await quality(pilot)
        assert [row.name for row in models.rows] == ["original", "llava-1.5", "otter", "qwen-vl"]
        await press(pilot, "j", "j")
        assert defects.rows[0].name == "loops"
        assert defects.border_title == "Defects of otter, 60 captions"
        example = label_text(app, "#example")
        assert "30 of 60 loop: alarming (over 30%)" in example
        assert "00000/0  standing standing sleeping" in example
        shown = drawn(app)
        assert "loops: alarming" in shown
        assert "180 captions counted 10-09 08:53:20" in shown
        assert "An export holds 180 captions of 3 models" in shown
        await press(pilot, "j", "k", "k")
        assert defects.cursor == 0
        assert "refusals: few" in drawn(app)
        await press(pilot, "tab", "j")
        assert "1 of 60 leaks a prompt or template" in label_text(app, "#example")
        await press(pilot, "escape")
        assert app.screen.focused is models


async def test_the_plots_one_after_another(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await quality(pilot)
        await press(pilot, "j", "j")
        plots = app.screen.query_one(QualityPlots)
        titles = []
        for _ in range(3):
            titles.append(str(plots.border_title))
            await press(pilot, "v")
        assert titles == ["Words per caption", "Scores of clip", "Defects, shard by shard"]
        assert str(plots.border_title) == titles[0]
        assert "raw 7 (7 to 16)" in str(plots.content)


async def test_enter_goes_through_the_worst_and_comes_back(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        await press(pilot, "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Samples))
        screen = app.screen
        assert isinstance(screen, Samples)
        table = screen.query_one(RecordTable)
        await until(pilot, lambda: table.total == 30)
        assert [(row.shard, row.i) for row in table.rows[:3]] == [(0, 0), (0, 4), (0, 8)]
        assert table.border_title == "loops of otter, 30: esc goes back"
        await until(pilot, lambda: "> otter" in label_text(app, "#captions"))
        shown = label_text(app, "#captions")
        assert shown.index("otter") < shown.index("llava-1.5"), "its caption comes first"
        await press(pilot, "j")
        assert screen.captions.row is not None
        assert (screen.captions.row.shard, screen.captions.row.i) == (0, 4)
        await press(pilot, "escape")
        assert isinstance(app.screen, Quality)
        await press(pilot, "3")
        assert screen.chosen is None
        assert screen.live, "what is captioned lately is listed again"


async def test_rated_captions_are_counted_and_shown(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p")
    with writing(project.database) as connection:
        otter = next(model for model in projects.models(connection) if model.name == "otter")
        rated = {
            (shard, i, otter.id, otter.settings_hash): Rating(i == 3, "")
            for shard, i in ((1, 3), (1, 2), (0, 7))
        }
        ratings.change(connection, rated, [])
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        _, defects = await quality(pilot)
        await press(pilot, "j", "j", "tab", "G")
        assert [row.label for row in defects.rows[-2:]] == ["rated good", "rated bad"]
        assert "2 of 3 rated captions are bad" in label_text(app, "#example")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Samples))
        table = app.screen.query_one(RecordTable)
        await until(pilot, lambda: [(row.shard, row.i) for row in table.rows] == [(0, 7), (1, 2)])
        assert table.border_title == "rated bad of otter, 2: esc goes back"


async def test_o_goes_to_the_lowest_scores(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        _, defects = await quality(pilot)
        await press(pilot, "j", "tab", "G")
        assert defects.current is not None
        assert defects.current.name == "score clip"
        assert "score of clip: 0.506, the mean" in label_text(app, "#example")
        await press(pilot, "k", "o")
        await until(pilot, lambda: isinstance(app.screen, Samples))
        table = app.screen.query_one(RecordTable)
        await until(pilot, lambda: table.total == 60)
        assert "agreement of llava-1.5, 60" in str(table.border_title)
        await press(pilot, "J", *"1/2", "enter")
        await until(pilot, lambda: table.border_title == "Records: shard 00001, 20")
        await press(pilot, "escape")
        assert isinstance(app.screen, Samples), "esc goes back only from the chosen records"


async def test_a_defect_that_no_caption_has_opens_nothing(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        _, defects = await quality(pilot)
        await press(pilot, "j", "j", "j", "tab", "j", "enter")
        assert defects.current is not None
        assert defects.current.count == 0
        assert isinstance(app.screen, Quality)
        assert [n for n in app._notifications if n.message == "no caption has this defect"]


async def test_hostile_captions_are_shown_as_they_are(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        await press(pilot, "j", "tab", "j")
        example = label_text(app, "#example")
        assert "###Human: [person] rides a [bold]bike[/bold] [/x] end ␛[31mred␛[0m" in example
        await press(pilot, "y", "Y", "enter")
        await until(pilot, lambda: isinstance(app.screen, Samples))
        await until(pilot, lambda: "␛[31mred" in label_text(app, "#captions"))


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (
            {"models": ("otter",), "scorer": False},
            ["Agree: the project has one model", "Score: no scorer", "otter"],
        ),
        (
            {"captioned": False},
            [
                "0 captions counted",
                "Agree: no image has two captions with words yet",
                "no caption yet",
            ],
        ),
    ],
    ids=["one model", "no caption"],
)
async def test_what_is_not_there_has_a_reason(
    tmp_path: Path, options: dict[str, Any], texts: list[str]
) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p", **options).folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        await press(pilot, "j")
        shown = drawn(app)
        assert all(text in shown for text in texts)


async def test_what_an_export_with_the_filters_of_its_dialog_would_hold(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        no_filter = "An export holds 180 captions of 3 models: no filter is set (e)"
        assert label_text(app, "#export") == no_filter
        await press(pilot, "e")
        field = app.screen.query_one("#without", Input)
        field.value = "loops,refusals"
        await settle(pilot)
        await press(pilot, "escape")
        filtered = "An export with --without loops,refusals: 149 of 180 captions stay, of 60 images"
        await until(pilot, lambda: label_text(app, "#export").startswith(filtered))
        await press(pilot, "a")
        await until(pilot, lambda: label_text(app, "#export").startswith(filtered))
        await press(pilot, "e")
        session = app.session
        await until(pilot, lambda: session.export_options and not session.export_options.quality)
        await press(pilot, "escape")
        await until(pilot, lambda: label_text(app, "#export") == no_filter)


async def test_the_last_line_counts_what_an_export_writes(tmp_path: Path) -> None:
    signs = ("—", "###", "🙂", "[]", "<think>A dog?</think>", "")

    def make_row(model: str, number: int) -> dict[str, Any]:
        raw = signs[number % 9] if number % 9 < len(signs) else f"{model} sees {number}"
        return {"raw": raw, "tokens": 3, "finish": "stop"}

    project = make_numbered_project(tmp_path, 20, make_row)
    written = count_captions(project, ExportOptions()).counts.captions
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        held = f"An export holds {written} captions of 2 models: no filter is set (e)"
        assert label_text(app, "#export") == held


async def test_scorers_for_which_there_is_no_room_are_named(tmp_path: Path) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=(80, 24)) as pilot:
        models, defects = await quality(pilot)
        for row in models.rows:
            row.scores["siglip"] = row.scores["clip"]
        await pilot.resize_terminal(81, 24)
        await press(pilot, "j", "tab", "G")
        assert "no room for the scores of siglip: below" in label_text(app, "#missing")
        assert defects.current is not None
        assert defects.current.label == "score of siglip"
        await pilot.resize_terminal(140, 36)
        await press(pilot, "k")
        assert "no room" not in label_text(app, "#missing")


@pytest.mark.parametrize("name", canned_rows.HOSTILE_TEXTS)
async def test_hostile_names_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    app = MllmaugApp(copy_judged_project(tmp_path / "p").folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await quality(pilot)
        screen = app.screen
        assert isinstance(screen, Quality)
        assert screen.report is not None
        models = [
            replace(row, name=name, scores={name: row.scores["clip"]})
            for row in screen.report.models
        ]
        screen.show_report(replace(screen.report, models=models))
        await press(pilot, "v", "tab", "G")
        shown = drawn(app)
        assert "score of" in shown
        assert not set(shown) & set("\x1b\x07\r\t")


async def test_damage_is_told(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p")
    project.shard_file(1).write_bytes(b"")
    app = MllmaugApp(project.folder, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "6")
        await until(pilot, lambda: "00001.jsonl" in label_text(app, "#counted"))
        assert label_text(app, "#counted").startswith("not counted: ")


async def test_readonly_writes_nothing(tmp_path: Path) -> None:
    project = copy_judged_project(tmp_path / "p")
    before = sorted(project.folder.rglob("*"))
    app = MllmaugApp(project.folder, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        await press(pilot, "a", "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Samples))
    assert sorted(project.folder.rglob("*")) == before


class HeldCall(BackgroundCall[Any]):
    """A call that waits until it is cancelled."""

    def run(self, progress: Callable[[int, int], None]) -> Any:
        progress(3, 1500)
        wait_for(lambda: self.cancelled)
        raise Cancelled


async def test_what_was_counted_before_is_shown_while_it_is_counted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_judged_project(tmp_path / "p")
    count_quality(project, "en", canned_rows.NOW - 3600)
    monkeypatch.setattr("tui.threads.background_job.BackgroundCall", HeldCall)
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await pilot.press("6")
        counted = "counting 3 of 1,500 shards (esc cancels), 180 captions counted 10-09 07:53:20"
        await until(pilot, lambda: label_text(app, "#counted") == counted)
        screen = app.screen
        assert isinstance(screen, Quality)
        assert screen.models.total == 4
        assert screen.why_not("count") == "captions are being counted (esc cancels)"
        await pilot.press("j", "j", "o")
        await until(pilot, lambda: screen.search_job.running)
        assert screen.why_not("show") == "the worst captions are being searched (esc cancels)"
        await pilot.press("escape")
        await until(pilot, lambda: label_text(app, "#counted") == counted.partition(", ")[2])
        assert not screen.count_job.running
        assert screen.models.total == 4, "what was known stays"
        await pilot.press("a")
        await until(pilot, lambda: screen.count_job.running)
        call = screen.count_job.call
        assert call is not None
    assert call.cancelled, "the end of the application ends the count"


async def test_it_is_counted_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.threads.background_job.BackgroundCall", BackgroundCall)
    project = copy_judged_project(tmp_path / "p")
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        models, _ = await quality(pilot)
        assert models.total == 4
    report = read_last_quality(project)
    assert isinstance(report, QualityReport)
    assert report.counted == canned_rows.NOW


async def test_new_captions_are_counted_on_demand(tmp_path: Path) -> None:
    project: Project = copy_judged_project(tmp_path / "p")
    app = MllmaugApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await quality(pilot)
        screen = app.screen
        assert isinstance(screen, Quality)
        assert screen.report is not None
        screen.report.models.pop()
        await press(pilot, "tab", "j")
        assert "120 captions counted 10-09 08:53:20, 60 new: a counts them" in drawn(app)
        await press(pilot, "a")
        await settle(pilot)
        assert "180 captions counted" in label_text(app, "#counted")

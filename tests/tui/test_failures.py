"""The Failures screen, driven by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input, Static

from db.failures import Cause
from engine.project.layout import Project
from tests.support import canned_projects
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.tui.conftest import FakeRunControl, label_text, press, ready, settle, until
from tui.app import MllmaugApp
from tui.dialogs.confirm import Confirm
from tui.dialogs.details import Details
from tui.dialogs.text_prompt import Ask
from tui.screens.failures import Failures
from tui.screens.samples import Samples
from tui.widgets.tables.cause_table import CauseTable
from tui.widgets.tables.occurrence_table import OccurrenceTable
from tui.widgets.tables.record_table import RecordTable

pytestmark = pytest.mark.asyncio
SIZE = (120, 36)


def make(tmp_path: Path, variant: str = "busy", **options: object) -> MllmaugApp:
    return MllmaugApp(
        canned_projects.copy_canned_project(tmp_path / "p", variant, **options).folder
    )


async def failures(pilot: Pilot[Path], app: MllmaugApp) -> tuple[CauseTable, OccurrenceTable]:
    await ready(pilot)
    await press(pilot, "4")
    assert isinstance(app.screen, Failures)
    causes = app.screen.query_one(CauseTable)
    await until(pilot, lambda: causes.total)
    await settle(pilot)
    return causes, app.screen.query_one(OccurrenceTable)


async def test_causes_with_what_to_do(tmp_path: Path) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        causes, occurrences = await failures(pilot, app)
        assert [row.kind[:7] for row in causes.rows] == ["out of ", "missing", "undecod"]
        assert occurrences.total == 3
        detail = str(app.screen.query_one("#detail", Static).content)
        assert "set a smaller batch" in detail
        assert "00012\nqwen-vl on cuda:5" in detail
        await press(pilot, "j", "enter", "j")
        assert app.focused is occurrences
        assert occurrences.total == 8
        assert "no such file" in str(app.screen.query_one("#detail", Static).content)
        await press(pilot, "enter")
        assert isinstance(app.screen, Details)
        await press(pilot, "escape", "escape")
        assert app.screen.focused is causes


async def test_grouped_by_model_and_by_shard(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        causes, occurrences = await failures(pilot, app)
        await press(pilot, "s")
        assert causes.border_title == "Failures by model"
        groups = [(row.scope, row.model_id, row.kind[:7], row.count) for row in causes.rows]
        assert groups == [
            ("shard", 4, "out of ", 3),
            ("record", 1, "missing", 12),
            ("record", 1, "undecod", 3),
            ("record", 4, "missing", 36),
            ("record", 4, "undecod", 9),
        ]
        await press(pilot, "s", "g")
        assert causes.border_title == "Failures by shard"
        assert [row.shard for row in causes.rows if row.scope == "shard"] == [12, 33, 47]
        await press(pilot, "j", "r")
        assert "of shard 00033" in app.screen.question  # type: ignore[attr-defined]
        await press(pilot, "y")
        assert run_control.calls[0][1]["tasks"] == [3 * 331 + 33 + 1]
        assert occurrences.total == 1
        await press(pilot, "s")
        assert causes.border_title == "Failures by cause"
        assert causes.total == 3


async def test_retry_a_cause(tmp_path: Path, run_control: FakeRunControl) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        causes, _ = await failures(pilot, app)
        await press(pilot, "r")
        assert isinstance(app.screen, Confirm)
        assert "Retry 3 shards: " in app.screen.question
        assert app.focused is app.screen.query_one("#no")
        await press(pilot, "enter")
        assert run_control.calls == []
        await press(pilot, "r", "y")
        ((kind, payload),) = run_control.calls
        assert kind == "retry"
        assert payload["failed_items"] is False
        assert len(payload["tasks"]) == 3  # type: ignore[arg-type]
        await press(pilot, "j", "r", "y")
        assert run_control.calls[1][1]["failed_items"] is True
        assert causes.current is not None


async def test_a_retry_of_rows_decodes_their_images_first(tmp_path: Path) -> None:
    app = MllmaugApp(retried_project(tmp_path).folder)
    async with app.run_test(size=SIZE) as pilot:
        _, occurrences = await failures(pilot, app)
        assert occurrences.total == 1
        await until(pilot, lambda: occurrences.places)
        assert [len(row.failures) for row in occurrences.rows] == [2], "one row an image"
        await press(pilot, "enter", "y", "r", "y")
        assert app.clipboard.endswith("images/000001.png")
        await until(pilot, lambda: "1 missing" in notes(app))
        make_captions(tmp_path / "data", 2)  # which puts the image back
        await press(pilot, "r", "y")
        await until(pilot, lambda: "retry of the failed records of 2 tasks" in notes(app))
        await press(pilot, "U")
        await until(pilot, lambda: "undone: retry of the failed records of 2 tasks" in notes(app))
        await press(pilot, "U")
        await until(pilot, lambda: "there is nothing to undo" in notes(app))


def notes(app: MllmaugApp) -> str:
    return " ".join(note.message for note in app._notifications)


def retried_project(folder: Path) -> Project:
    """Return a project whose two models failed at the same missing image."""
    captions = make_captions(folder / "data", 2)
    (folder / "data" / "images" / "000001.png").unlink()
    models = ("--model", "dry-run", "--model", "other=dry-run")
    cli_ok("new", folder / "p", captions, *models)
    cli_ok("run", folder / "p", "--devices", "cpu")
    return Project(folder / "p")


async def test_exclude_a_cause_or_marked_records(
    tmp_path: Path, run_control: FakeRunControl
) -> None:
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        _, occurrences = await failures(pilot, app)
        await press(pilot, "x")
        assert isinstance(app.screen, Failures), "a shard cannot be excluded"
        await press(pilot, "j", "x")
        assert isinstance(app.screen, Confirm)
        assert "Exclude all 48 images in 4 shards" in app.screen.question
        await press(pilot, "y")
        kind, payload = run_control.calls[0]
        assert kind == "exclude"
        assert payload["failed_as"] == "missing"
        assert [records for _, records in payload["records"]] == [None] * 4  # type: ignore[attr-defined]
        await press(pilot, "enter", "space", "space", "x")
        assert "Exclude 2 images, for the models that failed at them?" in app.screen.question
        await press(pilot, "y")
        assert run_control.calls[1][1]["records"] == [(2, [17, 18])]
        assert not occurrences.marked


async def test_show_the_record_and_write_csv(tmp_path: Path) -> None:
    app = make(tmp_path, shards=60)
    project = Project(tmp_path / "p")
    canned_projects.write_missing_shards(project, 60)
    async with app.run_test(size=SIZE) as pilot:
        await failures(pilot, app)
        await press(pilot, "w")
        assert isinstance(app.screen, Ask)
        field = app.screen.query_one(Input)
        field.value = str(tmp_path / "out.csv")
        await field.action_submit()
        await until(pilot, (tmp_path / "out.csv").exists)
        assert "shard,record" in (tmp_path / "out.csv").read_text()
        await press(pilot, "j", "o")
        assert isinstance(app.screen, Samples)
        table = app.screen.query_one(RecordTable)
        await until(pilot, lambda: table.total == 1)


async def test_a_file_that_is_there_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[Path, bool]] = []

    def write(_: Project, out: Path, __: Cause | None, force: bool, ___: bool) -> str:
        written.append((out, force))
        return "written"

    monkeypatch.setattr("tui.viewmodel.actions.write_failures", write)
    out = tmp_path / "out.csv"
    out.write_text("mine")
    app = make(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await failures(pilot, app)
        for answer in ("n", "y"):
            await press(pilot, "w")
            field = app.screen.query_one(Input)
            field.value = str(out)
            await field.action_submit()
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await press(pilot, answer)
        await until(pilot, lambda: written)
    assert written == [(out, True)]


async def test_nothing_failed(tmp_path: Path) -> None:
    app = make(tmp_path, "create")
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot)
        await press(pilot, "4", "r", "x", "o", "w", "y", "enter")
        assert isinstance(app.screen, Failures)
        assert "nothing failed" in str(app.screen.query_one("#detail", Static).content)


@pytest.mark.parametrize("size", [(80, 24), SIZE, (200, 60)], ids=["80x24", "120x36", "200x60"])
async def test_the_picture_of_a_failed_record(tmp_path: Path, size: tuple[int, int]) -> None:
    app = make(tmp_path, shards=60)
    project = Project(tmp_path / "p")
    shard = (b'{"image": "images/%d [/x].jpg", "caption": ""}\n' % n for n in range(40))
    project.shard_file(1).write_bytes(b"".join(shard))
    images = project.folder / "images" / "images"
    (images / "17 [").mkdir(parents=True)
    (images / "18 [").mkdir()
    Image.new("CMYK", (64, 48), "green").save(images / "17 [/x].jpg")
    async with app.run_test(size=size) as pilot:
        await failures(pilot, app)
        screen = app.screen
        assert isinstance(screen, Failures)
        preview = screen.preview
        assert "no single record" in label_text(app, "#why")
        assert screen.why_not("enlarge") == "no single record is chosen"
        await press(pilot, "j")
        await until(pilot, lambda: preview.border_subtitle == "64x48 CMYK")
        assert preview.image == "images/17 [/x].jpg"
        row = screen.occurrences.current
        assert row is not None
        await until(pilot, lambda: screen.occurrences.place_of(row))
        assert screen.occurrences.image_cell(row) == "images/17 [/x].jpg"
        detail = str(screen.query_one("#detail", Static).content)
        assert f"file  {images}/17 [/x].jpg" in detail
        await press(pilot, "Z")
        assert screen.maximized is preview
        assert preview.region.size == (size[0], size[1] - 2)
        await press(pilot, "down")
        await until(pilot, lambda: "missing: no such file" in label_text(app, "#why"))
        assert preview.image == "images/18 [/x].jpg"
        await press(pilot, "up")
        await until(pilot, lambda: preview.border_subtitle == "64x48 CMYK")
        await press(pilot, "escape")
        assert screen.maximized is None
        assert screen.occurrences.cursor == 0


async def test_why_a_failed_record_has_no_picture(tmp_path: Path) -> None:
    app = make(tmp_path, shards=60)
    project = Project(tmp_path / "p")
    async with app.run_test(size=SIZE) as pilot:
        await failures(pilot, app)
        await press(pilot, "j")
        await until(pilot, lambda: "shard 00001 cannot be read" in label_text(app, "#why"))
        canned_projects.write_missing_shards(project, 60)
        await press(pilot, "k", "j")
        await until(pilot, lambda: "not in its shard file" in label_text(app, "#why"))

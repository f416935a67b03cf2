"""What is said of a finished project, of retries, of failed images and of waits for images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from db.history import Work
from db.rows import DeviceRow, ExportRow, FailedImages
from tests.support.canned_rows import NOW, worker_row
from tests.tui.keys.states import CAUSE, MODEL, progress, snapshot
from tui.viewmodel import finished
from tui.viewmodel.failed_count import failed_line, failed_text
from tui.viewmodel.image_waits import image_waits
from tui.viewmodel.pages import ProjectHistory
from tui.viewmodel.retry import retry_line
from tui.viewmodel.snapshot import DeviceView, LiveWorker

DONE = {"pending": 0, "running": 0, "done": 3, "failed": 1, "skipped": 0}
CAPTIONED = progress(MODEL, 8)
FAILED = replace(CAPTIONED, failed=2)
EXPORT = ExportRow(created=NOW, path="/out.json", format="json", captions=8, images=8)
HISTORY = ProjectHistory(
    {key: Work(began=NOW - 500, ended=NOW - 60, seconds=400.0) for key in (None, 1)},
    {1: 800},
    (EXPORT,),
)
NOTHING = ProjectHistory({}, {}, ())


def test_the_card_of_a_finished_project() -> None:
    shown = snapshot(models=(FAILED,), tasks=DONE, failed_images=FailedImages(2))
    assert finished.result_line(shown) == "8 captions of 10 images"
    assert finished.missing_line(shown) == "2 images failed; 1 task failed"
    assert finished.work_line(shown, HISTORY) == "6m40s of work, from 08:45:00 to 08:52:20"
    line = "otter: 8 captioned, 2 failed, 6m40s, mean 2.0 img/s"
    assert finished.model_line(FAILED, HISTORY) == line
    exported = "exported 08:53:20: 8 captions (json) to /out.json"
    assert list(finished.export_lines(shown, HISTORY)) == [exported]
    assert next(finished.next_steps(shown, HISTORY)) == "r retry failed shards"


def test_the_card_of_an_imported_project() -> None:
    shown = snapshot(models=(CAPTIONED,), tasks=DONE | {"failed": 0})
    assert finished.work_line(shown, NOTHING) is None
    assert finished.model_line(CAPTIONED, NOTHING) == "otter: 8 captioned"
    steps = list(finished.next_steps(shown, NOTHING))
    assert steps == ["3 captions", "e export", "6 quality"]
    assert finished.missing_line(shown) == ""


@pytest.mark.parametrize(
    ("failed", "by_models", "line"),
    [
        (FailedImages(), (0,), ""),
        (FailedImages(1), (1,), "1 image failed"),
        (FailedImages(4), (4, 4, 4), "4 images failed: 12 captions missing"),
        (FailedImages(1), (1, 1), "1 image failed: 2 captions missing"),
        (FailedImages(4, exact=False), (4,), "4+ images failed: 4 captions missing"),
    ],
)
def test_failed_images(failed: FailedImages, by_models: tuple[int, ...], line: str) -> None:
    models = tuple(replace(CAPTIONED, failed=count) for count in by_models)
    assert failed_line(snapshot(models=models, failed_images=failed)) == line


def test_a_score_that_failed_is_no_caption() -> None:
    models = (FAILED, replace(FAILED, is_scorer=True))
    assert failed_line(snapshot(models=models, failed_images=FailedImages(2))) == "2 images failed"


def test_what_failed_for_a_cause() -> None:
    cause = replace(CAUSE, count=12, shards=2, images=FailedImages(4))
    assert failed_text(cause) == "4 images (12 failures) in 2 shards"
    assert failed_text(replace(cause, count=4)) == "4 images in 2 shards"
    assert failed_text(replace(cause, images=None, count=1)) == "1 caption in 2 shards"
    assert failed_text(replace(cause, scope="shard", images=None)) == "12 shards"


@pytest.mark.parametrize(
    ("asked", "left", "line"),
    [
        (0, 0, None),
        (4, 4, "again: 4 images left"),
        (1_000, 1, "again: 1 image left"),
        (4, 0, None),
        (4, 9, "again: 4 images left"),  # its log was damaged: more is left than was asked
    ],
)
def test_a_retry(asked: int, left: int, line: str | None) -> None:
    assert retry_line(replace(CAPTIONED, asked=asked, asked_left=left)) == line


def test_devices_that_wait_for_images() -> None:
    def device(number: int, **values: Any) -> DeviceView:
        row = replace(worker_row(number, f"cuda:{number}", 1, 1), **values)
        return DeviceView(DeviceRow(id=f"cuda:{number}"), LiveWorker(row, None, None), None)

    free = DeviceView(DeviceRow(id="cuda:9"), None, None)
    busy = device(0, image_wait=0.19)
    assert image_waits(snapshot(devices=(busy, free))) is None
    slow = (device(1, image_wait=0.43), device(2, image_wait=1.0))
    said = "waiting for images, of the time: cuda:1 43%, cuda:2 100%"
    assert image_waits(snapshot(devices=(busy, *slow, free))) == said

"""Failures by image: one row an image, whatever the number of models that failed at it."""

from __future__ import annotations

from db.failures import Occurrence
from tui.viewmodel.failures_by_image import ImagePlace, by_image, failure_lines, records_by_task


def occurrence(task_id: int, index: int | None, detail: str = "gone") -> Occurrence:
    return Occurrence(
        task_id=task_id,
        shard=task_id % 10,
        model_id=task_id // 10,
        index=index,
        detail=detail,
        device="cuda:1",
        attempt=2,
        failed_at=60.0 * task_id,
    )


def test_a_row_has_all_models_that_failed_at_its_image() -> None:
    found = [occurrence(12, 7), occurrence(12, 9), occurrence(22, 7), occurrence(13, 7)]
    rows = by_image([*found, occurrence(14, None), occurrence(24, None)])
    assert [(row.name, len(row.failures)) for row in rows] == [
        ("00002/7", 2),
        ("00002/9", 1),
        ("00003/7", 1),
        ("00004", 1),
        ("00004", 1),
    ]
    assert rows[0].failed_at == 60 * 22
    assert len({row.row_key for row in rows}) == 5
    assert records_by_task(rows[:2]) == {12: [7, 9], 22: [7]}


def test_the_lines_say_where_the_image_is_and_what_each_model_met() -> None:
    (row,) = by_image([occurrence(12, 7), occurrence(22, 7, "a \x1b[2J b")])
    place = ImagePlace("a/b.jpg", "/data/a/b.jpg")
    lines = failure_lines(row, place, lambda model: f"model {model}")
    assert lines[:2] == ["00002/7  a/b.jpg", "file  /data/a/b.jpg"]
    assert lines[2].startswith("model 1 on cuda:1, ")
    assert lines[2].endswith("attempt 2")
    assert lines[3] == "  gone"
    assert "\x1b" not in lines[5]
    assert failure_lines(row, None, str)[0] == "00002/7"

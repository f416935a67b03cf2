"""The failure report: every failed record and shard as a CSV table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from engine.operations.failure_causes import find_cause
from engine.operations.failure_report import COLUMNS, failed_images, write_csv
from engine.project.protected_files import save_inputs
from engine.protocol.caption_row import ErrorRow
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tests.support.small_project import RECORDS, SmallProject, caption, error

IMAGES = ("a.jpg", 'b "x".jpg', "c,\nd.jpg", "\udce9.jpg")
"""The images of each shard's records."""


@pytest.fixture
def failed(small: SmallProject) -> SmallProject:
    """The small project with failed records in tasks 1 and 4 (shard 0), and failed task 2."""
    small.project.shards.mkdir()
    for shard in range(3):
        lines = (jsonlines.dumps({"image": image, "caption": ""}) + b"\n" for image in IMAGES)
        small.project.shard_file(shard).write_bytes(b"".join(lines))
    corrupt = ErrorRow(3, "corrupt", "cut, short")
    small.write_log(1, [caption(0), error(2), error(1), corrupt])
    small.write_log(4, [error(i, "corrupt") for i in range(RECORDS)])
    small.take_over_logs()
    small.change_tasks({2: {"state": "failed", "error": "exit code 3"}})
    small.save()
    return small


def read_table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_everything_that_failed_is_in_the_table(failed: SmallProject, tmp_path: Path) -> None:
    out = tmp_path / "failures.csv"
    assert write_csv(failed.project, out) == 8
    head, *lines = read_table(out)
    assert tuple(head) == COLUMNS
    assert lines[:4] == [
        ["0", "1", IMAGES[1], "dry-run", "missing", "it is not there"],
        ["0", "2", IMAGES[2], "dry-run", "missing", "it is not there"],
        ["0", "3", "\\udce9.jpg", "dry-run", "corrupt", "cut, short"],
        ["1", "", "", "dry-run", "shard", "exit code 3"],
    ]
    assert {tuple(line[3:5]) for line in lines[4:]} == {("served", "corrupt")}


@pytest.mark.parametrize(
    ("kind", "records"),
    [("missing", [("0", "1"), ("0", "2")]), ("exit code 3", [("1", "")])],
)
def test_one_cause_alone(
    failed: SmallProject, tmp_path: Path, kind: str, records: list[tuple[str, str]]
) -> None:
    out = tmp_path / "failures.csv"
    write_csv(failed.project, out, find_cause(failed.project, kind))
    assert [tuple(line[:2]) for line in read_table(out)[1:]] == records


def test_each_image_once_with_all_that_happened(failed: SmallProject) -> None:
    """The images of a shard are together, whatever models they failed with."""
    failed.write_log(6, [error(1)])
    failed.take_over_logs()
    lines = [(it.shard, it.i, it.image, it.reason) for it in failed_images(failed.project)]
    gone, bad = "missing: it is not there", "corrupt: it is not there"
    assert lines == [
        (0, 0, IMAGES[0], f"{bad} (served)"),
        (0, 1, IMAGES[1], f"{gone} (dry-run); {bad} (served)"),
        (0, 2, IMAGES[2], f"{gone} (dry-run); {bad} (served)"),
        (0, 3, IMAGES[3], f"corrupt: cut, short (dry-run); {bad} (served)"),
        (2, 1, IMAGES[1], f"{gone} (served)"),
    ]
    missing = failed_images(failed.project, find_cause(failed.project, "missing"))
    assert [(it.shard, it.i) for it in missing] == [(0, 1), (0, 2), (2, 1)]
    shard = find_cause(failed.project, "exit code 3")
    assert not list(failed_images(failed.project, shard))


def test_what_cannot_be_written_leaves_nothing(failed: SmallProject, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot write .*No such file or directory"):
        write_csv(failed.project, tmp_path / "none" / "failures.csv")
    failed.project.shard_file(0).unlink()
    out = tmp_path / "failures.csv"
    out.write_text("old")
    save_inputs(failed.project, [])
    with pytest.raises(BadInput, match=r"shards/00000.jsonl is missing: put it back"):
        write_csv(failed.project, out, force=True)
    assert out.read_text() == "old"
    assert not list(tmp_path.glob("*.part"))


def test_a_cause_that_nothing_failed_for(failed: SmallProject) -> None:
    with pytest.raises(BadInput, match=r"cause 'x': the causes are 'exit code 3', 'corrupt'"):
        find_cause(failed.project, "x")

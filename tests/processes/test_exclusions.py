"""Excluded records in whole runs: left out of exports, and not captioned again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from db import projects
from db.connection import reading
from engine.project.opening import open_project
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions


def test_excluded_records_are_left_out_and_not_asked_for_again(tmp_path: Path) -> None:
    captions = make_captions(tmp_path / "data", 20)
    for number in (3, 14):
        (tmp_path / "data" / f"images/{number:06}.png").unlink()
    (tmp_path / "data" / "images/000007.png").write_text("no image")
    folder = tmp_path / "run"
    cli_ok("new", folder, captions, "--model", "dry-run", "--shard-size", 10)
    cli_ok("run", folder, "--devices", "cpu")
    output = cli_ok("exclude", folder, "--cause", "missing")
    assert output == "excluded: 2 records of 2 shards\n"

    cli_ok("export", folder, tmp_path / "out.json")
    assert len(json.loads((tmp_path / "out.json").read_text())) == 17
    status = cli_ok("status", folder)
    assert "excluded: 2 images in 2 shards" in status
    assert "corrupt: 1 image in 1 shard " in status

    shutil.copy(tmp_path / "data/images/000000.png", tmp_path / "data/images/000007.png")
    # The failed records of the first shard, of which one is excluded, and all of the second.
    assert "of 1 task" in cli_ok("retry", folder, "--failed-items")
    cli_ok("retry", folder, "--shard", 1)
    project = open_project(folder)
    with reading(project.database) as connection:
        (model,) = projects.models(connection)
        assert [task.left for task in projects.tasks(connection)] == [1, 9]
    cli_ok("run", folder, "--devices", "cpu")
    rows = [
        [json.loads(line) for line in project.caption_log_file(model, n).read_text().splitlines()]
        for n in range(2)
    ]
    assert [row.get("error") for row in rows[0] if row["i"] == 3] == ["missing", "excluded"]
    assert [row.get("error") for row in rows[1] if row["i"] == 4] == ["missing", "excluded"]
    assert [sum(row["i"] == 7 for row in rows[n]) for n in range(2)] == [2, 2]

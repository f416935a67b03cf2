"""The demonstration with real models and processes, from drawn scenes to merged captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db.connection import writing
from engine.demo import scenes
from engine.demo.phrasing import PHRASINGS
from engine.demo.truth_check import describes
from engine.operations.demo_project import MODELS, SEED, make_demo
from engine.project.opening import open_project
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok, status

COUNT = 40


def test_demo_captions_what_was_drawn_with_any_number_of_workers(tmp_path: Path) -> None:
    merged = []
    for devices in ("cpu", "cpu:2"):
        folder = tmp_path / devices.replace(":", "-")
        output = cli_ok("demo", folder, "--images", COUNT, "--headless", "--devices", devices)
        assert f"{len(MODELS) * COUNT} captions of {COUNT} images" in output
        merged.append((folder / "merged.json").read_bytes())
    # Two of the four are sampled, and yet the same: the noise depends on seed and record alone.
    assert merged[0] == merged[1]

    truths = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    captions = json.loads(merged[0])
    drawn = [scenes.make_scene(SEED, index) for index in range(COUNT)]
    for position, model in enumerate(MODELS):
        of_model = captions[position :: len(MODELS)]
        assert [record["image"] for record in of_model] == [record["image"] for record in truths]
        texts = [record["caption"] for record in of_model]
        assert sum(map(describes, texts, drawn)) >= 0.9 * COUNT, model
        expected = map(PHRASINGS[model].sentence, drawn)
        assert sum(map(str.__eq__, texts, expected)) >= 0.9 * COUNT, model
    assert of_model[0]["caption"] == truths[0]["truth"]

    project = open_project(folder)
    rows = [
        json.loads(line)
        for log in project.captions.glob("*/?????.jsonl")
        for line in log.read_text().splitlines()
    ]
    assert all(0 < row["tokens"] <= 30 for row in rows)
    assert {row["finish"] for row in rows} == {"stop", "length"}
    final = status(folder)
    assert final["state"] == "finished"
    assert [model["name"] for model in final["models"]] == list(MODELS)


def test_demo_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    scenes.write_scenes(tmp_path / "other", 3, 5)
    (tmp_path / "other" / "captions.json").unlink()

    refused = cli("demo", tmp_path / "other", "--headless")
    assert refused.returncode == 2
    assert "is not empty" in refused.stderr


def test_demo_takes_over_a_demo_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    project = make_demo(folder, 3)
    assert make_demo(folder, None) == make_demo(folder, 3) == project
    with pytest.raises(BadInput, match="holds a demo of 3 scenes"):
        make_demo(folder, 4)
    with writing(project.database) as connection:
        connection.exec_driver_sql("UPDATE model SET checkpoint = '/mine' WHERE name = 'otter'")
    with pytest.raises(BadInput, match="holds a project that is no demo"):
        make_demo(folder, None)

"""The demonstration, from drawn scenes to merged captions, through the real models."""

from __future__ import annotations

import json

from engine.demo import scenes
from engine.demo.phrasing import VOICES
from engine.demo.truth_check import describes
from engine.project.opening import open_project
from tests.support.cli import cli, cli_ok, status
from tui.cli.demo import MODELS, SEED

COUNT = 40


def test_demo_captions_what_was_drawn_with_any_number_of_workers(tmp_path):
    merged = []
    for devices in ("cpu", "cpu:2"):
        folder = tmp_path / devices.replace(":", "-")
        said = cli_ok("demo", folder, "--images", COUNT, "--headless", "--devices", devices)
        assert f"{len(MODELS) * COUNT} captions of {COUNT} images" in said
        merged.append((folder / "merged.json").read_bytes())
    # Two of the four are sampled, and yet the same: the noise depends on seed and record alone.
    assert merged[0] == merged[1]

    truths = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    captions = json.loads(merged[0])
    drawn = [scenes.scene(SEED, index) for index in range(COUNT)]
    for place, model in enumerate(MODELS):
        of_model = captions[place :: len(MODELS)]
        assert [record["image"] for record in of_model] == [record["image"] for record in truths]
        texts = [record["caption"] for record in of_model]
        assert sum(map(describes, texts, drawn)) >= 0.9 * COUNT, model
        right = map(VOICES[model].sentence, drawn)
        assert sum(map(str.__eq__, texts, right)) >= 0.9 * COUNT, model
    assert of_model[0]["caption"] == truths[0]["truth"]

    project = open_project(folder)
    rows = [
        json.loads(line)
        for log in project.captions.glob("*/?????.jsonl")
        for line in log.read_text().splitlines()
    ]
    assert all(0 < row["tokens"] <= 30 for row in rows)
    assert {row["finish"] for row in rows} == {"stop", "length"}
    found = status(folder)
    assert found["state"] == "finished"
    assert [model["name"] for model in found["models"]] == list(MODELS)


def test_demo_goes_on_with_what_is_there(tmp_path):
    scenes.write(tmp_path / "other", 3, 5)
    (tmp_path / "other" / "captions.json").unlink()

    refused = cli("demo", tmp_path / "other", "--headless")
    assert refused.returncode == 2
    assert "is not empty" in refused.stderr

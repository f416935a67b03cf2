"""The demonstration, from drawn scenes to merged captions, through the real model."""

from __future__ import annotations

import json

from engine.demo import scenes
from engine.project import Project
from tests.support import cli, cli_ok, status

COUNT = 60


def test_demo_captions_what_was_drawn_with_any_number_of_workers(tmp_path):
    merged = []
    for devices in ("cpu", "cpu:2"):
        folder = tmp_path / devices.replace(":", "-")
        said = cli_ok("demo", folder, "--images", COUNT, "--headless", "--devices", devices)
        assert f"{COUNT} captions of {COUNT} images" in said
        merged.append((folder / "merged.json").read_bytes())
    # Sampled at temperature 0.2, and yet the same: the noise depends on seed and record alone.
    assert merged[0] == merged[1]

    truths = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    captions = json.loads(merged[0])
    assert [record["image"] for record in captions] == [record["image"] for record in truths]
    right = sum(c["caption"] == t["truth"] for c, t in zip(captions, truths, strict=True))
    assert right >= 0.93 * COUNT

    project = Project.open(folder)
    rows = [
        json.loads(line)
        for log in project.captions.glob("*/?????.jsonl")
        for line in log.read_text().splitlines()
    ]
    assert all(row["raw"].startswith(tuple("AT")) for row in rows)
    assert all(0 < row["tokens"] <= 30 for row in rows)
    assert {row["finish"] for row in rows} == {"stop", "length"}
    found = status(folder)
    assert found["state"] == "finished"
    assert [model["name"] for model in found["models"]] == ["llava-1.5"]


def test_demo_goes_on_with_what_is_there(tmp_path):
    scenes.write(tmp_path / "other", 3, 5)
    (tmp_path / "other" / "captions.json").unlink()

    refused = cli("demo", tmp_path / "other", "--headless")
    assert refused.returncode == 2
    assert "is not empty" in refused.stderr

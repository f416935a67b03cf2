"""The demonstration with real models and processes, from drawn scenes to merged captions."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from db import projects
from db.connection import reading, writing
from db.rows import ModelRow
from engine.captioners.registry import FAMILIES, Settings
from engine.demo import scenes
from engine.demo.phrasing import PHRASINGS
from engine.demo.truth_check import describes
from engine.images.image import open_image
from engine.operations.demo_project import MODELS, SCORER, SEED, SHARDS, make_demo
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.project.score_log import read_scores, score_of
from engine.utils.errors import BadInput
from tests.support.checkpoint_fixtures import one_thread  # noqa: F401 (pytest finds it by name)
from tests.support.cli import cli, status
from tests.support.forked import ForkedCommand

COUNT = 40


def test_demo_captions_what_was_drawn_and_any_process_says_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    without_a_terminal = ForkedCommand("demo", folder, "--images", COUNT, "--devices", "cpu")
    output = without_a_terminal.communicate()[0]
    assert without_a_terminal.returncode == 0
    assert f"{len(MODELS) * COUNT} captions of {COUNT} images" in output
    assert "sheared" in output and str(folder / "merged.json") in output

    truths = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    captions = json.loads((folder / "merged.json").read_bytes())
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
    with reading(project.database) as connection:
        *models, scorer = projects.models(connection)
        shards = projects.shards(connection)
    rows = {row.name: caption_rows(project, row) for row in models}
    everything = [caption for captions_of_model in rows.values() for caption in captions_of_model]
    assert all(0 < caption["tokens"] <= 30 for caption in everything)
    assert {caption["finish"] for caption in everything} == {"stop", "length"}
    # Two of the four are sampled, and yet the same: the noise depends on seed and record alone.
    sampled = [row for row in models if row.settings["temperature"]]
    assert len(sampled) == 2
    for row in sampled:
        assert [caption["raw"] for caption in rows[row.name]] == captions_here(folder, row)

    for shard in shards:
        scores = read_scores(project, scorer, shard)
        for i in range(shard.count):
            record = shard.first + i
            raw = [score_of(scores, i, rows[model][record]["raw"]) for model in MODELS]
            sheared = [
                score_of(scores, i, captions[len(MODELS) * record + n]["caption"])
                for n in range(len(MODELS))
            ]
            assert None not in (*raw, *sheared)

    final = status(folder)
    assert final["state"] == "finished"
    assert [model["name"] for model in final["models"]] == [*MODELS, SCORER]


def caption_rows(project: Project, model: ModelRow) -> list[dict[str, Any]]:
    """Return the rows of the model's caption logs, by record id."""
    logs = (project.caption_log_file(model, n) for n in range(SHARDS))
    shards = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
    return [row for rows in shards for row in sorted(rows, key=itemgetter("i"))]


def captions_here(folder: Path, model: ModelRow) -> list[str]:
    """Return what the model says of each scene in this process, in batches of seven."""
    settings = Settings.of(dict(model.settings))
    captioner: Any = FAMILIES[model.family].load(model.checkpoint, settings, "cpu")
    paths = sorted((folder / "images").iterdir())
    images = [captioner.prepare(open_image(str(path))) for path in paths]
    captions = []
    for first in range(0, COUNT, 7):
        batch = images[first : first + 7]
        captions += captioner.caption(batch, range(first, first + len(batch)))
    return [caption.raw for caption in captions]


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
    with pytest.raises(BadInput, match="holds a project that is not a demo"):
        make_demo(folder, None)

"""What quality says of captions of a demonstration, of which the truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.demo.scenes import SCENES_FILE, make_scene, true_caption
from engine.operations.demo_project import SEED, make_demo
from engine.operations.quality import measure_quality
from engine.operations.scene_truth import known_scenes
from engine.project.layout import Project
from tests.support.projects import write_captions
from tui.formatting.quality_table import quality_lines

IMAGES = 4
"""Each has a shard of its own."""


def said(model: str, shard: int, i: int) -> dict[str, Any]:
    """A true first sentence and an invented dog; Otter's first sentence is of another scene."""
    scene = make_scene(SEED + (model == "otter"), shard + i)
    raw = f"{true_caption(scene)}. A dog is sitting nearby."
    return {"raw": raw, "tokens": 20, "finish": "stop"}


@pytest.fixture
def demo(tmp_path: Path) -> Project:
    project = make_demo(tmp_path / "run", IMAGES)
    write_captions(project, said)
    return project


def test_hallucination_before_and_after_shearing(demo: Project) -> None:
    qualities = {each.name: each for each in measure_quality(demo)}
    assert qualities["original"].as_dict(False)["shearing"] is None
    shearing = qualities["llava-1.5"].as_dict(False)["shearing"]
    assert shearing["captions_cut"] == shearing["sentences_cut"] == IMAGES
    assert shearing["words_cut"] == 5 * IMAGES
    assert shearing["truth"]["raw"] == {
        "wrong_claims": 1.0,
        "chair_i": pytest.approx(1 / 3, abs=1e-4),
        "chair_s": 1.0,
    }
    assert shearing["truth"]["sheared"] == {"wrong_claims": 0.0, "chair_i": 0.0, "chair_s": 0.0}
    assert shearing["agreement"]["raw"] != shearing["agreement"]["sheared"]
    assert shearing["agreement"]["sheared"] == qualities["llava-1.5"].as_dict(False)["agreement"]
    assert shearing["scores"].keys() == qualities["llava-1.5"].scores.keys()
    otter, llava = qualities["otter"].agreement or 0, qualities["llava-1.5"].agreement or 0
    assert otter < llava


def test_the_table_shows_what_shearing_changes(demo: Project) -> None:
    lines = list(quality_lines(measure_quality(demo, ["llava-1.5"]), with_shards=False))
    shown = {line[:35].strip(): line[35:].split() for line in lines}
    assert shown["wrong claims per caption"] == ["-", "1.000", ">", "0.000"]
    assert shown["captions with any (CHAIR s)"] == ["-", "100%", ">", "0%"]
    assert shown["cut by shearing"] == ["-", "4", "(100.0%)"]


def test_a_project_of_other_images_has_no_truth(demo: Project) -> None:
    for contents in ('{"image": "a.jpg", "truth": "A dog"}\n', "no JSON\n", "[1]\n", ""):
        (demo.folder / SCENES_FILE).write_text(contents)
        assert known_scenes(demo) == []
    (demo.folder / SCENES_FILE).unlink()
    qualities = measure_quality(demo, ["otter"])
    assert qualities[1].as_dict(False)["shearing"]["truth"] is None
    assert not any("CHAIR" in line for line in quality_lines(qualities, with_shards=False))

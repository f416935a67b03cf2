"""The bench of retrieval: what each arm is trained on, and its quick form."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import alt_text, make_scene
from engine.operations.demo_project import MODELS
from engine.project.layout import Project
from tests.bench import retrieval, scene_captions, tiny_clip
from tests.bench.retrieval import Batches, Outcome, Recalls, Run, Size
from tests.bench.scene_captions import NEUTRAL, OWN
from tests.bench.tiny_clip import words_of
from tests.support.projects import write_captions

SIZE = Size(scenes=64, tests=20, steps=2, seeds=1)


def sheared(model: str, index: int) -> str:
    return PHRASINGS[model].sentence(make_scene(SIZE.seed, index))


def raw(model: str, index: int) -> str:
    rng = random.Random(f"{model} {index}")
    more = PHRASINGS[model].continuation(make_scene(SIZE.seed, index), rng)
    return f"{sheared(model, index)}. {more}"


def write_as_models_do(project: Path) -> None:
    """Write what the demo models would say: four of them to load would take some 10 CPU seconds."""

    def row(model: str, shard: int, i: int) -> dict[str, Any]:
        return {"raw": raw(model, i), "tokens": 20, "finish": "stop"}

    write_captions(Project(project), row)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captioned and exported project."""
    folder = tmp_path_factory.mktemp("retrieval")
    write_as_models_do(scene_captions.write_project(folder, SIZE.scenes, SIZE.seed))
    scene_captions.export(folder / "run", folder / "captions.jsonl")
    retrieval.save_pictures(folder)
    return folder


def pairs(folder: Path, arm: str, mix: float | None = None) -> list[tuple[int, str]]:
    """Return the (scene, caption) of the first epoch of an arm."""
    batches = Batches(Run(arm, 0, folder, SIZE, mix))
    batches.start_epoch()
    assert sorted(batches.order) == list(range(SIZE.scenes))
    return [batches.pair(index) for index in batches.order]


@pytest.mark.parametrize("arm", ["original", "joint", "raw", "truth", *MODELS])
def test_an_arm_has_captions_of_the_same_image(folder: Path, arm: str) -> None:
    for index, text in pairs(folder, arm):
        scene = make_scene(SIZE.seed, index)
        allowed = {
            "original": [alt_text(scene)],
            "joint": [alt_text(scene), *(sheared(model, index) for model in MODELS)],
            "raw": [alt_text(scene), *(raw(model, index) for model in MODELS)],
            "truth": [wording(scene) for wording in (*NEUTRAL, *OWN)],
        }
        assert text in allowed.get(arm, [sheared(arm, index)] if arm in MODELS else [])


def test_joint_draws_every_kind_of_caption_and_mix_that_share_of_originals(folder: Path) -> None:
    def originals(arm: str, mix: float | None = None) -> int:
        found = pairs(folder, arm, mix)
        return sum(text == alt_text(make_scene(SIZE.seed, index)) for index, text in found)

    assert 4 < originals("joint") < 24  # 64 / 5
    assert 38 < originals("mix 0.8", 0.8) < 61  # 64 x 0.8
    kinds = Counter(text.split()[0] for _, text in pairs(folder, "joint"))
    assert {"The", "On", "In"} <= kinds.keys()


def test_shuffled_has_captions_of_other_images(folder: Path) -> None:
    own = sum(
        text in (alt_text(make_scene(SIZE.seed, index)), *(sheared(m, index) for m in MODELS))
        for index, text in pairs(folder, "shuffled")
    )
    assert own < 8  # of 64: by chance 1 keeps its place


def test_neutral_wordings_say_everything_and_are_nobodys() -> None:
    for scene in scene_captions.unseen_scenes(SIZE.seed, SIZE.scenes, 20):
        told = (scene.first.name, scene.second.name, scene.relation, scene.background)
        frames = {
            wording: set(words_of(re.sub("|".join(told), "", wording(scene)))) - {"a", "an", ","}
            for wording in (*NEUTRAL, *OWN)
        }
        for wording in NEUTRAL:
            assert all(part in wording(scene) for part in told)
            assert frames[wording]
            assert not any(frames[wording] & frames[own] for own in OWN)


def test_unseen_scenes_are_other_scenes_than_those_of_training() -> None:
    scenes = scene_captions.unseen_scenes(SIZE.seed, SIZE.scenes, 20)
    assert min(scene.index for scene in scenes) >= SIZE.scenes
    assert len({OWN[0](scene) for scene in scenes}) == 20


def test_the_model_learns_which_text_goes_with_which_picture() -> None:
    torch.manual_seed(0)
    side = tiny_clip.SIDE + 2 * tiny_clip.MARGIN
    pictures = torch.randint(0, 256, (8, 3, 1, 1), dtype=torch.uint8).expand(8, 3, side, side)
    texts = [f"the colour {name}" for name in "abcdefgh"]
    vocabulary = tiny_clip.Vocabulary(texts)
    trained = tiny_clip.train(vocabulary, lambda: (pictures, texts), steps=40, seed=0)
    assert tiny_clip.recall(trained, pictures, texts) == (1.0, 1.0)
    others = ["unknown words", *texts[1:]]
    assert max(tiny_clip.recall(trained, pictures, others)) < 1.0


@pytest.mark.parametrize(("to_text", "fails"), [(0.02, False), (0.021, True), (0.4, True)])
def test_shuffled_captions_above_chance_end_the_bench(to_text: float, fails: bool) -> None:
    run = Run("shuffled", 0, Path(), Size())
    outcome = Outcome(Recalls(to_text, 0.002), Recalls(0.002, 0.002))
    if not fails:
        retrieval.refuse_leaks([(run, outcome)], 500)
        return
    with pytest.raises(SystemExit, match="FAILED: trained on shuffled captions"):
        retrieval.refuse_leaks([(run, outcome)], 500)


def test_the_quick_form_prints_each_run_the_table_and_what_it_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scene_captions, "caption", write_as_models_do)
    monkeypatch.setattr(retrieval, "QUICK", SIZE)
    with pytest.raises(SystemExit) as ended:
        retrieval.main(["--quick"])
    assert ended.value.code == 0
    check_output(capsys.readouterr().out)


@pytest.mark.slow
def test_the_quick_form_as_people_run_it() -> None:
    command = [sys.executable, "-m", "tests.bench", "retrieval", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_output(done.stdout)


def check_output(output: str) -> None:
    lines = output.splitlines()
    figures = [json.loads(line) for line in lines if line.startswith("{")]
    arms = ["original", "joint", "raw", *MODELS, "shuffled", "truth"]
    arms += [f"mix {mix}" for mix in retrieval.MIXES]
    assert [line["arm"] for line in figures] == arms
    assert all(0 <= line["value"] <= 1 and line["seed"] == 0 for line in figures)
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert rows[2:] == arms
    assert "was the best" in lines[-1] and lines[-1].endswith(retrieval.NOT_EVIDENCE)

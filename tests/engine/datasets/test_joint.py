"""`JointCaptions`, of a project and of every export that it reads."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from engine.datasets import JointCaptions
from engine.datasets.joint import Sample
from engine.operations.new_project import NewProject, create
from engine.utils.errors import BadInput
from tests.support.cli import cli_ok
from tests.support.pictures import make_captions
from tests.support.projects import model_choice, write_captions

COUNT = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint")
    captions = make_captions(folder, COUNT)
    models = [model_choice("one"), model_choice("two")]
    made = create(
        folder / "run", NewProject(captions=[captions], models=models, shard_size=25)
    ).project
    write_captions(made, lambda model, shard, i: caption_row(model, shard * 25 + i))
    return made.folder


def caption_row(model: str, number: int) -> dict[str, int | str]:
    """Return the caption log's row of a record id, without its index."""
    if model == "two" and number == 7:
        return {"error": "corrupt", "detail": ""}
    return {"raw": f"{model} {number}. End", "tokens": 3, "finish": "stop"}


def expected(number: int) -> list[str]:
    captions = [f"alt text {number}", f"one {number}", f"two {number}"]
    return captions[: 2 if number == 7 else 3]


@pytest.fixture(params=["project", "json", "jsonl", "columns", "per-model"])
def source(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Path:
    if request.param == "project":
        return project
    cli_ok("export", project, tmp_path / "out", "--format", request.param, "--with-original")
    return tmp_path / "out"


def test_it_reads_the_project_and_every_export_alike(source: Path, project: Path) -> None:
    data = JointCaptions(source, image_root=project.parent)
    assert issubclass(JointCaptions, Dataset)
    assert len(data) == COUNT
    for number, sample in enumerate(data):
        assert sample.captions == expected(number)
        assert sample.caption in sample.captions
        assert sample.image == str(project.parent / f"images/{number:06}.png")


def test_flagged_records_can_be_left_out(project: Path, tmp_path: Path) -> None:
    run = shutil.copytree(project, tmp_path / "run")
    cli_ok("flag", run, "0:3", "1:0")  # records 3 and 25
    assert len(JointCaptions(run)) == COUNT
    originals = [sample.captions[0] for sample in JointCaptions(run, without_flagged=True)]
    assert originals == [f"alt text {n}" for n in range(COUNT) if n not in (3, 25)]
    cli_ok("export", run, tmp_path / "out.json")
    with pytest.raises(BadInput, match="without_flagged needs the project"):
        JointCaptions(tmp_path / "out.json", without_flagged=True)


def test_the_draw_depends_on_seed_and_epoch_alone(project: Path) -> None:
    data = JointCaptions(project, seed=3, transform=caption_of)
    first = list(data)
    assert first == list(JointCaptions(project, seed=3, transform=caption_of))
    assert first != list(JointCaptions(project, seed=4, transform=caption_of))
    drawn: Counter[str] = Counter()
    for epoch in range(30):
        data.set_epoch(epoch)
        drawn.update(caption.split()[0] for caption in data)
    assert all(abs(drawn[name] - 10 * COUNT) < 100 for name in ("alt", "one", "two"))


def caption_of(sample: Sample) -> str:
    return sample.caption


def test_the_epoch_reaches_persistent_workers(project: Path) -> None:
    data = JointCaptions(project, transform=caption_of)
    loader = DataLoader(
        data,
        batch_size=8,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    for epoch in range(2):
        data.set_epoch(epoch)
        assert [caption for batch in loader for caption in batch] == list(data)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name a project"):
        JointCaptions()
    with pytest.raises(BadInput, match="holds no project"):
        JointCaptions(tmp_path)
    with pytest.raises(BadInput, match="cannot read"):
        JointCaptions(tmp_path / "none.json")


def test_it_can_be_sent_to_another_process(source: Path) -> None:
    data = JointCaptions(source)
    assert list(pickle.loads(pickle.dumps(data))) == list(data)

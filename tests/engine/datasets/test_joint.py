"""`JointCaptions`, of a project and of every export that it reads."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from pathlib import Path

import pytest
from torch import distributed
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
        return {"error": "poison", "detail": ""}
    return {"raw": f"{model} {number}. End.", "tokens": 3, "finish": "stop"}


def expected(number: int) -> list[str]:
    captions = [f"alt text {number}", f"one {number}", f"two {number}"]
    return captions[: 2 if number == 7 else 3]


@pytest.fixture(params=["project", "json", "jsonl", "columns", "per-model"])
def source(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Path:
    return export_of(project, tmp_path, request.param)


def export_of(project: Path, folder: Path, format: str) -> Path:
    """Return the project, or what `export` makes of it in this format."""
    if format == "project":
        return project
    cli_ok("export", project, folder / "out", "--format", format, "--with-original")
    return folder / "out"


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
    with pytest.raises(BadInput, match="keep_unreadable needs the project"):
        JointCaptions(tmp_path / "out.json", keep_unreadable=True)


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


def test_images_known_to_be_unreadable_are_left_out(tmp_path: Path) -> None:
    captions = make_captions(tmp_path, 12)
    errors = {2: "missing", 5: "corrupt", 7: "excluded", 9: "refused"}

    def row(model: str, shard: int, i: int) -> dict[str, int | str]:
        if i in errors and (model == "two" or i != 5):
            return {"error": errors[i], "detail": ""}
        return caption_row(model, i)

    models = [model_choice("one"), model_choice("two")]
    made = create(tmp_path / "run", NewProject(captions=[captions], models=models)).project
    write_captions(made, row)
    originals = [sample.captions[0] for sample in JointCaptions(made.folder)]
    assert originals == [f"alt text {number}" for number in range(12) if number not in (2, 5, 7)]
    everything = JointCaptions(made.folder, keep_unreadable=True)
    assert [sample.captions[0] for sample in everything] == [f"alt text {n}" for n in range(12)]
    assert everything[5].captions == ["alt text 5", "one 5"]


def test_columns_beside_the_captions_are_no_captions(project: Path, tmp_path: Path) -> None:
    options = ["--format", "columns", "--with-original", "--uid", "--captions-list", "--provenance"]
    cli_ok("export", project, tmp_path / "out.jsonl", *options)
    data = JointCaptions(tmp_path / "out.jsonl")
    assert [sample.captions for sample in data] == list(map(expected, range(COUNT)))


@pytest.mark.parametrize("format", ["project", "columns", "per-model"])
def test_shares_and_weights_go_by_names(project: Path, tmp_path: Path, format: str) -> None:
    source = export_of(project, tmp_path, format)
    originals = JointCaptions(source, mix=1, transform=caption_of)
    assert list(originals) == [f"alt text {number}" for number in range(COUNT)]
    twos = JointCaptions(source, weights={"original": 0, "one": 0}, transform=caption_of)
    for number, caption in enumerate(twos):
        assert caption == f"two {number}" or number == 7
    with pytest.raises(BadInput, match="there are no captions of 'three'"):
        JointCaptions(source, weights={"three": 2})


def test_one_json_file_does_not_say_whose_captions_it_holds(project: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="mix needs captions with the name 'original'"):
        JointCaptions(export_of(project, tmp_path, "json"), mix=0.5)


def test_a_random_sentence_is_one_of_the_raw_caption(project: Path) -> None:
    data = JointCaptions(project, draw="random_sentence", mix=0)
    assert data[5].captions == ["alt text 5", "one 5. End.", "two 5. End."]
    drawn = set()
    for epoch in range(40):
        data.set_epoch(epoch)
        drawn.add(data[5].caption)
    assert drawn == {"one 5.", "two 5.", "End."}


def test_workers_and_ranks_read_no_image_twice(project: Path) -> None:
    data = JointCaptions(project, seed=1)
    orders = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        numbers = []
        for rank in range(7):  # 60 images: four are left out
            loader = DataLoader(
                data,
                batch_size=None,
                sampler=data.sampler(7, rank),
                num_workers=2,
                multiprocessing_context="fork",
            )
            numbers.append([(Path(sample.image).stem, sample.caption) for sample in loader])
        assert [len(share) for share in numbers] == [8] * 7
        orders.append([pair for share in numbers for pair in share])
        assert len({image for image, _ in orders[-1]}) == 56
        assert {caption for _, caption in orders[-1]} <= {sample.caption for sample in data}
    assert [image for image, _ in orders[0]] != [image for image, _ in orders[1]]


def test_the_only_process_reads_everything(project: Path) -> None:
    data = JointCaptions(project)
    assert list(data.sampler(shuffle=False)) == list(range(COUNT))
    assert sorted(data.sampler()) == list(range(COUNT)) != list(data.sampler())


def test_torch_distributed_tells_the_rank(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 4)
    monkeypatch.setattr(distributed, "get_rank", lambda: 2)
    assert list(JointCaptions(project).sampler(shuffle=False)) == list(range(2, COUNT, 4))


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name a project"):
        JointCaptions()
    with pytest.raises(BadInput, match="holds no project"):
        JointCaptions(tmp_path)
    with pytest.raises(BadInput, match="cannot read"):
        JointCaptions(tmp_path / "none.json")
    (tmp_path / "bare.jsonl").write_text('{"image": "a.jpg", "uid": "0"}\n')
    with pytest.raises(BadInput, match=r"bare\.jsonl has no key with the captions of a model"):
        JointCaptions(tmp_path / "bare.jsonl")


def test_it_can_be_sent_to_another_process(source: Path) -> None:
    data = JointCaptions(source)
    assert list(pickle.loads(pickle.dumps(data))) == list(data)

"""`proxy` writes arms of the same images, and a test of others."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from db.connection import writing
from db.tables import TASK
from engine.operations.proxy import proxy as proxy_module
from engine.operations.proxy import tars
from engine.operations.proxy.image_choice import ImageChoice, choose_images
from engine.project.layout import Project
from tests.readers.colours import number_of
from tests.support.cli import cli, cli_ok
from tests.support.numbered_project import log_row, make_numbered_project

COUNT = 60
ARMS = ("original", "joint", "raw", "two")
NAMES = ("original", "one", "two")
SHEARED = {
    "original": "original {}",
    "one": "one sees {}",
    "two": "two sees {}",
}
"""The captions of picture {} by whose they are."""
RAW = SHEARED | {name: f"{name} sees {{}}. It adds more." for name in ("one", "two")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_numbered_project(tmp_path_factory.mktemp("numbered"), COUNT)


@pytest.fixture(scope="module")
def out(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proxy of all kinds of arms, with a blank in its path."""
    out = tmp_path_factory.mktemp("proxy") / "a proxy"
    arms = ("--arms", ",".join(ARMS), "--images", 40, "--test-images", 10)
    size = ("--seeds", 2, "--epochs", 6, "--batch-size", 8)
    cli_ok("proxy", project.folder, out, *arms, *size, "--", "--lr", "1e-3")
    return out


def samples(path: Path) -> list[tuple[int, str]]:
    """Return (picture's number, caption) of the samples of a tar, whose members fit together."""
    files = {}
    with tarfile.open(path) as tar:
        for member in tar:
            files[member.name] = tar.extractfile(member).read()
    texts = {name[:-4]: data.decode() for name, data in files.items() if name.endswith(".txt")}
    pictures = {name[:-4]: data for name, data in files.items() if name.endswith(".png")}
    assert texts.keys() == pictures.keys() and 2 * len(texts) == len(files)
    return [(number_of(Image.open(io.BytesIO(pictures[key]))), texts[key]) for key in texts]


def arm_samples(out: Path, arm: str) -> list[tuple[int, str]]:
    return [pair for path in sorted((out / "train" / arm).glob("*.tar")) for pair in samples(path)]


@pytest.mark.parametrize(
    ("arm", "texts"),
    [
        ("original", [SHEARED["original"]]),
        ("joint", list(SHEARED.values())),
        ("raw", list(RAW.values())),
        ("two", [SHEARED["two"]]),
    ],
)
def test_an_arm_has_each_image_with_each_of_its_captions(
    out: Path, arm: str, texts: list[str]
) -> None:
    found = arm_samples(out, arm)
    numbers = {number for number, _ in arm_samples(out, "original")}
    assert len(numbers) == 40
    assert sorted(found) == sorted((n, text.format(n)) for n in numbers for text in texts)
    sizes = json.loads((out / "train" / arm / "sizes.json").read_text())
    tar_sizes = {path.name: len(samples(path)) for path in (out / "train" / arm).glob("*.tar")}
    assert sizes == tar_sizes


def test_no_image_of_the_test_is_trained_on(out: Path) -> None:
    trained = {
        number for arm in ("original", "joint", "raw", "two") for number, _ in arm_samples(out, arm)
    }
    for name in NAMES:
        assert (out / "test" / name / "dataset_type.txt").read_text() == "retrieval\n"
        assert (out / "test" / name / "test/nshards.txt").read_text() == "1\n"
        pairs = samples(out / "test" / name / "test/0.tar")
        assert len(pairs) == 10
        assert all(text == SHEARED[name].format(number) for number, text in pairs)
        assert not trained & {number for number, _ in pairs}


def test_the_command_lines_train_all_arms_alike(out: Path) -> None:
    lines = [shlex.split(line) for line in (out / "train.sh").read_text().splitlines()]
    runs = [line[line.index("--name") + 1] for line in lines]
    assert runs == [
        f"{arm}-{seed}" for seed in (0, 1) for arm in ("original", "joint", "raw", "two")
    ]
    alike = {"--train-num-samples": "40", "--epochs": "6", "--batch-size": "8", "--warmup": "3"}
    for line, run in zip(lines, runs, strict=True):
        assert line[:3] == ["python", "-m", "open_clip_train.main"]
        assert {option: line[line.index(option) + 1] for option in alike} == alike
        assert line[line.index("--seed") + 1] == run[-1]
        assert "--dataset-resampled" in line and line[-2:] == ["--lr", "1e-3"]
    joint = lines[1][lines[1].index("--train-data") + 1]
    assert joint == f"{out}/train/joint/{{00000..00002}}.tar"


def test_tars_are_of_one_size_and_hold_each_image_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open_clip draws tars: a small one would give its images more weight than others have."""
    monkeypatch.setattr(tars, "TAR_IMAGES", 9)
    out = tmp_path / "out"
    cli_ok("proxy", project.folder, out, "--arms", "joint", "--images", 40, "--test-images", 10)
    sizes = json.loads((out / "train/joint/sizes.json").read_text())
    assert len(sizes) == 3 * 5 and set(sizes.values()) == {8}
    for path in (out / "train/joint").glob("*.tar"):
        numbers = [number for number, _ in samples(path)]
        assert len(numbers) == len(set(numbers))
    (line,) = {line.split("--name")[0].split("--seed")[0] for line in (out / "train.sh").open()}
    assert "{00000..00014}.tar" in line


def test_the_same_project_gives_the_same_bytes(project: Project, out: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    cli_ok("proxy", project.folder, again, "--images", 40, "--test-images", 10)
    for path in (out / "train/raw").glob("*.tar"):
        assert path.read_bytes() == (again / "train/raw" / path.name).read_bytes()


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """The images of 0 to 5 are copies of another picture's file, gone, failed or without a text."""

    def row(model: str, number: int) -> dict[str, Any]:
        if number == 3:
            return {"error": "corrupt", "detail": "broken"}
        if number == 4 and model == "two":
            return {"error": "refused", "detail": "no"}
        if number == 5 and model == "one":
            return {"raw": "half \ud83d. More.", "tokens": 9, "finish": "stop"}
        return log_row(model, number)

    project = make_numbered_project(
        tmp_path, 20, row, images=lambda number: "000.png" if number == 1 else f"{number:03}.png"
    )
    shutil.copy(tmp_path / "007.png", tmp_path / "006.png")
    (tmp_path / "002.png").unlink()
    output = cli_ok("proxy", project.folder, tmp_path / "out", "--test-images", 5)
    assert output.splitlines()[-1] == (
        "20 images = 9 to train on + 5 to be tested on"
        " + 1 known to be unreadable, missing or excluded + 2 without a caption that an arm needs"
        " + 1 that cannot be read + 2 with the same picture as another"
    )
    trained = Counter(number for number, _ in arm_samples(tmp_path / "out", "original"))
    tested = [number for number, _ in samples(tmp_path / "out/test/one/test/0.tar")]
    assert set(trained.values()) == {1}
    assert not set(tested) & trained.keys()
    assert sorted([*tested, *trained]) == [0, 7, 8, 9, *range(10, 20)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--images", 60), "there are 60 images for 60 to train on and 10 to test on"),
        (
            ("--arms", "original,blip"),
            "no arm 'blip': one of original, joint, raw, one, two",
        ),
        (("--arms", "joint,joint"), "the arm joint is named twice"),
        (("--arms", ""), "there is no arm ''"),
        (("--model", "three"), "three"),
        (("--max-side", 64), "--max-side needs --encode"),
        (("--encode", "gif"), "--encode gif"),
        (("--batch-size", 51), "--batch-size 51 is more than the 50 images"),
        (("100000",), "'100000' is not an option of open_clip"),
        (("--", "--epochs=3"), "--epochs is set by this command"),
    ],
)
def test_bad_options_are_one_message_and_nothing_is_written(
    project: Project, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    result = cli("proxy", project.folder, tmp_path / "out", *options)
    assert result.returncode == 2
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_unfinished_project_is_refused_as_by_export(tmp_path: Path) -> None:
    project = make_numbered_project(tmp_path, 30)
    with writing(project.database) as connection:
        connection.execute(update(TASK).where(TASK.c.id == 1).values(state="pending"))
    result = cli("proxy", project.folder, tmp_path / "out", "--arms", "one")
    assert (result.returncode, "tasks are not done (1 unfinished" in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
    cli_ok("proxy", project.folder, tmp_path / "out", "--arms", "one", "--allow-partial")


@pytest.mark.parametrize("name", ["a{1..3}", "a$HOME", "a::b", "back\\slash"])
def test_a_name_that_open_clip_would_expand_is_refused(
    project: Project, tmp_path: Path, name: str
) -> None:
    result = cli("proxy", project.folder, tmp_path / name)
    assert result.returncode == 2 and "which open_clip expands" in result.stderr


def test_a_folder_with_something_in_it_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    result = cli("proxy", project.folder, tmp_path)
    assert result.returncode == 2 and "is not an empty folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_captions_that_change_meanwhile_are_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_numbered_project(tmp_path, 30)

    def choose_then_change(*arguments: Any, **options: Any) -> ImageChoice:
        choice = choose_images(*arguments, **options)
        for log in project.folder.glob("captions/one-*/00000.jsonl"):
            log.write_bytes(b"")
        return choice

    monkeypatch.setattr(proxy_module, "choose_images", choose_then_change)
    result = cli("proxy", project.folder, tmp_path / "out", "--arms", "one")
    assert result.returncode == 2 and "changed meanwhile" in result.stderr
    assert not (tmp_path / "out").exists()


def write_result(out: Path, run: str, test: str, to_text: float, to_image: float) -> None:
    metrics = {
        "text_retrieval_recall@1": to_text,
        "image_retrieval_recall@1": to_image,
        "text_retrieval_recall@5": 1.0,
    }
    value = {"dataset": f"wds/{test}", "metrics": metrics, "language": "en"}
    (out / "results" / run / f"{test}.json").write_text(json.dumps(value))


def test_the_table_has_means_and_ranges_and_says_what_is_missing(out: Path) -> None:
    empty = cli("proxy-table", out)
    assert empty.returncode == 2 and "has no results yet" in empty.stderr
    write_result(out, "original-0", "one", 0.2, 0.4)
    write_result(out, "original-1", "one", 0.3, 0.5)
    write_result(out, "joint-0", "one", 0.6, 0.7)
    write_result(out, "joint-0", "flickr30k", 0.125, 0.25)
    rows = [line.split() for line in cli_ok("proxy-table", out).splitlines()]
    assert ["original", "2", "25.0", "(20.0-30.0)", "45.0", "(40.0-50.0)"] in rows
    assert ["joint", "1", "60.0", "70.0"] in rows and ["joint", "1", "12.5", "25.0"] in rows
    value = json.loads(cli_ok("proxy-table", out, "--json"))
    assert value["samples_seen"] == 240
    assert value["missing"] == ["joint-1", "raw-0", "raw-1", "two-0", "two-1"]
    lacks = {"original-0": ["flickr30k"], "original-1": ["flickr30k"]}
    assert value["incomplete"] == lacks
    assert ["original-1", "is", "not", "tested", "so", "far", "in", "flickr30k"] in rows
    first = next(each for each in value["results"] if each["arm"] == "original")
    assert first["image_to_text"] == {
        "mean": 0.25,
        "lowest": 0.2,
        "highest": 0.3,
        "seeds": [0.2, 0.3],
    }


def test_a_table_of_what_is_none_is_refused(tmp_path: Path) -> None:
    result = cli("proxy-table", tmp_path)
    assert result.returncode == 2 and "was not made by 'proxy'" in result.stderr

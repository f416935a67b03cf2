"""What is told where the paths of an export lead to no images."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from engine.datasets.exports.formats import FORMATS
from engine.datasets.exports.path_hints import first_images, path_hints
from engine.datasets.exports.source import open_export_source
from engine.images.image import ImagePaths
from engine.operations.new_project import NewProject, create
from tests.engine.datasets.exports.shards import make_plan
from tests.support.cli import cli_ok
from tests.support.pictures import draw_picture, make_captions
from tests.support.projects import model_choice, write_captions


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `a.png` and `in.tar/b.png`, beside the one in which the program is started."""
    folder = tmp_path / "image root"
    draw_picture(folder / "a.png", 1)
    with tarfile.open(folder / "in.tar", "w") as tar:
        tar.add(folder / "a.png", "b.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def told(format: str, root: Path, *images: str, **values: Any) -> str:
    values.setdefault("image_paths", ImagePaths(str(root)))
    return "\n".join(path_hints(FORMATS[format], make_plan(**values), images))


@pytest.mark.parametrize("format", ["openclip", "messages", "trl"])
def test_relative_paths_are_completed_as_the_project_finds_them(format: str, root: Path) -> None:
    said = told(format, root, "gone.png", "a.png")
    assert said.startswith("there is no file a.png from here:")
    assert said.endswith(f"export with --image-root '{root}'")
    assert not told(format, root, "gone.png", "a.png", image_root=str(root))


def test_foreign_paths_are_mapped_as_the_project_maps_them(root: Path) -> None:
    paths = ImagePaths("/nowhere", (("/mnt/cc3m", str(root)),))
    said = told("openclip", root, "/mnt/cc3m/a.png", image_paths=paths)
    assert said.endswith(f"export with --path-map '/mnt/cc3m={root}'")


def test_paths_that_lead_nowhere(root: Path) -> None:
    said = told("openclip", root, "/mnt/cc3m/a.png")
    assert said.startswith("there is no file /mnt/cc3m/a.png: say with --path-map and --image-root")


@pytest.mark.parametrize("format", ["openclip", "laclip", "dreamlip", "llava", "messages", "hf"])
def test_images_inside_of_archives_are_for_other_formats(format: str, root: Path) -> None:
    said = told(format, root, "in.tar/b.png")
    assert "in tars or tables, such as in.tar/b.png" in said
    assert not told(format, root, "in.tar/b.png", image_root=str(root)).startswith("no file")


@pytest.mark.parametrize("format", ["laclip", "dreamlip", "llava", "hf"])
def test_a_reader_that_is_given_a_folder_finds_relative_paths(format: str, root: Path) -> None:
    assert not told(format, root, "a.png")
    assert not told(format, root, "gone.png")


@pytest.mark.parametrize("format", ["json", "columns", "parquet", "wds", "hub", "sidefiles"])
def test_other_formats_are_left_alone(format: str, root: Path) -> None:
    assert not told(format, root, "in.tar/b.png")
    assert not told(format, root, "gone.png")


def test_an_export_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    captions = make_captions(tmp_path / "data", 30)
    spec = NewProject(captions=[captions], models=[model_choice("one")], shard_size=25)
    project = create(tmp_path / "run", spec).project
    write_captions(project, lambda *_: {"raw": "A dog", "tokens": 3, "finish": "stop"})
    said = cli_ok("export", project.folder, tmp_path / "out.tsv", "--format", "openclip")
    assert f"export with --image-root {tmp_path}/data" in said
    root = ("--image-root", tmp_path / "data")
    said = cli_ok("export", project.folder, tmp_path / "b.tsv", "--format", "openclip", *root)
    assert "no file" not in said


def test_a_damaged_shard_has_no_first_images(tmp_path: Path) -> None:
    captions = make_captions(tmp_path, 3)
    spec = NewProject(captions=[captions], models=[model_choice("one")])
    project = create(tmp_path / "run", spec).project
    source = open_export_source(project)
    assert first_images(source) == [f"images/{number:06}.png" for number in range(3)]
    project.shard_file(0).write_text("{")
    assert first_images(source) == []

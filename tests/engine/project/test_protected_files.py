"""No output takes the place of an input or of anything of a project, by whatever name."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from engine.project.layout import Project
from engine.project.protected_files import read_inputs, refuse_protected, save_inputs
from engine.utils.errors import BadInput


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a shard, made of a file and of a folder."""
    project = Project(tmp_path / "p")
    (tmp_path / "p" / "shards").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "folder").mkdir()
    for path in (project.database, project.manifest, project.lock, project.shard_file(0)):
        path.write_text("own")
    for path in (tmp_path / "data" / "c.json", tmp_path / "folder" / "a.txt"):
        path.write_text("input")
    save_inputs(project, [tmp_path / "data" / "c.json", tmp_path / "folder"])
    return project


def refuses(path: Path, project: Project | None) -> bool:
    try:
        refuse_protected(path, project=project)
    except BadInput:
        return True
    return False


@pytest.mark.parametrize(
    "name",
    [
        "p",
        "p/project.db",
        "p/Project.json",
        "p/project.db-journal",
        "p/project.db.schema-0003",
        "p/lock",
        "p/inputs.json",
        "p/shards",
        "p/shards/00000.jsonl",
        "p/shards/new.json",
        "p/captions/m/00000.jsonl",
        "p/logs/x",
        "p/anything/deeper",
        "p/../p/shards/00000.jsonl",
        "data/../p/lock",
    ],
)
def test_nothing_of_any_project_is_replaced(tmp_path: Path, project: Project, name: str) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path / "p")
    for path in (tmp_path / name, Path(str(tmp_path / name).replace("/p/", "/linked/"))):
        assert refuses(path, project)
        assert refuses(path, None), "nor by a command about another project, or about none"


def test_other_names_of_a_file_are_seen_through(tmp_path: Path, project: Project) -> None:
    (tmp_path / "link").symlink_to(project.shard_file(0))
    os.link(project.shard_file(0), tmp_path / "hard")
    os.link(tmp_path / "data" / "c.json", tmp_path / "hard input")
    (tmp_path / "soft input").symlink_to(tmp_path / "data" / "c.json")
    for name in ("link", "hard", "hard input", "soft input", "data/c.json", "folder/a.txt"):
        assert refuses(tmp_path / name, project), name


def test_an_input_that_is_named_now_is_seen_too(tmp_path: Path) -> None:
    captions = tmp_path / "c.json"
    captions.write_text("[]")
    os.link(captions, tmp_path / "hard")
    for name in ("c.json", "hard", "../" + tmp_path.name + "/c.json"):
        with pytest.raises(BadInput, match="is an input"):
            refuse_protected(tmp_path / name, [captions])


def test_an_image_and_a_tar_are_inputs_of_somebody(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "no suffix", "PNG")
    with tarfile.open(tmp_path / "x.json", "w") as tar:
        tar.add(tmp_path / "no suffix")
    for name in ("no suffix", "x.json"):
        with pytest.raises(BadInput, match="an image or a tar"):
            refuse_protected(tmp_path / name)


def test_everything_else_may_be_written(tmp_path: Path, project: Project) -> None:
    (tmp_path / "data" / "old.json").write_text("[]")
    (tmp_path / "p" / "merged.json").write_text("[]")
    names = ("p/merged.json", "p/p.json", "data/old.json", "data/new.json", "folder/new.json")
    for name in (*names, "new"):
        refuse_protected(tmp_path / name, project=project)


def test_the_project_json_of_another_program_protects_nothing(tmp_path: Path) -> None:
    (tmp_path / "project.json").write_text("{}")
    (tmp_path / "data").mkdir()
    for name in ("captions.json", "data/captions.json", "data/deeper/captions.json"):
        refuse_protected(tmp_path / name)
    (tmp_path / "shards").mkdir()
    with pytest.raises(BadInput, match="a project's own files"):
        refuse_protected(tmp_path / "data/captions.json")


@pytest.mark.parametrize("note", ["", "no JSON", "7", "[7]", "{}"])
def test_a_note_that_makes_no_sense_lets_nothing_be_replaced(
    tmp_path: Path, project: Project, note: str
) -> None:
    project.inputs.write_text(note)
    assert read_inputs(project) is None
    old = tmp_path / "data" / "old.json"
    refuse_protected(old, project=project)
    old.write_text("[]")
    with pytest.raises(BadInput, match="does not say what its inputs are"):
        refuse_protected(old, project=project)

"""What an export refuses, with which exit code and advice, and what it never writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.datasets.exports.export import ExportOptions, export
from engine.datasets.exports.formats import FORMATS
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput
from tests.support.cli import cli, cli_ok
from tests.support.projects import model_choice, write_captions

COUNT = 6


def make(folder: Path, *models: str) -> Project:
    """Make a finished project of two shards without image files."""
    folder.mkdir(exist_ok=True)
    records = [{"image": f"{i}.png", "caption": f"alt {i}"} for i in range(COUNT)]
    (folder / "captions.json").write_text(json.dumps(records))
    new = NewProject(
        captions=[folder / "captions.json"],
        models=[model_choice(name) for name in models],
        shard_size=3,
        allow_missing=True,
    )
    project = create(folder / "run", new).project
    write_captions(project, lambda *_: {"raw": "a caption", "tokens": 2, "finish": "stop"})
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path / "data", "one")


def sheared_files(project: Project) -> list[Path]:
    return sorted(project.captions.rglob("*.sheared-*"))


def test_a_damaged_shard_is_bad_input_whoever_found_it(project: Project, tmp_path: Path) -> None:
    """The first export finds it and tells the tracker, from which the second one knows it."""
    shard = project.shard_file(1)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-2])
    for _ in range(2):
        refused = cli("export", project.folder, tmp_path / "out.json")
        assert refused.returncode == 2
        assert "00001.jsonl was changed since the input was split" in refused.stderr
        assert "put a copy of it back and 'mllmaug-tui retry'" in refused.stderr
        assert "'run'" not in refused.stderr, "a run cannot do it"
    partly = cli("export", project.folder, tmp_path / "out.json", "--allow-partial")
    assert partly.returncode == 0
    assert "3 in damaged files" in partly.stdout
    shard.write_bytes(whole)
    again = cli("export", project.folder, tmp_path / "whole.json")
    assert again.returncode == 1
    assert "'retry' and 'run' for those that failed" in again.stderr


def test_a_task_that_failed_is_not_finished_by_a_run(project: Project, tmp_path: Path) -> None:
    with ProjectLock(project.lock):
        state = ProjectState.load(project, Policy())
        task = next(iter(state.ledger.tasks.values()))
        state.ledger.fail(task.id, 0.0, "it was hung", "hung")
        state.commit()
    refused = cli("export", project.folder, tmp_path / "out.json")
    assert refused.returncode == 1
    assert "(0 unfinished, 1 failed): see 'failures'" in refused.stderr
    assert "finish them" not in refused.stderr


def test_readonly_writes_nothing_of_the_project(project: Project, tmp_path: Path) -> None:
    for path in sheared_files(project):
        path.unlink()
    before = sorted(project.folder.rglob("*"))
    cli_ok("--readonly", "export", project.folder, tmp_path / "a.json")
    assert sorted(project.folder.rglob("*")) == before
    cli_ok("export", project.folder, tmp_path / "b.json")
    assert len(sheared_files(project)) == 2
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("out", "said"),
    [("-", "name a file (./- for a file with the name -)"), ("/dev/stdout", "name a file")],
)
def test_the_standard_output_is_no_file(project: Project, out: str, said: str) -> None:
    refused = cli("export", project.folder, out)
    assert refused.returncode == 2
    assert said in refused.stderr.replace("\n", " ")
    assert refused.stdout == ""


@pytest.mark.parametrize(
    ("format", "options", "said"),
    [
        ("json", {"text": "one"}, "cannot hold text"),
        ("json", {"encode": "jpg"}, "cannot hold encode"),
        ("json", {"uid": True}, "cannot hold uid"),
        ("laclip", {"captions_list": True}, "cannot hold captions-list"),
        ("hub", {"tar_bytes": 5}, "cannot hold tar-size"),
        ("wds", {"text": "three"}, "one of original, one, random, expand"),
        ("wds", {"max_side": 5}, "--max-side needs --encode"),
        ("wds", {"encode": "gif"}, "write jpg or webp"),
        ("wds", {"encode": "jpg", "images": "none"}, "does not go with --images none"),
        ("hf", {"encode": "jpg", "images": "link"}, "does not go with --images link"),
        ("hub", {"images": "copy"}, "writes no image files"),
    ],
)
def test_options_that_a_format_cannot_follow(
    project: Project, tmp_path: Path, format: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        export(project, tmp_path / "out", ExportOptions(format=format, **options))  # type: ignore[arg-type]
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("name", ["uid", "captions", "image", "original"])
@pytest.mark.parametrize("format", [name for name, each in FORMATS.items() if each.columns])
def test_a_model_that_is_called_as_a_column(tmp_path: Path, name: str, format: str) -> None:
    project = make(tmp_path / "data", name)
    with pytest.raises(BadInput, match=f"the model '{name}' has the name of a column"):
        export(project, tmp_path / "out", ExportOptions(format=format))


def test_the_command_takes_the_options(project: Project, tmp_path: Path) -> None:
    arguments = ["--format", "columns", "--uid", "--captions-list", "--keep-unreadable"]
    output = cli_ok("export", project.folder, tmp_path / "out.jsonl", *arguments)
    assert output.splitlines()[-1].startswith(f"{COUNT} images = {COUNT} written; ")
    row = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert list(row) == ["image", "uid", "one", "captions"]
    assert row["captions"] == ["a caption"]
    again = tmp_path / "parquet"
    cli_ok("export", project.folder, again, "--format", "parquet", "--uid")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(again)["uid"].to_pylist()[0] == row["uid"]


@pytest.mark.parametrize("size", ["0", "-1", "5x", "", "1e6", "1.5G", "99999999999999"])
def test_a_tar_size_that_is_none(project: Project, tmp_path: Path, size: str) -> None:
    arguments = ["--format", "wds", "--images", "none", "--tar-size", size]
    refused = cli("export", project.folder, tmp_path / "out", *arguments)
    assert refused.returncode == 2
    assert "500M" in refused.stderr.replace("\n", " ")


@pytest.mark.parametrize(("size", "tars"), [("1", 6), ("5k", 3), ("2MB", 1), ("1G", 1)])
def test_the_size_of_tars(project: Project, tmp_path: Path, size: str, tars: int) -> None:
    arguments = ["--format", "wds", "--images", "none", "--tar-size", size]
    cli_ok("export", project.folder, tmp_path / "out", *arguments)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{number:05}.tar" for number in range(tars)] + ["sizes.json"]
    sizes = json.loads((tmp_path / "out/sizes.json").read_bytes())
    assert sum(sizes.values()) == COUNT

"""The commands `import` and `paths`, and `merge` with other paths, as a person types them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of five captions, with its images beside it."""
    return make_captions(tmp_path / "data", 5)


def foreign(data: Path, name: str) -> Path:
    """Write the same records under foreign paths, as a released file has them."""
    records = json.loads(data.read_text())
    out = data.with_name(name)
    far = [{"image": f"/far/{it['image']}", "caption": f"{name} of it. More"} for it in records]
    out.write_text(json.dumps(far))
    return out


def test_released_files_become_a_training_set_by_two_commands(tmp_path: Path, data: Path) -> None:
    files = [foreign(data, name) for name in ("llava", "otter", "minigpt-4", "qwen-vl")]
    files[0].write_text(files[0].read_text()[:-1] + ',{"image": "/far/')  # it was interrupted
    path_map = f"/far/={data.parent}/"
    imports = [option for file in files for option in ("--import", f"{file.name}={file}")]
    said = cli_ok("new", tmp_path / "run", *imports, "--path-map", path_map)
    assert "5 records in 1 shard, 4 models" in said
    assert "cut off at its end" in said
    out = tmp_path / "train.tsv"
    cli_ok("export", tmp_path / "run", out, "--format", "openclip", "--path-map", path_map)
    header, *rows = out.read_text().splitlines()
    assert header == "filepath\ttitle"
    assert len(rows) == 20
    for row in rows:
        path, _, title = row.partition("\t")
        assert Path(path).is_file()
        assert title in [f"{file.name} of it" for file in files]
    cli_ok("export", tmp_path / "run", tmp_path / "tars", "--format", "wds")
    sizes = json.loads((tmp_path / "tars" / "sizes.json").read_text())
    assert sizes == {"00000.tar": 5}
    with tarfile.open(tmp_path / "tars" / "00000.tar") as archive:
        members = {name: archive.extractfile(name) for name in archive.getnames()}
        read = {name: member.read() for name, member in members.items() if member is not None}
    images = [json.loads(read[name])["image"] for name in read if name.endswith(".json")]
    assert [image.removeprefix("/far/") for image in images] == [
        record["image"] for record in json.loads(data.read_text())
    ]
    assert {read[name] for name in read if name.endswith(".txt")} == {b"llava of it"}
    pictures = [path for path in read if not path.endswith((".json", ".txt"))]
    assert [read[name] for name in pictures] == [
        (data.parent / image.removeprefix("/far/")).read_bytes() for image in images
    ]


def test_import_into_a_project(tmp_path: Path, data: Path) -> None:
    cli_ok("new", tmp_path / "run", data, "--model", "dry-run")
    file = foreign(data, "blip.json")
    wrong = cli("import", tmp_path / "run", "blip", file)
    assert (wrong.returncode, "try --path-map /far/=" in wrong.stderr) == (2, True)
    said = cli_ok("import", tmp_path / "run", "blip", file, "--path-map", "/far/=")
    assert said.startswith("blip (a new model): 5 captions imported of 5 in 1 file")
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    assert "finished" in cli_ok("status", tmp_path / "run")
    again = cli_ok("import", tmp_path / "run", "blip", file, "--path-map", "/far/=")
    assert "blip: 0 captions imported of 5" in again
    refused = cli("retry", tmp_path / "run", "--model", "blip")
    assert (refused.returncode, "'import' them" in refused.stderr) == (1, True)


def test_a_new_model_with_a_checkpoint(tmp_path: Path, data: Path) -> None:
    cli_ok("new", tmp_path / "run", data, "--model", "dry-run")
    captions = json.loads(data.read_text())[:3]
    some = data.with_name("some.json")
    some.write_text(json.dumps([it | {"caption": "of a person"} for it in captions]))
    named = "person=http://localhost:1/v1"
    said = cli_ok("import", tmp_path / "run", named, some, "--set", "seed=7")
    assert "2 records of the project without a caption in the file; left to a run: 2" in said
    for arguments, message in (
        ((named, some), "has a model person already"),
        (("blip", some, "--set", "seed=7"), "--preset and --set are for a new model"),
        (("bad name", some), "cannot name a model"),
        (("blip", data.with_name("none.json")), "none.json"),
    ):
        refused = cli("import", tmp_path / "run", *arguments)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr


def test_paths_of_plain_files(tmp_path: Path, data: Path) -> None:
    file = foreign(data, "far.json")
    image = json.loads(data.read_text())[2]["image"]
    (data.parent / image).unlink()
    checked = cli_ok("paths", file, "--path-map", "/far/=")
    assert checked == f"4 of 5 images exist (80 %); not there: {image}\n"
    out = data.with_name("out.json")
    said = cli_ok("paths", file, out, "--path-map", "/far/=", "--image-root", "/data")
    assert said == f"{out}: 5 records of 1 file, 5 with another image path\n"
    assert [it["image"].startswith("/data/") for it in json.loads(out.read_text())] == [True] * 5
    both = data.with_name("both.json")
    said = cli_ok("merge", both, data, file, "--path-map", "/far/=", "--check")
    assert f"{both}: 10 records of 2 files, 5 with another image path" in said
    assert "8 of 10 images exist" in said
    wrong = cli("merge", tmp_path / "x.json", file, "--check")
    assert (wrong.returncode, (tmp_path / "x.json").exists()) == (2, False)
    assert "0 of 5 images exist" in wrong.stderr
    assert cli("paths", file, out, "--path-map", "/far/=").returncode == 2  # it exists
    file.write_text('[{"image": 7}]')
    assert "--skip-bad leaves out what cannot be read" in cli("paths", file).stderr

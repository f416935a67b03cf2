"""Checks of the input of a new project: duplicates, missing and bad images, and the preview."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.captioners.registry import choose
from engine.datasets.inputs.batch import batch_of_pairs
from engine.images.image import ImagePaths
from engine.operations import input_checks, input_preview
from engine.operations.input_checks import Duplicates, InputFindings, check_images
from engine.operations.input_preview import check_folder_is_free, preview_input
from engine.operations.new_project import NewProject, create
from engine.utils.errors import BadInput
from tests.support.pictures import colour_jpeg
from tests.support.tars import END, member


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three images, of which one is damaged."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    return tmp_path


def look_at(paths: ImagePaths, *batches: list[str]) -> InputFindings:
    findings = InputFindings(paths)
    first = 0
    for names in batches:
        findings.add_batch(first, batch_of_pairs([(name, "") for name in names]))
        first += len(names)
    return findings


def test_first_images_are_looked_for(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_checks, "FIRST_IMAGES", 3)
    findings = look_at(ImagePaths(str(images)), ["no.png", "b.png"], ["a.png", "no.png"], ["x"])
    assert (findings.records, findings.images_checked, findings.images_present) == (5, 3, 2)
    assert findings.witness == "b.png"


@pytest.mark.parametrize(
    ("path_map", "outside"), [((), 2), ((("in/", "../"),), 4), ((("../", "in/"),), 1)]
)
def test_paths_that_climb_out_are_counted(
    path_map: tuple[tuple[str, str], ...], outside: int
) -> None:
    names = ["../a.png", "in/a.png", "in/../../a.png", "in/../a.png", "a..png"]
    assert look_at(ImagePaths("/r", path_map), names).outside == outside


def test_paths_that_lead_out_of_the_root_are_counted_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    inside = ["a.png", "in/../a.png", f"{tmp_path}/root/a.png", f"{tmp_path}/real/a.png", "old/b"]
    outside = ["/etc/a.png", f"{tmp_path}/root-not/a.png", f"{tmp_path}/root/../x.png", "new/b"]
    inside += ["/old/a.png", f"{tmp_path}//root/./a.png"]
    path_map = (("new/", "/elsewhere/"), ("/old/", "in/"))
    paths = ImagePaths(str(tmp_path / "root"), path_map)
    findings = look_at(paths, [*inside, "../climbs.png", *outside])
    assert (findings.leaving, findings.leaving_example) == (4, "/etc/a.png")
    assert (findings.outside, findings.outside_example) == (1, "../climbs.png")
    allowed = ImagePaths(str(tmp_path / "root"), path_map, allow_outside=True)
    assert look_at(allowed, ["../climbs.png", *outside]).leaving == 5
    assert look_at(ImagePaths("/r"), ["/r/a.png", "/r/../a.png", "/r//a.png"]).leaving == 1
    assert look_at(ImagePaths("/r", (("/old/", "new/"),)), ["/old/a", "/r/a"]).leaving == 0


def test_links_that_lead_out_of_the_root_are_counted_where_images_are_opened(images: Path) -> None:
    root = images / "root"
    root.mkdir()
    (root / "link.png").symlink_to("../a.png")
    (root / "away").symlink_to("..")
    names = ["link.png", "away/b.png", "away/bad.png", str(images / "a.png")]
    check = check_images(ImagePaths(str(root)), names)
    assert (check.links, check.link_example) == (2, "link.png")


@pytest.mark.parametrize(
    ("shards", "duplicates"),
    [
        ([[]], Duplicates()),
        ([["a", "b"], ["c"]], Duplicates()),
        ([["a", "b"], ["a"]], Duplicates(1, 1, "a (records 0 and 2)")),
        ([["b", "a", "a"], ["a", "b"]], Duplicates(3, 2, "a (records 1 and 2)")),
    ],
)
def test_duplicates(tmp_path: Path, shards: list[list[str]], duplicates: Duplicates) -> None:
    files = []
    for number, names in enumerate(shards):
        files.append(tmp_path / f"{number}.jsonl")
        files[-1].write_text("".join(json.dumps({"image": name}) + "\n" for name in names))
    findings = look_at(ImagePaths("/r"), *(names for names in shards if names))
    assert findings.duplicates(files) == duplicates


def test_the_sample_has_its_size_and_does_not_depend_on_the_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_checks, "SAMPLE_SIZE", 20)
    monkeypatch.setattr(input_checks, "image_exists", lambda paths, image: False)
    names = [str(n) for n in range(3000)]
    whole = look_at(ImagePaths("/r"), names)
    cut = look_at(ImagePaths("/r"), names[:7], names[7:25], names[25:26], names[26:])
    assert whole.sample == cut.sample
    assert len(set(whole.sample)) == 20
    assert sum(int(name) >= 1500 for name in whole.sample) > 4, "late records are in it, too"
    assert look_at(ImagePaths("/r"), names[:5]).sample == names[:5]


def test_images_are_opened_and_decoded(images: Path) -> None:
    done: list[int] = []
    names = ["a.png", "bad.png", "none.png", "b.png", "../x.png"]
    check = check_images(ImagePaths(str(images)), names, done.append)
    assert check.images == 5
    assert check.bad == {"corrupt": 1, "missing": 1, "outside": 1}
    assert check.example.startswith("bad.png: ")
    assert done == [1, 2, 3, 4, 5]


def write_captions(folder: Path, names: list[str]) -> Path:
    path = folder / "captions.jsonl"
    path.write_text("".join(json.dumps({"image": name}) + "\n" for name in names))
    return path


def test_a_preview_of_all_records(images: Path) -> None:
    captions = write_captions(images, ["a.png", "no.png", "b.png"])
    preview = preview_input(captions, None)
    assert [record.image for record in preview.records] == ["a.png", "no.png", "b.png"]
    assert (preview.whole, preview.total_text, preview.images_present) == (True, "3", 2)
    assert preview_input(captions, images / "elsewhere").images_present == 0


def test_a_preview_of_the_first_records(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_preview, "PREVIEW_RECORDS", 4)
    captions = write_captions(images, [f"{n:04}.png" for n in range(2000)])
    preview = preview_input(captions, None)  # a small file is read to its end
    assert (len(preview.records), preview.whole, preview.total_text) == (4, True, "2,000")
    monkeypatch.setattr(input_preview, "COUNTED_BYTES", captions.stat().st_size - 1)
    preview = preview_input(captions, None)
    assert [record.image for record in preview.records] == [f"{n:04}.png" for n in range(4)]
    assert not preview.whole
    assert 1800 < preview.total < 2200
    assert preview.total_text == f"about {preview.total:,}"


def test_records_that_cannot_be_read(images: Path) -> None:
    captions = write_captions(images, ["a.png", "b.png"])
    captions.write_text(captions.read_text() + "no JSON\n")
    with pytest.raises(BadInput, match="not JSON"):
        preview_input(captions, None)
    preview = preview_input(captions, None, skip_bad=True)
    assert (len(preview.records), preview.skipped) == (2, 1)


def test_a_folder_for_a_new_project(tmp_path: Path) -> None:
    check_folder_is_free(tmp_path / "new")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file: name a folder"):
        check_folder_is_free(tmp_path / "file")
    (tmp_path / "project.db").write_text("")
    with pytest.raises(BadInput, match="already holds a project"):
        check_folder_is_free(tmp_path)


def test_the_preview_counts_images_outside_the_root(images: Path) -> None:
    root = images / "root"
    root.mkdir()
    (root / "link.png").symlink_to("../a.png")
    captions = write_captions(root, ["no.png", "link.png", str(images / "b.png"), "../a.png"])
    preview = preview_input(captions, None)
    assert (preview.leaving, preview.leaving_example) == (3, "link.png")


@pytest.mark.parametrize("kind", ["folder", "tar", "metadata"])
def test_a_preview_names_images_as_the_project_will(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "0.jpg").write_bytes(colour_jpeg("red"))
    if kind == "metadata":
        (folder / "metadata.jsonl").write_text('{"file_name": "0.jpg", "text": "a"}')
    if kind == "tar":
        (folder / "0.tar").write_bytes(member("0.jpg", colour_jpeg("red")) + END)
    path = folder / "0.tar" if kind == "tar" else folder
    preview = preview_input(path, None)
    new_project = NewProject(captions=[path], models=[choose("dry-run")])
    created = create(tmp_path / "run", new_project)
    shard = created.project.shard_file(0).read_text().splitlines()
    assert [json.loads(line)["image"] for line in shard] == [r.image for r in preview.records]
    assert preview.paths.root == str(new_project.root())
    assert (preview.images_present, preview.whole, preview.total) == (1, True, 1)
    assert preview.report.captioned == created.report.captioned
    assert preview.report.passed_over == created.report.passed_over


@pytest.mark.parametrize("kind", ["folder", "tar", "tars", "parquet"])
def test_a_preview_of_many_images_estimates_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(input_preview, "PREVIEW_RECORDS", 4)
    monkeypatch.setattr(input_preview, "COUNTED_BYTES", 0)
    tar = b"".join(member(f"{number}.jpg", b"x") for number in range(50)) + END
    path = tmp_path / "data"
    path.mkdir()
    if kind == "folder":
        for number in range(50):
            path.joinpath(f"{number}.jpg").touch()
    elif kind == "parquet":
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "0.parquet"
        parquet.write_table(arrow.table({"image": [f"{n}.jpg" for n in range(50)]}), path)
    else:
        (path / "0.tar").write_bytes(tar)
        if kind == "tars":
            (path / "1.tar").write_bytes(tar)
        else:
            path = path / "0.tar"
    preview = preview_input(path, tmp_path)
    assert len(preview.records) == 4
    assert preview.total_text == ("about 100" if kind == "tars" else "about 50")

"""What a person is told of an export: command lines that work as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.formats import FORMATS
from engine.datasets.exports.hints import export_hints, path_for_dreamlip
from tests.engine.datasets.exports.shards import make_plan


def hints(format: str, out: Path, **values: object) -> str:
    counts = ExportCounts(records=3)
    return "\n".join(export_hints(FORMATS[format], make_plan(**values), out, counts))


@pytest.mark.parametrize(
    ("tars", "expression"),
    [(1, "00000.tar --workers 1"), (3, "{00000..00002}.tar' --workers 3"), (12, "..00011}.tar'")],
)
def test_the_command_line_of_open_clip_names_all_tars_and_fits_their_number(
    tmp_path: Path, tars: int, expression: str
) -> None:
    for number in range(tars):
        (tmp_path / f"{number:05}.tar").touch()
    said = hints("wds", tmp_path, image_mode="copy", with_original=True)
    command, text, newer = said.splitlines()
    assert command.startswith("open_clip: python -m open_clip_train.main --dataset-type webdataset")
    assert command.endswith(expression)
    assert "--train-num-samples" not in said, "sizes.json says it"
    assert text == "each epoch trains on the same text of each image: the first of original, m1, m2"
    assert "--json-text-key 'original;m1;m2' --json-text-key-probs 1 1 1, draws one" in newer


@pytest.mark.parametrize("text", ["m1", "random", "expand"])
def test_what_tars_are_trained_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "00000.tar").touch()
    said = hints("wds", tmp_path, image_mode="copy", text=text)
    expected = {"m1": "each image: m1", "random": "one drawn at random", "expand": "is a caption"}
    assert expected[text] in said


def test_tars_without_images_are_not_for_open_clip(tmp_path: Path) -> None:
    assert "needs the images" in hints("wds", tmp_path)


@pytest.mark.parametrize(("name", "has_comma"), [("out.tsv", False), ("out.csv", True)])
def test_the_command_line_for_a_table(tmp_path: Path, name: str, has_comma: bool) -> None:
    said = hints("openclip", tmp_path / name)
    assert ("--csv-separator ," in said) == has_comma
    assert "divide the epochs by 2" in said
    assert "epochs" not in hints("openclip", tmp_path / name, text="random")


@pytest.mark.parametrize(
    ("out", "path"),
    [
        ("/a.csv", "/./././a.csv"),
        ("/t/a.csv", "/t/././a.csv"),
        ("/t/u/v/a.csv", "/t/u/v/a.csv"),
        ("/t/u/v/w/a.csv", "/t/u/v/w/a.csv"),
    ],
)
def test_the_path_for_dreamlip_has_five_parts(out: str, path: str) -> None:
    assert path_for_dreamlip(Path(out)) == path
    assert path.split("/")[4]
    assert Path(path) == Path(out)
    assert path in hints("dreamlip", Path(out))


def test_originals_that_are_asked_for_and_not_there_are_said() -> None:
    for missing, said in ((3, True), (2, False)):
        counts = ExportCounts(records=3, no_original=missing)
        lines = export_hints(FORMATS["json"], make_plan(with_original=True), Path("/o"), counts)
        assert any("no record has an original caption" in line for line in lines) == said

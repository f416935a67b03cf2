"""The paper's flow: its released JSON files, whose paths are of another machine, to open_clip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.readers.colours import picture
from tests.readers.conftest import Call, Exported, Trainer
from tests.support.cli import cli_ok

MODELS = ("minigpt-4", "otter", "qwen-vl", "llava-1.5")
COUNT = 24
FOREIGN = "/mnt/bn/somebody/cc3m"


def caption(model: str, number: int) -> str:
    """Return what a model said of an image: its first sentence, as it was released."""
    return f"{model.partition('-')[0]} sees {number}"


@pytest.fixture
def released(tmp_path: Path) -> list[Path]:
    """Four files of one caption an image, in an order of their own, and the images below `here`."""
    for number in range(COUNT):
        path = tmp_path / f"here/train/{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    files = []
    for shift, model in enumerate(MODELS):
        numbers = [(number + 5 * shift) % COUNT for number in range(COUNT)]
        records = [
            {"image": f"{FOREIGN}/train/{number:05}.jpg", "caption": caption(model, number)}
            for number in numbers
        ]
        files.append(tmp_path / f"cc3m_{model}.json")
        files[-1].write_text(json.dumps(records))
    return files


@pytest.mark.parametrize("text", [(), ("--text", "random")])
@pytest.mark.parametrize("format", ["openclip", "wds"])
def test_two_commands_make_what_open_clip_trains_on(
    released: list[Path],
    call: Call,
    train: Trainer,
    tmp_path: Path,
    format: str,
    text: tuple[str, ...],
) -> None:
    imports = [
        option
        for model, file in zip(MODELS, released, strict=True)
        for option in ("--import", f"{model}={file}")
    ]
    project = tmp_path / "project"
    here = ("--path-map", f"{FOREIGN}={tmp_path}/here")
    cli_ok("new", project, *imports, *here)
    out = tmp_path / ("out.csv" if format == "openclip" else "tars")
    export = Exported(out, cli_ok("export", project, out, "--format", format, *text, *here))
    if format == "openclip":
        pairs = call("open_clip_reader", "csv_pairs", path=str(out), separator=",")
    else:
        pairs = call("open_clip_reader", "tar_pairs", tars=export.tar_names, train=True)["pairs"]
    everything = sorted(
        (number, caption(model, number)) for model in MODELS for number in range(COUNT)
    )
    found = sorted((number, caption) for number, caption in pairs)
    if format == "openclip" and not text:
        assert found == everything
    else:
        assert [number for number, _ in found] == list(range(COUNT))
        assert set(found) <= set(everything)
    if text and format == "openclip":
        train(export)

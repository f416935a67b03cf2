"""What commands say when a person presses Ctrl+C."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from engine.operations import caption_stats, quality
from engine.project import opening
from tests.support.cli import cli
from tests.support.numbered_project import make_numbered_project


def interrupt(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "out.json"), "cancelled: nothing was written"),
        (("export", "out.json", "--without", "loops"), "cancelled: nothing was written"),
        (("proxy", "out"), "cancelled: nothing was written"),
        (("quality",), "cancelled"),
        (("stats",), "cancelled"),
        (("samples",), "cancelled"),
        (("retry",), ""),
    ],
)
def test_an_interrupted_command_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    project = make_numbered_project(tmp_path, 4)
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    monkeypatch.setattr(opening, "open_project", interrupt)
    result = cli(arguments[0], project.folder, *arguments[1:])
    assert (result.returncode, result.stderr.strip()) == (130, told)
    assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before


def test_also_while_shards_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_numbered_project(tmp_path, 4)
    monkeypatch.setattr(quality, "count_quality", interrupt)
    monkeypatch.setattr(caption_stats, "measure_shard", interrupt)
    for command in ("quality", "stats"):
        result = cli(command, project.folder)
        assert (result.returncode, result.stderr.strip()) == (130, "cancelled")

"""What each reader of captions says of a damaged log, and what the tracker then knows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.datasets.exports.export import ExportOptions
from engine.datasets.exports.shard_captions import CaptionFilter
from engine.datasets.joint_rows import read_rows
from engine.operations.caption_stats import measure_captions
from engine.operations.damage import NOT_TOLD
from engine.operations.failure_report import write_csv
from engine.operations.new_project import NewProject, create
from engine.operations.quality import measure_quality
from engine.operations.records import flagged_samples, read_record, read_samples
from engine.operations.reshear import reshear
from engine.operations.run_control import send_request
from engine.project.damage import Damage, DamagedFiles
from engine.project.layout import Project
from engine.quality.quality_filter import QualityFilter
from engine.requests.kinds import Flag
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.utils.errors import BadInput
from tests.support.projects import model_choice, write_captions
from tui.cli.main import cli
from tui.viewmodel import actions


def caption_row(model: str, shard: int, i: int) -> dict[str, Any]:
    if (shard, i) == (0, 1):
        return {"error": "missing", "detail": "it is not there"}
    return {"raw": f"{model} sees {shard}/{i}. And more.", "tokens": 9, "finish": "stop"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A finished project of two models and two shards; a letter of one log is another one now."""
    (tmp_path / "captions.json").write_text(
        json.dumps([{"image": f"{i}.png", "caption": ""} for i in range(6)])
    )
    models = [model_choice("one"), model_choice("two")]
    new = NewProject(
        captions=[tmp_path / "captions.json"], models=models, shard_size=3, allow_missing=True
    )
    project = create(tmp_path / "run", new).project
    write_captions(project, caption_row)
    send_request(project, Flag(records=[(0, 2)], flagged=True))
    log = damaged_log(project)
    status = log.stat()
    log.write_bytes(log.read_bytes().replace(b"sees 0/2", b"sees 9/9"))
    os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))
    return project


def damaged_log(project: Project) -> Path:
    return next(project.captions.glob("one-*")) / "00000.jsonl"


def states(project: Project) -> list[str]:
    return [task.state for task in ProjectState.load(project, Policy()).ledger.tasks.values()]


READERS: dict[str, Callable[[Project, Path], object]] = {
    "samples": lambda project, _: read_samples(project, 4),
    "flagged samples": lambda project, _: flagged_samples(project),
    "stats": lambda project, _: measure_captions(project),
    "quality": lambda project, _: measure_quality(project),
    "reshear": lambda project, _: reshear(project, Shearing("sentence")),
    "failures": write_csv,
    "export in the application": lambda project, out: actions.export(
        project, out, ExportOptions(provenance=True), lambda _: None, lambda: False
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_log_is_refused_and_its_task_begins_anew(
    project: Project, tmp_path: Path, reader: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        READERS[reader](project, tmp_path / "out")
    assert str(refusal.value) == (
        f"{damaged_log(project)} was changed after its task was done."
        " 'mllmaug-tui run' captions 1 task again"
    )
    assert sorted(states(project)) == ["done", "done", "done", "pending"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["samples", "RUN"],
        ["samples", "RUN", "--flagged"],
        ["stats", "RUN"],
        ["quality", "RUN"],
        ["failures", "RUN", "--csv", "OUT"],
        ["failures", "RUN", "--images"],
        ["export", "RUN", "OUT", "--provenance"],
        ["export", "RUN", "OUT", "--provenance", "--allow-partial"],
    ],
    ids=" ".join,
)
def test_after_readonly_a_command_tells_the_tracker_nothing(
    project: Project, tmp_path: Path, arguments: list[str]
) -> None:
    names = {"RUN": str(project.folder), "OUT": str(tmp_path / "out")}
    arguments = [names.get(argument, argument) for argument in arguments]
    result = CliRunner().invoke(cli, ["--readonly", *arguments])
    assert NOT_TOLD in f"{result.exception} {result.output}"
    assert states(project) == ["done"] * 4
    (tmp_path / "out").unlink(missing_ok=True)
    CliRunner().invoke(cli, arguments)
    assert "pending" in states(project)


def test_an_error_names_a_few_damaged_files_and_counts_the_others() -> None:
    damage = [Damage(Path(f"/p/{number}"), "is missing", "") for number in range(5)]
    for count, end in ((3, "/p/2 is missing"), (4, "; 1 more file is"), (5, "; 2 more files are")):
        text = str(DamagedFiles(damage[:count])).removesuffix(
            " damaged ('mllmaug-tui verify' names them)"
        )
        assert text.endswith(end)


def test_an_export_of_what_there_is_says_what_is_damaged(project: Project, tmp_path: Path) -> None:
    options = ExportOptions(provenance=True, allow_partial=True)
    text = actions.export(project, tmp_path / "out", options, lambda _: None, lambda: False)
    assert "8 captions of 6 records" in text
    assert " + 2 in damaged files. " in text
    assert text.endswith("'mllmaug-tui run' captions 1 task again")


def test_a_window_that_is_read_only_changes_nothing(project: Project, tmp_path: Path) -> None:
    options = ExportOptions(provenance=True)
    for read in (
        lambda: actions.export(
            project, tmp_path / "x", options, lambda _: None, lambda: False, tell=False
        ),
        lambda: actions.write_failures(project, tmp_path / "x", None, False, tell=False),
        lambda: measure_captions(project, tell=False),
    ):
        with pytest.raises(BadInput, match=r"was done\. The tracker was not updated"):
            read()
    assert states(project) == ["done"] * 4


def test_a_screen_shows_no_caption_of_a_damaged_log(project: Project) -> None:
    record = read_record(project, 0, 2)
    assert record is not None
    one, two = record.captions
    assert one.raw is None
    assert one.error == f"damaged: {damaged_log(project)} was changed after its task was done"
    assert two.raw == "two sees 0/2. And more."


def test_training_is_given_nothing_of_a_damaged_log(project: Project) -> None:
    next(project.captions.glob("one-*/00000.sheared-*")).unlink()
    with pytest.raises(BadInput, match="was changed after its task was done: 'mllmaug-tui verify"):
        read_rows([project.folder], CaptionFilter(), QualityFilter())


def test_a_project_that_cannot_be_written_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError("Read-only file system")

    monkeypatch.setattr("engine.operations.run_control.ProjectLock.__enter__", read_only)
    with pytest.raises(
        BadInput, match=r"The tracker could not be updated \(.*Read-only file system"
    ):
        measure_captions(project)

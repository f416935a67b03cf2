"""Excluded records are not captioned again, not missing, and taken back in on demand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db import failures, projects
from db.connection import reading
from engine.operations.failure_causes import exclude_records
from engine.operations.run_control import send_request
from engine.project import caption_log
from engine.project.caption_log import CaptionLog
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils.errors import RequestRefused
from tests.support.cli import cli, cli_ok
from tests.support.pictures import make_captions


@pytest.fixture
def run(tmp_path: Path) -> Project:
    """Two shards of ten records, of which two images are missing and one is damaged."""
    captions = make_captions(tmp_path / "data", 20)
    for number in (3, 14):
        (tmp_path / "data" / f"images/{number:06}.png").unlink()
    (tmp_path / "data" / "images/000007.png").write_text("no image")
    project = tmp_path / "run"
    cli_ok("new", project, captions, "--model", "dry-run", "--shard-size", 10)
    cli_ok("run", project, "--devices", "cpu")
    return open_project(project)


def causes(project: Project) -> dict[str, int]:
    with reading(project.database) as connection:
        return {cause.kind: cause.count for cause in failures.causes(connection)}


def state(project: Project) -> list[tuple[str, int, int, int]]:
    with reading(project.database) as connection:
        tasks = projects.tasks(connection)
    return [(task.state, task.captioned, task.failed, task.left) for task in tasks]


def test_excluded_and_taken_back(run: Project, tmp_path: Path) -> None:
    assert causes(run) == {"missing": 2, "corrupt": 1}
    message = exclude_records(run, [(1, None), (2, None)], "missing")
    assert message == "excluded: 2 records of 2 shards"
    assert causes(run) == {"excluded": 2, "corrupt": 1}
    assert state(run) == [("done", 8, 2, 0), ("done", 9, 1, 0)]
    assert (
        "missing: no such file"
        in (run.folder / "captions").rglob("00000.jsonl").__next__().read_text()
    )

    cli_ok("export", run.folder, tmp_path / "out.json")
    assert len(json.loads((tmp_path / "out.json").read_text())) == 17

    # Retrying the failed records asks only for the one that is not excluded.
    message = send_request(run, "retry", tasks=[1, 2], failed_items=True)
    assert "retry of the failed records of 1 task" in message
    assert state(run) == [("pending", 8, 2, 1), ("done", 9, 1, 0)]
    cli_ok("run", run.folder, "--devices", "cpu")
    assert state(run)[0] == ("done", 8, 2, 0)

    # A whole shard again leaves it out as well.
    send_request(run, "retry", tasks=[1], failed_items=False)
    assert state(run)[0][3] == 9
    cli_ok("run", run.folder, "--devices", "cpu")
    assert state(run)[0] == ("done", 8, 2, 0)
    with reading(run.database) as connection:
        model = projects.models(connection)[0]
    rows = run.caption_log_file(model, 0).read_text().splitlines()
    assert [json.loads(row).get("error") for row in rows if json.loads(row)["i"] == 3] == [
        "missing",
        "excluded",
    ]

    message = exclude_records(run, [(1, [3])], exclude=False)
    assert message == "taken back in: 1 record of 1 shard"
    send_request(run, "retry", tasks=[1], failed_items=True)
    cli_ok("run", run.folder, "--devices", "cpu")
    assert causes(run) == {"missing": 1, "corrupt": 1, "excluded": 1}


def test_many_shards_are_answered_for_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = make_captions(tmp_path / "data", 7)
    for number in (0, 2, 3, 6):
        (tmp_path / "data" / f"images/{number:06}.png").unlink()
    cli_ok("new", tmp_path / "run", captions, "--model", "dry-run", "--shards", 7)
    cli_ok("run", tmp_path / "run", "--devices", "cpu")
    project = open_project(tmp_path / "run")
    monkeypatch.setattr("engine.operations.failure_causes.TASKS_PER_REQUEST", 2)
    every = [(task, None) for task in range(1, 8)]
    assert exclude_records(project, every) == "excluded: 4 records of 4 shards"
    with pytest.raises(RequestRefused, match=r"^nothing to exclude$"):
        exclude_records(project, every)

    # What was done before something went wrong is part of the message.
    requests: list[object] = []

    def ask_until(*arguments: object, **payload: object) -> str:
        requests.append(payload)
        if len(requests) > 2:
            raise RequestRefused("no answer")
        return send_request(*arguments, **payload)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.operations.run_control.send_request", ask_until)
    with pytest.raises(RequestRefused, match=r"^taken back in: 3 records of 3 shards; no answer$"):
        exclude_records(project, every, exclude=False)
    assert len(requests) == 3


def test_only_failed_records_can_be_excluded(run: Project) -> None:
    with pytest.raises(RequestRefused, match="nothing to exclude"):
        exclude_records(run, [(1, [0, 1])])
    before = state(run)
    with pytest.raises(RequestRefused):
        exclude_records(run, [(1, None)], "poison")
    assert state(run) == before


def test_status_names_the_causes(run: Project) -> None:
    output = cli_ok("status", run.folder)
    assert "2 records missing in 2 shards (put the file there" in output
    assert "1 record corrupt in 1 shard " in output
    assert "failures" not in json.loads(cli("status", run.folder, "--json").stdout)


def test_a_log_with_exclusions_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = CaptionLog(path, 4)
    log.append([{"i": 0, "error": "missing", "detail": "x"}, {"i": 1, "error": "corrupt"}])
    assert log.exclude([0, 1]) == 2
    assert (log.left, log.failed) == (2, 2)
    assert log.append([{"i": 0, "raw": "late", "tokens": 1, "finish": "stop"}]) == 0
    log.close()
    again = CaptionLog(path, 4, "failed", path.stat().st_size)
    assert [again.missing(i) for i in range(4)] == [False, False, True, True]
    assert again.exclude([1], exclude=False) == 1
    again.close()
    assert caption_log.read(path, 4).errors[1]["error"] == "readmitted"
    last = CaptionLog(path, 4, "failed", path.stat().st_size)
    assert [last.missing(i) for i in range(4)] == [False, True, True, True]
    last.close()


def test_a_record_that_was_not_asked_for_yet(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = CaptionLog(path, 3)
    log.append([{"i": 0, "raw": "x", "tokens": 1, "finish": "stop"}])
    assert log.exclude([0, 1, 3, -1]) == 1  # not what has a caption, nor what is none
    assert (log.left, log.failed, log.errors[1]["error"]) == (1, 1, "excluded")
    assert log.exclude([1, 2], exclude=False) == 1
    assert (log.left, log.missing(1), log.missing(2)) == (1, False, True)
    log.close()
    again = CaptionLog(path, 3)
    assert [again.missing(i) for i in range(3)] == [False, False, True]
    again.close()


def test_csv(run: Project, tmp_path: Path) -> None:
    from engine.operations.failure_report import write_csv

    assert write_csv(run, tmp_path / "all.csv") == 3
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert lines[0] == "shard,record,image,model,kind,detail"
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["3", "4", "7"]
    assert "images/000014.png,dry-run,missing" in "\n".join(lines)

"""`status --follow` and the metrics file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db import supervisor_writes
from db.connection import writing
from tests.support import canned_projects
from tests.support.cli import cli, cli_ok
from tests.support.run_in_memory import ManualClock
from tui.cli import follow


def test_a_line_every_interval_and_one_when_the_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: True)
    metrics = tmp_path / "captions.prom"

    class Clock(ManualClock):
        """A clock on which the run ends after 150 s."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.monotonic() - began >= 150:
                with writing(project.database) as connection:
                    supervisor_writes.forget_supervisor(connection)

    clock = Clock()
    began = clock.monotonic()
    code = follow.follow(project, 60.0, True, metrics, clock)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in lines] == ["running"] * 3 + ["idle"]
    times = [line["time"] - lines[0]["time"] for line in lines]
    assert times == [0, 60, 120, 150]
    assert code == 1  # tasks are left
    assert 'state="idle"} 1.0' in metrics.read_text()


def test_a_run_that_is_over_has_one_line(tmp_path: Path) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "finished")
    done = cli("status", project.folder, "--follow", "--json")
    (line,) = done.stdout.splitlines()
    assert (done.returncode, json.loads(line)["state"]) == (0, "finished")
    assert cli_ok("status", project.folder, "--follow").startswith("finished: ")
    assert "--interval needs --follow" in cli("status", project.folder, "--interval", 5).stderr
    assert cli("status", project.folder, "--follow", "--interval", 0).returncode == 2


def test_metrics_replace_metrics_and_nothing_else(tmp_path: Path) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "finished")
    out = tmp_path / "captions.prom"
    for _ in range(2):
        assert "tasks:" in cli_ok("status", project.folder, "--prometheus", out)
        assert out.read_text().startswith("# HELP mllmaug_state ")
    assert sorted(path.name for path in tmp_path.glob("*.prom*")) == ["captions.prom"]
    out.write_text("my notes")
    refused = cli("status", project.folder, "--prometheus", out)
    assert (refused.returncode, out.read_text()) == (2, "my notes")
    assert "exists" in refused.stderr
    inside = project.captions / "x.prom"
    assert "own files" in cli("status", project.folder, "--prometheus", inside).stderr
    assert (
        "is a device or a pipe" in cli("status", project.folder, "--prometheus", "/dev/null").stderr
    )
    assert "cannot write" in cli("status", project.folder, "--prometheus", "/no/x.prom").stderr

"""Hooks are called once, whenever the supervisor is killed: the calls of real hooks are counted."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from db import notices
from engine.notices import notifier
from engine.notices.run_end import tell_what_is_due
from engine.project.layout import Project
from engine.state import project_state
from engine.utils.user_config import config_file
from tests.faults.support.projects import copy_project, make_project
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli_ok
from tests.support.waiting import wait_for

TWO_COMMITS = replace(FAST_POLICY, commit_every=3600.0)
"""A policy with one commit at the start and one at the end."""


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Project:
    """A project whose caption logs are whole, of which the database does not know: a run completes
    it without a worker."""
    project = make_project(
        tmp_path_factory.mktemp("captioned") / "run", data / "captions.json", shard_size=60
    )
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute(
            "UPDATE task SET state = 'pending', digest = NULL, captioned = 0, left = count,"
            " log_bytes = 0, rows = 0"
        )
        connection.execute("DELETE FROM notice")
        connection.commit()
    return project


@pytest.fixture
def hook_log(tmp_path: Path) -> Path:
    """The file to which the hook adds a line a call, once it was there for half a second."""
    log = tmp_path / "hook.log"
    log.touch()
    config_file().parent.mkdir(parents=True, exist_ok=True)
    command = ["sh", "-c", "sleep 0.5; tee -a $0", str(log)]
    config_file().write_text(f"[on_event.log]\ncommand = {json.dumps(command)}\n")
    return log


def calls(log: Path) -> Counter[str]:
    return Counter(json.loads(line)["event"] for line in log.read_text().splitlines())


def all_delivered(project: Project) -> bool:
    with closing(sqlite3.connect(project.database)) as connection:
        rows = connection.execute("SELECT state FROM delivery").fetchall()
    return all(state == "done" for (state,) in rows)


def kill_after(function: Callable[..., Any], of_kind: str | None = None) -> Callable[..., Any]:
    """Return the function, behind whose call the process is killed.

    With `of_kind` only if one of the notices that it is called with is of that kind.
    """

    def call_and_kill(*arguments: Any) -> None:
        rows = list(arguments[1]) if of_kind is not None else []
        function(*arguments)
        if of_kind is None or of_kind in {row.kind for row in rows}:
            os.kill(os.getpid(), signal.SIGKILL)

    return call_and_kill


@pytest.mark.parametrize("point", ["in the commit", "before the call", "during the call"])
def test_a_supervisor_that_is_killed_while_it_tells_its_end(
    captioned: Project,
    tmp_path: Path,
    hook_log: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    project = copy_project(captioned, tmp_path / "run")
    with monkeypatch.context() as patch:  # the supervisor is forked
        if point == "in the commit":
            patch.setattr(notices, "add", kill_after(notices.add, "finished"))
        else:
            start = notifier.start_notifier if point == "during the call" else print
            patch.setattr("engine.state.project_state.start_notifier", kill_after(start))
        with SupervisorProcess(project, policy=TWO_COMMITS) as running:
            assert running.wait() == -signal.SIGKILL
    assert calls(hook_log) == {}
    cli_ok("status", project.folder)
    with SupervisorProcess(project, policy=TWO_COMMITS) as running:
        assert running.wait() == 0
    cli_ok("status", project.folder)
    wait_for(lambda: all_delivered(project))
    assert calls(hook_log) == {"finished": 1}


def test_runs_that_are_killed_are_told_once_each(
    project: Project, hook_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are killed behind their first commit, and three people look at once."""
    commit = project_state.ProjectState.commit
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(project_state.ProjectState, "commit", kill_after(commit))
            with SupervisorProcess(project, policy=TWO_COMMITS) as running:
                assert running.wait() == -signal.SIGKILL
        lookers = [Thread(target=tell_what_is_due, args=(project,)) for _ in range(3)]
        for looker in lookers:
            looker.start()
        for looker in lookers:
            looker.join()
    with SupervisorProcess(project) as running:
        assert running.wait() == 0
    wait_for(lambda: all_delivered(project))
    assert calls(hook_log) == {"killed": 2, "finished": 1}

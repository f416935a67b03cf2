"""The lock of a project: who holds it, and a lock file that was removed or replaced."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.process import identity
from engine.project.lock import LockHolder, ProjectInUse, ProjectLock, find_holder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_the_holder_is_named_and_the_lock_is_free_afterwards(path: Path) -> None:
    with ProjectLock(path) as lock:
        assert lock.intact()
        holder = f"process {os.getpid()} on {identity.host_name()}"
        with pytest.raises(ProjectInUse, match=holder):
            ProjectLock(path).__enter__()
        assert json.loads(path.read_text())["pid"] == os.getpid(), "the loser wrote nothing"
    assert not lock.intact()
    with ProjectLock(path):
        pass


def test_a_longer_content_of_an_earlier_holder_is_cut(path: Path) -> None:
    path.write_text("x" * 1000)
    with ProjectLock(path):
        assert json.loads(path.read_text())["host"] == identity.host_name()


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"pid": 1}'])
def test_a_file_that_names_nobody(path: Path, content: str) -> None:
    with ProjectLock(path):
        path.write_text(content)
        with pytest.raises(ProjectInUse, match="another process"):
            ProjectLock(path).__enter__()


def test_anybody_sees_who_holds_it(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_holder(path)
    with ProjectLock(path):
        before = open_files()
        assert find_holder(path) == LockHolder.this_process()
        assert open_files() == before
    assert find_holder(path) is None, "what an earlier holder wrote says nothing"


def test_a_look_at_the_lock_refuses_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process looks at it just when it is to be taken."""
    path.write_text("")
    looker = os.open(path, os.O_RDONLY)
    fcntl.flock(looker, fcntl.LOCK_SH)
    unlock = lambda _: fcntl.flock(looker, fcntl.LOCK_UN)  # noqa: E731
    monkeypatch.setattr("engine.project.lock.time.sleep", unlock)
    with ProjectLock(path) as lock:
        assert lock.intact()
    os.close(looker)


@pytest.mark.parametrize(
    ("changes", "on_this_machine", "is_visible"),
    [
        ({}, True, True),
        ({"boot_id": None, "created": None}, True, True),
        ({"host": "a container of this machine"}, True, True),
        ({"pid": 2**22 + 1}, True, False),
        ({"created": 0.5}, True, False),
        ({"boot_id": "another"}, False, False),
        ({"boot_id": None, "host": "another"}, False, False),
    ],
)
def test_where_the_holder_runs(
    changes: dict[str, Any], on_this_machine: bool, is_visible: bool
) -> None:
    holder = replace(LockHolder.this_process(), **changes)
    assert (holder.on_this_machine, holder.is_visible) == (on_this_machine, is_visible)


@pytest.mark.parametrize(
    "content", ["null", "7", '{"host": "x" * 9, "pid": "no"}', '{"host": 1, "pid": 1e999}', "\xff"]
)
def test_nonsense_in_the_file_names_nobody(path: Path, content: str) -> None:
    with ProjectLock(path):
        path.write_text(content)
        assert find_holder(path) == LockHolder()
        assert str(find_holder(path)) == "another process"


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_loser_keeps_no_file_open(path: Path) -> None:
    with ProjectLock(path):
        before = open_files()
        with pytest.raises(ProjectInUse):
            ProjectLock(path).__enter__()
        assert open_files() == before


def test_the_lock_is_lost_with_its_file(path: Path) -> None:
    with ProjectLock(path) as lock:
        path.unlink()
        assert not lock.intact()
        path.write_text("")
        assert not lock.intact(), "another process would lock the new file"


def test_a_file_that_the_last_holder_removed_is_not_what_is_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, the file is removed once."""
    acquire = ProjectLock.acquire
    attempts: list[int] = []

    def acquire_removed_file(self: ProjectLock) -> None:
        acquire(self)
        attempts.append(self.file)
        if len(attempts) == 1:
            path.unlink()

    monkeypatch.setattr(ProjectLock, "acquire", acquire_removed_file)
    with ProjectLock(path) as lock:
        assert len(attempts) == 2
        assert lock.intact()

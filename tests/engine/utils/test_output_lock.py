"""The lock of an output: taken once, left by no one, and never that of a file that is gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from engine.utils.errors import BadInput
from engine.utils.output_lock import output_lock


def test_it_is_free_again_afterwards_and_leaves_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with output_lock(tmp_path / "out") as locked:
            assert locked
            with pytest.raises(BadInput), output_lock(tmp_path / "out"):
                pass
            with output_lock(tmp_path / "other"):
                pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_last_holder_has_just_removed_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, removed = fcntl.flock, list[int]()

    def flock_removed_file(handle: int, operation: int) -> None:
        flock(handle, operation)
        if not removed:
            removed.append(handle)
            (tmp_path / ".out.lock").unlink()

    monkeypatch.setattr(fcntl, "flock", flock_removed_file)
    with output_lock(tmp_path / "out"), pytest.raises(BadInput), output_lock(tmp_path / "out"):
        pass
    assert removed


def test_what_a_killed_process_of_another_user_left_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shared folder it can be read, and neither be written nor be removed."""
    left = tmp_path / ".out.lock"
    left.touch()
    open_file = os.open

    def open_read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if path == left and flags & (os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, flags, mode)

    def keep(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "open", open_read_only)
    monkeypatch.setattr(Path, "unlink", keep)
    with output_lock(tmp_path / "out") as locked:
        assert locked
        with pytest.raises(BadInput), output_lock(tmp_path / "out"):
            pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError), output_lock(tmp_path / "out"):
        pass
    assert not os.path.lexists(tmp_path / "victim")

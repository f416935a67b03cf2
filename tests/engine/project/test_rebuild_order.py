"""Rebuilding a database: what is certain on the disk before the new file takes its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.project import manifest
from engine.project.opening import open_project
from tests.support.small_project import SmallProject


def test_the_old_files_are_gone_for_good_before_the_new_one_takes_their_place(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, state = small.project, small.state
    manifest.save(project, state.settings, list(state.models.values()), list(state.shards.values()))
    project.database.write_bytes(b"this is no database" * 100)
    done: list[str] = []
    rename, fsync = os.rename, os.fsync

    def note_rename(old: Path, new: Path) -> None:
        done.append(f"{Path(old).name} is renamed")
        rename(old, new)

    def note_sync(handle: int) -> None:
        if os.fstat(handle).st_ino == project.folder.stat().st_ino:
            done.append("the folder is synced")
        fsync(handle)

    monkeypatch.setattr(os, "rename", note_rename)
    monkeypatch.setattr(os, "fsync", note_sync)

    open_project(project.folder)

    assert done[-3:] == [
        "project.db is renamed",
        "the folder is synced",
        "project.db.new is renamed",
    ]

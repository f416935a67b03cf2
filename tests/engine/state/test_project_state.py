"""What is told of a project's manifest that cannot be written."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from engine.project import manifest
from engine.state.project_state import keep_manifest
from tests.support.run_in_memory import RunInMemory


def test_a_manifest_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run tries it again at every commit."""
    run = RunInMemory(tmp_path / "run")
    troubles: list[int | None] = []

    def save(*_: object) -> None:
        if (code := troubles.pop(0)) is not None:
            raise OSError(code, os.strerror(code), f"project.json.{len(troubles):08x}.part")

    monkeypatch.setattr(manifest, "save", save)
    troubles += [errno.EROFS, errno.EROFS, errno.EACCES, None, errno.EACCES, errno.EACCES]
    with caplog.at_level(logging.WARNING):
        while troubles:
            keep_manifest(run.project, run.state)
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told == ["Read-only file system", "Permission denied", "Permission denied"]

"""The snapshot feed, without an application: what it posts, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.message import Message

from db import notices, projects
from db.connection import reading
from engine.notices.run_end import run_file
from tests.support import canned_projects
from tui.config import user_files
from tui.session import messages
from tui.threads.snapshot_feed import SnapshotFeed


class Feed(SnapshotFeed):
    """A feed that keeps what it posts."""

    def __init__(self, folder: Path, readonly: bool = False) -> None:
        self.posted: list[Message] = []
        super().__init__(folder, self.posted.append, readonly)

    def read_once(self) -> list[Message]:
        """Claim a reading, read, and return what was posted."""
        assert self.claim()
        self.posted.clear()
        self.read()
        return list(self.posted)


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(canned_projects.copy_canned_project(tmp_path / "p", "create").folder)


def test_the_first_reading_opens_and_remembers_the_project(feed: Feed) -> None:
    (read,) = feed.read_once()
    assert isinstance(read, messages.SnapshotRead)
    assert read.snapshot.folder == feed.folder
    assert user_files.recent_projects() == [feed.folder]
    feed.close()


def test_what_did_not_change_is_not_posted_again(feed: Feed) -> None:
    feed.read_once()
    assert feed.read_once() == []
    feed.forget()
    assert len(feed.read_once()) == 1
    feed.close()


def test_there_is_one_reading_at_a_time(feed: Feed) -> None:
    assert feed.claim()
    assert not feed.claim()
    feed.read()
    assert feed.claim()


def test_a_failure_is_posted_and_then_the_snapshot_although_it_is_the_same(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.read_once()
    reader = feed.reader
    assert reader is not None
    before = reader.last

    def fail() -> None:
        raise OSError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(reader, "read", fail)
        assert feed.read_once() == [messages.SnapshotFailed("OSError: no disk")]
    (read,) = feed.read_once()
    assert isinstance(read, messages.SnapshotRead)
    assert read.snapshot is before
    assert feed.read_once() == []
    feed.close()


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    feed = Feed(tmp_path)
    (refused,) = feed.read_once()
    assert isinstance(refused, messages.ProjectRefused)
    assert "holds no project" in refused.reason


def test_nothing_is_read_after_the_end(feed: Feed) -> None:
    assert feed.claim()
    feed.close()
    feed.read()
    assert feed.posted == []
    assert not feed.claim()


@pytest.mark.parametrize("readonly", [False, True])
def test_who_sees_a_killed_run_has_hooks_told_unless_readonly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readonly: bool
) -> None:
    project = canned_projects.copy_canned_project(tmp_path / "p", "busy")
    with reading(project.database) as connection:
        own = run_file(project, projects.project(connection).uid)
    own.parent.mkdir(parents=True)
    own.touch()
    feed = Feed(project.folder, readonly)
    feed.read_once()
    monkeypatch.setattr("engine.process.identity.is_alive", lambda row: False)
    for _ in range(2):
        feed.forget()
        feed.read_once()
    feed.close()
    with reading(project.database) as connection:
        told = [row.kind for row in notices.after(connection, 0)]
    assert told == ([] if readonly else ["killed"])

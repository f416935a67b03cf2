"""Opens the project and reads its snapshots, in the threads of whoever uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from engine.utils.errors import BadInput
from tui.config import user_files
from tui.formatting.text import describe_error
from tui.session import messages
from tui.viewmodel import actions

if TYPE_CHECKING:
    from tui.viewmodel.snapshot_reader import SnapshotReader


class SnapshotFeed:
    """Reads one snapshot at a time and posts each new one as a message, or why there is none."""

    def __init__(
        self, folder: Path, post: Callable[[Message], object], readonly: bool = False
    ) -> None:
        self.folder = folder
        self.readonly = readonly
        """True if the project must not be changed, not even to repair its database."""
        self.post = post
        """Takes the messages. Called in a thread."""
        self.reader: SnapshotReader | None = None
        """Reads the snapshots; None until the project is opened."""
        self.reading = False
        """True while a thread reads; there is one such thread at most."""
        self.failed = False
        """True if no snapshot could be read the last time."""
        self.closed = False

    def claim(self) -> bool:
        """Return True if a thread should call `read` now: none reads already."""
        if self.reading or self.closed:
            return False
        self.reading = True
        return True

    def read(self) -> None:
        """Read a snapshot; the first time, open the project before that. Called in a thread."""
        try:
            if not self.closed:
                self.read_and_post()
        except BadInput as error:
            self.post(messages.ProjectRefused(str(error)))
        except Exception as error:
            self.failed = True
            self.post(messages.SnapshotFailed(describe_error(error)))
        finally:
            self.reading = False

    def read_and_post(self) -> None:
        from engine.notices.run_end import tell_what_is_due
        from tui.viewmodel.snapshot_reader import SnapshotReader

        if self.reader is None:
            project = actions.open_project(self.folder, self.readonly)
            user_files.remember_project(project.folder)
            self.reader = SnapshotReader(project)
        before = self.reader.last
        snapshot = self.reader.read()
        if snapshot is not before or self.failed:
            self.failed = False
            self.post(messages.SnapshotRead(snapshot))
        if not self.readonly and (before is None or before.killed_at != snapshot.killed_at):
            tell_what_is_due(self.reader.project)

    def forget(self) -> None:
        """Have the next reading read everything, whether it changed or not."""
        if self.reader is not None:
            self.reader.version = None

    def close(self) -> None:
        """Read nothing more, and close the database."""
        self.closed = True
        if self.reader is not None:
            self.reader.close()

"""A project folder: the path of every file and folder in it. Nothing here opens a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from db.rows import ModelRow, ProjectRow

OWN_NAMES = ("lock", "inputs.json", "shards", "captions", "logs")
"""The names of a project's own files and folders, besides `project.db`, `project.json` and what
lies beside these (`project.db-journal`, `project.db.schema-0003`, ...)."""


NOT_IN_LOG_NAMES = re.compile(r"[:/\0]")
"""Characters of a device's id that are none of its log's name."""
MAX_LOG_NAME = 200
"""Characters of a device's id in its log's name: file systems take names of 255 bytes."""


@dataclass(frozen=True, slots=True)
class Project:
    """The paths of one project, derived from its folder. The folder need not exist."""

    folder: Path
    """An absolute path. Nothing below it is reached through a link (`engine.utils.plain_files`)."""

    @classmethod
    def at(cls, folder: Path) -> Project:
        """Return the project in a folder that a person named, also by a link to it."""
        return cls(Path(os.path.realpath(folder)))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def database(self) -> Path:
        return self.folder / "project.db"

    @property
    def manifest(self) -> Path:
        return self.folder / "project.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def inputs(self) -> Path:
        """The file that names the inputs of `new`, so that no output takes the place of one."""
        return self.folder / "inputs.json"

    @property
    def quality(self) -> Path:
        """The file of the quality of all captions as it was counted last; it may be deleted."""
        return self.folder / "project.quality.msgpack"

    @property
    def shards(self) -> Path:
        """The folder of the shard files."""
        return self.folder / "shards"

    @property
    def captions(self) -> Path:
        """The folder that holds one folder of caption logs and sheared files per model."""
        return self.folder / "captions"

    @property
    def logs(self) -> Path:
        """The folder of the logs of supervisor and workers; caption logs lie in `captions`."""
        return self.folder / "logs"

    def is_there(self) -> bool:
        """Return True if the folder holds a project, damaged or not.

        Other programs have a `project.json`, too, but none beside our shards.
        """
        return self.database.is_file() or (self.manifest.is_file() and self.shards.is_dir())

    @staticmethod
    def owns_name(name: str) -> bool:
        """Return True if an entry of a project's folder with this name is the project's own."""
        # Some file systems take upper and lower case for the same.
        return name.lower().startswith("project.") or name.lower() in OWN_NAMES

    def shard_file(self, shard: int) -> Path:
        return self.shards / f"{shard:05}.jsonl"

    def caption_log_file(self, model: ModelRow, shard: int) -> Path:
        return self.captions / model.folder / f"{shard:05}.jsonl"

    def worker_log(self, device: str) -> Path:
        """Return the file that takes the stderr of the workers on a device."""
        return self.logs / f"worker-{re.sub(NOT_IN_LOG_NAMES, '-', device)[:MAX_LOG_NAME]}.log"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def image_root(self, row: ProjectRow) -> Path:
        """Return the image root, which the row gives absolute or relative to the folder."""
        return self.folder / row.image_root

"""A project folder: the path of every file and folder in it. Nothing here opens a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from db.rows import ModelRow, ProjectRow


@dataclass(frozen=True, slots=True)
class Project:
    """The paths of one project, derived from its folder. The folder need not exist."""

    folder: Path

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

    def shard_file(self, shard: int) -> Path:
        return self.shards / f"{shard:05}.jsonl"

    def caption_log_file(self, model: ModelRow, shard: int) -> Path:
        return self.captions / model.folder / f"{shard:05}.jsonl"

    def worker_log(self, device: str) -> Path:
        """Return the file that takes the stderr of the workers on a device."""
        return self.logs / f"worker-{re.sub('[:/]', '-', device)}.log"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def image_root(self, row: ProjectRow) -> Path:
        """Return the image root, which the row gives absolute or relative to the folder."""
        return self.folder / row.image_root

"""A project folder: what lies where in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from db.rows import ModelRow, ProjectRow


@dataclass(frozen=True, slots=True)
class Project:
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
        return self.folder / "shards"

    @property
    def captions(self) -> Path:
        return self.folder / "captions"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def shard_file(self, shard: int) -> Path:
        return self.shards / f"{shard:05}.jsonl"

    def log_file(self, model: ModelRow, shard: int) -> Path:
        return self.captions / model.folder / f"{shard:05}.jsonl"

    def worker_log(self, device: str) -> Path:
        """stderr of the device's workers."""
        return self.logs / f"worker-{re.sub('[:/]', '-', device)}.log"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def image_root(self, row: ProjectRow) -> Path:
        return self.folder / row.image_root

"""What people and disks do to the files of a simulated project, beside those who write them."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from engine.project.layout import Project
from tests.sim.disk import SimulatedDisk, overwrite
from tests.sim.faults import Faults
from tests.sim.invariants import Checker


class Damage:
    """Damages a project's files, and mends what no product can."""

    def __init__(
        self,
        project: Project,
        faults: Faults,
        rng: random.Random,
        disk: SimulatedDisk,
        checker: Checker,
    ) -> None:
        self.project = project
        self.faults = faults
        self.rng = rng
        self.disk = disk
        self.checker = checker
        self.original_shards: dict[Path, bytes] = {}
        """What shard files held that were written to or removed."""
        self.moved = False
        """True while the project's folder has another name."""

    @property
    def aside(self) -> Path:
        """Where the project's folder is while it is moved."""
        return self.project.folder.with_suffix(".aside")

    def during_run(self) -> None:
        """Do what may happen between two turns of a run."""
        happens = self.faults.happens
        if self.moved:
            return
        if happens("project folder is moved away"):
            self.project.folder.rename(self.aside)
            self.moved = True
            return
        if happens("lock file is removed"):
            self.project.lock.unlink(missing_ok=True)
        if happens("shard file is written to"):
            path = self.touch_a_shard()
            if path.exists():
                path.write_bytes(self.another_shard(path.read_bytes()))
        if happens("shard file is removed"):
            self.touch_a_shard().unlink(missing_ok=True)

    def another_shard(self, data: bytes) -> bytes:
        """Return a shard with a line that is no record, or the records in another order."""
        lines = data.splitlines(keepends=True)
        return b"".join(self.rng.choice([[*lines, b"no record\n"], lines[::-1]]))

    def touch_a_shard(self) -> Path:
        """Choose a shard file, and keep what it holds."""
        shard = self.rng.choice(sorted(self.checker.images))
        self.checker.truth.touched_shards.add(shard)
        file = self.project.shard_file(shard)
        if file not in self.original_shards:
            self.original_shards[file] = file.read_bytes()
        return file

    def between_runs(self) -> None:
        """Do what may happen while nothing runs."""
        happens = self.faults.happens
        logs = sorted(self.project.captions.glob("*/?????.jsonl"))
        if logs and happens("log is cut while nothing runs"):
            log = self.rng.choice(logs)
            self.disk.cut(log)
            self.checker.on_change(log)
        if logs and happens("log is deleted while nothing runs"):
            log = self.rng.choice(logs)
            log.unlink()
            self.disk.forget_after(log, 0)
            self.checker.on_change(log)
            logs.remove(log)
        if logs and happens("log is appended to while nothing runs"):
            self.change(self.rng.choice(logs), at_end=True)
        if logs and happens("log is changed while nothing runs"):
            self.change(self.rng.choice(logs), at_end=False)
        sheared = sorted(self.project.captions.glob("*/*.sheared-*.jsonl"))
        if sheared and happens("sheared file is changed"):
            file = self.rng.choice(sheared)
            overwrite(file, file.read_bytes().replace(b" says ", b" said ", 1))
        if sheared and happens("sheared file is deleted"):
            self.rng.choice(sheared).unlink()
        if happens("database is deleted"):
            self.project.database.unlink(missing_ok=True)

    def change(self, log: Path, at_end: bool) -> None:
        """Put bytes that no row can hold at the end of a log, or in the place of others."""
        data = bytearray(log.read_bytes())
        at = len(data) if at_end else self.rng.randrange(max(1, len(data) - 8))
        data[at : at + 8] = b"\xff" * 8
        time = log.stat().st_mtime_ns
        overwrite(log, data + b"\n" if at_end else data)
        os.utime(log, ns=(time + 1, time + 1))  # a file system's clock stands still for some ms
        self.checker.on_change(log)

    def put_back(self) -> None:
        """Move the project's folder back to its place."""
        if self.moved:
            if self.project.folder.exists():
                shutil.rmtree(self.project.folder)
            self.aside.rename(self.project.folder)
            self.moved = False

    def mend_shards(self) -> None:
        """Give the shard files what they held."""
        for path, data in self.original_shards.items():
            path.write_bytes(data)
        self.original_shards.clear()

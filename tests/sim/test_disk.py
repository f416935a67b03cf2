"""The simulated disk and database do what their faults say, to the product's own code."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import pytest
from sqlalchemy import text

from db.connection import DatabaseDamaged, reading, writing
from engine.project import caption_log, log_rows
from engine.project.caption_log import CaptionLog, DiskFull
from engine.protocol.caption_row import CaptionRow
from tests.sim.database import SimulatedDatabase
from tests.sim.disk import Killed, SimulatedDisk
from tests.sim.faults import Faults
from tests.sim.file_operations import before_each
from tests.sim.virtual_time import VirtualTime


class Only(Faults):
    """Faults of the kinds that a test switches on, at every occasion."""

    def __init__(self) -> None:
        super().__init__(0)
        self.on: set[str] = set()

    def happens(self, kind: str) -> bool:
        return kind in self.on


class Stage:
    """A log on a simulated disk."""

    log: CaptionLog

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults = Only()
        self.damaged: list[Path] = []
        self.written: list[bytes] = []
        self.disk = SimulatedDisk(
            self.faults,
            random.Random(5),
            VirtualTime(),
            self.die,
            self.kill,
            lambda _, data: self.written.append(data),
            self.damaged.append,
            set(),
        )

    def die(self, kind: str | None) -> None:
        if kind is not None and self.faults.happens(kind):
            self.kill()

    def kill(self) -> NoReturn:
        raise Killed

    def append(self, *indexes: int) -> None:
        self.log.append(CaptionRow(i, f"caption {i} " + "x" * 40, 3, "stop") for i in indexes)

    def captions(self) -> set[int]:
        return set(caption_log.read(self.path, 10).captions)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        stage = Stage(tmp_path / "captions/a/00000.jsonl")
        for name in ("open_file", "open_stream", "read_bytes"):
            stand_in = getattr(stage.disk, name)
            stack.enter_context(patch(f"engine.project.caption_log.{name}", stand_in))
        stack.enter_context(patch("engine.project.caption_log.os", stage.disk))
        stage.log = CaptionLog(stage.path, 10)
        yield stage


def test_what_was_synced_outlives_a_power_cut_and_the_rest_need_not(stage: Stage) -> None:
    stage.append(0, 1)
    stage.log.sync()
    stage.append(2, 3)
    stage.disk.cut_power()
    assert {0, 1} <= stage.captions() < {0, 1, 2, 3}
    assert stage.damaged == []


def test_pages_that_a_failed_sync_dropped_are_gone_though_a_later_sync_succeeds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CaptionLog, "take_back", lambda _: None)
    stage.append(0)
    stage.log.sync()
    stage.append(1)
    stage.faults.on = {"fsync fails"}
    with pytest.raises(OSError):
        stage.log.sync()
    stage.faults.on = set()
    stage.append(2)
    stage.log.sync()
    assert stage.captions() == {0, 1, 2}  # from memory
    durable = stage.disk.durable_bytes(stage.path, stage.path.read_bytes())
    assert log_rows.captioned(durable) == {0, 2}
    stage.faults.on = {"dropped pages are evicted"}
    assert 1 not in stage.captions()
    assert stage.damaged == [stage.path]


def test_a_log_is_durable_after_a_failed_sync(stage: Stage) -> None:
    stage.append(0)
    stage.log.sync()
    stage.append(1)
    stage.faults.on = {"fsync fails"}
    with pytest.raises(OSError):
        stage.log.sync()
    stage.faults.on = set()
    assert (stage.log.rows, stage.captions(), stage.disk.lost) == (1, {0}, {})
    assert stage.disk.unsynced_since == {}


def test_an_opening_makes_durable_what_a_failed_sync_dropped(stage: Stage) -> None:
    stage.append(0)
    stage.log.sync()
    stage.append(1)
    stage.faults.on = {"fsync fails", "log cannot be cut"}
    with pytest.raises(OSError):
        stage.log.sync()
    stage.log.close()
    assert stage.disk.lost
    stage.faults.on = set()
    stage.log = CaptionLog(stage.path, 10)
    assert (stage.log.rows, stage.disk.lost) == (2, {})


@pytest.mark.parametrize(
    "kind", ["power cut leaves zeros", "power cut leaves a hole", "power cut loses a new file"]
)
def test_a_power_cut_leaves_what_its_kind_says(stage: Stage, kind: str) -> None:
    if "new file" not in kind:
        stage.append(0)
        stage.log.sync()
    stage.append(1, 2, 3)
    size = stage.path.stat().st_size
    stage.faults.on = {kind}
    stage.disk.cut_power()
    if "new file" in kind:
        assert not stage.path.exists()
    else:
        assert stage.path.stat().st_size == size
        assert b"\0" in stage.path.read_bytes()
        assert 0 in stage.captions()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("write gives EIO", OSError),
        ("write gives ENOSPC", OSError),
        ("write is short", DiskFull),
        ("write is a short one and then fails", OSError),
    ],
)
def test_a_write_that_fails_leaves_nothing_in_the_log(
    stage: Stage, kind: str, error: type[OSError]
) -> None:
    stage.append(0)
    before = stage.path.read_bytes()
    stage.faults.on = {kind}
    with pytest.raises(error):
        stage.append(1, 2)
    assert stage.path.read_bytes() == before


def test_a_kill_in_a_write_leaves_a_torn_row(stage: Stage) -> None:
    stage.append(0)
    size = stage.path.stat().st_size
    stage.faults.on = {"supervisor is killed in a write"}
    stage.disk.ftruncate = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(Killed):
        stage.append(1, 2)
    assert stage.path.stat().st_size > size
    assert len(stage.written) == 2


def test_a_file_operation_can_be_the_last_one(tmp_path: Path) -> None:
    seen: list[str] = []

    def die(path: str) -> None:
        seen.append(path)
        raise Killed

    with before_each(die):
        for operation in (
            lambda: (tmp_path / "a").write_text("x"),
            lambda: (tmp_path / "a").mkdir(),
            lambda: (tmp_path / "a").rename(tmp_path / "b"),
            lambda: (tmp_path / "a").unlink(),
        ):
            with pytest.raises(Killed):
                operation()
        Path("/proc/self/status").read_text()  # nothing is changed
    assert seen == [str(tmp_path / "a")] * 4
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_damaged_for_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "project.db"
    path.touch()
    with writing(path) as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    faults = Only()
    database = SimulatedDatabase(faults, random.Random(1), lambda _: None, Counter(), lambda: None)
    faults.on = {"database is damaged"}
    with pytest.raises(DatabaseDamaged), database.writing(path):
        pass
    with pytest.raises(DatabaseDamaged), reading(path) as connection:
        connection.execute(text("SELECT * FROM t"))
    assert database.damaged and not database.saved

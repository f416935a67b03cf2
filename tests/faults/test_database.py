"""A database that is damaged, gone, locked by a stopped reader, or of another schema."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from db import connection as connect
from engine.project.layout import Project
from engine.project.opening import open_project
from tests.faults.support import damage
from tests.faults.support.gate import Gate
from tests.faults.support.invariants import check_invariants, wait_until_gone
from tests.faults.support.projects import (
    copy_project,
    events,
    exported_bytes,
    make_project,
    row_count,
)
from tests.faults.support.supervisor_process import FAST_POLICY, SupervisorProcess
from tests.support.cli import cli, cli_ok, status
from tests.support.pictures import dry_run_caption
from tests.support.waiting import wait_for


def finish(project: Project) -> None:
    with SupervisorProcess(project) as running:
        assert running.wait() == 0


@pytest.fixture(scope="module")
def killed_half_way(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Project:
    folder = tmp_path_factory.mktemp("half")
    project = make_project(folder / "run", data / "captions.json")
    gate = Gate(folder, 24).environment
    with SupervisorProcess(project, policy=FAST_POLICY, **gate) as running:
        wait_for(lambda: row_count(project) >= 24)
        running.kill()
    wait_until_gone(project)
    connect.roll_back_hot_journal(project.database)
    return project


@pytest.fixture
def half_done(tmp_path: Path, killed_half_way: Project) -> Project:
    """A project whose run was killed half way, without a hot journal."""
    return copy_project(killed_half_way, tmp_path / "half")


def status_of_project(project: Project) -> dict[str, Any]:
    """Return what `status` says, but for what changes by itself."""
    return {k: v for k, v in status(project.folder).items() if k not in ("time", "host")}


def test_a_hot_journal_is_rolled_back_by_whoever_comes_first(
    half_done: Project, undisturbed_export: bytes
) -> None:
    before = status_of_project(half_done)
    damage.leave_hot_journal(half_done)
    assert status_of_project(half_done) == before
    damage.leave_hot_journal(half_done)
    finish(half_done)
    assert not Path(f"{half_done.database}-journal").exists()
    check_invariants(half_done)
    assert exported_bytes(half_done) == undisturbed_export


@pytest.mark.parametrize("how", damage.DATABASE_DAMAGE)
def test_a_damaged_database_is_kept_aside_and_rebuilt(
    half_done: Project, undisturbed_export: bytes, how: str
) -> None:
    damage.damage_database(half_done, random.Random(3), how)
    damaged = half_done.database.read_bytes() if half_done.database.exists() else None
    finish(half_done)
    copies = list(half_done.folder.glob("project.db.damaged-*"))
    assert [path.read_bytes() == damaged for path in copies] == [True] * (damaged is not None)
    assert "it was rebuilt from shards and caption logs" in events(half_done)
    check_invariants(half_done)
    assert row_count(half_done) == 60  # nothing was captioned twice
    assert exported_bytes(half_done) == undisturbed_export


@pytest.mark.parametrize("how", ["overwritten", "gone"])
def test_a_hot_journal_beside_a_damaged_database_spoils_nothing(
    half_done: Project, undisturbed_export: bytes, how: str
) -> None:
    damage.leave_hot_journal(half_done)
    damage.damage_database(half_done, random.Random(3), how)
    finish(half_done)
    assert not Path(f"{half_done.database}-journal").exists()
    assert "it was rebuilt from shards and caption logs" in events(half_done)
    check_invariants(half_done)
    assert row_count(half_done) == 60
    assert exported_bytes(half_done) == undisturbed_export


@pytest.mark.parametrize("how", ["overwritten", "replaced"])
def test_every_command_makes_a_damaged_database_good(half_done: Project, how: str) -> None:
    before = status(half_done.folder)["models"]
    damage.damage_database(half_done, random.Random(1), how)
    assert status(half_done.folder)["state"] == "idle"
    cli_ok("run", half_done.folder, "--devices", "cpu")
    assert status(half_done.folder)["models"][0]["total"] == before[0]["total"]
    check_invariants(half_done)


def test_a_database_damaged_under_a_run_ends_it_and_the_next_one_goes_on(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        project.database.write_bytes(b"what is this?\n" * 1000)
        assert running.wait() == 2
    finish(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_without_a_manifest_nothing_is_guessed(project: Project) -> None:
    project.manifest.unlink()
    project.database.write_bytes(b"what is this?\n" * 1000)
    result = cli("status", project.folder)
    assert result.returncode == 2
    assert "damaged" in result.stderr and "Traceback" not in result.stderr


STOPPED_READER = """
import sqlite3, sys, time
rows = sqlite3.connect(sys.argv[1]).execute("SELECT * FROM task")
next(rows)
print("reading", flush=True)
time.sleep(600)
"""
"""A program that begins to read the database given to it and does not end."""


@contextmanager
def stopped_reader(project: Project) -> Iterator[None]:
    """Keep the lock of a read, which no commit gets past, as ctrl+z during a read does."""
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_READER, str(project.database)],
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        reader.stdout.readline()
        reader.send_signal(signal.SIGSTOP)
        yield
        reader.kill()


def test_a_reader_that_was_stopped_holds_nothing_up(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        with stopped_reader(project):
            gate.open()
            wait_for(lambda: row_count(project) == 60)
        assert running.wait() == 0
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


def test_a_reader_that_stays_stopped_until_the_end_costs_only_counters(
    project: Project, gate: Gate, undisturbed_export: bytes
) -> None:
    with SupervisorProcess(project, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: row_count(project) > 0)
        with stopped_reader(project):
            gate.open()
            assert running.wait() == 0
    assert row_count(project) == 60
    finish(project)
    check_invariants(project)
    assert exported_bytes(project) == undisturbed_export


OLD_PROJECT = Path(__file__).parent / "fixtures/schema-0001"
"""A project made by the first version and stopped after 7 of its 12 records."""


def test_a_project_of_the_first_schema(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(OLD_PROJECT, folder)
    assert connect.schema_of(folder / "project.db") == "0001"
    project = open_project(folder)
    assert connect.schema_of(project.database) == connect.SCHEMA
    backups = [path.name for path in folder.glob("project.db.schema-*")]
    assert backups == ([] if connect.SCHEMA == "0001" else ["project.db.schema-0001"])
    assert row_count(project) == 7
    finish(project)
    check_invariants(project)
    assert row_count(project) == 12
    for record in json.loads(exported_bytes(project)):
        assert record["caption"] == dry_run_caption(folder / record["image"])


def test_a_project_of_a_newer_schema_is_refused_and_left_alone(half_done: Project) -> None:
    with closing(sqlite3.connect(half_done.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = half_done.database.read_bytes()
    for command in (["status"], ["run", "--devices", "cpu"], ["pause"]):
        result = cli(command[0], half_done.folder, *command[1:])
        assert result.returncode == 2
        assert "upgrade mllmaug-tui" in result.stderr
    assert half_done.database.read_bytes() == before


def test_no_upgrade_under_a_run(half_done: Project, gate: Gate) -> None:
    with SupervisorProcess(half_done, policy=FAST_POLICY, **gate.environment) as running:
        wait_for(lambda: status(half_done.folder)["state"] == "running")
        with closing(sqlite3.connect(half_done.database, timeout=30)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
            connection.commit()
        result = cli("status", half_done.folder)
        assert result.returncode == 2
        assert "stop it first" in result.stderr
        running.kill()

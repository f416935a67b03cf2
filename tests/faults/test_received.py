"""A received project reads and writes only inside itself, whatever is in it.

Every command runs on it. Beside it lies a folder of somebody else's: nothing in that is read,
written, made, emptied or deleted.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from db.connection import writing
from engine.project.layout import Project
from engine.project.log_rows import digest
from engine.project.opening import open_project
from engine.supervisor.main import supervise
from engine.utils.errors import BadInput
from tests.db.test_files import write_journal
from tests.faults.support.projects import make_project
from tests.faults.support.supervisor_process import FAST_POLICY
from tests.support.cli import cli
from tests.support.pictures import make_captions

CANARY = "canary of somebody else"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--json"),
    ("samples",),
    ("samples", "--flagged"),
    ("failures",),
    ("stats",),
    ("quality",),
    ("doctor",),
    ("verify",),
    ("export", "OUT"),
    ("export", "OUT", "--only-finished"),
    ("reshear", "--mode", "sentence"),
    ("retry", "--shard", "0"),
    ("skip", "--shard", "1"),
    ("unskip",),
    ("priority", "--shard", "0", "--by", "1"),
    ("flag", "0:0"),
    ("exclude", "--shard", "0", "--record", "1"),
    ("set", "dry-run", "batch=4"),
    ("pause",),
    ("resume",),
    ("run", "--devices", "cpu"),
    ("stop",),
)
"""The commands that are given a project, without those that need a server or take minutes."""
EXCLUDE = "exclude --shard 0 --record 1"
"""The command that has nothing to do here and therefore ends with exit code 2."""
FEW = tuple(each for each in COMMANDS if each[0] in ("status", "samples", "export", "retry", "run"))
"""Commands that read and change all there is."""

Damage = Callable[[Project, Path], object]
"""Does harm to a project; the path is that of the folder beside it."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished project of two shards, with a flag."""
    folder = tmp_path_factory.mktemp("received")
    make_captions(folder / "data", 6)
    project = make_project(folder / "run", folder / "data/captions.json", shard_size=3)
    assert supervise(project, "cpu", FAST_POLICY)
    assert cli("flag", project.folder, "0:1").returncode == 0
    return project


@pytest.fixture
def received(template: Project, tmp_path: Path) -> Project:
    shutil.copytree(template.folder, tmp_path / "run")
    return Project(tmp_path / "run")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """The folder of somebody else, with names in it that a project has, too."""
    folder = tmp_path / "outside"
    for name in ("shards", "captions", "logs", "empty"):
        (folder / name).mkdir(parents=True)
    for name in ("file", "shards/00000.jsonl", "captions/00000.jsonl", "logs/supervisor.log"):
        (folder / name).write_text(f"{CANARY}\n" * 50)
    (folder / "captions/00000.sheared-0.jsonl").write_text(CANARY)
    return folder


def tree(folder: Path) -> list[tuple[str, int, int, bytes]]:
    """Return name, kind, time of the last write and content of all that is below a folder."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return [
        (
            str(path),
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in paths
    ]


def run_commands(
    project: Project, outside: Path, commands: Sequence[Sequence[str]] = COMMANDS
) -> dict[str, int]:
    """Run every command; return their exit codes. None of them may touch the folder outside."""
    before, out = tree(outside), project.folder.parent / "out.json"
    codes = {}
    for name, *options in commands:
        out.unlink(missing_ok=True)
        arguments = [out if option == "OUT" else option for option in options]
        result = cli(name, project.folder, *arguments)
        written = out.read_text() if out.exists() else ""
        assert result.returncode in (0, 1, 2), (name, result)
        assert "Traceback" not in result.stderr, (name, result)
        assert CANARY not in result.stdout + result.stderr + written, (name, result)
        assert tree(outside) == before, (name, result)
        codes[" ".join((name, *options))] = result.returncode
    for path in project.folder.rglob("*"):
        assert not path.is_file() or path.is_symlink() or CANARY not in path.read_text("latin-1")
    return codes


def replace_by_link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def replace_by_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def damaged_with_journal(project: Project, outside: Path) -> None:
    write_journal(project.database, outside / "file")
    project.database.write_bytes(b"x")


def damaged_with_links(project: Project, outside: Path) -> None:
    """Put links where the tracker is made anew."""
    project.database.write_bytes(b"x")
    project.folder.joinpath("project.db.new").symlink_to(outside / "new")
    project.folder.joinpath("project.db.new-journal").symlink_to(outside / "file")


def captions_folder(project: Project) -> Path:
    (folder,) = project.captions.iterdir()
    return folder


AT_ONCE: dict[str, tuple[Damage, str]] = {
    "database": (lambda p, o: replace_by_link(p.database, o / "file"), "a symbolic link"),
    "database, dangling": (lambda p, o: replace_by_link(p.database, o / "new"), "a symbolic link"),
    "manifest": (lambda p, o: replace_by_link(p.manifest, o / "file"), "a symbolic link"),
    "lock": (lambda p, o: replace_by_link(p.lock, o / "file"), "a symbolic link"),
    "lock, dangling": (lambda p, o: replace_by_link(p.lock, o / "new"), "a symbolic link"),
    "inputs": (lambda p, o: replace_by_link(p.inputs, o / "file"), "a symbolic link"),
    "journal": (
        lambda p, o: p.folder.joinpath("project.db-journal").symlink_to(o / "file"),
        "a symbolic link",
    ),
    "log of changes": (
        lambda p, o: p.folder.joinpath("project.db-wal").symlink_to(o / "new"),
        "a symbolic link",
    ),
    "shards": (lambda p, o: replace_by_link(p.shards, o / "shards"), "a symbolic link"),
    "captions": (lambda p, o: replace_by_link(p.captions, o), "a symbolic link"),
    "captions of a model": (
        lambda p, o: replace_by_link(captions_folder(p), o / "captions"),
        "a symbolic link",
    ),
    "logs": (lambda p, o: replace_by_link(p.logs, o / "logs"), "a symbolic link"),
    "log": (lambda p, o: replace_by_link(p.supervisor_log, o / "file"), "a symbolic link"),
    "worker's log": (
        lambda p, o: replace_by_link(p.worker_log("cpu:0"), o / "new"),
        "a symbolic link",
    ),
    "database, a pipe": (lambda p, o: replace_by_pipe(p.database), "holds no project|a pipe"),
    "manifest, a pipe": (lambda p, o: replace_by_pipe(p.manifest), "is a pipe: remove it"),
    "lock, a pipe": (lambda p, o: replace_by_pipe(p.lock), "is a pipe: remove it"),
    "log, a pipe": (lambda p, o: replace_by_pipe(p.supervisor_log), "is a pipe: remove it"),
    "lock, a folder": (lambda p, o: replace_by_folder(p.lock), "is no file: move it"),
    "captions, a file": (lambda p, o: replace_by_file(p.captions), "is no folder: move it"),
}
"""What is told when the project is opened, and the message."""


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_link_or_a_pipe_is_refused_at_once(received: Project, outside: Path, name: str) -> None:
    damage, message = AT_ONCE[name]
    damage(received, outside)
    before = tree(received.folder)
    assert set(run_commands(received, outside).values()) == {2}
    assert tree(received.folder) == before, "nothing is written"
    with pytest.raises(BadInput, match=message) as refused:
        open_project(received.folder)
    assert "\n" not in str(refused.value)


def sheared_file(project: Project) -> Path:
    return next(captions_folder(project).glob("00000.sheared-*"))


LATER: dict[str, Damage] = {
    "caption log": lambda p, o: replace_by_link(captions_folder(p) / "00000.jsonl", o / "file"),
    "caption log, dangling": lambda p, o: replace_by_link(
        captions_folder(p) / "00000.jsonl", o / "new"
    ),
    "caption log, a pipe": lambda p, o: replace_by_pipe(captions_folder(p) / "00000.jsonl"),
    "sheared file": lambda p, o: replace_by_link(sheared_file(p), o / "file"),
    "sheared file, a pipe": lambda p, o: replace_by_pipe(sheared_file(p)),
    "shard": lambda p, o: replace_by_link(p.shard_file(0), o / "shards/00000.jsonl"),
    "shard, a pipe": lambda p, o: replace_by_pipe(p.shard_file(0)),
    "journal that names a file": lambda p, o: write_journal(p.database, o / "file"),
    "damaged, and a journal that names a file": damaged_with_journal,
    "damaged, and links where it is made anew": damaged_with_links,
    "log, rotated": lambda p, o: p.logs.joinpath("supervisor.log.1").touch(),
}
"""What is not looked at before the file is used."""


@pytest.mark.parametrize("name", LATER)
def test_nothing_outside_is_touched(received: Project, outside: Path, name: str) -> None:
    LATER[name](received, outside)
    run_commands(received, outside)


def test_a_project_behind_a_link_goes_on_working(received: Project, outside: Path) -> None:
    received.folder.rename(received.folder.parent / "elsewhere")
    received.folder.symlink_to("elsewhere")
    codes = run_commands(received, outside)
    assert [name for name, code in codes.items() if code == 2] == [EXCLUDE]
    assert open_project(received.folder).folder == received.folder.parent / "elsewhere"


def execute(project: Project, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(sql, values)
        connection.commit()


def change_manifest(project: Project, change: Callable[[Any], object]) -> None:
    contents = json.loads(project.manifest.read_bytes())
    change(contents)
    project.manifest.write_text(json.dumps(contents))


NAMES = ["../../outside", "..", ".", "", "a/b", "/etc", "a\0b", "a\nb", "x" * 300, "-x", "\x1b[2J"]


@pytest.mark.parametrize("field", ["name", "settings_hash"])
@pytest.mark.parametrize("value", NAMES)
def test_a_name_that_leads_out_is_damage(
    received: Project, outside: Path, field: str, value: str
) -> None:
    execute(received, f"UPDATE model SET {field} = ?", value)
    change_manifest(received, lambda contents: contents["models"][0].update({field: value}))
    before = tree(received.folder)
    for command in (("status",), ("run", "--devices", "cpu"), ("export", outside.parent / "out")):
        result = cli(command[0], received.folder, *command[1:])
        assert result.returncode == 2
        assert "does not say what the project is: " in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert tree(received.folder) == before, "nothing is written"


NONSENSE = [
    'UPDATE model SET settings = \'{"batch": "many"}\'',
    "UPDATE model SET settings = '{\"seed\": -1}'",
    "UPDATE model SET settings = '{\"prompt\": [1]}'",
    "UPDATE model SET settings = '{\"max_new_tokens\": 1e400}'",
    "UPDATE model SET settings = '[' ",
    "UPDATE model SET family = 'none'",
    "UPDATE model SET checkpoint = '/etc'",
    "UPDATE task SET state = 'lost'",
    "UPDATE task SET captioned = 'abc'",
    "UPDATE task SET strikes = 9223372036854775807",
    "UPDATE task SET shard = shard + 100",
    "UPDATE shard SET count = 100000000000",
    "UPDATE project SET path_map = '{}'",
    "UPDATE project SET image_root = x'ff'",
    "UPDATE supervisor SET pid = -1",
    "UPDATE event SET text = CAST(x'c3' AS TEXT)",
    "DELETE FROM task",
    "CREATE TRIGGER t AFTER INSERT ON event BEGIN UPDATE task SET error = new.text; END",
    "CREATE VIEW v AS SELECT 1",
]


@pytest.mark.parametrize("sql", NONSENSE)
def test_a_tracker_of_nonsense_is_rebuilt(received: Project, outside: Path, sql: str) -> None:
    execute(received, sql)
    codes = run_commands(received, outside, FEW)
    assert 2 not in codes.values(), codes
    assert len(list(received.folder.glob("project.db.damaged-*"))) == 1
    status = json.loads(cli("status", received.folder, "--json").stdout)
    assert status["tasks"]["done"] == 2


SHARDS = {
    "no objects": b"[1]\n" * 3,
    "no images": b'{"image": 5}\n' * 3,
    "too few": b'{"image": "a"}\n',
    "too many": b'{"image": "a"}\n' * 9,
    "none": b"",
    "deep": b"[" * 100_000 + b"\n" * 3,
    "no JSON": b"\xff\n" * 3,
    "long numbers": b'{"image": "a", "x": %s}\n' % (b"1" * 5000) * 3,
}
"""Shards of three records that are none, each with the digest that the project has of it."""
LOGS = {
    "no objects": b"[1]\n" * 3,
    "no index": b'{"raw": "x", "tokens": 1, "finish": "stop"}\n' * 3,
    "index of another type": b'{"i": "0", "raw": "x", "tokens": 1, "finish": "stop"}\n' * 3,
    "index out of range": b'{"i": 7, "raw": "x", "tokens": 1, "finish": "stop"}\n' * 3,
    "index below 0": b'{"i": -1, "raw": "x", "tokens": 1, "finish": "stop"}\n' * 3,
    "long index": b'{"i": %s, "raw": "x"}\n' % (b"1" * 5000) * 3,
    "caption of another type": b'{"i": 0, "raw": 5, "tokens": 1, "finish": 7}\n' * 3,
    "deep": b'{"i": 0, "raw": ' + b"[" * 100_000 + b"\n" * 3,
}
"""Finished caption logs that are none, each with the digest that the project has of it."""
READS = tuple(
    each
    for each in COMMANDS
    if each[0]
    in ("status", "samples", "stats", "quality", "verify", "export", "reshear", "retry", "run")
)


@pytest.mark.parametrize("name", SHARDS)
def test_a_shard_of_nonsense_with_its_right_digest(
    received: Project, outside: Path, name: str
) -> None:
    data = SHARDS[name]
    received.shard_file(0).write_bytes(data)
    saved = {"digest": digest(data), "bytes": len(data)}
    execute(received, "UPDATE shard SET digest = ?, bytes = ? WHERE number = 0", *saved.values())
    change_manifest(received, lambda contents: contents["shards"][0].update(saved))
    run_commands(received, outside, READS)
    status = json.loads(cli("status", received.folder, "--json").stdout)
    assert status["tasks"]["running"] == status["tasks"]["pending"] == 0, "the run ended"


@pytest.mark.parametrize("name", LOGS)
def test_a_log_of_nonsense_with_its_right_digest(
    received: Project, outside: Path, name: str
) -> None:
    data, log = LOGS[name], captions_folder(received) / "00000.jsonl"
    log.write_bytes(data)
    sheared_file(received).unlink()
    columns = "digest = ?, log_bytes = ?, log_mtime_ns = ?, rows = ?"
    saved = (digest(data), len(data), log.stat().st_mtime_ns, data.count(b"\n"))
    execute(received, f"UPDATE task SET {columns} WHERE shard = 0", *saved)
    run_commands(received, outside, READS)


def test_settings_that_a_person_cannot_set_do_not_run(received: Project) -> None:
    """Nothing goes to a worker that cannot make sense of it, and would be asked for ever."""
    nonsense = {"batch": "many", "seed": 1.5}
    execute(received, "UPDATE model SET settings = ?", json.dumps(nonsense))
    change_manifest(received, lambda contents: contents["models"][0].update(settings=nonsense))
    result = cli("run", received.folder, "--devices", "cpu")
    assert result.returncode == 2
    assert "invalid settings" in result.stderr


def test_a_link_that_appears_while_the_project_is_open(received: Project, outside: Path) -> None:
    """What is looked at when the project is opened is not trusted after that."""
    project, before = open_project(received.folder), tree(outside)
    shutil.rmtree(captions_folder(project))
    folder = project.captions / "dry-run-x"
    folder.symlink_to(outside / "captions")
    with writing(project.database) as connection:
        connection.exec_driver_sql("UPDATE model SET settings_hash = 'x'")
        connection.exec_driver_sql("UPDATE task SET state = 'running', digest = NULL")
    with pytest.raises(BadInput, match="is a symbolic link"):
        supervise(project, "cpu", FAST_POLICY)
    assert tree(outside) == before

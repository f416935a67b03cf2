"""What a power cut, a bad disk or a careless hand does to a project's files."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from engine.project.layout import Project

HOT_JOURNAL = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size = 2")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE task SET state = 'skipped', captioned = 0, failed = 0, error = hex(1234567890)")
event = "INSERT INTO event (created, level, text) VALUES (0, 'info', ?)"
c.executemany(event, [["x" * 500]] * 400)
os.kill(os.getpid(), 9)
"""


def leave_hot_journal(project: Project) -> None:
    """A writer that is killed when half of its pages are in the database file already."""
    subprocess.run([sys.executable, "-c", HOT_JOURNAL, str(project.database)])
    assert Path(f"{project.database}-journal").stat().st_size > 0


def logs_of(project: Project) -> list[Path]:
    return sorted(p for p in project.captions.glob("*/*.jsonl") if "sheared" not in p.name)


def tear_tails(project: Project, chance: random.Random) -> None:
    """Logs that lost the end that was not synced, or have zeros there."""
    for log in logs_of(project):
        data = log.read_bytes()
        cut = chance.randrange(min(len(data), 4000) + 1)
        if chance.random() < 0.5:
            log.write_bytes(data[: len(data) - cut])
        else:
            log.write_bytes(data[: len(data) - cut] + b"\0" * cut)


LOG = ("gone", "truncated", "zeroed", "foreign", "torn")
DATABASE = ("overwritten", "truncated", "emptied", "gone", "replaced")


def damage_log(project: Project, chance: random.Random) -> None:
    """Damages one log."""
    logs = logs_of(project)
    if not logs:
        return
    log = chance.choice(logs)
    data = log.read_bytes()
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(data) + 1)
    line = chance.randrange(len(lines) + 1)
    match chance.choice(LOG):
        case "gone":
            log.unlink()
        case "truncated":
            log.write_bytes(data[:at])
        case "zeroed":
            zeroed = data[at : at + 512]
            log.write_bytes(data[:at] + b"\0" * len(zeroed) + data[at + 512 :])
        case "foreign":
            other = b'{"i": 99999999, "raw": "x", "tokens": 1, "finish": ""}\n'
            foreign = chance.choice([b"what is this\n", other])
            log.write_bytes(b"".join([*lines[:line], foreign, *lines[line:]]))
        case "torn" if lines:
            torn = lines[line - 1][:20] + b"\n"
            log.write_bytes(b"".join([*lines[: line - 1], torn, *lines[line:]]))


def damage_database(project: Project, chance: random.Random, how: str | None = None) -> None:
    database = project.database
    data = bytearray(database.read_bytes())
    match how or chance.choice(DATABASE):
        case "overwritten":
            for _ in range(3):
                at = chance.randrange(0, len(data), 4096)
                data[at : at + 2048] = chance.randbytes(len(data[at : at + 2048]))
            database.write_bytes(data)
        case "truncated":
            database.write_bytes(data[: chance.randrange(len(data))])
        case "emptied":
            database.write_bytes(b"")
        case "gone":
            database.unlink()
        case "replaced":
            database.write_bytes(b"what is this?\n" * 1000)

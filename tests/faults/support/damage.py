"""Damage that a power cut, a bad disk or a careless hand does to a project's files."""

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
"""A program that kills itself in a transaction, after it has written some of its pages."""


def leave_hot_journal(project: Project) -> None:
    """Leave the journal of a writer that was killed with half of its pages in the database."""
    subprocess.run([sys.executable, "-c", HOT_JOURNAL, str(project.database)])
    assert Path(f"{project.database}-journal").stat().st_size > 0


def caption_logs(project: Project) -> list[Path]:
    """Return the caption logs of a project, without sheared files."""
    return sorted(p for p in project.captions.glob("*/*.jsonl") if "sheared" not in p.name)


def tear_tails(project: Project, rng: random.Random) -> None:
    """Cut off the ends of the caption logs, which were not synced, or write zeros there."""
    for log in caption_logs(project):
        data = log.read_bytes()
        cut = rng.randrange(min(len(data), 4000) + 1)
        if rng.random() < 0.5:
            log.write_bytes(data[: len(data) - cut])
        else:
            log.write_bytes(data[: len(data) - cut] + b"\0" * cut)


LOG_DAMAGE = ("gone", "truncated", "zeroed", "foreign", "torn")
"""The kinds of damage to a caption log: to all of it, or at a random offset or line."""
DATABASE_DAMAGE = ("overwritten", "truncated", "emptied", "gone", "replaced")
"""The kinds of damage to a database."""


def damage_log(project: Project, rng: random.Random) -> None:
    """Damage one random caption log in a random way of `LOG_DAMAGE`."""
    logs = caption_logs(project)
    if not logs:
        return
    log = rng.choice(logs)
    data = log.read_bytes()
    lines = data.splitlines(keepends=True)
    offset = rng.randrange(len(data) + 1)
    line = rng.randrange(len(lines) + 1)
    match rng.choice(LOG_DAMAGE):
        case "gone":
            log.unlink()
        case "truncated":
            log.write_bytes(data[:offset])
        case "zeroed":
            zeroed = data[offset : offset + 512]
            log.write_bytes(data[:offset] + b"\0" * len(zeroed) + data[offset + 512 :])
        case "foreign":
            other = b'{"i": 99999999, "raw": "x", "tokens": 1, "finish": ""}\n'
            foreign = rng.choice([b"what is this\n", other])
            log.write_bytes(b"".join([*lines[:line], foreign, *lines[line:]]))
        case "torn" if lines:
            torn = lines[line - 1][:20] + b"\n"
            log.write_bytes(b"".join([*lines[: line - 1], torn, *lines[line:]]))


def damage_database(project: Project, rng: random.Random, kind: str | None = None) -> None:
    """Damage the database, in a way of `DATABASE_DAMAGE` that is random unless given."""
    database = project.database
    data = bytearray(database.read_bytes())
    match kind or rng.choice(DATABASE_DAMAGE):
        case "overwritten":
            for _ in range(3):
                page = rng.randrange(0, len(data), 4096)
                data[page : page + 2048] = rng.randbytes(len(data[page : page + 2048]))
            database.write_bytes(data)
        case "truncated":
            database.write_bytes(data[: rng.randrange(len(data))])
        case "emptied":
            database.write_bytes(b"")
        case "gone":
            database.unlink()
        case "replaced":
            database.write_bytes(b"what is this?\n" * 1000)

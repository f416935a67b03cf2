"""What may import what, proved in fresh processes."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import db
import engine
import tui

HEAVY = {"torch", "transformers"}
WITH_RAY = ("engine.launchers.ray.launcher",)
WITH_TORCH = ("engine.captioners.", "engine.demo.", "engine.datasets.joint")


def modules(package: ModuleType) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    off = (".migrations", *(() if find_spec("ray") else WITH_RAY))
    return [module.name for module in found if not any(name in module.name for name in off)]


def loaded_in_turn(*parts: list[str]) -> list[set[str]]:
    """Return the top-level modules in one fresh process after each part was imported."""
    code = f"""
import sys, importlib
for part in {parts!r}:
    for name in part:
        importlib.import_module(name)
    print(*{{name.partition('.')[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_each_part_knows_only_what_it_may() -> None:
    """One process imports one part after the other; `lint-imports` proves the rest of the engine.

    The parts are the database, the supervisor and all that it needs (with a worker of the dry run,
    and one of a server), the application, and what a run on a cluster needs besides.
    """
    supervisor = [name for name in modules(engine) if not name.startswith((*WITH_TORCH, *WITH_RAY))]
    parts = ("registry", "base", "families.dry_run", "remote.captioner")
    supervisor += [f"engine.captioners.{part}" for part in parts]
    assert "engine.supervisor.supervisor" in supervisor
    assert "engine.datasets.exports.export" in supervisor
    cluster = [name for name in modules(engine) if name.startswith(WITH_RAY)]
    by_db, by_supervisor, by_application, by_cluster = loaded_in_turn(
        modules(db), supervisor, modules(tui), cluster
    )
    assert not by_db & (HEAVY | {"textual", "engine", "tui", "ray"})
    assert not by_supervisor & (HEAVY | {"textual", "tui", "ray"})
    assert not by_application & (HEAVY | {"ray"})
    assert not by_cluster & HEAVY


def test_a_file_in_the_current_folder_shadows_nothing_of_ours(tmp_path: Path) -> None:
    from engine.process.python_command import python_command

    for name in ("engine.py", "db.py", "orjson.py", "protocol.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    done = subprocess.run(
        python_command("engine.protocol.messages", "x"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    # protocol has no main: reaching that error means that ours was imported.
    assert "cannot import name 'main' from 'engine.protocol.messages'" in done.stderr

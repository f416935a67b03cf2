"""What may import what, proved in fresh processes."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

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


def loaded_by(names: list[str]) -> set[str]:
    """Top-level modules in a process that imported these."""
    code = f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_db_knows_neither_torch_nor_textual_nor_the_other_packages() -> None:
    assert not loaded_by(modules(db)) & (HEAVY | {"textual", "engine", "tui"})


def test_engine_knows_no_textual() -> None:
    assert not loaded_by(modules(engine)) & {"textual", "tui"}


def test_the_supervisor_and_all_it_needs_know_no_torch() -> None:
    names = [name for name in modules(engine) if not name.startswith(WITH_TORCH)]
    parts = (
        "registry",
        "base",
        "families.dry_run",
        "remote.captioner",
    )  # a worker of the last two, as well
    names += [f"engine.captioners.{part}" for part in parts]
    assert "engine.supervisor.supervisor" in names
    assert "engine.datasets.exports.export" in names
    assert not loaded_by(names) & HEAVY


def test_only_a_run_on_a_cluster_imports_ray() -> None:
    names = [name for name in modules(engine) if not name.startswith((*WITH_TORCH, *WITH_RAY))]
    assert "ray" not in loaded_by(names + modules(tui))


def test_the_application_knows_no_torch() -> None:
    assert not loaded_by(modules(tui)) & HEAVY


@pytest.mark.parametrize("name", ["engine.py", "db.py", "orjson.py"])
def test_a_file_in_the_current_folder_shadows_nothing_of_ours(tmp_path: Path, name: str) -> None:
    from engine.launchers.local import python_command

    (tmp_path / name).write_text("raise SystemExit('shadowed')")
    (tmp_path / "protocol.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run(
        python_command("engine.protocol.messages", "x"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    # protocol has no main: reaching that error means that ours was imported.
    assert "cannot import name 'main' from 'engine.protocol.messages'" in done.stderr

"""The copy of the project's code that the nodes of a Ray cluster get."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.launchers.local import CODE_ROOT

launcher = pytest.importorskip("engine.launchers.ray.launcher")


def test_the_copy_holds_every_module_and_no_demo_checkpoint():
    with launcher.code_copy({"engine", "db"}) as folder:
        copied = {path.relative_to(folder) for path in Path(folder).rglob("*.py")}
        assert not (Path(folder) / "engine/demo/checkpoints").exists()
    sources = [path for package in ("engine", "db") for path in (CODE_ROOT / package).rglob("*.py")]
    assert copied == {path.relative_to(CODE_ROOT) for path in sources}

"""The code that a cluster's nodes get."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.process.python_command import CODE_ROOT


def modules(root: Path) -> set[Path]:
    paths = (path for name in ("db", "engine") for path in (root / name).rglob("*.py"))
    return {path.relative_to(root) for path in paths}


def test_every_module_is_copied_and_no_demo_checkpoint() -> None:
    pytest.importorskip("ray", reason="needs the extra ray: pip install 'mllmaug-tui[ray]'")
    from engine.launchers.ray.launcher import code_copy

    with code_copy({"db", "engine"}) as folder:
        assert modules(Path(folder)) == modules(CODE_ROOT)
        assert not (Path(folder) / "engine/demo/checkpoints").exists()
    assert (CODE_ROOT / "engine/demo/checkpoints").is_dir()

"""Starting one of this project's modules as a Python process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import engine

CODE_ROOT = Path(engine.__file__).parent.parent
"""The folder that holds the packages of this project."""
BOOTSTRAP = "import sys; sys.path.insert(0, {root!r}); {first}from {module} import main; main()"
"""The code that a new Python process runs: it calls `main` of a module, after `first`."""


def python_command(module: str, *arguments: str, first: str = "") -> list[str]:
    """Return the command that runs `main` of one of this project's modules.

    It does so even if an `engine.py` or `db.py` lies in the current folder.
    """
    code = BOOTSTRAP.format(root=str(CODE_ROOT), module=module, first=first)
    return [sys.executable, "-P", "-c", code, *arguments]

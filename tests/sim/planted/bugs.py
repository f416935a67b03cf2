"""The planted bugs: read from their files, and planted into a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATCHES = Path(__file__).with_name("patches")
COPIED = ("engine", "db", "tui", "tests")
"""What a simulation needs of the tree. Compiled files come along, which saves seconds."""


class PatchDoesNotApply(Exception):
    """The code that a patch changes is not there any more."""


@dataclass(frozen=True)
class Bug:
    """A bug that can be planted."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def title(self) -> str:
        """The sentence that says what the bug is."""
        return self.path.read_text().partition("\n")[0]

    @property
    def changed_files(self) -> list[str]:
        """The files that the bug is planted into, by their paths in the tree."""
        lines = self.path.read_text().splitlines()
        return [line.removeprefix("+++ b/") for line in lines if line.startswith("+++ ")]

    def plant(self, tree: Path, check: bool = False) -> None:
        """Plant the bug into a tree, or with `check` only try. Raises `PatchDoesNotApply`."""
        command = ["git", "apply", *(["--check"] if check else []), str(self.path)]
        # Within another repository git would pass over files that it does not know.
        environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PatchDoesNotApply(f"{self.path.name} no longer applies: {done.stderr.strip()}")


def all_bugs() -> list[Bug]:
    """Return every planted bug, by name."""
    return [Bug(path) for path in sorted(PATCHES.glob("*.patch"))]


def copy_tree(folder: Path) -> None:
    """Copy what a simulation needs into an empty folder."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name)

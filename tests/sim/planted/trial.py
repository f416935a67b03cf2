"""One trial: a bug is planted into a copy of the tree, and the simulation looks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.sim.planted.bugs import ROOT, Bug, copy_tree

MOST_SEEDS = 2_000
"""Schedules within which every planted bug must be found."""
CPU_MINUTES = 30.0
"""Minutes of CPU time after which a bug counts as not found: more than `MOST_SEEDS` take."""


def try_to_find(
    bug: Bug, seeds: int = MOST_SEEDS, cpu_minutes: float = CPU_MINUTES
) -> dict[str, Any]:
    """Return what became of the hunt for a bug: the object that `hunt` prints, and its name.

    What the same schedule violates without the bug, too, does not count as finding it.

    Raises `PatchDoesNotApply`, and `CalledProcessError` if the simulation itself breaks.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        bug.plant(tree)
        command = [sys.executable, "-m", "tests.sim.planted.hunt"]
        done = subprocess.run(
            [*command, "--seeds", str(seeds), "--cpu-minutes", str(cpu_minutes)],
            cwd=tree,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": folder},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["found"] and not is_sound(found["seeds"] - 1):
        found["found"], found["violation"] = False, f"without the bug, too: {found['violation']}"
    return {"bug": bug.name, **found}


def is_sound(seed: int) -> bool:
    """Return True if the schedule of this seed violates nothing in the tree without a bug."""
    command = [sys.executable, "-m", "tests.sim", "--replay", str(seed)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0

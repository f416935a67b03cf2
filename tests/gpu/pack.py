"""Gathers the wheels that a machine with torch and transformers, but without an index, lacks."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = "mllmaug-tui"
PRESENT = ("torch", "transformers")
"""Packages that the machine has, with all that they need."""
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
MAX_BYTES = 60 * 10**6
"""The most that the wheels may take together."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu pack", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    folder = parser.parse_args(arguments).folder
    names = sorted(missing_packages())
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *platforms]
    command += [f"--python-version={PYTHON}", "--only-binary=:all:", "-c", "constraints.txt"]
    if code := subprocess.call([*command, "-d", str(folder), *names]):
        return code
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))
    print(f"{len(names)} wheels, {size / 1e6:.1f} MB, in {folder}. On the machine with the GPU:")
    print(f"  python -m pip install --no-index --no-deps --target gpu-packages {folder}/*.whl")
    print("  PYTHONPATH=gpu-packages python -m tests.gpu")
    if size > MAX_BYTES:
        print(f"They take more than {MAX_BYTES / 1e6:.0f} MB.", file=sys.stderr)
        return 1
    return 0


def missing_packages() -> set[str]:
    """Return what the project needs and the machine does not have."""
    present = set(PRESENT) | set(all_requirements(PRESENT))
    return set(all_requirements([PROJECT])) - present


def all_requirements(names: Iterable[str]) -> Iterator[str]:
    """Yield the names of all packages that these need, and that those need."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        try:
            stated = requires(waiting.pop()) or []
        except PackageNotFoundError:
            continue  # a package of another system
        for requirement in map(Requirement, stated):
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and name not in seen:
                seen.add(name)
                waiting.append(name)
                yield name

"""`python -m tests.gpu [--imitate] [PART...]`, and `python -m tests.gpu pack FOLDER`."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.gpu.parts import PARTS, Part
from tests.gpu.runner import PartResult, run_parts

MINUTES, IMITATION_MINUTES = 8.0, 60.0
"""Minutes that all parts together may take. An imitation is not in a hurry: its machine may be slow
and busy."""
IMITATION_FACTOR = 10
"""How many times as long as on a GPU a part may take on a CPU."""
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow")
"""Packages whose versions change results or speed."""


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["pack"]:
        from tests.gpu.pack import main as pack

        return pack(arguments[1:])
    options = parse_options(arguments)
    limit = options.minutes or (IMITATION_MINUTES if options.imitate else MINUTES)
    results = []
    for result in run_parts(
        choose_parts(options), 60 * limit, ["--imitate"] if options.imitate else []
    ):
        results.append(result)
        print(f"{result.part}: {result.state} after {result.seconds:.0f} s", file=sys.stderr)
        options.out.write_text(json.dumps(summary(results, options.imitate), indent=1))
    Console().print(results_table(results))
    print(f"All results are in {options.out}.")
    return 0 if all(result.state == "good" for result in results) else 1


def parse_options(arguments: list[str]) -> argparse.Namespace:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *names], metavar="PART", default=[])
    parser.add_argument("--imitate", action="store_true", help="small models on a CPU")
    parser.add_argument("--minutes", type=float, help=f"in all, {MINUTES:g} on a GPU")
    parser.add_argument("--out", type=Path, default=Path("gpu-results.json"))
    return parser.parse_args(arguments)


def choose_parts(options: argparse.Namespace) -> list[Part]:
    factor = IMITATION_FACTOR if options.imitate else 1
    return [
        part._replace(seconds=part.seconds * factor)
        for part in PARTS
        if not options.parts or part.name in options.parts
    ]


def summary(results: Sequence[PartResult], imitated: bool) -> dict[str, object]:
    """Return what is written to the file of results."""
    return {
        "imitated": imitated,
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "parts": [result.as_json() for result in results],
    }


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def results_table(results: Sequence[PartResult]) -> Table:
    """Return a row for each figure and each wrong result; good results are only counted."""
    table = Table("part", "case", "value", "unit", "judged", title="GPU")
    for result in results:
        for line in result.lines:
            if line["good"] is not True:
                judged = "" if line["good"] is None else "WRONG"
                case, value = str(line["case"]), as_text(line["value"])
                table.add_row(result.part, case, value, str(line["unit"]), judged)
        good = sum(line["good"] is True for line in result.lines)
        if good:
            table.add_row(result.part, "good results", str(good))
        if result.state not in ("good", "wrong"):
            reason = result.error.strip().splitlines()[-1:]
            table.add_row(result.part, result.state.upper(), *reason)
    return table


def as_text(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.sim`: run schedules until enough faults have happened, and report.

The last line is one JSON object. The exit code is 0 if nothing was violated. A schedule that fails
is printed with its seed, shrunk, and can be run again with `--replay`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter

from tests.sim.coverage import Coverage
from tests.sim.faults import RATES
from tests.sim.shrink import shrink
from tests.sim.simulation import Result, simulate

HASH_SEED = "0"
"""The seed of Python's hashes, on which the order within a set of texts depends."""
SHOWN_LINES = 40
"""Lines of the course of a failed schedule that are printed, at most."""


def main() -> None:
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        environment = os.environ | {"PYTHONHASHSEED": HASH_SEED}
        command = [sys.executable, "-m", "tests.sim", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)
    options = parse_arguments()
    sys.exit(replay(options.replay) if options.replay is not None else storm(options))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--faults", type=int, default=10_000, help="faults to throw, at least")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first schedule")
    parser.add_argument("--cpu-minutes", type=float, help="stop after so much CPU time, too")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one schedule, in full view")
    return parser.parse_args()


def replay(seed: int) -> int:
    """Run one schedule and print what happened, to the letter as every time."""
    result = simulate(seed)
    print("\n".join(result.log))
    print(f"{len(result.happened)} faults: {result.happened}")
    for violation in result.violations:
        print(f"VIOLATED: {violation}")
    return 1 if result.violations else 0


def storm(options: argparse.Namespace) -> int:
    """Run schedules from one seed on, until there were enough faults."""
    began = time.process_time()
    seed, faults, violations, seconds = options.seed, 0, 0, 0.0
    kinds: Counter[str] = Counter()
    coverage = Coverage()
    while faults < options.faults:
        result = simulate(seed, coverage=coverage)
        faults += len(result.happened)
        kinds.update(kind for kind, _ in result.happened)
        seconds += result.simulated_seconds
        if result.violations:
            violations += 1
            report(seed, result)
            if not options.keep_going:
                break
        seed += 1
        used = (time.process_time() - began) / 60
        if options.cpu_minutes is not None and used >= options.cpu_minutes:
            break
    for row in coverage.missed():
        print(f"not taken: {row}")
    summary = {
        "faults": faults,
        "kinds": len(kinds),
        "kinds_known": len(RATES),
        "schedules": seed - options.seed + (violations > 0 and not options.keep_going),
        "violations": violations,
        "cpu_seconds": round(time.process_time() - began, 1),
        "simulated_hours": round(seconds / 3600, 1),
        "rows_of_the_table": len(coverage.rows),
        "rows_not_taken": len(coverage.missed()),
        "pairs_of_rows": len(coverage.pairs),
    }
    print(json.dumps(summary))
    return 1 if violations else 0


def report(seed: int, result: Result) -> None:
    """Print a schedule that failed: its seed, what was violated, and the fewest faults."""
    print(f"seed {seed}: {len(result.happened)} faults")
    for violation in result.violations:
        print(f"  VIOLATED: {violation}")
    fewest, shrunk = shrink(seed, result.happened)
    print(f"  {len(fewest)} faults are enough: {fewest}")
    for violation in shrunk.violations:
        print(f"  VIOLATED THEN: {violation}")
    for line in shrunk.log[-SHOWN_LINES:]:
        print(f"    {line}")
    print(f"  again: python -m tests.sim --replay {seed}", flush=True)


if __name__ == "__main__":
    main()

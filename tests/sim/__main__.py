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

from tests.sim.shrink import shrink
from tests.sim.simulation import Result, simulate
from tests.sim.tally import Tally

HASH_SEED = "0"
"""The seed of Python's hashes, on which the order within a set of texts depends."""
SHOWN_LINES = 40
"""Lines of the course of a failed schedule that are printed, at most."""


def main() -> None:
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        environment = os.environ | {"PYTHONHASHSEED": HASH_SEED}
        command = [sys.executable, "-m", "tests.sim", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)
    options = parse_arguments(sys.argv[1:])
    sys.exit(replay(options.replay) if options.replay is not None else storm(options))


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--faults", type=int, default=10_000, help="faults to throw, at least")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first schedule")
    parser.add_argument("--cpu-minutes", type=float, help="stop after so much CPU time, too")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one schedule, in full view")
    parser.add_argument("--coverage", action="store_true", help="list how often each row was taken")
    return parser.parse_args(arguments)


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
    tally = Tally(options.seed)
    while tally.faults < options.faults:
        seed = tally.next_seed
        result = tally.run()
        if result.violations:
            report(seed, result)
            if not options.keep_going:
                break
        used = (time.process_time() - began) / 60
        if options.cpu_minutes is not None and used >= options.cpu_minutes:
            break
    if options.coverage:
        for row in tally.coverage.rows:
            print(f"{tally.coverage.taken[row]:8} {row}")
    for row in tally.coverage.missed():
        print(f"not taken: {row}")
    for kind in tally.kinds_missed():
        print(f"did not happen: {kind}")
    print(json.dumps(tally.summary(time.process_time() - began)))
    return 1 if tally.violations else 0


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

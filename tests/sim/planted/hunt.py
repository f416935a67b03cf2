"""Hunting one planted bug: `python -m tests.sim.planted.hunt`, in the tree that has the bug.

Runs schedules from seed 0 on until something is violated. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time

from tests.sim.simulation import simulate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted.hunt", description=__doc__)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--cpu-minutes", type=float, required=True)
    options = parser.parse_args()
    faults = seeds = 0
    violations: list[str] = []
    while not violations and seeds < options.seeds:
        if time.process_time() >= 60 * options.cpu_minutes:
            break
        result = simulate(seeds)
        seeds += 1
        faults += len(result.happened)
        violations = result.violations
    print(
        json.dumps(
            {
                "found": bool(violations),
                "seeds": seeds,
                "faults": faults,
                "cpu_seconds": round(time.process_time(), 1),
                "violation": violations[0] if violations else None,
            }
        )
    )


if __name__ == "__main__":
    main()

"""`python -m tests.sim.crash`: look at every crash state of a shard's life, and report.

The last line is one JSON object. The exit code is 0 if nothing was violated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.sim.crash.exploration import Exploration


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.crash", description=__doc__)
    parser.add_argument("--depth", type=int, default=3, help="steps of a life, and crashes in it")
    parser.add_argument("--states", type=int, default=110_000, help="distinct crash states")
    options = parser.parse_args()
    began = time.process_time()
    exploration = Exploration(options.states)
    with exploration.ready() as scene:
        exploration.explore(scene, options.depth)
    report = exploration.report
    for violation in report.violations:
        print(f"VIOLATED: {violation}")
    summary = {
        "states": report.states,
        "distinct": report.distinct,
        "violations": len(report.violations),
        "steps": report.steps,
        "runs_to_the_end": report.ends,
        "by_life": dict(sorted(report.by_life.items())),
        "by_operation": dict(sorted(report.by_operation.items())),
        "databases": len(exploration.workshop.by_meaning),
        "cpu_seconds": round(time.process_time() - began, 1),
    }
    print(json.dumps(summary))
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main()

"""`python -m tests.sim.planted`: find every planted bug, or those that are named.

Prints one JSON object a line. The exit code is 0 if all of them were found, 1 if one was not, and 2
if a patch no longer applies.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.sim.planted.bugs import PatchDoesNotApply, all_bugs
from tests.sim.planted.trial import CPU_MINUTES, MOST_SEEDS, try_to_find


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="bugs, by the names of their files"
    )
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS, help="schedules for each, at most")
    parser.add_argument(
        "--cpu-minutes", type=float, default=CPU_MINUTES, help="CPU time for each, at most"
    )
    options = parser.parse_args()
    bugs = {bug.name: bug for bug in all_bugs()}
    if unknown := sorted(set(options.names) - bugs.keys()):
        parser.error(f"no such bug: {', '.join(unknown)}; there are {', '.join(bugs)}")
    code = 0
    for name in options.names or bugs:
        try:
            found = try_to_find(bugs[name], options.seeds, options.cpu_minutes)
        except PatchDoesNotApply as error:
            print(error, file=sys.stderr, flush=True)
            code = 2
            continue
        print(json.dumps(found), flush=True)
        if not found["found"]:
            code = max(code, 1)
    return code


if __name__ == "__main__":
    sys.exit(main())

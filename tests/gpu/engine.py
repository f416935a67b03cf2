"""`python -m tests.gpu.engine FAMILY`: the engine's bench with random weights of 7B parameters."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.gpu.machine import Machine, parse_machine, report

IMAGES, IMITATED_IMAGES = 320, 4
"""Images: upstream's loop captions some ten a second."""


def main(family: str, machine: Machine) -> int:
    """Print the bench's lines as they come. Return its exit code."""
    checkpoint, count = ("small", IMITATED_IMAGES) if machine.imitates else ("random-7b", IMAGES)
    command = [sys.executable, "-m", "tests.bench", "engine", "--model", family]
    command += ["--checkpoint", checkpoint, "--count", str(count), "--device", machine.device]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        for text in bench.stdout:
            line = json.loads(text)
            report(line["case"], float(line["value"]), line["unit"])
    return bench.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], parse_machine(sys.argv[2:])))

"""Jobs on all cores, also from within the application."""

from __future__ import annotations

import subprocess
import sys

from tests.support.waiting import TIMEOUT_SECONDS

APPLICATION = """
import sys
from engine.process import pool

class Capture:
    def write(self, text): ...
    def flush(self): ...
    def fileno(self): return -1

if __name__ == "__main__":
    pool.usable_cores = lambda: 2
    sys.stderr = Capture()
    print(sum(pool.map_on_all_cores(abs, range(-50, 0))))
"""


def test_a_captured_stderr_is_no_hindrance(tmp_path) -> None:
    """Textual captures stderr like this while the application runs."""
    program = tmp_path / "application.py"
    program.write_text(APPLICATION)
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == "1275\n", done.stderr

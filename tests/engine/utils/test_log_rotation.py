"""Logs that are emptied while a process writes to them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.utils.log_rotation import rotate_log, rotated_log
from tests.support.waiting import wait_for

WRITER = "import itertools, os\nfor n in itertools.count(): os.write(2, b'line %09d\\n' % n)"
LINE = 15
LIMIT = 60_000


def numbers(path: Path) -> list[int]:
    """Return the numbers of the lines, each of which must be whole."""
    lines = path.read_bytes().splitlines()
    if lines and lines[0].startswith(b"("):
        lines = lines[1:]
    assert all(len(line) == LINE - 1 for line in lines[:-1])
    return [int(line.split()[1]) for line in lines[:-1]]


def test_a_process_writes_on_at_the_new_end(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("ab") as stderr:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stderr=stderr)
    try:
        wait_for(lambda: log.stat().st_size > LIMIT)
        assert rotate_log(log, LIMIT)
        wait_for(lambda: log.stat().st_size > LIMIT)
    finally:
        writer.kill()
        writer.wait()
    before, after = numbers(rotated_log(log)), numbers(log)
    assert before == list(range(before[0], before[-1] + 1))
    assert after == list(range(after[0], after[-1] + 1))
    assert after[0] > before[-1], "no line is in both"
    assert rotated_log(log).stat().st_size > LIMIT / 3
    assert not log.with_name("worker.log.1.part").exists()


def test_a_small_log_stays_and_a_missing_one_is_none(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    assert not rotate_log(log, LIMIT)
    log.write_text("a few words\n")
    assert not rotate_log(log, LIMIT)
    assert log.read_text() == "a few words\n"
    assert not rotated_log(log).exists()

"""Every bench runs on little data and prints lines of the right form; people judge the figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SMALL_CASES = [
    ("jobs", "2000"),
    ("split", "2000"),
    ("merge", "2000"),
    ("new", "2000"),
    ("export", "10000"),
    ("status", "10000"),
    ("reshear", "10000"),
    ("engine", "--count", "8", "--batch", "8"),
    ("load", "--size", "small", "--caption"),
]


@pytest.mark.parametrize("case", SMALL_CASES, ids=lambda case: case[0])
def test_a_bench_prints_its_figures(case):
    command = [sys.executable, "-m", "tests.bench", *case]
    # One thread: upstream's loop would otherwise take both cores, which other tests need.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines
    for line in lines:
        assert set(line) == {"bench", "case", "value", "unit", "baseline", "ratio"}
        assert line["bench"] == case[0]
        assert line["value"] >= 0

"""The benches run, on next to no data: what they measure is looked at by people."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SMALL = [
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


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case[0])
def test_a_bench_prints_its_figures(case):
    command = [sys.executable, "-m", "tests.bench", *case]
    # Upstream's loop would spin on both cores, which other tests need.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    for line in lines:
        assert set(line) == {"bench", "case", "value", "unit", "baseline", "ratio"}
        assert line["bench"] == case[0]
        assert line["value"] >= 0

"""Every bench runs on little data and prints lines of the right form; people judge the figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.bench.__main__ import module_of
from tests.bench.measuring import Measurement

ENGINE = ("engine", "--count", "8", "--batch", "8")
"""The bench of the engine, which starts a worker with a model: it runs as people run it alone."""
OPEN = (*ENGINE, "--model", "hf", "--images", "mixed")
"""The same of an open model, beside transformers."""
SCORE = ("score", "--count", "8")
"""The bench of scorers, which starts a worker, too."""
GPU_ESTIMATE = ("gpu-estimate", "qwen-vl", "--size", "small", "--gpu", "h100")
"""The calculated figures of a GPU; two processes read the checkpoint."""
MORE_FIELDS = {
    "engine": {"model", "batch", "options"},
    "gpu-estimate": {"hours_of_cc3m", "memory_gb", "weights_gb", "batch", "note"},
}
"""The fields that only the lines of a bench have."""
SMALL_CASES = [
    ("jobs", "2000"),
    ("split", "2000"),
    ("merge", "2000"),
    ("new", "2000"),
    ("tars", "200"),
    ("export", "10000"),
    ("status", "10000"),
    ("reshear", "10000"),
    ("health", "2000"),
    ("wrong-captions", "photos"),
    ("search", "10000"),
    ("load", "--size", "small", "--caption"),
]


@pytest.mark.parametrize("case", SMALL_CASES, ids=lambda case: case[0])
def test_a_bench_prints_its_figures(
    case: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is measured runs here: a process for each figure would import everything again."""
    bench = import_module(module_of(case[0]))
    monkeypatch.setattr(bench, "measure", measure_here, raising=False)
    bench.main(list(case[1:]))
    check_lines(case[0], capsys.readouterr().out)


def measure_here(function: Callable[..., Any], *arguments: Any, **_: object) -> Measurement:
    """Call the function, and take no measure."""
    return Measurement(seconds=1.0, cpu=1.0, megabytes=1.0, result=function(*arguments))


def test_a_bench_measures_in_processes_of_their_own() -> None:
    run_bench("status", "10000")


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [*SMALL_CASES, ENGINE, OPEN, SCORE, GPU_ESTIMATE],
    ids=lambda case: " ".join(case[:1] + case[5:6]),
)
def test_a_bench_as_people_run_it(case: tuple[str, ...]) -> None:
    run_bench(*case)


def run_bench(*case: str) -> None:
    """Run a bench in a process of its own and check what it prints."""
    command = [sys.executable, "-m", "tests.bench", *case]
    # One thread: upstream's loop would otherwise take both cores, which other tests need.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    check_lines(case[0], result.stdout)


def check_lines(bench: str, output: str) -> None:
    """Assert that each line is a figure of the bench."""
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines
    for line in lines:
        assert set(line) - MORE_FIELDS.get(bench, set()) == {
            "bench",
            "case",
            "value",
            "unit",
            "baseline",
            "ratio",
        }
        assert set(line) >= MORE_FIELDS.get(bench, set())
        assert line["bench"] == bench
        # Memory is a difference, and what this process needed before may have been freed meanwhile.
        assert line["value"] >= 0 or line["unit"] in ("GB", "MB"), line

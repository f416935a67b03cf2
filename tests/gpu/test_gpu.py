"""The GPU's command, imitated on a CPU: its parts, and the runner that keeps their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu import runner
from tests.gpu.pack import missing_packages
from tests.gpu.parts import PARTS, Part
from tests.gpu.runner import run_part, run_parts
from tests.support.waiting import wait_for

QUICK = [part.name for part in PARTS if not part.name.startswith("engine") or "otter" in part.name]
"""Parts that `make test` imitates; `make slow` has all. One family of the engine's is enough there:
the four are measured by the same code."""


@pytest.mark.parametrize(
    "names", [QUICK, pytest.param([], marks=pytest.mark.slow)], ids=["quick", "all"]
)
def test_the_command_imitates_every_part(tmp_path: Path, names: list[str]) -> None:
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.gpu", "--imitate", "--out", str(out), *names]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    parts = {part["part"]: part for part in json.loads(out.read_text())["parts"]}
    assert list(parts) == [part.name for part in PARTS if not names or part.name in names]
    assert {part["state"] for part in parts.values()} == {"good"}
    assert all(part["lines"] for part in parts.values())


GOOD = '{"case": "one", "value": 1, "unit": "", "good": true}'
WRONG = '{"case": "two", "value": 2, "unit": "", "good": false}'


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that parts can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    yield tmp_path


def script(folder: Path, name: str, text: str) -> Part:
    (folder / f"{name}.py").write_text(text)
    return Part(name, (name,), 60)


def test_results_are_kept_whatever_becomes_of_a_part(scripts: Path) -> None:
    parts = [
        script(scripts, "sound", f"print('a library speaks')\nprint({GOOD!r})"),
        script(scripts, "wrong", f"print({GOOD!r})\nprint({WRONG!r})"),
        script(scripts, "broken", f"print({GOOD!r})\nraise SystemExit('out of luck')"),
        script(scripts, "silent", "pass"),
    ]
    results = list(run_parts(parts, 600))
    assert [result.state for result in results] == ["good", "wrong", "failed", "failed"]
    assert [len(result.lines) for result in results] == [1, 2, 1, 0]
    assert "out of luck" in results[2].error


def test_a_part_that_hangs_is_ended_with_its_children(scripts: Path) -> None:
    pid = scripts / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    hangs = script(
        scripts,
        "hangs",
        f"import os, subprocess, sys, time\nprint({GOOD!r}, flush=True)\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"while not os.path.exists({str(pid)!r}) or not os.path.getsize({str(pid)!r}):\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), 19)\n",
    )
    result = run_part(hangs, 20)
    assert (result.state, len(result.lines)) == ("timed out", 1)
    # A killed process may still be seen for a moment, and a zombie until somebody reaps it.
    wait_for(lambda: has_ended(pid.read_text()))


def has_ended(pid: str) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_parts_beyond_the_time_are_left_out() -> None:
    times = iter([0.0, 700.0, 800.0])
    results = list(run_parts(PARTS[:2], 600, monotonic=lambda: next(times)))
    assert [result.state for result in results] == ["left out", "left out"]


def test_a_line_of_another_form_is_no_result(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as file:
        file.write(f'[]\n{{"case": 1}}\nnot json\n{GOOD}\n')
        assert [line["case"] for line in runner.read_results(file)] == ["one"]


def test_what_is_packed_is_what_torch_and_transformers_do_not_bring() -> None:
    missing = missing_packages()
    assert {"msgspec", "textual", "sqlmodel", "orjson"} <= missing
    assert not missing & {"torch", "transformers", "numpy", "tokenizers", "safetensors"}

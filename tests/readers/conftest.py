"""The hostile project, its exports, and the readers' process."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.readers.hostile_project import HostileProject, make_hostile_project
from tests.support.cli import cli_ok

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / ".venv-readers"
"""The readers' environment, which `make readers` makes."""

Call = Callable[..., Any]
"""Calls `module.function(**arguments)` in the readers' process and returns the value."""
TINY_EPOCH = [
    *("--model", "tiny", "--epochs", "1", "--batch-size", "8", "--workers", "1"),
    *("--precision", "fp32", "--device", "cpu", "--lr", "1e-3", "--warmup", "1"),
    *("--name", "run", "--log-every-n-steps", "1"),
]
"""The options of one epoch of open_clip with a tiny model."""


@pytest.fixture(scope="session")
def readers_python() -> Path:
    """The Python of the readers' environment; a test is skipped where that cannot be made."""
    if not (ENVIRONMENT / "installed").exists():
        log = ENVIRONMENT / "pip.log"
        lines = log.read_text().splitlines() if log.exists() else []
        errors = [line for line in lines if line.startswith("ERROR")]
        why = f": pip said {errors[-1]!r}" if errors else ""
        pytest.skip(f"there is no environment for the readers ('make readers' makes it){why}")
    return ENVIRONMENT / "bin/python"


@pytest.fixture(scope="session")
def readers_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of readers: nothing of theirs is kept or fetched."""
    home = str(tmp_path_factory.mktemp("hub"))
    return os.environ | {"HF_HOME": home, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="session")
def call(readers_python: Path, readers_env: dict[str, str]) -> Iterator[Call]:
    """Calls functions of `tests.readers.programs` in the readers' environment."""
    with readers_process(readers_python, readers_env) as process:
        yield process


@contextmanager
def readers_process(python: Path, env: dict[str, str]) -> Iterator[Call]:
    """Start `tests.readers.programs.serve`, and yield what calls it."""
    with subprocess.Popen(
        [python, "-m", "tests.readers.programs.serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None

        def call(module: str, function: str, **arguments: Any) -> Any:
            message = {"module": module, "function": function, "arguments": arguments}
            print(json.dumps(message), file=stdin, flush=True)
            result = json.loads(stdout.readline())
            assert "error" not in result, result["error"]
            return result["value"]

        yield call
        stdin.close()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> HostileProject:
    return make_hostile_project(tmp_path_factory.mktemp("hostile"))


class Exported(NamedTuple):
    """An export, and what the command said of it."""

    path: Path
    output: str

    @property
    def tars(self) -> list[str]:
        """The paths of its tars."""
        return sorted(map(str, self.path.glob("*.tar")))

    @property
    def tar_names(self) -> str:
        """The brace expression by which open_clip finds its tars."""
        arguments = self.arguments("open_clip")
        return arguments[arguments.index("--train-data") + 1]

    def written(self, noun: str) -> int:
        """Return how many `images` or `captions` were written, by the last line."""
        match = re.search(rf"[\d,]+ {noun} = ([\d,]+) written", self.output)
        assert match is not None, self.output
        return int(match[1].replace(",", ""))

    def arguments(self, program: str) -> list[str]:
        """Return the command line that the export gives for a program, behind its name."""
        match = re.search(rf"^{program}: (.*)$", self.output, re.MULTILINE)
        assert match is not None, self.output
        return shlex.split(match[1])


@pytest.fixture(scope="session")
def export_to(hostile: HostileProject, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Export the hostile project, with originals: the same export is made once."""
    made: dict[tuple[object, ...], Exported] = {}

    def export_to(name: str, *options: object) -> Exported:
        """Return the export called `name`, made with these options."""
        key = (name, *options)
        if key not in made:
            out = tmp_path_factory.mktemp("export") / name
            output = cli_ok("export", hostile.project.folder, out, *options, "--with-original")
            check_sums(output)
            made[key] = Exported(out, output)
        return made[key]

    return export_to


def check_sums(output: str) -> None:
    """Assert that the line adds up which says what was read, written and left out."""
    sums = re.findall(r"([\d,]+) (?:images|captions) = (.*?)(?:;|$)", output, re.MULTILINE)
    assert len(sums) == 2, output
    for total, parts in sums:
        numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", parts)]
        assert int(total.replace(",", "")) == sum(numbers), output


Trainer = Callable[[Exported], str]
"""Trains open_clip for an epoch with the command line that an export gives, and returns its log."""


@pytest.fixture
def train(readers_python: Path, readers_env: dict[str, str], tmp_path: Path) -> Trainer:
    """Trains open_clip on an export."""

    def train(export: Exported) -> str:
        python, m, main, *arguments = export.arguments("open_clip")
        assert [python, m, main] == ["python", "-m", "open_clip_train.main"]
        program = [str(readers_python), m, "tests.readers.programs.open_clip_trainer"]
        done = subprocess.run(
            [*program, *arguments, *TINY_EPOCH, "--logs", str(tmp_path)],
            cwd=ROOT,
            env=readers_env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert (tmp_path / "run/checkpoints/epoch_1.pt").is_file()
        return (tmp_path / "run/out.log").read_text()

    return train

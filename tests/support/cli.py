"""The command as people run it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.cli.main import main

MAIN = "from tui.cli.main import main; main()"


MISBEHAVING = """
import functools, tui.cli.headless_run
from engine.supervisor.main import supervise
tui.cli.headless_run.supervise = functools.partial(supervise, module="tests.faults.support.workers")
"""
"""Makes `run` use the workers of `tests.faults.support.workers`."""


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def cli(*arguments: object) -> Done:
    """`mllmaug-tui` with these arguments, in this process: starting another takes half a second."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    return Done(code, out.getvalue(), err.getvalue())


def cli_ok(*arguments: object) -> str:
    done = cli(*arguments)
    assert done.returncode == 0, f"{arguments}: {done}"
    return done.stdout


def start(*arguments: object, code: str = MAIN, cwd: Path | None = None) -> subprocess.Popen:
    """Runs `mllmaug-tui` beside the test."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        cwd=cwd,
    )


def status(project: Path) -> dict[str, Any]:
    return json.loads(cli_ok("status", project, "--json"))

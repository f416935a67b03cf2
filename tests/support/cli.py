"""The command `mllmaug-tui` as people run it, in this process or beside it."""

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
"""Code that runs the command."""
MISBEHAVING = """
import functools, tui.cli.headless_run
from engine.supervisor.main import supervise
tui.cli.headless_run.supervise = functools.partial(
    supervise, module="tests.faults.support.misbehaving_worker")
"""
"""Code that makes `run` use the workers of `tests.faults.support.misbehaving_worker`."""


@dataclass
class CommandResult:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def cli(*arguments: object) -> CommandResult:
    """Run `mllmaug-tui` with these arguments in this process: starting one takes half a second."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = error.code
    assert isinstance(code, int)
    return CommandResult(code, out.getvalue(), err.getvalue())


def cli_ok(*arguments: object) -> str:
    """Run `mllmaug-tui`, which must succeed, and return its output."""
    result = cli(*arguments)
    assert result.returncode == 0, f"{arguments}: {result}"
    return result.stdout


def start_cli(
    *arguments: object, code: str = MAIN, cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Start a Python process that runs `code`, by default `mllmaug-tui`, with these arguments."""
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
    """Return the output of `status --json`."""
    return json.loads(cli_ok("status", project, "--json"))

"""Calling a hook once: its command gets the notice as JSON on stdin, its webhook as the body.

A hook that does not end is ended after `CALL_SECONDS`. Nothing is tried twice: a request that
failed may have arrived.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson

from db.rows import NoticeRow
from db.values import storable_text
from engine.notices.hooks import Hook
from engine.process import identity
from engine.project.layout import Project

CALL_SECONDS = 30.0
"""Seconds that a hook may take: a mail server that answers slowly takes some of them, and the next
notice to a hook waits until the last call has ended."""
END_SECONDS = 2.0
"""Seconds from SIGTERM to SIGKILL for a command that took too long."""
ERROR_BYTES = 2_000
"""Bytes of a failed command's stderr, of which the last line is told."""


class CallFailed(Exception):
    """A hook was called, or could not be; the text says what was wrong."""


def describe_notice(project: Project, notice: NoticeRow) -> bytes:
    """Return the JSON object that a hook gets."""
    return message(
        event=notice.kind,
        text=notice.text,
        created=notice.created,
        model=notice.model,
        cause=notice.cause,
        project=str(project.folder),
        name=project.name,
    )


def trial_message() -> bytes:
    """Return the JSON object that a hook gets when it is tried."""
    return message(event="test", text="a test of this hook", created=time.time())


def message(
    *,
    event: str,
    text: str,
    created: float,
    model: str | None = None,
    cause: str | None = None,
    project: str | None = None,
    name: str | None = None,
) -> bytes:
    """Return a JSON object with these fields. `created` is in seconds since the epoch."""
    fields = {
        "event": event,
        "text": text,
        "model": model,
        "cause": cause,
        "project": project,
        "name": name,
        "host": identity.host_name(),
        "time": datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds"),
    }
    # A folder's name may hold bytes that are no UTF-8, which JSON cannot.
    values = {key: value and storable_text(value) for key, value in fields.items()}
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def call(hook: Hook, message: bytes, seconds: float = CALL_SECONDS) -> None:
    """Call a hook with a JSON object, and wait until it has ended. Raises `CallFailed`."""
    if hook.command:
        run_command(hook.command, message, seconds)
    else:
        asyncio.run(post(hook.webhook, message, seconds))


def run_command(command: tuple[str, ...], message: bytes, seconds: float) -> None:
    """Run a command with the message on stdin, in a session of its own. Raises `CallFailed`."""
    program = os.path.expanduser(command[0])  # noqa: PTH111 (a program need not be a path)
    # Files and no pipes: the command gets all of the message even if this process is killed, and
    # a process that it leaves behind holds nobody up.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(message)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 (the user's own command; no shell)
                [program, *command[1:]],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=Path.home(),
                start_new_session=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise CallFailed(f"cannot start {program}: {error}") from error
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            end_group(process)
            raise CallFailed(f"it did not end within {seconds:.0f} s, and was killed") from error
        if code:
            raise CallFailed(f"{describe_code(code)}{last_line(stderr)}")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)


def describe_code(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def last_line(stderr: IO[bytes]) -> str:
    """Return the last line that a command wrote on stderr, behind a colon; empty without one."""
    stderr.seek(max(0, os.fstat(stderr.fileno()).st_size - ERROR_BYTES))
    lines = stderr.read().decode("utf-8", "replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:200]}" if said else ""


async def post(address: str, message: bytes, seconds: float) -> None:
    """Post the message to an address. Raises `CallFailed`, which does not name the address."""
    import httpx2

    headers = {"Content-Type": "application/json", "User-Agent": "mllmaug-tui"}
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(timeout=seconds) as client,
            client.stream("POST", address, content=message, headers=headers) as response,
        ):
            status = response.status_code
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise CallFailed(f"the webhook did not answer within {seconds:.0f} s") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
        raise CallFailed(f"the webhook cannot be reached: {type(error).__name__}") from error
    if status >= 300:
        raise CallFailed(f"the webhook answered HTTP {status}")

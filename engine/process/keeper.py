"""Keeps a server: starts its command, and kills all that came of it when the server is to end.

A worker runs this file as a script (`start`). It needs nothing but Python's own library, which it
is started with, so that it is up at once. Its stdin is a pipe of the worker's: the byte `STOP` asks
the server to end, and the end of the pipe, which comes with the worker's death, kills it. Children
that a server leaves behind, or that began a session of their own, come to this process and are
killed, too. Outside of Linux only the server's process group is killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

STOP = b"s"
"""What a worker writes to have the server end."""
STOP_SECONDS = 3.0
"""Seconds from SIGTERM to SIGKILL for a server that is to end."""
TRACKER = b"multiprocessing.resource_tracker"
"""What the command of a Python process holds that removes shared memory which killed processes
have left. It ends once they are gone."""
TRACKER_SECONDS = 2.0
"""Seconds that such a process has for it."""
KILL_PAUSE = 0.02
"""Seconds between two looks at processes that SIGKILL has not ended yet."""
NOT_STARTED = 127
"""The exit code of a command that cannot be started, as that of a shell."""
SIGNAL_CODE = 128
"""What is added to the number of the signal that ended the server, as a shell does."""
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Signals that ask a process to end."""
PR_SET_PDEATHSIG = 1
"""The option of Linux's prctl(2) that sets the signal which a process gets when its parent dies."""
PR_SET_CHILD_SUBREAPER = 36
"""The option that makes a process the parent of those descendants whose own parent has ended."""


def start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the keeper of a command, whose stdout and stderr are a pipe. Raises `OSError`."""
    return subprocess.Popen(  # noqa: S603 (a list of arguments, which no shell reads)
        [sys.executable, "-I", "-S", __file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        # A kill of the worker's group must leave the keeper, which has others to kill. In the same
        # session, since the kernel then wakes it if it was stopped when the worker died.
        process_group=0,
    )


def main(command: Sequence[str]) -> NoReturn:
    """Keep a server until it or the worker ends, or the worker wants it to; exit with its code.

    The process that keeps it has a parent which does nothing but kill what it leaves behind, should
    it be killed itself.
    """
    become_subreaper()
    parent = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        set_parent_death_signal(signal.SIGTERM)
        os._exit(keep(command) if os.getppid() == parent else NOT_STARTED)
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda *_: signal_process(keeper, signal.SIGTERM))
    while (code := exit_code(keeper)) is None:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    kill_descendants()
    os._exit(code)


def keep(command: Sequence[str]) -> int:
    """Start a server and return its exit code once it has ended, with all that came of it."""
    become_subreaper()
    wakeups = watch_signals()
    server = spawn(command)
    asked_at: float | None = None
    while (code := exit_code(server)) is None:
        left = None if asked_at is None else asked_at + STOP_SECONDS - time.monotonic()
        if left is not None and left <= 0:
            break
        readable, _, _ = select.select([0, wakeups], [], [], left)
        if wakeups in readable and set(os.read(wakeups, 64)).intersection(ENDING_SIGNALS):
            break
        if 0 in readable:
            if os.read(0, 1) != STOP:
                break
            asked_at = time.monotonic()
            signal_group(server, signal.SIGTERM)
    if code is None and sys.platform != "linux":
        signal_group(server, signal.SIGKILL)
    kill_descendants()
    return SIGNAL_CODE + signal.SIGKILL if code is None else code


def watch_signals() -> int:
    """Return a file descriptor from which the numbers of signals that come can be read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, *ENDING_SIGNALS):
        signal.signal(number, lambda *_: None)
    return reading


def become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def spawn(command: Sequence[str]) -> int:
    """Start the server in a process group of its own, and return its pid."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        set_parent_death_signal(signal.SIGKILL)
        if os.getppid() == keeper:
            with Path(os.devnull).open("rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            # Python looks for modules in its current folder first, and that may be a stranger's.
            os.chdir("/")
            os.execvp(command[0], list(command))  # noqa: S606 (no shell)
    except OSError as error:
        os.write(2, f"{command[0]} cannot be started: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def exit_code(server: int) -> int | None:
    """Return the exit code of the server, None while it lives; bury what else has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return NOT_STARTED
        if pid == 0:
            return None
        if pid == server:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNAL_CODE - code


def signal_process(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_descendants() -> None:
    """Kill all descendants of this process, and wait for their end."""
    spared_until = time.monotonic() + TRACKER_SECONDS
    while True:
        spares = time.monotonic() < spared_until
        for pid in descendants(os.getpid()):
            if not (spares and is_tracker(pid)):
                signal_process(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(KILL_PAUSE)


def is_tracker(pid: int) -> bool:
    """Return True for a process that removes what others leave in shared memory."""
    try:
        return TRACKER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def descendants(root: int) -> list[int]:
    """Return the pids of all descendants of a process; none outside of Linux."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            # The command's name, in parentheses, may hold blanks and parentheses itself.
            parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(folder.name))
    found = list(children.get(root, ()))
    for pid in found:
        found += children.get(pid, ())
    return found


if __name__ == "__main__":
    main(sys.argv[1:])

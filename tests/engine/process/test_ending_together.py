"""Processes that end with another: by a pipe that closes, and by the death of the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from engine.process.identity import process_start
from engine.process.kill_on_close import KillOnClose, kill_group_on_close
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills like this")


def start_sleeper(pipe: KillOnClose) -> subprocess.Popen[bytes]:
    """Start a process that holds a reading end of the pipe and does nothing."""
    with pipe.reading_ends() as ends:
        child = subprocess.Popen(["sleep", "600"], start_new_session=True, pass_fds=ends)
        kill_group_on_close(ends, child.pid)
    return child


def test_closing_the_pipe_kills_every_worker() -> None:
    pipe = KillOnClose()
    children = [start_sleeper(pipe) for _ in range(2)]
    assert [child.poll() for child in children] == [None, None]
    pipe.close()
    assert [child.wait(30) for child in children] == [-signal.SIGKILL] * 2


def test_a_stopped_worker_is_killed_too() -> None:
    pipe = KillOnClose()
    child = start_sleeper(pipe)
    child.send_signal(signal.SIGSTOP)
    pipe.close()
    assert child.wait(30) == -signal.SIGKILL


def test_the_end_of_one_worker_does_nothing_to_another() -> None:
    pipe = KillOnClose()
    first, second = start_sleeper(pipe), start_sleeper(pipe)
    first.kill()
    first.wait()
    assert second.poll() is None
    pipe.close()
    assert second.wait(30) == -signal.SIGKILL


PARENT = """
import os, subprocess, sys
code = "from engine.process.parent_death import die_with_parent; die_with_parent({parent});"
code += "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True);"
code += "time.sleep(600)"
parent = int(sys.argv[1]) or os.getpid()
child = subprocess.Popen([sys.executable, "-c", code.format(parent=parent)], start_new_session=True)
print(child.pid, flush=True)
print(child.wait(), flush=True)
"""
"""Starts a worker that starts a sleeper; prints the worker's pid, the sleeper's, the exit code."""


def test_a_worker_and_its_children_die_with_their_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "0"], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(process_start(pid) is not None for pid in pids)
        parent.kill()
        parent.wait()
    wait_for(lambda: all(process_start(pid) is None for pid in pids))


def test_a_worker_whose_parent_is_gone_already_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(os.getpid())], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[1:] == [str(-signal.SIGKILL)], "no sleeper was started"

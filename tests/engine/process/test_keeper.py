"""The keeper of a server: whatever ends, and however, nothing of the server is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.process import keeper
from tests.faults.support.misbehaving_engine import processes
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")

SERVER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = os.getpid()
for session in (False, True):
    if os.fork() == 0:
        if session:
            os.setsid()
            if os.fork():
                os._exit(0)
        break
os.write(1, b"up\\n")
if os.getpid() == server:
    {then}
time.sleep(600)
"""
"""A server that ignores SIGTERM, with a child, and one in a session of its own without a parent."""
Kept = subprocess.Popen[bytes]


def start(marker: Path, then: str = "pass") -> Kept:
    return keeper.start([sys.executable, "-c", SERVER.format(then=then), str(marker)], os.environ)


def ask(kept: Kept) -> None:
    assert kept.stdin is not None
    kept.stdin.write(keeper.STOP)
    kept.stdin.flush()


def close(kept: Kept) -> None:
    assert kept.stdin is not None
    kept.stdin.close()


def kill_inner(kept: Kept) -> None:
    children = Path(f"/proc/{kept.pid}/task/{kept.pid}/children").read_text()
    os.kill(int(children.split()[0]), signal.SIGKILL)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (ask, 137),
        (close, 137),
        (kill_inner, 137),
        (lambda kept: kept.terminate(), 137),
        (lambda kept: kept.kill(), -9),
        (lambda kept: os.killpg(kept.pid, signal.SIGTERM), 137),
    ],
    ids=["asked", "pipe closed", "inner killed", "terminated", "killed", "group terminated"],
)
def test_nothing_is_left_however_it_ends(
    tmp_path: Path, end: Callable[[Kept], object], code: int
) -> None:
    kept = start(tmp_path)
    assert kept.stdout is not None
    for _ in range(3):
        assert kept.stdout.readline() == b"up\n"
    assert len(processes(tmp_path)) == 5
    end(kept)
    assert kept.wait(60) == code
    wait_for(lambda: not processes(tmp_path))
    close(kept)


@pytest.mark.parametrize(("then", "code"), [("sys.exit(7)", 7), ("os.abort()", 134)])
def test_a_server_that_ends_leaves_nothing_and_its_code(
    tmp_path: Path, then: str, code: int
) -> None:
    kept = start(tmp_path, then)
    assert kept.wait(60) == code
    wait_for(lambda: not processes(tmp_path))
    close(kept)


SHARING = """
import time
from multiprocessing import shared_memory
print(shared_memory.SharedMemory(create=True, size=1).name, flush=True)
time.sleep(600)
"""
"""A server with shared memory, which the process that Python starts beside it would remove."""


def test_no_shared_memory_is_left_either() -> None:
    kept = keeper.start([sys.executable, "-c", SHARING], os.environ)
    assert kept.stdout is not None
    memory = Path("/dev/shm") / kept.stdout.readline().decode().strip()
    assert memory.exists()
    close(kept)
    assert kept.wait(60) == 137
    assert not memory.exists()

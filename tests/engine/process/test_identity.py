"""Which process is which, also after its pid was used again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from db.rows import WorkerRow
from engine.process import identity
from engine.process.identity import ELSEWHERE, REMOTE_ALIVE_SECONDS, is_alive, process_start

PID, CREATED, BOOT = identity.this_process()
HERE = WorkerRow(id="w", device="cpu:0", pid=PID, created=CREATED, boot_id=BOOT)


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"created": CREATED + 1}, False),
        ({"boot_id": "another boot"}, False),
        ({"pid": 2**22 + 1}, False),
        ({"boot_id": ELSEWHERE, "heartbeat": 0.0}, True),
        ({"boot_id": ELSEWHERE, "heartbeat": -REMOTE_ALIVE_SECONDS - 1}, False),
    ],
)
def test_a_process_is_known_by_pid_start_and_boot(changes: dict[str, Any], alive: bool) -> None:
    """A heartbeat is given in seconds from now."""
    if "heartbeat" in changes:
        changes = changes | {"heartbeat": time.time() + changes["heartbeat"]}
    assert is_alive(replace(HERE, **changes)) == alive


def test_the_start_is_the_same_however_often_it_is_read() -> None:
    assert process_start(os.getpid()) == CREATED == identity.this_process()[1]


def test_a_zombie_is_no_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert process_start(child.pid) is None
    finally:
        child.wait()

"""The pipes of a worker's process, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from engine.launchers.local import python_command

LIBRARY = """
import os, sys
from engine.worker.runtime import claim_stdin, claim_stdout
stdin, stdout = claim_stdin(), claim_stdout()
try:
    input("may I? ")
except EOFError:
    print("no answer")
os.write(1, b"printed at file descriptor 1")
assert os.read(0, 10) == b"" == sys.stdin.buffer.read()
stdout.write(stdin.readline())
stdout.write(stdin.read())
"""
"""A library that asks and prints, and then the messages of the protocol."""


def test_a_library_neither_takes_messages_nor_writes_among_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY], input=b"first\nsecond", capture_output=True, check=True
    )
    assert done.stdout == b"first\nsecond"
    assert b"no answer" in done.stderr and b"printed at file descriptor 1" in done.stderr


def test_a_supervisor_that_sends_nonsense_ends_the_worker_with_a_clear_text() -> None:
    done = subprocess.run(
        python_command("engine.worker.worker"),
        input=b'{"type": "load", "model": 7, "batch": null}\n',
        capture_output=True,
        process_group=0,
    )
    assert done.returncode == 4
    assert "ProtocolError: not a message (Expected `object`, got `int` - at `$.model`)" in (
        done.stderr.decode()
    )
    assert b'"type":"failed","kind":"error"' in done.stdout

"""The pipes of a worker's process, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from engine.process.python_command import python_command

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


ASKING = """
import engine.captioners.families.dry_run as family
from engine.worker.worker import main
def ask(*arguments):
    print("a library talks")
    input("Do you wish to run the custom code? [y/N] ")
family.load = ask
main()
"""
"""A worker whose model asks a question while it is loaded."""
LOAD = (
    b'{"type":"load","model":{"id":7,"name":"m","family":"dry-run","checkpoint":null,"settings":{}},'
    b'"batch":null}\n'
)


def test_a_load_that_asks_fails_at_once_and_the_worker_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASKING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None and worker.stderr is not None
        for _ in range(2):
            worker.stdin.write(LOAD)
            worker.stdin.flush()
            answer = next(line for line in worker.stdout if b'"type":"load_failed"' in line)
            assert b'"model":7,"kind":"checkpoint"' in answer
            assert b"EOFError: EOF when reading a line" in answer
        worker.kill()
        log = worker.stderr.read().decode()
    assert log.count("a library talks") == 2
    assert log.count("in ask") == 2, "the log says where"

"""Workers of this machine, on pipes without processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from db.rows import DeviceRow
from engine.launchers import local
from engine.launchers.base import WorkerExit
from engine.launchers.local import LocalLauncher, LocalWorker
from engine.project.layout import Project
from engine.protocol.framing import encode
from engine.protocol.messages import Cancel
from tests.engine.launchers.outputs import HEARTBEAT, NONSENSE, ROWS, around

NO_PID = 2**22 + 1
"""A number that is no pid: Linux has none above 2**22."""


class FakeProcess:
    """A process that has ended when the test says so. It has real pipes."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        input_end, stdin = os.pipe()
        stdout, output_end = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb")
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb")
        self.input: IO[bytes] = os.fdopen(input_end, "rb")
        """The process's own end of its stdin."""
        self.output: IO[bytes] = os.fdopen(output_end, "wb", buffering=0)
        """The process's own end of its stdout."""

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int:
        return self.returncode or 0


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pids of the processes that were killed."""
    pids: list[int] = []

    def note(pid: int, number: signal.Signals) -> None:
        assert number == signal.SIGKILL
        pids.append(pid)

    monkeypatch.setattr(local, "signal_process_group", note)
    return pids


@pytest.fixture
def launcher(tmp_path: Path, killed: list[int]) -> Iterator[LocalLauncher]:
    made = LocalLauncher(Project(tmp_path), [DeviceRow(id="cpu:0"), DeviceRow(id="cpu:1")])
    yield made
    made.close()


@pytest.fixture
def workers(launcher: LocalLauncher) -> tuple[LocalWorker, LocalWorker]:
    first, second = (
        launcher.follow(DeviceRow(id=f"cpu:{n}"), FakeProcess(NO_PID + n))  # type: ignore[arg-type]
        for n in range(2)
    )
    return first, second


def process_of(worker: LocalWorker) -> FakeProcess:
    process: object = worker.process
    assert isinstance(process, FakeProcess)
    return process


@pytest.mark.parametrize("line", NONSENSE, ids=range(len(NONSENSE)))
def test_a_line_that_is_no_message_ends_that_worker_and_loses_nothing(
    launcher: LocalLauncher,
    workers: tuple[LocalWorker, LocalWorker],
    killed: list[int],
    line: bytes,
) -> None:
    bad, good = workers
    process_of(bad).output.write(around(line))
    process_of(good).output.write(encode(ROWS))
    assert sorted(launcher.receive(0), key=lambda it: it[0] is good) == [(bad, ROWS), (good, ROWS)]
    assert killed == [bad.pid]
    process_of(good).output.write(encode(HEARTBEAT))
    process_of(bad).output.write(encode(HEARTBEAT))
    process_of(bad).returncode = -9
    *messages, (ended, how) = launcher.receive(0)
    assert messages == [(good, HEARTBEAT)]
    assert ended is bad and isinstance(how, WorkerExit) and how.code == -9
    assert "not a message" in (how.protocol_error or "")
    assert launcher.workers == [good] and good.output.protocol_error is None


def test_what_an_ended_worker_still_wrote_comes_before_its_end(
    launcher: LocalLauncher, workers: tuple[LocalWorker, LocalWorker]
) -> None:
    worker, _ = workers
    process_of(worker).output.write(encode(ROWS))
    process_of(worker).returncode = 4
    assert launcher.receive(0) == [(worker, ROWS), (worker, WorkerExit(4))]


def test_a_message_in_pieces_comes_once_it_is_whole(
    launcher: LocalLauncher, workers: tuple[LocalWorker, LocalWorker]
) -> None:
    worker, _ = workers
    line = encode(ROWS)
    process_of(worker).output.write(line[:7])
    assert launcher.receive(0) == []
    process_of(worker).output.write(line[7:])
    assert launcher.receive(0) == [(worker, ROWS)]


def test_a_message_to_a_worker_is_a_line(workers: tuple[LocalWorker, LocalWorker]) -> None:
    worker, _ = workers
    worker.send(Cancel())
    assert process_of(worker).input.readline() == encode(Cancel())


def test_what_a_worker_does_not_read_yet_waits(
    launcher: LocalLauncher, workers: tuple[LocalWorker, LocalWorker]
) -> None:
    worker, _ = workers
    while not worker.outgoing:
        worker.send(Cancel())
    waiting = len(worker.outgoing)
    process_of(worker).input.read(4096)
    launcher.receive(0)
    assert len(worker.outgoing) < waiting

"""Workers of a cluster, with a stand-in for Ray's actor."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.launchers.factory import ClusterSpec
from engine.launchers.ray.actor import PollResult
from engine.launchers.ray.nodes import Slot
from engine.project.layout import Project
from engine.protocol.framing import encode
from engine.protocol.messages import Cancel, WaitingForSlot
from tests.engine.launchers.outputs import HEARTBEAT, NONSENSE, ROWS, around

pytest.importorskip("ray", reason="needs the extra ray: pip install 'mllmaug-tui[ray]'")
from engine.launchers.ray import launcher as ray_launcher

DEVICE = DeviceRow(id="a/cpu:0")


class FakeMethod:
    """A method of an actor that notes with what it is called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def remote(self, argument: Any) -> object:
        self.calls.append(argument)
        return object()


class FakeActor:
    """An actor that does nothing."""

    def __init__(self) -> None:
        self.poll, self.send, self.signal = FakeMethod(), FakeMethod(), FakeMethod()


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ray_launcher.RayLauncher:
    """A launcher on no cluster; a reference to a result is the result itself."""
    monkeypatch.setattr(ray_launcher, "join_cluster", lambda *_: None)
    monkeypatch.setattr("engine.launchers.ray.launcher.ray.get", lambda reference: reference)
    monkeypatch.setattr("engine.launchers.ray.launcher.ray.kill", lambda actor: None)
    return ray_launcher.RayLauncher(Project(tmp_path), ClusterSpec("auto"))


@pytest.fixture
def worker(launcher: ray_launcher.RayLauncher) -> ray_launcher.RayWorker:
    slot = Slot(device=DEVICE, node="a", gpus=0, cpus=1, cores=1)
    made = ray_launcher.RayWorker(slot, FakeActor(), None)
    launcher.workers.append(made)
    return made


def poll(out: bytes, code: int | None = None) -> PollResult:
    return PollResult(pid=7, out=out, err=b"", code=code, device=None)


@pytest.mark.parametrize("line", NONSENSE, ids=range(len(NONSENSE)))
def test_a_line_that_is_no_message_ends_that_worker_and_loses_nothing(
    launcher: ray_launcher.RayLauncher, worker: ray_launcher.RayWorker, line: bytes
) -> None:
    assert list(launcher.take_result(worker, poll(around(line)))) == [ROWS]
    assert worker.actor.signal.calls == [signal.SIGKILL]
    assert list(launcher.take_result(worker, poll(encode(HEARTBEAT)))) == []
    (how,) = launcher.take_result(worker, poll(b"", code=-9))
    assert isinstance(how, WorkerExit) and how.code == -9 and how.lost is None
    assert "not a message" in (how.protocol_error or "")
    assert worker.actor.signal.calls == [signal.SIGKILL]
    assert not launcher.workers


def test_what_a_worker_writes_is_relayed_and_polled_again(
    launcher: ray_launcher.RayLauncher, worker: ray_launcher.RayWorker
) -> None:
    line = encode(ROWS)
    assert list(launcher.take_result(worker, poll(line[:7]))) == []
    assert list(launcher.take_result(worker, poll(line[7:]))) == [ROWS]
    assert len(worker.actor.poll.calls) == 3 and worker.pid == 7


def test_messages_to_a_worker_wait_for_each_other(
    launcher: ray_launcher.RayLauncher, worker: ray_launcher.RayWorker
) -> None:
    worker.send(Cancel())
    worker.send(Cancel())
    assert worker.actor.send.calls == [encode(Cancel())]
    assert list(launcher.take_result(worker, worker.sending)) == []
    assert worker.actor.send.calls == 2 * [encode(Cancel())]


def test_a_worker_that_waits_for_a_slot_gives_signs_of_life(
    launcher: ray_launcher.RayLauncher, worker: ray_launcher.RayWorker
) -> None:
    worker.reported_waiting_at -= ray_launcher.WAITING_SECONDS + 1
    (message,) = launcher.check_silence(worker)
    assert isinstance(message, WaitingForSlot)
    assert list(launcher.check_silence(worker)) == []

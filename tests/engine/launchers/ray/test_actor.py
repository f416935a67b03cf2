"""The node's side of a worker on a cluster, without Ray."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from db.rows import DeviceRow
from engine.launchers.ray.actor import NodeWorker
from engine.protocol.framing import MessageReader, encode
from engine.protocol.messages import (
    FromWorker,
    ImageAccess,
    Load,
    LoadFailed,
    ModelSpec,
    Ready,
    Start,
)
from tests.support.waiting import TIMEOUT_SECONDS, wait_for

NOT_POLLED = """
import time
from db.rows import DeviceRow
from engine.launchers.ray import actor
actor.LEASE_SECONDS = 1.0
print(actor.NodeWorker("engine.worker.worker", DeviceRow(id="cpu:0"), 1).process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def worker() -> Iterator[NodeWorker]:
    started = NodeWorker("engine.worker.worker", DeviceRow(id="cpu:0"), 1)
    yield started
    started.last_poll = math.inf  # otherwise the lease would end this process, as an actor's
    started.signal(signal.SIGKILL)
    started.process.wait()


def receive(
    worker: NodeWorker, kind: type[FromWorker], errors: bytearray | None = None
) -> FromWorker:
    """Return the next message of a class; `errors` gets what comes from stderr meanwhile."""
    reader = MessageReader()

    def poll() -> FromWorker | None:
        result = worker.poll(1.0)
        if errors is not None:
            errors.extend(result.err)
        messages = reader.feed(result.out)
        return next((message for message in messages if isinstance(message, kind)), None)

    return wait_for(poll)


def test_what_a_worker_writes_is_relayed_and_how_it_ended(worker: NodeWorker) -> None:
    assert receive(worker, Ready)
    images = ImageAccess(root="/nowhere", path_map=(), allow_outside=False, witness=None)
    worker.send(encode(Start(device="gpu", threads=1, images=images)))
    model = ModelSpec(id=3, name="x", family="nonsense", checkpoint=None, settings={})
    worker.send(encode(Load(model=model, batch=None)))
    errors = bytearray()
    assert receive(worker, LoadFailed, errors).model == 3
    while (result := worker.poll(1.0)).code is None:
        errors += result.err
    assert result.code == 4 and b"Traceback" in errors


def test_a_signal_ends_it(worker: NodeWorker) -> None:
    receive(worker, Ready)
    worker.signal(signal.SIGTERM)
    assert wait_for(lambda: worker.poll(0.1).code) == -signal.SIGTERM
    worker.send(b"too late\n")


def test_an_actor_that_nobody_polls_ends_with_its_worker() -> None:
    actor = subprocess.Popen([sys.executable, "-c", NOT_POLLED], stdout=subprocess.PIPE)
    worker = int(actor.stdout.readline())
    assert psutil.pid_exists(worker)
    assert actor.wait(timeout=TIMEOUT_SECONDS) == 1
    wait_for(lambda: not psutil.pid_exists(worker))

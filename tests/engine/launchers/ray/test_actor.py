"""The node's side of a worker on a cluster, without Ray."""

from __future__ import annotations

import math
import signal
import subprocess
import sys

import psutil
import pytest

from db.rows import DeviceRow
from engine.launchers.ray.actor import NodeWorker
from engine.protocol.messages import MessageReader, encode
from tests.support.waiting import TIMEOUT_SECONDS, wait_for

NOT_POLLED = """
import time
from db.rows import DeviceRow
from engine.launchers.ray import actor
actor.LEASE_SECONDS = 1.0
print(actor.NodeWorker("engine.worker.worker", DeviceRow("cpu:0"), 1).process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def worker():
    started = NodeWorker("engine.worker.worker", DeviceRow("cpu:0"), 1)
    yield started
    started.last_poll = math.inf  # otherwise the lease would end this process, as an actor's
    started.signal(signal.SIGKILL)
    started.process.wait()


def receive(worker: NodeWorker, kind: str, errors: bytearray | None = None) -> dict:
    """Return the next message of a type; `errors` gets what comes from stderr meanwhile."""
    reader = MessageReader()

    def poll() -> dict | None:
        result = worker.poll(1.0)
        if errors is not None:
            errors.extend(result.err)
        messages = reader.feed(result.out)
        return next((message for message in messages if message["type"] == kind), None)

    return wait_for(poll)


def test_what_a_worker_writes_is_relayed_and_how_it_ended(worker):
    assert receive(worker, "ready")
    images = {"root": "/nowhere", "path_map": [], "allow_outside": False, "witness": None}
    worker.send(encode({"type": "start", "device": "gpu", "threads": 1, "images": images}))
    model = {"id": 3, "name": "x", "family": "nonsense", "checkpoint": None, "settings": {}}
    worker.send(encode({"type": "load", "model": model, "batch": None}))
    errors = bytearray()
    assert receive(worker, "load_failed", errors)["model"] == 3
    while (result := worker.poll(1.0)).code is None:
        errors += result.err
    assert result.code == 4 and b"Traceback" in errors


def test_a_signal_ends_it(worker):
    receive(worker, "ready")
    worker.signal(signal.SIGTERM)
    assert wait_for(lambda: worker.poll(0.1).code) == -signal.SIGTERM
    worker.send(b"too late\n")


def test_an_actor_that_nobody_polls_ends_with_its_worker():
    actor = subprocess.Popen([sys.executable, "-c", NOT_POLLED], stdout=subprocess.PIPE)
    worker = int(actor.stdout.readline())
    assert psutil.pid_exists(worker)
    assert actor.wait(timeout=TIMEOUT_SECONDS) == 1
    wait_for(lambda: not psutil.pid_exists(worker))

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
from engine.protocol.messages import Lines, encode
from tests.support.waiting import PATIENCE, wait_for

FORGOTTEN = """
import time
from db.rows import DeviceRow
from engine.launchers import actor
actor.LEASE_SECONDS = 1.0
print(actor.NodeWorker("engine.worker.worker", DeviceRow("cpu:0"), 1).process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def worker():
    started = NodeWorker("engine.worker.worker", DeviceRow("cpu:0"), 1)
    yield started
    started.asked = math.inf  # else the lease would end this process, as it does an actor's
    started.signal(signal.SIGKILL)
    started.process.wait()


def hear(worker: NodeWorker, wanted: str, errors: bytearray | None = None) -> dict:
    lines = Lines()

    def answer() -> dict | None:
        heard = worker.poll(1.0)
        if errors is not None:
            errors.extend(heard.err)
        found = lines.feed(heard.out)
        return next((message for message in found if message["type"] == wanted), None)

    return wait_for(answer)


def test_what_a_worker_says_is_relayed_and_how_it_ended(worker):
    assert hear(worker, "ready")
    images = {"root": "/nowhere", "path_map": [], "allow_outside": False, "witness": None}
    worker.send(encode({"type": "start", "device": "gpu", "threads": 1, "images": images}))
    model = {"id": 3, "name": "x", "family": "nonsense", "checkpoint": None, "settings": {}}
    worker.send(encode({"type": "load", "model": model, "batch": None}))
    errors = bytearray()
    assert hear(worker, "load_failed", errors)["model"] == 3
    while (heard := worker.poll(1.0)).code is None:
        errors += heard.err
    assert heard.code == 4 and b"Traceback" in errors


def test_a_signal_ends_it(worker):
    hear(worker, "ready")
    worker.signal(signal.SIGTERM)
    assert wait_for(lambda: worker.poll(0.1).code) == -signal.SIGTERM
    worker.send(b"too late\n")


def test_nobody_listens_any_more():
    actor = subprocess.Popen([sys.executable, "-c", FORGOTTEN], stdout=subprocess.PIPE)
    worker = int(actor.stdout.readline())
    assert psutil.pid_exists(worker)
    assert actor.wait(timeout=PATIENCE) == 1
    wait_for(lambda: not psutil.pid_exists(worker))

"""Workers as actors of a Ray cluster: the supervisor's side.

Ray places an actor and says when it or its node is gone; it restarts and retries nothing, which
is the ledger's business. Of each worker at most one question ("what did it say?") and one sending
are under way, so that order is kept and messages that wait travel together.
"""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray._private.services import canonicalize_bootstrap_address
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.launchers.factory import ClusterSpec
from engine.launchers.local import CODE_ROOT, open_log
from engine.launchers.ray.actor import NodeWorker, PollResult
from engine.launchers.ray.image_shipping import Readers, Shipper
from engine.launchers.ray.nodes import Nodes, Place
from engine.process.identity import ELSEWHERE
from engine.project.layout import Project
from engine.protocol.messages import Lines, Message, ProtocolError, encode
from engine.utils.errors import BadInput

KNOCK_SECONDS = 10.0
POLL_SECONDS = 10.0
NODES_SECONDS = 2.0
WAITING_SECONDS = 30.0
"""Between signs of life in the name of a worker that Ray has not placed yet."""
KILL_SECONDS = 5.0
"""An actor that does not carry out a kill within this is killed itself."""
SHIP_SECONDS = 0.01
"""Between looks at images that are being read."""
SEND_BYTES = 8 * 2**20
MEASURED = ("label", "memory_total", "memory_used", "utilisation")
"""Of a GPU, by the actor that has it."""
NOT_NEEDED = shutil.ignore_patterns("__pycache__", "checkpoints", "golden", "__snapshots__")


class RayWorker:
    def __init__(self, place: Place, actor: Any, shipper: Shipper | None) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.device = place.device
        self.cores = place.cores
        self.actor = actor
        self.shipper = shipper
        self.pid = 0
        self.created = 0.0
        self.boot_id = ELSEWHERE
        self.lines = Lines()
        self.outgoing = bytearray()
        self.protocol_error: str | None = None
        self.said = time.monotonic()
        self.killed: float | None = None
        self.sending: Any = None
        self.polling: Any = actor.poll.remote(POLL_SECONDS)

    def send(self, message: Message) -> None:
        if self.shipper is not None and self.shipper.takes(message):
            return  # it goes on in `ship`
        self.outgoing += encode(message)
        self.flush()

    def ship(self) -> list[Message]:
        """Sends the images that were read; what is said in the worker's place."""
        if self.shipper is None or self.outgoing:
            return []
        data, said = self.shipper.step()
        self.outgoing += data
        self.flush()
        return said

    def flush(self) -> None:
        if self.sending is None and self.outgoing:
            data = bytes(self.outgoing[:SEND_BYTES])
            del self.outgoing[:SEND_BYTES]
            self.sending = self.actor.send.remote(data)

    def terminate(self) -> None:
        self.actor.signal.remote(int(signal.SIGTERM))

    def kill(self) -> None:
        self.killed = self.killed or time.monotonic()
        self.actor.signal.remote(int(signal.SIGKILL))

    @property
    def awaited(self) -> list[Any]:
        return [ref for ref in (self.polling, self.sending) if ref is not None]


class RayLauncher:
    def __init__(
        self, project: Project, spec: ClusterSpec, module: str = "engine.worker.worker"
    ) -> None:
        """Joins the cluster. Raises `BadInput`."""
        self.project = project
        self.module = module
        self.nodes = Nodes(spec.cpus)
        self.places: dict[str, Place] = {}
        self.measured: dict[str, DeviceRow] = {}
        self.looked: float | None = None
        self.workers: list[RayWorker] = []
        self.readers = Readers() if spec.ship_images else None
        join(spec.address, {"db", "engine", module.partition(".")[0]})
        self.actor_class = ray.remote(NodeWorker)

    def devices(self) -> Sequence[DeviceRow]:
        now = time.monotonic()
        if self.looked is None or now - self.looked > NODES_SECONDS:
            self.looked = now
            self.places = self.nodes.places(ray.nodes())
            self.measured = {key: row for key, row in self.measured.items() if key in self.places}
        return [self.measured.get(key, place.device) for key, place in self.places.items()]

    def start(self, device: DeviceRow) -> RayWorker:
        """Raises `OSError`."""
        place = self.places.get(device.id)
        if place is None:
            raise OSError("its node has left the cluster")
        actor = self.actor_class.options(
            num_cpus=place.cpus,
            num_gpus=place.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,  # a poll, a sending, a signal
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
        ).remote(self.module, place.device, place.cores)
        worker = RayWorker(place, actor, Shipper(self.readers) if self.readers else None)
        self.workers.append(worker)
        return worker

    def receive(self, timeout: float) -> list[tuple[RayWorker, Message | WorkerExit]]:
        awaited = {ref: worker for worker in self.workers for ref in worker.awaited}
        if not awaited:
            time.sleep(timeout)
            return []
        shipping = any(worker.shipper and worker.shipper.busy for worker in self.workers)
        timeout = min(timeout, SHIP_SECONDS) if shipping else timeout
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=timeout)
        if ready:
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        received: list[tuple[RayWorker, Message | WorkerExit]] = []
        for ref in ready:
            worker = awaited[ref]
            if worker in self.workers:
                received += [(worker, message) for message in self.take(worker, ref)]
        for worker in list(self.workers):
            received += [(worker, message) for message in worker.ship()]
            received += [(worker, message) for message in self.look_after(worker)]
        return received

    def take(self, worker: RayWorker, ref: Any) -> Iterator[Message | WorkerExit]:
        try:
            answer = ray.get(ref)
        except RayError as error:
            self.on_worker_exit(worker)
            yield WorkerExit(
                0, worker.protocol_error, lost=f"its actor is lost: {in_a_line(error)}"
            )
            return
        if ref is worker.sending:
            worker.sending = None
            worker.flush()
            return
        heard: PollResult = answer
        worker.pid = heard.pid
        self.keep(worker, heard)
        if worker.protocol_error is None:
            try:
                for message in worker.lines.feed(heard.out):
                    if worker.shipper is not None:
                        worker.shipper.answered(message)
                    yield message
            except ProtocolError as error:
                worker.protocol_error = str(error)
                worker.kill()
        if heard.code is None:
            worker.polling = worker.actor.poll.remote(POLL_SECONDS)
        else:
            self.on_worker_exit(worker)
            yield WorkerExit(heard.code, worker.protocol_error)

    def keep(self, worker: RayWorker, heard: PollResult) -> None:
        """What a worker wrote to stderr, and what its GPU does."""
        if heard.err:
            with suppress(OSError), open_log(self.project.worker_log(worker.device.id)) as log:
                log.write(heard.err)
        if heard.device is not None and worker.device.id in self.places:
            fields = {name: getattr(heard.device, name) for name in MEASURED}
            self.measured[worker.device.id] = replace(worker.device, **fields)

    def look_after(self, worker: RayWorker) -> Iterator[Message | WorkerExit]:
        now = time.monotonic()
        patience = KILL_SECONDS if worker.pid else 0.0  # before it is placed nothing answers
        if worker.killed is not None and now - worker.killed > patience:
            self.on_worker_exit(worker)
            yield WorkerExit(-signal.SIGKILL, worker.protocol_error)
        elif worker.pid == 0 and now - worker.said > WAITING_SECONDS:
            worker.said = now
            text = "waiting for Ray to place the worker: is the device in use by another job?"
            yield {"type": "waiting", "text": text}

    def on_worker_exit(self, worker: RayWorker) -> None:
        self.workers.remove(worker)
        ray.kill(worker.actor)

    def close(self) -> None:
        for worker in list(self.workers):
            self.on_worker_exit(worker)
        ray.shutdown()


def join(address: str, packages: set[str]) -> None:
    """Connects to a cluster, whose nodes get the code that runs here. Raises `BadInput`."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        knock(address)
        with copied(packages) as code:
            ray.init(
                address,
                log_to_driver=False,
                logging_level="WARNING",
                # Also keeps this process's current folder off the workers' import path.
                runtime_env={"working_dir": code},
            )
    except (RayError, ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"no Ray cluster at {address!r} ({in_a_line(error)}): this machine must be a node of"
            " it, as 'ray start --head' or 'ray start --address=HOST:PORT' makes it"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, handler)


def knock(address: str) -> None:
    """Ray itself would try for minutes, also at the last cluster of this machine, which `auto` is
    and which may have died. Raises `OSError`, `ValueError`."""
    found = canonicalize_bootstrap_address(address) if address == "auto" else address
    host, _, port = (found or "").rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()


@contextmanager
def copied(packages: set[str]) -> Iterator[str]:
    """A folder with nothing but our own code."""
    with tempfile.TemporaryDirectory(prefix="mllmaug-") as folder:
        for package in packages:
            shutil.copytree(CODE_ROOT / package, Path(folder) / package, ignore=NOT_NEEDED)
        yield folder


def in_a_line(error: BaseException) -> str:
    if isinstance(error, ActorUnavailableError):
        return "its node does not answer"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

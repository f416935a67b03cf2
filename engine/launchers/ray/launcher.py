"""Workers as actors of a Ray cluster: the supervisor's side (`actor` is the node's).

Ray places an actor and reports when it or its node is gone. It restarts and retries nothing: the
supervisor's task ledger decides about that. At most one poll and one send to each worker are under
way, so that order is kept and messages that wait travel together.
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
from engine.launchers.base import Received, WorkerExit, WorkerOutput
from engine.launchers.factory import ClusterSpec
from engine.launchers.local import open_worker_log
from engine.launchers.ray.actor import NodeWorker, PollResult
from engine.launchers.ray.image_shipping import FileReaders, ImageShipper
from engine.launchers.ray.nodes import ClusterNodes, Slot
from engine.process.identity import ELSEWHERE
from engine.process.python_command import CODE_ROOT
from engine.project.layout import Project
from engine.protocol.framing import encode
from engine.protocol.messages import FromWorker, ToWorker, WaitingForSlot
from engine.utils.errors import BadInput

CONNECT_SECONDS = 10.0
"""Seconds within which the address of a cluster must take a connection."""
POLL_SECONDS = 10.0
"""Longest duration of a poll of a worker that writes nothing, in seconds."""
NODES_REFRESH_SECONDS = 2.0
"""Seconds between two requests for the list of nodes."""
WAITING_SECONDS = 30.0
"""Seconds between two signs of life in the name of a worker that Ray has not placed yet."""
KILL_SECONDS = 5.0
"""Seconds after which an actor that did not carry out a kill is killed itself."""
SHIP_SECONDS = 0.01
"""Longest wait for messages, in seconds, while images are being read for a worker."""
SEND_BYTES = 8 * 2**20
"""Most bytes sent to a worker at a time."""
MEASURED_FIELDS = ("label", "memory_total", "memory_used", "utilisation")
"""Fields of a GPU's `DeviceRow` that the actor which has it measures."""
NOT_COPIED = {"__pycache__", "golden", "__snapshots__"}
"""Names of folders that workers on other nodes do not need."""
DEMO_CHECKPOINTS = CODE_ROOT / "engine/demo/checkpoints"
"""A folder of large files that workers on other nodes do not need. Other folders of its name hold
code."""


class RayWorker:
    """A worker on a cluster (see `WorkerHandle`)."""

    def __init__(self, slot: Slot, actor: Any, shipper: ImageShipper | None) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.device = slot.device
        self.cores = slot.cores
        self.actor = actor
        self.shipper = shipper
        self.pid = 0
        self.created = 0.0
        self.boot_id = ELSEWHERE
        self.output = WorkerOutput(self.kill)
        self.outgoing = bytearray()
        """Bytes that are not being sent yet."""
        self.reported_waiting_at = time.monotonic()
        """When a sign of life was last given in the name of the worker."""
        self.killed_at: float | None = None
        self.sending: Any = None
        """Ray's reference to the result of the send under way."""
        self.polling: Any = actor.poll.remote(POLL_SECONDS)
        """Ray's reference to the result of the poll under way."""

    def send(self, message: ToWorker) -> None:
        if self.shipper is not None and self.shipper.intercept(message):
            return  # `ship` sends it, with its images
        self.outgoing += encode(message)
        self.flush()

    def messages(self, data: bytes) -> Iterator[FromWorker]:
        """Yield the messages that end within `data`, which the worker wrote."""
        for message in self.output.messages(data):
            if self.shipper is not None:
                self.shipper.on_worker_message(message)
            yield message

    def ship(self) -> list[FromWorker]:
        """Send the images that were read; return messages in the name of the worker."""
        if self.shipper is None or self.outgoing:
            return []
        data, messages = self.shipper.step()
        self.outgoing += data
        self.flush()
        return messages

    def flush(self) -> None:
        """Send what is outgoing, unless a send is under way."""
        if self.sending is None and self.outgoing:
            data = bytes(self.outgoing[:SEND_BYTES])
            del self.outgoing[:SEND_BYTES]
            self.sending = self.actor.send.remote(data)

    def terminate(self) -> None:
        self.actor.signal.remote(int(signal.SIGTERM))

    def kill(self) -> None:
        self.killed_at = self.killed_at or time.monotonic()
        self.actor.signal.remote(int(signal.SIGKILL))

    @property
    def pending(self) -> list[Any]:
        """Ray's references to the poll and the send under way."""
        return [ref for ref in (self.polling, self.sending) if ref is not None]


class RayLauncher:
    """The launcher of a run on a Ray cluster (see `Launcher`)."""

    def __init__(
        self, project: Project, spec: ClusterSpec, module: str = "engine.worker.worker"
    ) -> None:
        """Join the cluster. Raises `BadInput`."""
        self.project = project
        self.module = module
        self.nodes = ClusterNodes(spec.cpus)
        self.slots: dict[str, Slot] = {}
        """The slots of the cluster, by device id."""
        self.measured: dict[str, DeviceRow] = {}
        """GPUs as their actors measured them last, by device id."""
        self.refreshed_at: float | None = None
        """Monotonic time at which the nodes were last listed."""
        self.workers: list[RayWorker] = []
        self.readers = FileReaders() if spec.ship_images else None
        join_cluster(spec.address, {"db", "engine", module.partition(".")[0]})
        self.actor_class = ray.remote(NodeWorker)

    def devices(self) -> Sequence[DeviceRow]:
        now = time.monotonic()
        if self.refreshed_at is None or now - self.refreshed_at > NODES_REFRESH_SECONDS:
            self.refreshed_at = now
            self.slots = self.nodes.slots(ray.nodes())
            self.measured = {key: row for key, row in self.measured.items() if key in self.slots}
        return [self.measured.get(key, slot.device) for key, slot in self.slots.items()]

    def start(self, device: DeviceRow) -> RayWorker:
        slot = self.slots.get(device.id)
        if slot is None:
            raise OSError("its node has left the cluster")
        actor = self.actor_class.options(
            num_cpus=slot.cpus,
            num_gpus=slot.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,  # a poll, a send and signals
            scheduling_strategy=NodeAffinitySchedulingStrategy(slot.node, soft=False),
        ).remote(self.module, slot.device, slot.cores)
        worker = RayWorker(slot, actor, ImageShipper(self.readers) if self.readers else None)
        self.workers.append(worker)
        return worker

    def receive(self, timeout: float) -> list[tuple[RayWorker, Received]]:
        pending = {ref: worker for worker in self.workers for ref in worker.pending}
        if not pending:
            time.sleep(timeout)
            return []
        shipping = any(worker.shipper and worker.shipper.busy for worker in self.workers)
        timeout = min(timeout, SHIP_SECONDS) if shipping else timeout
        ready, _ = ray.wait(list(pending), num_returns=1, timeout=timeout)
        if ready:
            ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
        received: list[tuple[RayWorker, Received]] = []
        for ref in ready:
            worker = pending[ref]
            if worker in self.workers:
                received += [(worker, message) for message in self.take_result(worker, ref)]
        for worker in list(self.workers):
            received += [(worker, message) for message in worker.ship()]
            received += [(worker, message) for message in self.check_silence(worker)]
        return received

    def take_result(self, worker: RayWorker, ref: Any) -> Iterator[Received]:
        """Take the result of a poll or a send, start the next one, and yield messages."""
        try:
            result = ray.get(ref)
        except RayError as error:
            self.remove_worker(worker)
            lost = f"its actor is lost: {one_line(error)}"
            yield WorkerExit(0, worker.output.protocol_error, lost=lost)
            return
        if ref is worker.sending:
            worker.sending = None
            worker.flush()
            return
        poll: PollResult = result
        worker.pid = poll.pid
        self.take_stderr_and_gpu(worker, poll)
        yield from worker.messages(poll.out)
        if poll.code is None:
            worker.polling = worker.actor.poll.remote(POLL_SECONDS)
        else:
            self.remove_worker(worker)
            yield WorkerExit(poll.code, worker.output.protocol_error)

    def take_stderr_and_gpu(self, worker: RayWorker, poll: PollResult) -> None:
        """Append to the worker's log what it wrote to stderr, and note what its GPU does."""
        if poll.err:
            with (
                suppress(OSError),
                open_worker_log(self.project.worker_log(worker.device.id)) as log,
            ):
                log.write(poll.err)
        if poll.device is not None and worker.device.id in self.slots:
            fields = {name: getattr(poll.device, name) for name in MEASURED_FIELDS}
            self.measured[worker.device.id] = replace(worker.device, **fields)

    def check_silence(self, worker: RayWorker) -> Iterator[Received]:
        """Yield what is to be reported of a worker that writes nothing.

        That is the end of one whose actor did not carry out a kill, and a sign of life of one that
        Ray has not placed yet.
        """
        now = time.monotonic()
        patience = KILL_SECONDS if worker.pid else 0.0  # before it is placed nothing answers
        if worker.killed_at is not None and now - worker.killed_at > patience:
            self.remove_worker(worker)
            yield WorkerExit(-signal.SIGKILL, worker.output.protocol_error)
        elif worker.pid == 0 and now - worker.reported_waiting_at > WAITING_SECONDS:
            worker.reported_waiting_at = now
            text = "waiting for Ray to place the worker: is the device in use by another job?"
            yield WaitingForSlot(text=text)

    def remove_worker(self, worker: RayWorker) -> None:
        """Forget a worker and have Ray end its actor."""
        self.workers.remove(worker)
        ray.kill(worker.actor)

    def close(self) -> None:
        for worker in list(self.workers):
            self.remove_worker(worker)
        ray.shutdown()


def join_cluster(address: str, packages: set[str]) -> None:
    """Connect to a cluster, whose nodes get the code that runs here. Raises `BadInput`."""
    # Ray replaces the handler; it is put back below.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        check_address(address)
        with code_copy(packages) as code:
            ray.init(
                address,
                log_to_driver=False,
                logging_level="WARNING",
                # Also keeps this process's current folder off the workers' import path.
                runtime_env={"working_dir": code},
            )
    except (RayError, ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"no Ray cluster at {address!r} ({one_line(error)}): this machine must be a node of"
            " it: run 'ray start --head' or 'ray start --address=HOST:PORT'"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, handler)


def check_address(address: str) -> None:
    """Connect to the address and close the connection again. Raises `OSError`, `ValueError`."""
    # Ray itself would try for minutes, even at an address that is dead: `auto` is the last cluster
    # of this machine, which may have died.
    resolved = canonicalize_bootstrap_address(address) if address == "auto" else address
    host, _, port = (resolved or "").rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


@contextmanager
def code_copy(packages: set[str]) -> Iterator[str]:
    """Give a temporary folder with these packages of this project and nothing else."""
    with tempfile.TemporaryDirectory(prefix="mllmaug-") as folder:
        for package in packages:
            shutil.copytree(CODE_ROOT / package, Path(folder) / package, ignore=names_not_copied)
        yield folder


def names_not_copied(folder: str, names: list[str]) -> set[str]:
    """Return the names in this folder that workers on other nodes do not need."""
    return {name for name in names if name in NOT_COPIED or Path(folder, name) == DEMO_CHECKPOINTS}


def one_line(error: BaseException) -> str:
    """Return the last line of an error of Ray, which says what happened."""
    if isinstance(error, ActorUnavailableError):
        return "its node does not answer"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

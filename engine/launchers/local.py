"""Workers as subprocesses of this machine, with pipes for stdin and stdout and no ports.

The functions that start and signal a process are used on a cluster's nodes as well (`ray.actor`).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from db.rows import DeviceRow
from engine.hardware.devices import device_kind
from engine.launchers.base import Received, WorkerExit, WorkerOutput
from engine.process import identity
from engine.process.kill_on_close import KillOnClose, kill_group_on_close
from engine.process.python_command import python_command
from engine.project.layout import Project
from engine.protocol.framing import encode
from engine.protocol.messages import FromWorker, ToWorker
from engine.utils.cpu_count import usable_cores
from engine.utils.plain_files import make_folder, open_stream

READ_BYTES = 2**20
"""Most bytes read from a worker's pipe at a time."""
TIE_TO_PARENT = (
    "from engine.process.parent_death import die_with_parent; die_with_parent({parent}); "
)
"""The first code of a worker: `parent` is the pid of its launcher's process."""
KILL_SECONDS = 2.0
"""Seconds after which a process that outlives SIGKILL, since it sits in the kernel, is not waited
for any more."""
MAX_DRAIN_READS = 16
"""Number of reads that empty the pipe of an ended worker; what it can hold takes fewer."""


def spawn_worker(
    module: str,
    device: DeviceRow,
    cores: int,
    stderr: int | IO[bytes],
    kill_on_close: KillOnClose,
) -> subprocess.Popen[bytes]:
    """Start a worker with pipes, in a process group of its own, that ends with this thread.

    Raises `OSError`.
    """
    with kill_on_close.reading_ends() as ends:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            python_command(module, first=TIE_TO_PARENT.format(parent=os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Not in a session of its own: in this one the group is orphaned when this process
            # dies, and the kernel then wakes its stopped processes. That is how a worker ends that
            # was stopped before it could tie itself to its parent.
            process_group=0,
            pass_fds=ends,
            env=worker_environment(device, cores),
        )
        kill_group_on_close(ends, process.pid)
    return process


def signal_process_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a process group; it can outlive its leader, if the worker has forked."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def open_worker_log(path: Path) -> IO[bytes]:
    """Open a worker's log for appending. Raises `OSError`."""
    make_folder(path.parent)
    # For appending, because the supervisor empties the log while it is written (`log_rotation`).
    return open_stream(path, "ab")


class LocalWorker:
    """A worker on this machine (see `WorkerHandle`)."""

    def __init__(self, device: DeviceRow, cores: int, process: subprocess.Popen[bytes]) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.device = device
        self.cores = cores
        self.process = process
        self.pid = process.pid
        self.created = identity.process_start(process.pid) or time.time()
        self.boot_id = identity.boot_id()
        self.output = WorkerOutput(self.kill)
        self.outgoing = bytearray()
        """Bytes that the pipe did not take yet."""
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is started with pipes")
        self.stdin = process.stdin.fileno()
        self.stdout = process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)

    def send(self, message: ToWorker) -> None:
        self.outgoing += encode(message)
        self.write()

    def write(self) -> None:
        """Write what the pipe takes now."""
        while self.outgoing:
            try:
                written = os.write(self.stdin, self.outgoing)
            except BlockingIOError:
                return
            except OSError:  # the worker has ended: `receive` will report it
                self.outgoing.clear()
                return
            del self.outgoing[:written]

    def read(self) -> Iterator[FromWorker]:
        """Yield the messages that have come. Raises `EOFError` at the end of the output."""
        try:
            data = os.read(self.stdout, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        yield from self.output.messages(data)

    def drain(self) -> Iterator[FromWorker]:
        """Yield what an ended worker still wrote, without waiting for its children to end."""
        with contextlib.suppress(EOFError):
            for _ in range(MAX_DRAIN_READS):
                yield from self.read()

    def terminate(self) -> None:
        signal_process_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        signal_process_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left of the process group and close the pipes."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


class LocalLauncher:
    """The launcher of a run on this machine (see `Launcher`).

    It must be used from the main thread: a worker gets its parent-death signal when the thread that
    started it ends.
    """

    def __init__(
        self, project: Project, devices: Sequence[DeviceRow], module: str = "engine.worker.worker"
    ) -> None:
        self.project = project
        self.run_devices = devices
        self.module = module
        self.cores = max(1, usable_cores() // max(1, len(devices)))
        """Share of the cores that each worker gets."""
        self.workers: list[LocalWorker] = []
        self.selector = selectors.DefaultSelector()
        self.kill_on_close = KillOnClose()

    def devices(self) -> Sequence[DeviceRow]:
        return self.run_devices

    def start(self, device: DeviceRow) -> LocalWorker:
        with open_worker_log(self.project.worker_log(device.id)) as stderr:
            process = spawn_worker(self.module, device, self.cores, stderr, self.kill_on_close)
        return self.follow(device, process)

    def follow(self, device: DeviceRow, process: subprocess.Popen[bytes]) -> LocalWorker:
        """Take over a process that was started with pipes, and return it as a worker."""
        worker = LocalWorker(device, self.cores, process)
        self.workers.append(worker)
        self.selector.register(worker.stdout, selectors.EVENT_READ, worker)
        return worker

    def receive(self, timeout: float) -> list[tuple[LocalWorker, Received]]:
        received: list[tuple[LocalWorker, Received]] = []
        backlog = any(worker.outgoing for worker in self.workers)
        for key, _ in self.selector.select(min(timeout, 0.01) if backlog else timeout):
            worker: LocalWorker = key.data
            try:
                received += [(worker, message) for message in worker.read()]
            except EOFError:
                self.selector.unregister(worker.stdout)
        for worker in self.workers:
            worker.write()
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            worker.kill()  # children that it left behind
            received += [(worker, message) for message in worker.drain()]
            received.append((worker, self.on_worker_exit(worker)))
        return received

    def on_worker_exit(self, worker: LocalWorker) -> WorkerExit:
        """Forget a worker whose process has ended, and return how it did."""
        with contextlib.suppress(KeyError):
            self.selector.unregister(worker.stdout)
        worker.close()
        self.workers.remove(worker)
        return WorkerExit(worker.process.returncode or 0, worker.output.protocol_error)

    def close(self) -> None:
        for worker in list(self.workers):
            worker.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout=KILL_SECONDS)
            self.on_worker_exit(worker)
        self.selector.close()
        self.kill_on_close.close()


def worker_environment(device: DeviceRow, cores: int) -> dict[str, str]:
    """Return the environment of a worker: its one GPU by UUID, and its share of the cores."""
    values = dict(os.environ)
    # For a GPU without a UUID, Ray has put into the environment which one it is.
    if device.uuid:
        values["CUDA_VISIBLE_DEVICES"] = device.uuid
    elif device_kind(device.id) == "cpu":
        values["CUDA_VISIBLE_DEVICES"] = ""
    values["OMP_NUM_THREADS"] = str(cores)
    # Threads that wait for each other spinning would take the cores from those that decode images.
    values.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # glibc would give tensors back to the system after every batch, and take as many page faults
    # for the next: up to a tenth of the time of a small model on a CPU.
    values.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
    values.setdefault("MALLOC_TRIM_THRESHOLD_", str(2_000_000_000))
    values["HF_HUB_OFFLINE"] = "1"
    values["TOKENIZERS_PARALLELISM"] = "false"
    return values

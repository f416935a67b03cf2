"""Workers as subprocesses of this machine, with pipes for stdin and stdout and no ports."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import engine
from db.rows import DeviceRow
from engine.hardware.devices import available_cores, kind
from engine.launchers.base import WorkerExit
from engine.process import identity
from engine.process.kill_on_close import Lifeline, tie
from engine.project.layout import Project
from engine.protocol.messages import Lines, Message, ProtocolError, encode

READ_BYTES = 2**20
CODE_ROOT = Path(engine.__file__).parent.parent
BOOTSTRAP = "import sys; sys.path.insert(0, {root!r}); {first}from {module} import main; main()"
LEASH = "from engine.process.parent_death import die_with_parent; die_with_parent({parent}); "
KILL_SECONDS = 2.0
"""A process that outlives SIGKILL for longer sits in the kernel: it is not waited for."""
PIPE_READS = 16
"""What an ended worker can have left in its pipe takes fewer."""


def command(module: str, *arguments: str, first: str = "") -> list[str]:
    """Runs a module of ours whatever `engine.py` or `db.py` lies in the current folder."""
    code = BOOTSTRAP.format(root=str(CODE_ROOT), module=module, first=first)
    return [sys.executable, "-P", "-c", code, *arguments]


def spawn(
    module: str, device: DeviceRow, cores: int, stderr: int | IO[bytes], lifeline: Lifeline
) -> subprocess.Popen[bytes]:
    """A worker with pipes, in a process group of its own, on a leash that this thread holds.

    Raises `OSError`.
    """
    with lifeline.given() as ends:
        started = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            command(module, first=LEASH.format(parent=os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Not in a session of its own: of a group that is left alone in its session the kernel
            # wakes what is stopped, which is how one ends that was not tied yet.
            process_group=0,
            pass_fds=ends,
            env=environment(device, cores),
        )
        tie(ends, started.pid)
    return started


def signal_group(leader: int, number: signal.Signals) -> None:
    """The group can outlive its leader: children that the worker forked."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def open_log(path: Path) -> IO[bytes]:
    """To append to: the supervisor bounds it meanwhile. Raises `OSError`."""
    path.parent.mkdir(exist_ok=True)
    return path.open("ab")


class LocalWorker:
    def __init__(self, device: DeviceRow, cores: int, started: subprocess.Popen[bytes]) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.device = device
        self.cores = cores
        self.process = started
        self.pid = started.pid
        self.created = identity.started(started.pid) or time.time()
        self.boot_id = identity.boot_id()
        self.lines = Lines()
        self.outgoing = bytearray()
        self.protocol_error: str | None = None
        if started.stdin is None or started.stdout is None:
            raise ValueError("a worker is started with pipes")
        self.stdin = started.stdin.fileno()
        self.stdout = started.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)

    def send(self, message: Message) -> None:
        self.outgoing += encode(message)
        self.write()

    def write(self) -> None:
        """Writes what the pipe takes now."""
        while self.outgoing:
            try:
                written = os.write(self.stdin, self.outgoing)
            except BlockingIOError:
                return
            except OSError:  # it has ended: `receive` will say so
                self.outgoing.clear()
                return
            del self.outgoing[:written]

    def read(self) -> list[Message]:
        """Raises `ProtocolError`, and `EOFError` at the end."""
        try:
            data = os.read(self.stdout, READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError
        return self.lines.feed(data)

    def drain(self) -> list[Message]:
        """Whatever it still said before it ended; its children are not waited for."""
        messages: list[Message] = []
        with contextlib.suppress(EOFError, ProtocolError):
            for _ in range(PIPE_READS):
                messages += self.read()
        return messages

    def terminate(self) -> None:
        signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


class LocalLauncher:
    """Must be used from the main thread: the parent-death signal follows the spawning thread."""

    def __init__(
        self, project: Project, devices: Sequence[DeviceRow], module: str = "engine.worker.worker"
    ) -> None:
        self.project = project
        self.present = devices
        self.module = module
        self.cores = max(1, available_cores() // max(1, len(devices)))
        self.workers: list[LocalWorker] = []
        self.selector = selectors.DefaultSelector()
        self.lifeline = Lifeline()

    def devices(self) -> Sequence[DeviceRow]:
        return self.present

    def start(self, device: DeviceRow) -> LocalWorker:
        """Raises `OSError`."""
        with open_log(self.project.worker_log(device.id)) as stderr:
            started = spawn(self.module, device, self.cores, stderr, self.lifeline)
        worker = LocalWorker(device, self.cores, started)
        self.workers.append(worker)
        self.selector.register(worker.stdout, selectors.EVENT_READ, worker)
        return worker

    def receive(self, timeout: float) -> list[tuple[LocalWorker, Message | WorkerExit]]:
        received: list[tuple[LocalWorker, Message | WorkerExit]] = []
        backlog = any(worker.outgoing for worker in self.workers)
        for key, _ in self.selector.select(min(timeout, 0.01) if backlog else timeout):
            worker: LocalWorker = key.data
            try:
                received += [(worker, message) for message in worker.read()]
            except EOFError:
                self.selector.unregister(worker.stdout)
            except ProtocolError as error:
                worker.protocol_error = str(error)
                worker.kill()
        for worker in self.workers:
            worker.write()
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            worker.kill()  # children that it left behind
            received += [(worker, message) for message in worker.drain()]
            received.append((worker, self.on_worker_exit(worker)))
        return received

    def on_worker_exit(self, worker: LocalWorker) -> WorkerExit:
        with contextlib.suppress(KeyError):
            self.selector.unregister(worker.stdout)
        worker.close()
        self.workers.remove(worker)
        return WorkerExit(worker.process.returncode or 0, worker.protocol_error)

    def close(self) -> None:
        for worker in list(self.workers):
            worker.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout=KILL_SECONDS)
            self.on_worker_exit(worker)
        self.selector.close()
        self.lifeline.close()


def environment(device: DeviceRow, cores: int) -> dict[str, str]:
    """What the worker inherits: its one GPU by UUID, its share of the cores.

    Of a GPU without one Ray has said in the environment which it is.
    """
    values = dict(os.environ)
    if device.uuid:
        values["CUDA_VISIBLE_DEVICES"] = device.uuid
    elif kind(device.id) == "cpu":
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

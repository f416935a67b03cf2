"""The captioning process: one device, one loaded model at a time, and no files of its own.

A launcher starts it with pipes for stdin and stdout, over which it exchanges `protocol.messages`
with its supervisor; it dies with the supervisor. This module holds the process's entry, the
exchange of messages and the loading of models; a `CaptionLoop` turns records into rows.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import psutil

from engine.captioners.api_keys import NO_KEY, KeySource
from engine.captioners.base import CheckpointError, LoadedModel, RemoteCaptioner, ServerUnavailable
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImagePaths
from engine.images.missing_root import MissingImages
from engine.process.parent_death import end_process_group
from engine.protocol.framing import encode, parse_line
from engine.protocol.messages import (
    Cancel,
    Failed,
    ForgetWitness,
    FromWorker,
    Heartbeat,
    ImageFile,
    LayerComputed,
    Load,
    Loaded,
    LoadFailed,
    LoadFailure,
    Loading,
    ModelSpec,
    Ready,
    Records,
    Start,
    ToWorker,
    WorkerFailure,
    from_supervisor,
)
from engine.worker.batch_lanes import MAX_LANES, Lanes
from engine.worker.batch_tuner import CPU_MIN_GAIN, MIN_GAIN, BatchTuner
from engine.worker.caption_loop import CaptionLoop, ModelUnavailable
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import ImagePrefetcher
from engine.worker.local_loop import FIRST_BATCH, LocalLoop
from engine.worker.remote_loop import RemoteLoop, unavailable_message
from engine.worker.runtime import (
    FatalWorkerError,
    claim_stdin,
    claim_stdout,
    core_share,
    describe_error,
    free_memory,
    is_sticky_error,
    log_cause,
    torch_device,
)

HEARTBEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A message `ImageFile` with the bytes that follow it."""

    i: int
    data: bytes


class Worker:
    """A worker process: reads messages, loads models, and sends what their loops send."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.send_lock = threading.Lock()
        self.inbox: queue.SimpleQueue[ToWorker | ReceivedFile | Exception | None] = (
            queue.SimpleQueue()
        )
        """What was read and not handled yet: messages, or why reading ended. None has the main
        thread look for work again."""
        no_images = ImagePaths("")
        self.device = "cpu"
        """Torch's name of the device; set by the message `Start`, as the next two are."""
        self.missing_images = MissingImages(no_images, witness=None)
        self.prefetcher = ImagePrefetcher(no_images, threads=1, device=self.device)
        self.loop: CaptionLoop[Any] | None = None
        """The loop of the loaded model; None while no model is loaded."""
        self.key_source = NO_KEY
        """Where the API key of the model to load is looked for, if that is on a server."""
        self.watches_layers = False
        """True once the progress of every layer of a model is reported."""

    def run(self) -> None:
        """Caption what the supervisor sends, until an exception ends the process."""
        threading.Thread(target=self.read_messages, daemon=True, name="inbox").start()
        threading.Thread(target=self.send_heartbeats, daemon=True, name="heartbeat").start()
        self.send(Ready())
        while True:
            self.handle_messages()
            self.step()

    def step(self) -> None:
        """Have the loop go on; unload a model that captions nothing for now.

        Raises `FatalWorkerError`.
        """
        if self.loop is None:
            return
        try:
            self.loop.step()
        except ModelUnavailable as unavailable:
            self.unload()
            self.send(unavailable.message)

    def send(self, message: FromWorker) -> None:
        """Send a message to the supervisor, from any thread."""
        data = encode(message)
        with self.send_lock:
            self.stdout.write(data)
            self.stdout.flush()

    def wake(self) -> None:
        """Have the main thread look for work again, from any thread."""
        self.inbox.put(None)

    def read_messages(self) -> None:
        """Fill the inbox; end the process group when the supervisor's end of the pipe closes."""
        try:
            for line in self.stdin:
                if not line.endswith(b"\n"):
                    break  # the supervisor died while it wrote
                message = from_supervisor(parse_line(line))
                if isinstance(message, ImageFile):
                    self.inbox.put(ReceivedFile(message.i, self.stdin.read(message.bytes)))
                else:
                    self.inbox.put(message)
        except Exception as error:
            self.inbox.put(error)
            return
        end_process_group()

    def send_heartbeats(self) -> None:
        process = psutil.Process()
        while True:
            with contextlib.suppress(OSError):
                self.send(Heartbeat(rss=process.memory_info().rss))
            time.sleep(HEARTBEAT_SECONDS)

    def handle_messages(self) -> None:
        """Handle what is in the inbox; wait for a message only when there is nothing else to do.

        Raises what `handle` raises, and what ended the reading of messages.
        """
        while True:
            try:
                message = self.inbox.get(block=not self.can_step())
            except queue.Empty:
                return
            if isinstance(message, Exception):
                raise message
            if message is not None:
                self.handle(message)

    def can_step(self) -> bool:
        return self.loop is not None and self.loop.can_step()

    def handle(self, message: ToWorker | ReceivedFile) -> None:
        """Carry out one message. Raises `FatalWorkerError`, and any unexpected error of a load."""
        match message:
            case Start():
                self.start(message)
            case Load():
                self.load(message)
            case ReceivedFile(i, data):
                self.prefetcher.add_file(i, data)
            case Records():
                self.add_records(message)
            case Cancel() if self.loop is not None:
                self.loop.cancel()
            case ForgetWitness():
                self.missing_images.witness = None

    def start(self, message: Start) -> None:
        """Take the device and the image root of the run."""
        self.device = torch_device(message.device)
        self.missing_images = MissingImages.of(message.images)
        self.prefetcher = ImagePrefetcher(self.missing_images.paths, message.threads, self.device)

    def add_records(self, message: Records) -> None:
        if self.loop is None:
            # It was sent before the supervisor heard that the server is unavailable.
            self.prefetcher.forget_files()
        else:
            self.loop.add_records(message)

    def load(self, message: Load) -> None:
        """Load a model in place of the current one, and report that or why it failed.

        Raises `FatalWorkerError` if the model does not fit into memory, and any unexpected error of
        loading; both end the process.
        """
        self.unload()
        model = message.model
        self.key_source = KeySource(message.key_variables, message.key_advice)
        self.prefetcher.paths = replace(self.missing_images.paths, confined=message.confined)
        began = time.monotonic()
        self.send_loading("starting")
        try:
            captioner = self.make_captioner(model)
        except CheckpointError as error:
            log_cause(error)
            self.send_load_failed(model, "checkpoint", str(error))
            return
        except ServerUnavailable as error:
            self.send(unavailable_message(model.id, error))
            return
        except Exception as error:
            if is_out_of_memory(error):
                self.send_load_failed(model, "memory", describe_error(error))
                raise FatalWorkerError from error
            self.send_load_failed(model, "error", describe_error(error))
            raise
        free_memory()  # the tensors that joined ones were made from
        gc.freeze()  # otherwise every full collection looks at all of torch and transformers
        self.loop = self.make_loop(captioner, message)
        self.watch_layers()
        self.send(
            Loaded(model=model.id, batch=self.loop.batch_size, seconds=time.monotonic() - began)
        )

    def make_captioner(self, model: ModelSpec) -> LoadedModel:
        """Load a model.

        Raises `CheckpointError`, `ServerUnavailable`, `torch.OutOfMemoryError`.
        """
        settings, family = Settings.of(model.settings), FAMILIES[model.family]
        report = self.send_loading
        return family.load(model.checkpoint, settings, self.device, report, self.key_source)

    def make_loop(self, captioner: LoadedModel, message: Load) -> CaptionLoop[Any]:
        """Return the loop for a captioner that was loaded because of a message."""
        settings = Settings.of(message.model.settings)
        batch_size = message.batch or captioner.batch
        if isinstance(captioner, RemoteCaptioner):
            return RemoteLoop(
                model_id=message.model.id,
                captioner=captioner,
                batch_size=batch_size,
                prefetcher=self.prefetcher,
                missing_images=self.missing_images,
                send=self.send,
            )
        on_cpu = self.device == "cpu"
        auto = settings.auto_batch and message.batch is None
        min_gain = CPU_MIN_GAIN if on_cpu else MIN_GAIN
        lanes = self.lane_count(captioner, settings)
        return LocalLoop(
            model_id=message.model.id,
            captioner=captioner,
            batch_size=batch_size,
            prefetcher=self.prefetcher,
            missing_images=self.missing_images,
            send=self.send,
            wake=self.wake,
            lanes=Lanes(captioner, lanes, self.wake, self.device),
            tuner=BatchTuner(batch_size, min_gain) if auto else None,
            thread_budget=ThreadBudget(core_share()) if on_cpu else None,
            first_batch=FIRST_BATCH if on_cpu else None,
        )

    def lane_count(self, captioner: LoadedModel, settings: Settings) -> int:
        """Return how many batches of this model may be captioned at the same time."""
        if self.device == "cpu":
            overlap = core_share() > 1 and not captioner.fills_cores
        else:
            overlap = settings.overlap
        return MAX_LANES if overlap and captioner.concurrent_batches else 1

    def watch_layers(self) -> None:
        """Report progress within a batch where a batch may last longer than the hang limit."""
        if self.watches_layers or self.device == "cuda" or "torch" not in sys.modules:
            return
        from engine.captioners.generation.layer_progress import watch

        watch(self.send_layer_computed)
        self.watches_layers = True

    def unload(self) -> None:
        """Free the loaded model, if there is one."""
        if self.loop is not None:
            self.loop.close()
        self.loop = None
        gc.unfreeze()
        free_memory()

    def send_loading(self, text: str) -> None:
        """Report a step of a load."""
        self.send(Loading(text=text))

    def send_load_failed(self, model: ModelSpec, kind: LoadFailure, text: str) -> None:
        self.send(LoadFailed(model=model.id, kind=kind, text=text))

    def send_layer_computed(self) -> None:
        loop = self.loop
        attempt = None if loop is None else loop.attempt
        if attempt is not None:
            self.send(LayerComputed(attempt=attempt))


def main(make_worker: Callable[[BinaryIO, BinaryIO], Worker] = Worker) -> None:
    """Run a worker until it ends, and exit the process: with code 3 after `FatalWorkerError`, with
    code 4 after any other exception.

    The launcher has tied this process to its own life (`parent_death`) and made it the leader of a
    process group.
    """
    # A worker is ended by its supervisor, never by Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = make_worker(claim_stdin(), claim_stdout())
    try:
        worker.run()
    except FatalWorkerError:
        code = 3
    except BaseException as error:
        with contextlib.suppress(OSError):
            worker.send(Failed(kind=failure_kind(error), text=describe_error(error)))
        import traceback

        traceback.print_exc()
        code = 4
    sys.stderr.flush()
    # Threads may be stuck in a read for ever: do not wait for them.
    os._exit(code)


def failure_kind(error: BaseException) -> WorkerFailure:
    if is_out_of_memory(error):
        return "memory"
    return "sticky" if is_sticky_error(error) else "error"


if __name__ == "__main__":
    main()

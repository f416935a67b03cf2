"""The captioning process: one device, one loaded model at a time, and no files of its own.

A launcher starts it with pipes for stdin and stdout, over which it exchanges `protocol.messages`
with its supervisor; it dies with the supervisor. This module holds the process's entry, the
exchange of messages and the loading of models; `batch_loop` turns records into rows.
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
from typing import BinaryIO

import psutil

from engine.captioners.base import Captioner, CheckpointError, RemoteCaptioner, ServerUnavailable
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImagePaths
from engine.images.missing_root import MissingImages
from engine.process.parent_death import end_process_group
from engine.protocol import messages
from engine.protocol.messages import Message
from engine.worker.batch_lanes import MAX_LANES, Lanes
from engine.worker.batch_loop import BatchLoop, FatalWorkerError
from engine.worker.batch_tuner import CPU_MIN_GAIN, MIN_GAIN, BatchTuner
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import ImagePrefetcher
from engine.worker.runtime import (
    claim_stdout,
    core_share,
    describe_error,
    free_memory,
    is_sticky_error,
    torch_device,
)

HEARTBEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""


class Worker(BatchLoop):
    """A worker process: reads messages, loads models, and sends rows as `BatchLoop` makes them."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        super().__init__()
        self.stdin = stdin
        self.stdout = stdout
        self.send_lock = threading.Lock()
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        """Messages that were read and not handled yet."""
        self.watches_layers = False
        """True once the progress of every layer of a model is reported."""

    def run(self) -> None:
        """Caption what the supervisor sends, until an exception ends the process."""
        threading.Thread(target=self.read_messages, daemon=True, name="inbox").start()
        threading.Thread(target=self.send_heartbeats, daemon=True, name="heartbeat").start()
        self.send({"type": "ready"})
        while True:
            self.handle_messages()
            if self.inflight is not None:
                self.step(self.inflight)

    def send(self, message: Message) -> None:
        data = messages.encode(message)
        with self.send_lock:
            self.stdout.write(data)
            self.stdout.flush()

    def wake(self) -> None:
        self.inbox.put({"type": "wake"})

    def read_messages(self) -> None:
        """Fill the inbox; end the process group when the supervisor's end of the pipe closes."""
        for line in self.stdin:
            message = messages.decode(line)
            if message["type"] == "image":
                message["data"] = self.stdin.read(message["bytes"])
            self.inbox.put(message)
        end_process_group()

    def send_heartbeats(self) -> None:
        process = psutil.Process()
        while True:
            with contextlib.suppress(OSError):
                self.send({"type": "heartbeat", "rss": process.memory_info().rss})
            time.sleep(HEARTBEAT_SECONDS)

    def handle_messages(self) -> None:
        """Handle what is in the inbox; wait for a message only when there is nothing else to do."""
        while True:
            try:
                message = self.inbox.get(block=not self.can_step())
            except queue.Empty:
                return
            self.handle(message)

    def handle(self, message: Message) -> None:
        match message["type"]:
            case "start":
                self.start(message)
            case "load":
                self.load(message)
            case "image":
                self.prefetcher.add_file(message["i"], message["data"])
            case "records":
                self.add_records(message)
            case "cancel":
                self.cancel()
            case "forget_witness":
                self.missing_images.witness = None

    def start(self, message: Message) -> None:
        """Take the device and the image root of the run."""
        self.device = torch_device(message["device"])
        images = message["images"]
        path_map = tuple((old, new) for old, new in images["path_map"])
        paths = ImagePaths(images["root"], path_map, images["allow_outside"])
        self.missing_images = MissingImages(paths, images["witness"])
        self.prefetcher = ImagePrefetcher(paths, message["threads"], self.device)

    def load(self, message: Message) -> None:
        """Load a model in place of the current one, and report that or why it failed.

        Raises `FatalWorkerError` if the model does not fit into memory, and any unexpected error of
        loading; both end the process.
        """
        self.unload()
        self.model = message["model"]
        began = time.monotonic()
        self.send_loading("starting")
        try:
            self.captioner = self.make_captioner()
        except CheckpointError as error:
            self.send_load_failed("checkpoint", str(error))
            return
        except ServerUnavailable as error:
            self.on_unavailable(error)
            return
        except Exception as error:
            if is_out_of_memory(error):
                self.send_load_failed("memory", describe_error(error))
                raise FatalWorkerError from error
            self.send_load_failed("error", describe_error(error))
            raise
        free_memory()  # the tensors that joined ones were made from
        gc.freeze()  # otherwise every full collection looks at all of torch and transformers
        self.prefetcher.set_captioner(self.captioner)
        on_cpu = self.device == "cpu" and not isinstance(self.captioner, RemoteCaptioner)
        self.thread_budget = ThreadBudget(core_share()) if on_cpu else None
        if not isinstance(self.captioner, RemoteCaptioner):
            lanes = self.lane_count(self.captioner)
            self.lanes = Lanes(self.captioner, lanes, self.wake, self.device)
        self.watch_layers()
        self.batch_size = message["batch"] or self.captioner.batch
        auto = Settings.of(self.model["settings"]).auto_batch and message["batch"] is None
        min_gain = CPU_MIN_GAIN if on_cpu else MIN_GAIN
        self.tuner = BatchTuner(self.batch_size, min_gain) if auto else None
        self.send(
            {
                "type": "loaded",
                "model": self.model["id"],
                "batch": self.batch_size,
                "seconds": time.monotonic() - began,
            }
        )

    def make_captioner(self) -> Captioner:
        """Load the current model.

        Raises `CheckpointError`, `ServerUnavailable`, `torch.OutOfMemoryError`.
        """
        settings = Settings.of(self.model["settings"])
        family = FAMILIES[self.model["family"]]
        return family.load(self.model["checkpoint"], settings, self.device, self.send_loading)

    def lane_count(self, captioner: Captioner) -> int:
        """Return how many batches of this model may be captioned at the same time."""
        on_cpu = self.device == "cpu" and core_share() > 1
        overlap = on_cpu or Settings.of(self.model["settings"]).overlap
        return MAX_LANES if overlap and captioner.concurrent_batches else 1

    def watch_layers(self) -> None:
        """Report progress within a batch where a batch may last longer than the hang limit."""
        if self.watches_layers or self.device == "cuda" or "torch" not in sys.modules:
            return
        from engine.captioners.generation.layer_progress import watch

        watch(self.send_computing)
        self.watches_layers = True

    def unload(self) -> None:
        if isinstance(self.captioner, RemoteCaptioner):
            self.captioner.close()
        if self.lanes is not None:
            self.lanes.close()
        self.captioner = self.lanes = None
        self.prefetcher.set_captioner(None)
        gc.unfreeze()
        free_memory()

    def send_loading(self, text: str) -> None:
        """Report a step of a load."""
        self.send({"type": "loading", "model": self.model["id"], "text": text})

    def send_load_failed(self, kind: str, text: str) -> None:
        self.send({"type": "load_failed", "model": self.model["id"], "kind": kind, "text": text})

    def send_computing(self) -> None:
        inflight = self.inflight
        if inflight is not None:
            self.send({"type": "computing", "attempt": inflight.attempt})


def main(make_worker: Callable[[BinaryIO, BinaryIO], Worker] = Worker) -> None:
    """Run a worker until it ends, and exit the process: with code 3 after `FatalWorkerError`, with
    code 4 after any other exception.

    The launcher has tied this process to its own life (`parent_death`) and made it the leader of a
    process group.
    """
    # A worker is ended by its supervisor, never by Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = make_worker(sys.stdin.buffer, claim_stdout())
    try:
        worker.run()
    except FatalWorkerError:
        code = 3
    except BaseException as error:
        sticky = is_sticky_error(error)
        kind = "memory" if is_out_of_memory(error) else "sticky" if sticky else "error"
        with contextlib.suppress(OSError):
            worker.send({"type": "failed", "kind": kind, "text": describe_error(error)})
        import traceback

        traceback.print_exc()
        code = 4
    sys.stderr.flush()
    # Threads may be stuck in a read for ever: do not wait for them.
    os._exit(code)


if __name__ == "__main__":
    main()

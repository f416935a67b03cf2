"""The captioning subprocess: one device, one loaded model at a time, no files of its own.

Started by a launcher with pipes for stdin and stdout. It dies with its supervisor.
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
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Any, BinaryIO

import psutil

from engine.captioners.base import Caption, Captioner, CheckpointError, Remote, Unavailable
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.devices import gpus
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import Misses, RootLost
from engine.process.parent_death import end_process_group
from engine.process.pool import cores
from engine.protocol import messages
from engine.worker.batch_lanes import MOST, Batch, Lanes
from engine.worker.batch_tuner import CPU_GAIN, GAIN, Growth
from engine.worker.cpu_threads import Sharing
from engine.worker.image_prefetch import Preparing, Stuck
from engine.worker.inflight import Work

HEARTBEAT_SECONDS = 5.0
ANSWER_SECONDS = 0.2
"""How long a server's answers are waited for before messages are looked at."""

Message = messages.Message
Row = dict[str, Any]


class WorkerExit(Exception):
    """The worker cannot go on; what it had to say has been sent."""


class Worker:
    """Reads messages, keeps images decoding ahead of the model, sends rows."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.sending = threading.Lock()
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.captioner: Captioner | None = None
        self.model: Message = {}
        self.batch = 1
        self.growth: Growth | None = None
        self.sharing: Sharing | None = None
        self.lanes: Lanes | None = None
        self.awaited: Future[Any] | None = None
        """The image that has the next batch looked at, once it is decoded."""
        self.work: Work | None = None
        self.watching = False

    def send(self, message: Message) -> None:
        data = messages.encode(message)
        with self.sending:
            self.stdout.write(data)
            self.stdout.flush()

    def run(self) -> None:
        threading.Thread(target=self.read, daemon=True, name="inbox").start()
        threading.Thread(target=self.beat, daemon=True, name="heartbeat").start()
        self.send({"type": "ready"})
        while True:
            self.take_messages()
            if self.work is not None:
                self.step(self.work)

    def read(self) -> None:
        """Ends the whole process group when the supervisor's end of the pipe closes."""
        for line in self.stdin:
            message = messages.decode(line)
            if message["type"] == "image":
                message["data"] = self.stdin.read(message["bytes"])
            self.inbox.put(message)
        end_process_group()

    def beat(self) -> None:
        process = psutil.Process()
        while True:
            with contextlib.suppress(OSError):
                self.send({"type": "heartbeat", "rss": process.memory_info().rss})
            time.sleep(HEARTBEAT_SECONDS)

    def take_messages(self) -> None:
        """Waits for a message only when there is nothing else to do."""
        while True:
            try:
                message = self.inbox.get(block=not self.has_batch())
            except queue.Empty:
                return
            self.handle(message)

    def has_batch(self) -> bool:
        """Whether a step gets anywhere."""
        work = self.work
        if work is None:
            return False
        if self.lanes is None:
            ready = bool(work.asked or work.held)
        else:
            ready = bool(self.lanes.over) or self.can_begin(work, self.lanes)
        return ready or (work.over and bool(self.misses.withheld))

    def can_begin(self, work: Work, lanes: Lanes) -> bool:
        """Whether a batch can: its images are waited for only where nothing else is under way."""
        if lanes.free < 1 or not (work.held >= self.batch or (work.held and work.complete)):
            return False
        if not lanes.running:
            return True
        if work.alone:  # what still runs is of an attempt that was cancelled
            return False
        self.decode_ahead(work)
        images = islice(work.decoding, lanes.next_size(work, self.batch))
        late = [image for _, _, image in images if not image.done()]
        if late and late[-1] is not self.awaited:
            self.awaited = late[-1]
            self.awaited.add_done_callback(lambda _: self.wake())
        return not late

    def wake(self) -> None:
        """From another thread: there may be something to do."""
        self.inbox.put({"type": "wake"})

    def handle(self, message: Message) -> None:
        match message["type"]:
            case "start":
                self.start(message)
            case "load":
                self.load(message)
            case "image":
                self.images.ship(message["i"], message["data"])
            case "records":
                self.add_records(message)
            case "cancel":
                self.cancel()
            case "forget_witness":
                self.misses.witness = None

    def start(self, message: Message) -> None:
        self.device = own_device(message["device"])
        images = message["images"]
        path_map = tuple((old, new) for old, new in images["path_map"])
        paths = ImagePaths(images["root"], path_map, images["allow_outside"])
        self.misses = Misses(paths, images["witness"])
        self.images = Preparing(paths, message["threads"], self.device)

    def load(self, message: Message) -> None:
        self.unload()
        self.model = message["model"]
        began = time.monotonic()
        self.report("starting")
        try:
            self.captioner = self.make_captioner()
        except CheckpointError as error:
            self.load_failed("checkpoint", str(error))
            return
        except Unavailable as gone:
            self.unavailable(gone)
            return
        except Exception as error:
            if is_out_of_memory(error):
                self.load_failed("memory", describe(error))
                raise WorkerExit from error
            self.load_failed("error", describe(error))
            raise
        free_memory()  # what matrices were joined from
        gc.freeze()  # else every full collection looks at all of torch and transformers
        self.images.serve(self.captioner)
        on_cpu = self.device == "cpu" and not isinstance(self.captioner, Remote)
        self.sharing = Sharing(own_cores()) if on_cpu else None
        if not isinstance(self.captioner, Remote):
            self.lanes = Lanes(
                self.captioner, self.most_lanes(self.captioner), self.wake, self.device
            )
        self.watch_layers()
        self.batch = message["batch"] or self.captioner.batch
        auto = Settings.of(self.model["settings"]).auto_batch
        grows = auto and message["batch"] is None
        self.growth = Growth(self.batch, CPU_GAIN if on_cpu else GAIN) if grows else None
        self.send(
            {
                "type": "loaded",
                "model": self.model["id"],
                "batch": self.batch,
                "seconds": time.monotonic() - began,
            }
        )

    def most_lanes(self, captioner: Captioner) -> int:
        on_cpu = self.device == "cpu" and own_cores() > 1
        wanted = on_cpu or Settings.of(self.model["settings"]).overlap
        return MOST if wanted and captioner.side_by_side else 1

    def watch_layers(self) -> None:
        """Where a batch may take longer than what counts as hung."""
        if self.watching or self.device == "cuda" or "torch" not in sys.modules:
            return
        from engine.captioners.generation.layer_progress import watch

        watch(self.say_computing)
        self.watching = True

    def say_computing(self) -> None:
        if self.work is not None:
            self.send({"type": "computing", "attempt": self.work.attempt})

    def unload(self) -> None:
        if isinstance(self.captioner, Remote):
            self.captioner.close()
        if self.lanes is not None:
            self.lanes.close()
        self.captioner = self.lanes = None
        self.images.serve(None)
        gc.unfreeze()
        free_memory()

    def make_captioner(self) -> Captioner:
        """Raises `CheckpointError`, `Unavailable`, `torch.OutOfMemoryError`."""
        settings = Settings.of(self.model["settings"])
        family = FAMILIES[self.model["family"]]
        return family.load(self.model["checkpoint"], settings, self.device, self.report)

    def load_failed(self, kind: str, text: str) -> None:
        self.send({"type": "load_failed", "model": self.model["id"], "kind": kind, "text": text})

    def unavailable(self, gone: Unavailable) -> None:
        first = self.work.first if self.work is not None else 0
        records = [record - first for record in gone.records]
        self.cancel()
        self.unload()
        message = {"type": "unavailable", "model": self.model["id"], "records": records}
        self.send(message | {"text": str(gone), "seconds": gone.seconds})

    def report(self, text: str) -> None:
        self.send({"type": "loading", "model": self.model["id"], "text": text})

    def add_records(self, message: Message) -> None:
        if self.captioner is None:
            self.images.forget()
            return  # sent before the supervisor heard that the server is unavailable
        work = self.work
        if work is None or work.attempt != message["attempt"] or work.task != message["task"]:
            self.misses.forget()
            work = self.work = Work(message["task"], message["attempt"], message["first"])
            if self.growth is not None:
                self.growth.resume(time.monotonic())
        work.waiting.extend((i, image) for i, image in message["records"])
        work.complete, work.alone = message["last"] or message["alone"], message["alone"]

    def cancel(self) -> None:
        if self.work is not None:
            for future in (*(it for _, _, it in self.work.decoding), *self.work.asked):
                future.cancel()
        self.work = None
        self.images.forget()
        self.misses.forget()

    def step(self, work: Work) -> None:
        """What can be done without waiting for captions; sends their rows. Raises `WorkerExit`."""
        try:
            if isinstance(self.captioner, Remote):
                self.ask(work, self.captioner)
            elif self.lanes is not None:
                self.generate(work, self.lanes)
            if work.over:
                self.send_rows(work, self.misses.settle())
        except RootLost as lost:
            self.send({"type": "root_lost", "attempt": work.attempt, "text": str(lost)})
            self.cancel()
        except Unavailable as gone:
            self.unavailable(gone)
        except Stuck as stuck:
            self.send({"type": "stuck", "text": str(stuck)})
            raise WorkerExit from stuck

    def send_rows(self, work: Work, rows: list[Row]) -> None:
        if rows:
            self.send({"type": "rows", "task": work.task, "attempt": work.attempt, "rows": rows})

    def generate(self, work: Work, lanes: Lanes) -> None:
        """Sends the rows of batches that ended and begins others. Raises `RootLost`, `Stuck`."""
        for batch in lanes.ended():
            self.take_captions(batch, lanes)
        self.decode_ahead(work)
        while self.can_begin(work, lanes):
            size = lanes.next_size(work, self.batch)
            rows, ready = self.decoded([work.decoding.popleft() for _ in range(size)])
            self.send_rows(work, rows)
            # The next images decode while this batch generates.
            self.decode_ahead(work)
            if ready:
                self.say_generating(work, ready)
                lanes.begin(work, ready, size)

    def take_captions(self, batch: Batch, lanes: Lanes) -> None:
        try:
            captions = batch.captions.result()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            captions = self.caption_again(batch, lanes, error)
        records = (i for i, _ in batch.ready)
        rows = [said(i, caption) for i, caption in zip(records, captions, strict=True)]
        self.send_rows(batch.work, rows)
        self.grow(batch.size)
        if self.sharing is not None:
            lanes.threads = self.sharing.threads(self.images.cpu_seconds, lanes.most)

    def decoded(
        self, batch: list[tuple[int, str, Future[Any]]]
    ) -> tuple[list[Row], list[tuple[int, Any]]]:
        """Rows of images that failed, and inputs of the others. Raises `RootLost`, `Stuck`."""
        rows: list[Row] = []
        ready: list[tuple[int, Any]] = []
        for i, image, future in batch:
            try:
                ready.append((i, self.images.result(image, future)))
            except ImageProblem as problem:
                row = failed(i, problem)
                rows += self.misses.miss(row) if problem.kind == "missing" else [row]
            else:
                rows += self.misses.hit(image)
        return rows, ready

    def say_generating(self, work: Work, ready: list[tuple[int, Any]]) -> None:
        records = [i for i, _ in ready]
        self.send({"type": "generating", "attempt": work.attempt, "records": records})

    def ask(self, work: Work, captioner: Remote) -> None:
        """Keeps a batch of records with a server and sends the answers as they come.

        Raises `RootLost`, `Unavailable`, `Stuck`.
        """
        self.decode_ahead(work)
        batch: list[tuple[int, str, Future[Any]]] = []
        while work.decoding and len(work.asked) + len(batch) < self.batch:
            # Answers are not held up by an image that takes long to read.
            if (work.asked or batch) and not work.decoding[0][2].done():
                break
            batch.append(work.decoding.popleft())
        rows, ready = self.decoded(batch)
        self.send_rows(work, rows)
        if ready:
            self.say_generating(work, ready)
        for i, prepared in ready:
            work.asked[captioner.ask(prepared, work.first + i, work.alone)] = i
        self.decode_ahead(work)
        heard = captioner.heard
        answered, _ = wait(work.asked, ANSWER_SECONDS, FIRST_COMPLETED)
        self.take_answers(work, answered)
        if captioner.heard != heard:
            self.send({"type": "asking", "attempt": work.attempt})

    def take_answers(self, work: Work, answered: set[Future[Any]]) -> None:
        """Raises `Unavailable`, once what else was answered is sent."""
        rows: list[Row] = []
        gone: Unavailable | None = None
        for future in answered:
            i = work.asked.pop(future)
            try:
                rows.append(said(i, future.result()))
            except ImageProblem as problem:
                rows.append(failed(i, problem))
            except Unavailable as error:
                gone = error
        self.send_rows(work, rows)
        if gone is not None:
            raise gone

    def decode_ahead(self, work: Work) -> None:
        """Keeps one batch beyond the next one in the decoding threads."""
        room = 2 * self.batch + self.images.threads - len(work.decoding)
        started = [work.waiting.popleft() for _ in range(min(room, len(work.waiting)))]
        if not started:
            return
        self.send({"type": "decoding", "attempt": work.attempt, "records": [i for i, _ in started]})
        for i, image in started:
            work.decoding.append((i, image, self.images.begin(i, image)))

    def caption_again(self, batch: Batch, lanes: Lanes, error: Exception) -> list[Caption]:
        """What did not fit into memory: with nothing beside it, in parts that fit."""
        captions: list[Caption] = []
        alone = lanes.most == 1
        lanes.narrow()
        if alone and len(batch.ready) <= self.batch:
            self.halve_batch(error)
        else:
            self.release()
        while len(captions) < len(batch.ready):
            part = batch.ready[len(captions) : len(captions) + self.batch]
            try:
                captions += lanes.submit(batch.work, part).result()
            except Exception as still:
                if not is_out_of_memory(still):
                    raise
                self.halve_batch(still)
        return captions

    def halve_batch(self, error: Exception) -> None:
        """Raises the error again at batch 1."""
        self.release()
        if self.batch == 1:
            raise error
        self.growth = None
        self.take_batch(max(1, self.batch // 2), messages.OUT_OF_MEMORY)

    def release(self) -> None:
        if self.captioner is not None:
            self.captioner.release()
        free_memory()

    def grow(self, images: int) -> None:
        if self.growth is None:
            return
        told = self.growth.ended(images, time.monotonic())
        if told is not None:
            self.take_batch(self.growth.size, told, self.growth.fits)
        if self.growth.settled:
            self.growth = None

    def take_batch(self, size: int, text: str, fits: int | None = None) -> None:
        self.batch = size
        model = self.model["id"]
        message = {"type": "batch", "model": model, "size": size, "fits": fits or size}
        self.send(message | {"text": text})


def said(i: int, caption: Caption) -> Row:
    return {"i": i, "raw": caption.raw, "tokens": caption.tokens, "finish": caption.finish}


def failed(i: int, problem: ImageProblem) -> Row:
    return {"i": i, "error": problem.kind, "detail": problem.detail}


def own_device(kind: str) -> str:
    """What torch calls the device; a GPU that Ray counts may be one in name only."""
    if kind != "gpu":
        return kind
    found = "cuda" if gpus() else "cpu"
    sys.stderr.write(f"the GPU that Ray gave is torch's {found}\n")
    return found


def own_cores() -> int:
    """As the launcher shared them out."""
    return int(os.environ.get("OMP_NUM_THREADS", 0)) or cores()


def is_sticky(error: BaseException) -> bool:
    """A CUDA error after which every further call in this process fails."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, getattr(torch, "AcceleratorError", ()))


def free_memory() -> None:
    """What a load, the model before, or a batch that did not fit, left behind."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def private_stdout() -> BinaryIO:
    """The protocol's stream; what a library prints goes to stderr, the worker's log."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def main(make: Callable[[BinaryIO, BinaryIO], Worker] = Worker) -> None:
    """Run by a launcher, on the leash and as a process group leader."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = make(sys.stdin.buffer, private_stdout())
    try:
        worker.run()
    except WorkerExit:
        code = 3
    except BaseException as error:
        kind = "memory" if is_out_of_memory(error) else "sticky" if is_sticky(error) else "error"
        with contextlib.suppress(OSError):
            worker.send({"type": "failed", "kind": kind, "text": describe(error)})
        import traceback

        traceback.print_exc()
        code = 4
    sys.stderr.flush()
    # Threads may be stuck in a read for ever: do not wait for them.
    os._exit(code)


if __name__ == "__main__":
    main()

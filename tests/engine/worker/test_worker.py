"""The worker without its process: messages are handled, models are loaded and unloaded."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.captioners.api_keys import KeySource
from engine.captioners.base import Captioner, CheckpointError, ServerUnavailable
from engine.images.image import ImagePaths
from engine.protocol.framing import encode
from engine.protocol.messages import (
    Cancel,
    ForgetWitness,
    FromWorker,
    ImageAccess,
    ImageFile,
    LayerComputed,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Message,
    ModelSpec,
    ProtocolError,
    Rows,
    Start,
    Unavailable,
)
from engine.worker import remote_loop, worker
from engine.worker.local_loop import FIRST_BATCH, LocalLoop
from engine.worker.remote_loop import RemoteLoop
from engine.worker.runtime import FatalWorkerError
from engine.worker.worker import ReceivedFile, Worker, failure_kind
from tests.engine.worker.fakes import (
    SIZE,
    FakePrefetcher,
    FakeServerCaptioner,
    GatedCaptioner,
    Wire,
    records,
)

MODEL = ModelSpec(id=7, name="x", family="dry-run", checkpoint=None, settings={"auto_batch": True})
GONE = ServerUnavailable("nobody listens", cause="unreachable", retry_after=7.0)


class ScriptedWorker(Worker):
    """A worker whose loads end as the test says, and whose messages go to a list."""

    def __init__(self, outcome: Captioner | Exception, received: bytes = b"") -> None:
        super().__init__(io.BytesIO(received), io.BytesIO())
        self.outcome = outcome
        self.wire = Wire()
        self.prefetcher = FakePrefetcher()

    def make_captioner(self, model: ModelSpec) -> Captioner:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def send(self, message: FromWorker) -> None:
        self.wire.send(message)

    def until_idle(self) -> None:
        """Step until a step would get nowhere."""
        while self.can_step():
            self.step()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker, "free_memory", lambda: None)  # it takes 0.1 s
    monkeypatch.setattr(worker, "core_share", lambda: 2)
    monkeypatch.setattr(remote_loop, "REPLY_SECONDS", 0.0)
    yield
    gc.unfreeze()


@pytest.fixture
def open_captioner() -> GatedCaptioner:
    captioner = GatedCaptioner()
    captioner.open_all()
    return captioner


def load(batch: int | None = None) -> Load:
    return Load(model=MODEL, batch=batch)


def start(root: Path) -> Start:
    images = ImageAccess(root=str(root), path_map=(), allow_outside=False, witness="a.png")
    return Start(device="cpu", threads=3, images=images)


# What comes in


def test_a_start_says_where_the_images_are(tmp_path: Path) -> None:
    made = ScriptedWorker(GONE)
    made.handle(start(tmp_path))
    assert made.prefetcher.threads == 3 and made.prefetcher.paths.root == str(tmp_path)
    assert made.missing_images.witness == "a.png"
    made.handle(ForgetWitness())
    assert made.missing_images.witness is None


def test_a_load_says_what_a_server_may_get_and_whose_key(tmp_path: Path) -> None:
    made = ScriptedWorker(GONE)
    made.handle(start(tmp_path))
    made.handle(Load(model=MODEL, batch=None, key_variables=("A",), confined=True))
    assert made.prefetcher.paths == ImagePaths(str(tmp_path), confined=True)
    assert made.key_source == KeySource(("A",), "")
    made.handle(load())
    assert made.prefetcher.paths == ImagePaths(str(tmp_path))
    assert made.key_source == KeySource()


def read(*received: Message | bytes) -> list[object]:
    """Return what a worker's inbox holds after it has received this and a line of nonsense."""
    data = b"".join(it if isinstance(it, bytes) else encode(it) for it in received)
    made = ScriptedWorker(GONE, data + b"nonsense\n")
    made.read_messages()
    return [made.inbox.get_nowait() for _ in range(made.inbox.qsize())]


def test_messages_and_the_files_that_follow_them_are_read() -> None:
    inbox = read(load(), ImageFile(i=5, bytes=9), b"{}\n\n{}\n\n\n", Cancel())
    assert inbox[:-1] == [load(), ReceivedFile(5, b"{}\n\n{}\n\n\n"), Cancel()]


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"\xff", b"7", b'{"type": "unknown"}', b'{"type": "load"}', b"[" * 10_000],
)
def test_a_line_that_is_no_message_ends_the_worker_once_the_ones_before_are_handled(
    line: bytes, open_captioner: GatedCaptioner
) -> None:
    made = ScriptedWorker(open_captioner, encode(load()) + line + b"\n" + encode(Cancel()))
    made.read_messages()
    with pytest.raises(ProtocolError, match="not a message"):
        made.handle_messages()
    assert made.wire.of(Loaded) and made.inbox.empty()


def test_a_supervisor_that_dies_while_it_writes_ends_the_process_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(worker, "end_process_group", lambda: ended.append(True))
    made = ScriptedWorker(GONE, encode(load()) + encode(Cancel())[:-2])
    made.read_messages()
    assert ended and made.inbox.get_nowait() == load() and made.inbox.empty()


def test_a_wake_up_is_no_message(open_captioner: GatedCaptioner) -> None:
    made = ScriptedWorker(open_captioner)
    made.handle(load())
    made.handle(records(0, SIZE))
    made.wake()
    made.handle_messages()
    assert made.inbox.empty()


def test_records_for_a_model_that_is_not_loaded_are_forgotten_with_their_files() -> None:
    made = ScriptedWorker(GONE)
    made.handle(ReceivedFile(0, b"a file"))
    made.handle(records(0, 1))
    made.handle(Cancel())
    assert not made.can_step() and not made.prefetcher.received_files


# Loading


def test_a_local_model_gets_a_local_loop(open_captioner: GatedCaptioner) -> None:
    made = ScriptedWorker(open_captioner)
    made.handle(load())
    assert isinstance(made.loop, LocalLoop)
    assert made.wire.kinds() == ["Loading", "Loaded"]
    (loaded,) = made.wire.of(Loaded)
    assert (loaded.model, loaded.batch) == (7, SIZE)
    assert made.loop.tuner is not None and made.loop.lanes.max_lanes == 2
    made.handle(records(0, 3, last=True))
    made.until_idle()
    made.loop.lanes.wait()
    made.until_idle()
    made.loop.close()
    assert made.wire.of(Rows)


def test_a_batch_size_that_is_known_is_not_searched(open_captioner: GatedCaptioner) -> None:
    made = ScriptedWorker(open_captioner)
    made.handle(load(batch=9))
    assert made.wire.of(Loaded)[0].batch == 9
    assert isinstance(made.loop, LocalLoop) and made.loop.tuner is None


def test_a_model_that_fills_the_cores_gets_one_lane(open_captioner: GatedCaptioner) -> None:
    open_captioner.fills_cores = True
    made = ScriptedWorker(open_captioner)
    made.handle(load())
    assert isinstance(made.loop, LocalLoop) and made.loop.lanes.max_lanes == 1
    made.loop.close()


def test_only_a_cpu_begins_with_small_batches(open_captioner: GatedCaptioner) -> None:
    made = ScriptedWorker(open_captioner)
    for device, first in (("cpu", FIRST_BATCH), ("cuda", SIZE)):
        made.device = device
        made.handle(load())
        assert isinstance(made.loop, LocalLoop) and made.loop.full_batch == first
    made.loop.close()


def test_a_model_on_a_server_gets_a_remote_loop() -> None:
    made = ScriptedWorker(FakeServerCaptioner())
    made.handle(load())
    assert isinstance(made.loop, RemoteLoop)
    assert made.wire.kinds() == ["Loading", "Loaded"]


def test_a_new_model_takes_the_place_of_the_one_before(open_captioner: GatedCaptioner) -> None:
    server = FakeServerCaptioner()
    made = ScriptedWorker(server)
    made.handle(load())
    made.handle(records(0, 2))
    made.step()
    made.outcome = open_captioner
    made.handle(load())
    assert server.closed and all(reply.cancelled() for _, _, reply in server.requests)
    assert not made.can_step() and made.prefetcher.captioner is open_captioner


@pytest.mark.parametrize(
    ("error", "kind", "raised"),
    [
        (CheckpointError("no weights"), "checkpoint", None),
        (MemoryError("no room"), "memory", FatalWorkerError),
        (RuntimeError("broken"), "error", RuntimeError),
    ],
)
def test_a_load_that_fails_says_why_and_ends_the_process_unless_the_checkpoint_is_at_fault(
    error: Exception, kind: str, raised: type[Exception] | None
) -> None:
    made = ScriptedWorker(error)
    if raised is None:
        made.handle(load())
    else:
        with pytest.raises(raised):
            made.handle(load())
    (failed,) = made.wire.of(LoadFailed)
    assert (failed.model, failed.kind) == (7, kind) and str(error) in failed.text
    assert made.loop is None and not made.wire.of(Loaded)


def test_a_server_that_is_not_there_at_a_load() -> None:
    made = ScriptedWorker(GONE)
    made.handle(load())
    assert made.wire == [
        Loading(text="starting"),
        Unavailable(model=7, cause="unreachable", text="nobody listens", seconds=7.0, records=()),
    ]


def test_a_server_that_goes_away_is_unloaded_before_it_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServerCaptioner()
    made = ScriptedWorker(server)
    made.handle(load())
    made.handle(records(0, 2))
    made.step()
    server.reply(0, GONE)
    loaded_when_sent: list[tuple[FromWorker, object]] = []

    def send(message: FromWorker) -> None:
        loaded_when_sent.append((message, made.loop))

    monkeypatch.setattr(made, "send", send)
    made.step()
    ((message, loop),) = loaded_when_sent
    assert isinstance(message, Unavailable) and loop is None and server.closed


# What goes out


def test_a_layer_is_reported_only_while_there_is_an_attempt(open_captioner: GatedCaptioner) -> None:
    made = ScriptedWorker(open_captioner)
    made.send_layer_computed()
    made.handle(load())
    made.send_layer_computed()
    assert not made.wire.of(LayerComputed)
    made.handle(records(0, 1, attempt=5))
    made.send_layer_computed()
    assert made.wire.of(LayerComputed) == [LayerComputed(attempt=5)]


def test_messages_are_written_as_lines() -> None:
    stdout = io.BytesIO()
    made = Worker(io.BytesIO(), stdout)
    made.send(Loading(text="a\nb \udcff"))
    made.send(LayerComputed(attempt=5))
    assert stdout.getvalue().count(b"\n") == 2


def test_the_kind_of_an_exception_that_ends_the_process() -> None:
    assert failure_kind(MemoryError()) == "memory"
    assert failure_kind(RuntimeError()) == "error"

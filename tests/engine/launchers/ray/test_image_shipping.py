"""Images that travel with their records, to a real worker that does not see their folder."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from msgspec.structs import replace

from db.rows import DeviceRow
from engine.captioners.registry import choose
from engine.launchers.base import WorkerExit
from engine.launchers.local import LocalLauncher, LocalWorker
from engine.launchers.ray import image_shipping
from engine.launchers.ray.image_shipping import (
    READ_AHEAD,
    READ_SECONDS,
    FileReaders,
    ImageShipper,
)
from engine.project.layout import Project
from engine.protocol.caption_row import CaptionRow, Row
from engine.protocol.framing import parse_line
from engine.protocol.messages import (
    Cancel,
    FromWorker,
    ImageAccess,
    Load,
    ModelSpec,
    Records,
    RootLost,
    Rows,
    Start,
    from_supervisor,
)
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import TIMEOUT_SECONDS

COUNT = 60


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[LocalLauncher, LocalWorker]]:
    """A launcher and a worker of it."""
    launcher = LocalLauncher(Project(tmp_path / "run"), [DeviceRow(id="cpu:0")])
    (tmp_path / "run").mkdir()
    yield launcher, launcher.start(DeviceRow(id="cpu:0"))
    launcher.close()


def records(first: int, last: int, attempt: int = 1, task: int = 1, final: bool = True) -> Records:
    pairs = tuple((i, f"images/{i:06}.png") for i in range(first, last))
    return Records(
        task=task, attempt=attempt, first=0, records=pairs, last=final, alone=False, probe=False
    )


def start(root: object) -> Start:
    images = ImageAccess(root=str(root), path_map=(), allow_outside=False, witness=None)
    return Start(device="cpu", threads=2, images=images)


def start_worker(
    launcher: LocalLauncher, worker: LocalWorker, shipper: ImageShipper, root: Path, batch: int
) -> None:
    assert not shipper.intercept(start(root))
    worker.send(start("/nowhere"))
    settings = choose("dry-run").settings
    model = ModelSpec(id=1, name="x", family="dry-run", checkpoint=None, settings=settings)
    worker.send(Load(model=model, batch=batch))


def captions(
    launcher: LocalLauncher, worker: LocalWorker, shipper: ImageShipper, count: int
) -> tuple[dict[int, str], int]:
    """Return the caption or error of so many records by index, and the most bytes under way."""
    rows: dict[int, str] = {}
    most = 0
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(rows) < count:
        assert time.monotonic() < deadline, f"{len(rows)} of {count}"
        data, from_shipper = shipper.step()
        worker.outgoing += data
        most = max(most, sum(shipper.unanswered.values()))
        messages = [message for _, message in launcher.receive(0.02)]
        for message in [*from_shipper, *messages]:
            assert not isinstance(message, WorkerExit), message
            if isinstance(message, Rows):
                shipper.on_worker_message(message)
                assert not rows.keys() & {row.i for row in message.rows}
                rows |= {row.i: text_of(row) for row in message.rows}
    return rows, most


def test_the_probe_image_is_drawn_by_the_worker(tmp_path: Path) -> None:
    shipper = ImageShipper(FileReaders())
    assert not shipper.intercept(start(tmp_path))
    assert not shipper.intercept(replace(records(30, 31), alone=True, probe=True))
    assert shipper.intercept(replace(records(3, 4), alone=True))


def test_images_outside_the_root_are_not_shipped_for_a_server(tmp_path: Path) -> None:
    make_captions(tmp_path / "data", 1)
    (tmp_path / "data/images/000001.png").symlink_to("../../outside.png")
    (tmp_path / "outside.png").write_bytes(b"png")
    settings = choose("dry-run").settings
    model = ModelSpec(id=1, name="x", family="dry-run", checkpoint=None, settings=settings)
    for confined in (True, False):
        shipper = ImageShipper(FileReaders())
        shipper.intercept(start(tmp_path / "data"))
        assert not shipper.intercept(Load(model=model, batch=1, confined=confined))
        shipper.intercept(records(1, 2))
        sent, messages = shipper.step()
        while not sent and not messages:
            sent, messages = shipper.step()
        refused = [text_of(row) for it in messages if isinstance(it, Rows) for row in it.rows]
        assert refused == ["outside"] * confined
        assert (b"png" in sent) == (not confined)


def test_texts_travel_with_their_records(tmp_path: Path) -> None:
    make_captions(tmp_path / "data", 3)
    shipper = ImageShipper(FileReaders())
    shipper.intercept(start(tmp_path / "data"))
    texts = tuple((i, {"caption": f"text {i}"}) for i in range(3))
    assert shipper.intercept(replace(records(0, 3), texts=texts))
    sent = b""
    while shipper.busy:
        sent += shipper.step()[0]
    found = [
        it
        for line in re.findall(rb'\{"type":"records".*\}', sent)
        if isinstance(message := from_supervisor(parse_line(line)), Records)
        for it in zip(message.records, message.texts, strict=True)
    ]
    assert [(i, at, text["caption"]) for (i, _), (at, text) in found] == [
        (i, i, f"text {i}") for i in range(3)
    ]


def text_of(row: Row) -> str:
    """Return the caption of a row, or the kind of its error."""
    return row.raw if isinstance(row, CaptionRow) else row.error


def test_a_batch_that_does_not_fit_under_way_is_captioned_in_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, worker: tuple[LocalLauncher, LocalWorker]
) -> None:
    make_captions(tmp_path, COUNT)
    size = (tmp_path / "images/000000.png").stat().st_size
    monkeypatch.setattr(image_shipping, "MAX_UNANSWERED_BYTES", 5 * size)
    shipper = ImageShipper(FileReaders())
    start_worker(*worker, shipper, tmp_path, batch=32)
    # Not the last records of the attempt: the worker would wait for a batch of 32.
    assert shipper.intercept(records(0, 30, final=False)) and shipper.intercept(records(30, COUNT))
    rows, most = captions(*worker, shipper, COUNT)
    assert most < 7 * size
    for i in range(COUNT):
        assert rows[i].startswith(dry_run_caption(tmp_path / f"images/{i:06}.png"))
    assert not shipper.busy


def test_what_was_cancelled_is_not_sent(
    tmp_path: Path, worker: tuple[LocalLauncher, LocalWorker]
) -> None:
    make_captions(tmp_path, COUNT)
    shipper = ImageShipper(FileReaders())
    start_worker(*worker, shipper, tmp_path, batch=8)
    assert shipper.intercept(records(0, 40))
    worker[1].outgoing += shipper.step()[0]
    assert not shipper.intercept(Cancel())
    worker[1].send(Cancel())
    assert not shipper.busy and not shipper.unanswered
    assert shipper.intercept(records(40, COUNT, attempt=2))
    launcher, handle = worker
    late = {i for i in range(40)}
    rows: dict[int, str] = {}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(rows.keys() - late) < 20:
        assert time.monotonic() < deadline
        handle.outgoing += shipper.step()[0]
        for _, message in launcher.receive(0.02):
            if isinstance(message, Rows) and message.attempt == 2:
                rows |= {row.i: text_of(row) for row in message.rows}
    assert set(rows) == set(range(40, COUNT))


def test_missing_images_fail_where_the_root_is_there(
    tmp_path: Path, worker: tuple[LocalLauncher, LocalWorker]
) -> None:
    make_captions(tmp_path, COUNT)
    for i in range(10, 50):
        (tmp_path / f"images/{i:06}.png").unlink()
    shipper = ImageShipper(FileReaders())
    start_worker(*worker, shipper, tmp_path, batch=8)
    shipper.intercept(records(0, COUNT))
    rows, _ = captions(*worker, shipper, COUNT)
    assert [i for i in rows if rows[i] == "missing"] == list(range(10, 50))


def test_a_root_that_is_gone_fails_no_record(tmp_path: Path) -> None:
    shipper = ImageShipper(FileReaders())
    shipper.intercept(start(tmp_path / "no"))
    shipper.intercept(records(0, COUNT, task=3, attempt=2))
    messages: list[FromWorker] = []
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not messages:
        assert time.monotonic() < deadline
        data, messages = shipper.step()
        assert not data
    (lost,) = messages
    assert isinstance(lost, RootLost) and (lost.task, lost.attempt) == (3, 2)
    assert "is not there" in lost.text
    assert not shipper.busy


# Without a worker


class StuckReaders(FileReaders):
    """Readers whose threads are all blocked: what is read never comes."""

    def __init__(self, begun: int) -> None:
        """Let the first `begun` reads begin; the others can still be cancelled."""
        self.begun = begun
        self.futures: list[Future[bytes]] = []

    def read(self, path: str) -> Future[bytes]:
        future: Future[bytes] = Future()
        self.futures.append(future)
        if len(self.futures) <= self.begun:
            future.set_running_or_notify_cancel()
        return future


def test_a_read_that_does_not_end_fails_its_record_and_several_lose_the_root(
    tmp_path: Path,
) -> None:
    now = 0.0
    shipper = ImageShipper(StuckReaders(begun=READ_AHEAD), monotonic=lambda: now)
    shipper.intercept(start(tmp_path))
    shipper.intercept(records(0, READ_AHEAD))
    assert shipper.step() == (b"", [])
    failed: list[FromWorker] = []
    for _ in range(READ_AHEAD // 2):
        now += READ_SECONDS
        failed += shipper.step()[1]
        shipper.step()  # the next image is waited for from here on
    *rows, lost = failed
    assert [(it.i, it.error) for message in rows for it in message.rows] == [
        (i, "timeout") for i in range(READ_AHEAD // 2 - 1)
    ]
    assert isinstance(lost, RootLost) and "does not end" in lost.text and not shipper.busy


def test_too_many_open_files_fail_no_record(tmp_path: Path) -> None:
    readers = StuckReaders(begun=COUNT)
    shipper = ImageShipper(readers)
    shipper.intercept(start(tmp_path))
    shipper.intercept(records(0, COUNT, task=3, attempt=2))
    shipper.step()
    for future in readers.futures:
        future.set_exception(OSError(errno.EMFILE, "Too many open files"))
    data, (lost,) = shipper.step()
    assert not data and isinstance(lost, RootLost)
    assert lost.text == "no image can be read (Too many open files): raise 'ulimit -n'"


def test_a_read_that_has_not_even_begun_loses_the_root(tmp_path: Path) -> None:
    now = 0.0
    shipper = ImageShipper(StuckReaders(begun=0), monotonic=lambda: now)
    shipper.intercept(start(tmp_path))
    shipper.intercept(records(0, READ_AHEAD))
    shipper.step()
    now = READ_SECONDS
    assert [type(message) for message in shipper.step()[1]] == [RootLost]


def test_only_rows_of_the_current_attempt_make_room(tmp_path: Path) -> None:
    shipper = ImageShipper(StuckReaders(begun=0))
    shipper.intercept(start(tmp_path))
    shipper.intercept(records(0, 4, task=2, attempt=1))
    shipper.unanswered = {0: 10, 1: 10}
    row = CaptionRow(i=0, raw="a dog", tokens=2, finish="stop")
    shipper.on_worker_message(Rows(task=1, attempt=1, rows=(row,)))
    assert shipper.unanswered == {0: 10, 1: 10}
    shipper.on_worker_message(Rows(task=2, attempt=1, rows=(row, row)))
    assert shipper.unanswered == {1: 10}
    shipper.intercept(records(0, 4, task=3, attempt=1))
    assert not shipper.unanswered and shipper.attempt == (3, 1)

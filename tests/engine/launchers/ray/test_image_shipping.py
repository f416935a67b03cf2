"""Images that travel with their records, to a real worker that does not see their folder."""

from __future__ import annotations

import time

import pytest

from db.rows import DeviceRow
from engine.captioners.registry import choose
from engine.launchers.base import WorkerExit
from engine.launchers.local import LocalLauncher
from engine.launchers.ray import image_shipping
from engine.launchers.ray.image_shipping import FileReaders, ImageShipper
from engine.project.layout import Project
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import TIMEOUT_SECONDS

COUNT = 60


@pytest.fixture
def worker(tmp_path):
    """A launcher and a worker of it."""
    launcher = LocalLauncher(Project(tmp_path / "run"), [DeviceRow("cpu:0")])
    (tmp_path / "run").mkdir()
    yield launcher, launcher.start(DeviceRow("cpu:0"))
    launcher.close()


def records(first: int, last: int, attempt: int = 1, final: bool = True) -> dict:
    return {
        "type": "records",
        "task": 1,
        "attempt": attempt,
        "first": 0,
        "records": [(i, f"images/{i:06}.png") for i in range(first, last)],
        "last": final,
        "alone": False,
    }


def start_worker(launcher, worker, shipper, root, batch: int) -> None:
    images = {"root": str(root), "path_map": [], "allow_outside": False, "witness": None}
    start = {"type": "start", "device": "cpu", "threads": 2, "images": images}
    assert not shipper.intercept(start)
    worker.send(start | {"images": images | {"root": "/nowhere"}})
    model = {"id": 1, "name": "dry-run", "family": "dry-run", "checkpoint": None}
    worker.send(
        {"type": "load", "model": model | {"settings": choose("dry-run").settings}, "batch": batch}
    )


def captions(launcher, worker, shipper, count: int) -> tuple[dict[int, str], int]:
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
            if message["type"] == "rows":
                shipper.on_worker_message(message)
                assert not rows.keys() & {row["i"] for row in message["rows"]}
                rows |= {row["i"]: row.get("raw", row.get("error")) for row in message["rows"]}
    return rows, most


def test_a_batch_that_does_not_fit_under_way_is_captioned_in_parts(monkeypatch, tmp_path, worker):
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


def test_what_was_cancelled_is_not_sent(tmp_path, worker):
    make_captions(tmp_path, COUNT)
    shipper = ImageShipper(FileReaders())
    start_worker(*worker, shipper, tmp_path, batch=8)
    assert shipper.intercept(records(0, 40))
    worker[1].outgoing += shipper.step()[0]
    assert not shipper.intercept({"type": "cancel"})
    worker[1].send({"type": "cancel"})
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
            if message["type"] == "rows" and message["attempt"] == 2:
                rows |= {row["i"]: row["raw"] for row in message["rows"]}
    assert set(rows) == set(range(40, COUNT))


def test_missing_images_fail_where_the_root_is_there(tmp_path, worker):
    make_captions(tmp_path, COUNT)
    for i in range(10, 50):
        (tmp_path / f"images/{i:06}.png").unlink()
    shipper = ImageShipper(FileReaders())
    start_worker(*worker, shipper, tmp_path, batch=8)
    shipper.intercept(records(0, COUNT))
    rows, _ = captions(*worker, shipper, COUNT)
    assert [i for i in rows if rows[i] == "missing"] == list(range(10, 50))


def test_a_root_that_is_gone_fails_no_record(tmp_path):
    shipper = ImageShipper(FileReaders())
    images = {"root": str(tmp_path / "no"), "path_map": [], "allow_outside": False, "witness": None}
    shipper.intercept({"type": "start", "images": images})
    shipper.intercept(records(0, COUNT))
    messages = []
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not messages:
        assert time.monotonic() < deadline
        data, messages = shipper.step()
        assert not data
    assert [message["type"] for message in messages] == ["root_lost"]
    assert "is not there" in str(messages)
    assert not shipper.busy

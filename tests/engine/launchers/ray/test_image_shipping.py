"""Images that travel with their records, to a real worker that sees none of them."""

from __future__ import annotations

import time

import pytest

from db.rows import DeviceRow
from engine.captioners.registry import choose
from engine.launchers.base import WorkerExit
from engine.launchers.local import LocalLauncher
from engine.launchers.ray import image_shipping
from engine.launchers.ray.image_shipping import Readers, Shipper
from engine.project.layout import Project
from tests.support.pictures import dry_run_caption, make_captions
from tests.support.waiting import PATIENCE

COUNT = 60


@pytest.fixture
def worker(tmp_path):
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


def begin(launcher, worker, shipper, root, batch: int) -> None:
    images = {"root": str(root), "path_map": [], "allow_outside": False, "witness": None}
    start = {"type": "start", "device": "cpu", "threads": 2, "images": images}
    assert not shipper.takes(start)
    worker.send(start | {"images": images | {"root": "/nowhere"}})
    model = {"id": 1, "name": "dry-run", "family": "dry-run", "checkpoint": None}
    worker.send(
        {"type": "load", "model": model | {"settings": choose("dry-run").settings}, "batch": batch}
    )


def captions(launcher, worker, shipper, count: int) -> tuple[dict[int, str], int]:
    """What comes back for so many records, and the most bytes that were under way."""
    found: dict[int, str] = {}
    most = 0
    deadline = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count}"
        data, said = shipper.step()
        worker.outgoing += data
        most = max(most, sum(shipper.under_way.values()))
        messages = [message for _, message in launcher.receive(0.02)]
        for message in [*said, *messages]:
            assert not isinstance(message, WorkerExit), message
            if message["type"] == "rows":
                shipper.answered(message)
                assert not found.keys() & {row["i"] for row in message["rows"]}
                found |= {row["i"]: row.get("raw", row.get("error")) for row in message["rows"]}
    return found, most


def test_a_batch_that_does_not_fit_under_way_is_captioned_in_parts(monkeypatch, tmp_path, worker):
    make_captions(tmp_path, COUNT)
    size = (tmp_path / "images/000000.png").stat().st_size
    monkeypatch.setattr(image_shipping, "UNDER_WAY_BYTES", 5 * size)
    shipper = Shipper(Readers())
    begin(*worker, shipper, tmp_path, batch=32)
    # Not the last records of the attempt: the worker would wait for a batch of 32.
    assert shipper.takes(records(0, 30, final=False)) and shipper.takes(records(30, COUNT))
    found, most = captions(*worker, shipper, COUNT)
    assert most < 7 * size
    for i in range(COUNT):
        assert found[i].startswith(dry_run_caption(tmp_path / f"images/{i:06}.png"))
    assert not shipper.busy


def test_what_was_cancelled_is_not_sent(tmp_path, worker):
    make_captions(tmp_path, COUNT)
    shipper = Shipper(Readers())
    begin(*worker, shipper, tmp_path, batch=8)
    assert shipper.takes(records(0, 40))
    worker[1].outgoing += shipper.step()[0]
    assert not shipper.takes({"type": "cancel"})
    worker[1].send({"type": "cancel"})
    assert not shipper.busy and not shipper.under_way
    assert shipper.takes(records(40, COUNT, attempt=2))
    launcher, handle = worker
    late = {i for i in range(40)}
    found: dict[int, str] = {}
    deadline = time.monotonic() + PATIENCE
    while len(found.keys() - late) < 20:
        assert time.monotonic() < deadline
        handle.outgoing += shipper.step()[0]
        for _, message in launcher.receive(0.02):
            if message["type"] == "rows" and message["attempt"] == 2:
                found |= {row["i"]: row["raw"] for row in message["rows"]}
    assert set(found) == set(range(40, COUNT))


def test_missing_images_fail_where_the_root_is_there(tmp_path, worker):
    make_captions(tmp_path, COUNT)
    for i in range(10, 50):
        (tmp_path / f"images/{i:06}.png").unlink()
    shipper = Shipper(Readers())
    begin(*worker, shipper, tmp_path, batch=8)
    shipper.takes(records(0, COUNT))
    found, _ = captions(*worker, shipper, COUNT)
    assert [i for i in found if found[i] == "missing"] == list(range(10, 50))


def test_a_root_that_is_gone_fails_no_record(tmp_path):
    shipper = Shipper(Readers())
    images = {"root": str(tmp_path / "no"), "path_map": [], "allow_outside": False, "witness": None}
    shipper.takes({"type": "start", "images": images})
    shipper.takes(records(0, COUNT))
    said = []
    deadline = time.monotonic() + PATIENCE
    while not said:
        assert time.monotonic() < deadline
        data, said = shipper.step()
        assert not data
    assert [message["type"] for message in said] == ["root_lost"] and "is not there" in str(said)
    assert not shipper.busy

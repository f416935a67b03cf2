"""The utilities of a few lines: plurals, cores, optional imports, a counter of several jobs."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest

from engine.utils.cpu_count import usable_cores
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra
from engine.utils.plurals import plural
from engine.utils.shared_counter import SharedCounter


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 shards"), (1, "1 shard"), (2, "2 shards"), (12_345, "12,345 shards")]
)
def test_plurals(count: int, text: str) -> None:
    assert plural(count, "shard") == text


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has affinities")
def test_only_cores_that_the_process_may_use_are_counted() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert usable_cores() == len(allowed)


def test_where_affinities_are_unknown_the_cores_of_the_machine_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_a_library_that_is_missing_is_named_with_its_extra() -> None:
    assert import_extra("json.decoder", "formats", "never").__name__ == "json.decoder"
    message = r"this is CSV, which needs nowhere: .*'mllmaug-tui\[formats\]'"
    with pytest.raises(BadInput, match=message):
        import_extra("nowhere.at.all", "formats", "this is CSV")


def test_counts_of_several_jobs_are_added(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    path.write_bytes(bytes(8 * 3))
    totals: list[int] = []
    counter = SharedCounter(path, totals.append)
    counter.set_count(0, 5)
    elsewhere: SharedCounter = pickle.loads(pickle.dumps(counter))
    elsewhere.set_count(2, 7)
    counter.set_count(0, 6)
    assert totals == [5, 13]

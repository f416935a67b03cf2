"""Batches of records: their lines, and how the stream of them is cut into groups."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs, regroup


def batch_of(images: list[str]) -> RecordBatch:
    return batch_of_pairs([(image, f"caption of {image}") for image in images])


@pytest.mark.parametrize(
    "records",
    [
        [{"image": "a"}],
        [{"image": "a", "caption": "x"}, {"image": "b"}],
        [{"image": "a", "caption": "}, {"}, {"image": "b", "n": [{"k": 1}, {"k": 2}]}],
        [{"image": "a", "caption": '"}\n,{"'}, {"image": "b"}],
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_each_record_of_an_array_gets_a_line(
    records: list[dict[str, object]], indent: int | None
) -> None:
    text = json.dumps(records, indent=indent)[1:-1].strip()
    batch = RecordBatch(text.encode(), [str(it["image"]) for it in records], [""] * len(records))
    assert [json.loads(line) for line in batch.lines] == records
    assert not any(b"\n" in line for line in batch.lines)


def test_a_part_is_a_batch_of_its_own() -> None:
    part = batch_of(["a", "b", "c", "d"]).part(1, 3)
    assert [(it.image, it.caption) for it in part.records()] == [
        ("b", "caption of b"),
        ("c", "caption of c"),
    ]
    assert json.loads(b"[" + part.text + b"]") == [json.loads(line) for line in part.lines]


@given(
    st.lists(st.integers(1, 5), max_size=6), st.lists(st.integers(1, 7), min_size=1, max_size=12)
)
def test_groups_hold_the_records_in_order(batches: list[int], sizes: list[int]) -> None:
    total = sum(batches)
    names = iter(range(total))
    stream: Iterator[RecordBatch] = iter(
        [batch_of([str(next(names)) for _ in range(size)]) for size in batches]
    )
    groups = [
        [image for batch in group for image in batch.images]
        for group in regroup(stream, iter(sizes))
    ]
    flat = [image for group in groups for image in group]
    assert flat == [str(n) for n in range(min(total, sum(sizes)))]
    assert all(groups), "no group is empty"
    assert [len(group) for group in groups[:-1]] == sizes[: len(groups[:-1])]

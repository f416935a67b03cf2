"""Batches that go through the vision side and prefill in slices of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.captioners.base import Caption
from engine.captioners.generation import row_slices
from engine.captioners.generation.row_slices import slice_rows
from engine.captioners.model_families import Family
from engine.images.image import open_image
from tests.support.checkpoints import OTTERS

CPU = torch.device("cpu")


@pytest.fixture
def load(
    family: Family, checkpoints: dict[str, Path], pictures: list[Path]
) -> Callable[[float], tuple[Any, list[Any]]]:
    """A captioner at a temperature, whose rows end early, and twelve prepared pictures."""

    def of(temperature: float) -> tuple[Any, list[Any]]:
        settings = replace(family.presets["paper"], dtype="float32", temperature=temperature)
        captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
        text = "lang_encoder" if family.name in OTTERS else "language_model"
        captioner.stop_ids = range(0, captioner.model.get_submodule(text).config.vocab_size, 7)
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures] * 4
        return captioner, prepared[:12]

    return of


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_captions_of_slices_are_those_of_the_whole_batch(
    load: Callable[..., tuple[Any, list[Any]]], temperature: float
) -> None:
    captioner, prepared = load(temperature)

    def captions(rows: int, inputs: Sequence[Any]) -> list[Caption]:
        captioner.slice_rows = rows
        captions: list[Caption] = captioner.caption(inputs, range(len(inputs)))
        return captions

    whole = captions(12, prepared)
    assert len(set(whole)) > 1, "all rows are alike"
    for rows in (1, 5, 11):
        assert captions(rows, prepared) == whole
    assert captions(3, prepared[:7]) == whole[:7], "the states of larger batches are reused"


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the bytes of the largest tensor that an operation makes anew."""

    largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **kwargs or {})
        given = {storage.data_ptr() for storage in storages((args, kwargs))}
        made = [it for it in storages(result) if it.data_ptr() not in given]
        self.largest = max([self.largest, *(storage.nbytes() for storage in made)])
        return result


def storages(tree: Any) -> list[torch.UntypedStorage]:
    """Return the memory of all tensors in nested arguments or results."""
    return [it.untyped_storage() for it in tree_leaves(tree) if isinstance(it, torch.Tensor)]


def test_a_slice_takes_no_larger_tensors_than_it_may(
    load: Callable[..., tuple[Any, list[Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner, prepared = load(0.0)
    whole_rows = captioner.slice_rows
    assert whole_rows > len(prepared), "the small models need no slices"
    row_bytes = row_slices.CPU_BYTES // whole_rows
    monkeypatch.setattr(row_slices, "CPU_BYTES", 2 * row_bytes + row_bytes // 2)
    captioner.slice_rows = slice_rows(row_bytes, CPU)
    assert captioner.slice_rows == 2
    captioner.caption(prepared, range(12))  # makes the KV cache, which stays
    with LargestTensor() as watched:  # type: ignore[no-untyped-call]
        captioner.caption(prepared, range(12))
    assert watched.largest <= row_slices.CPU_BYTES


def test_a_row_that_is_too_large_goes_alone() -> None:
    assert slice_rows(row_slices.CPU_BYTES // 4, CPU) == 3, "the limit itself is too large"
    assert slice_rows(10 * row_slices.CPU_BYTES, CPU) == 1


def test_a_gpu_takes_slices_by_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def properties(_: torch.device) -> SimpleNamespace:
        return SimpleNamespace(total_memory=128 * 1000)

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    assert slice_rows(300, torch.device("cuda", 0)) == 3

"""Products on a CPU by oneDNN: the same captions, and the weights of a model are not kept twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from engine.captioners.checkpoints import cpu_products
from engine.captioners.checkpoints.assembly import named_tensors
from engine.captioners.checkpoints.cpu_products import CpuLinear, pack, product, use_fast_products
from engine.captioners.checkpoints.quantization import Int8Linear
from engine.captioners.model_families import FAMILIES, Family
from tests.engine.captioners.test_captions import greedy

SHAPES = [(1, 64, 64), (3, 70, 51), (48, 128, 96), (200, 33, 1)]
"""Rows, inputs and outputs."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take oneDNN for products of any size, and pack weights of any size."""
    monkeypatch.setattr(cpu_products, "MIN_MULTIPLICATIONS", 0)
    monkeypatch.setattr(cpu_products, "MIN_PACKED", 0)
    monkeypatch.setattr(cpu_products, "is_onednn_faster", lambda: True)
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_those_of_torch(
    small: None, shape: tuple[int, int, int], is_packed: bool
) -> None:
    rows, inputs, outputs = shape
    weight, bias = torch.randn(outputs, inputs), torch.randn(outputs)
    used = cpu_products.pack(weight) if is_packed else weight
    batch = torch.randn(rows, 2, inputs)
    for hidden in (batch, batch.transpose(0, 1), batch[:, 0]):
        for shift in (None, bias):
            result = product(hidden, used, shift)
            torch.testing.assert_close(result, linear(hidden, weight, shift))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_packed_int8_has_the_same_sums(
    small: None, shape: tuple[int, int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, inputs, outputs = shape
    layer = nn.Linear(inputs, outputs, dtype=dtype)
    plain, packed = Int8Linear.from_linear(layer), Int8Linear.from_linear(layer)
    packed.pack()
    if not packed.weight.is_mkldnn:
        pytest.skip("this processor has no VNNI")
    hidden = torch.randn(rows, inputs, dtype=dtype)
    # The plain form rounds to the number type before it multiplies by the tokens' scales.
    off = 0 if dtype == torch.float32 else 0.01
    torch.testing.assert_close(packed(hidden), plain(hidden), rtol=off, atol=off)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    assert not cpu_products.has_packed_int8(plain.weight), "it would overflow without VNNI"


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_captions_are_the_same(
    small: None,
    family: Family,
    checkpoints: dict[str, Path],
    caption_pictures: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    quantize: str,
) -> None:
    settings = replace(greedy(family), dtype="float32", quantize=quantize)
    folder = checkpoints[family.name]
    fast = caption_pictures(family, folder, settings)
    monkeypatch.setattr(cpu_products, "is_onednn_faster", lambda: False)
    monkeypatch.setattr(cpu_products, "has_packed_int8", lambda _: False)
    assert caption_pictures(family, folder, settings) == fast


def test_a_decoder_is_packed_and_nothing_is_kept_twice(
    small: None, family: Family, checkpoints: dict[str, Path]
) -> None:
    settings = replace(greedy(family), dtype="float32")
    captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
    tensors = named_tensors(captioner.model)
    assert sum(it.nbytes for it in tensors.values()) == captioner.loaded.bytes
    layers = dict(captioner.model.named_modules())
    packed = {name for name, it in tensors.items() if it.is_mkldnn}
    assert packed and not captioner.loaded.memory_mapped
    assert all(type(layers[name.removesuffix(".weight")]) is CpuLinear for name in packed)
    decoder = getattr(captioner, "decoder", None)
    for layer in decoder.layers if decoder else ():
        assert layer.gate_up is None, "joined matrices would be copies"


def test_a_layer_of_which_only_the_mlp_is_packed(
    small: None,
    checkpoints: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The MLP's matrices are larger than those of attention: in models of middle size these alone
    are packed."""
    family = FAMILIES["llava-1.5"]
    settings = replace(greedy(family), dtype="float32")
    packed: list[tuple[int, ...]] = []

    def pack_noted(weight: torch.Tensor) -> torch.Tensor:
        packed.append(tuple(weight.shape))
        return pack(weight)

    monkeypatch.setattr(cpu_products, "pack", pack_noted)
    monkeypatch.setattr(cpu_products, "MIN_PACKED", 64 * 64 + 1)
    captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
    assert (112, 64) in packed and (64, 64) not in packed
    assert all(layer.gate_up is None for layer in captioner.decoder.layers)


def test_what_is_left_alone(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other number types, subclasses and weights that are the embeddings', too."""
    model = nn.ModuleDict(
        {
            "sixteen bits": nn.Linear(4, 4, dtype=torch.bfloat16),
            "attention": nn.MultiheadAttention(4, 2),
            "table": nn.Embedding(4, 4),
            "head": nn.Linear(4, 4, bias=False),
            "vision": nn.Linear(4, 4),
            "text": nn.Linear(4, 4),
        }
    )
    model["head"].weight = model["table"].weight
    use_fast_products(model, model["head"], model["text"])
    fast = {name for name, it in model.named_modules() if isinstance(it, CpuLinear)}
    assert fast == {"head", "vision", "text"}
    assert [model[name].weight.is_mkldnn for name in ("head", "vision", "text")] == [0, 0, 1]


def test_a_torch_without_onednn_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_products, "has_all", lambda *_: False)
    assert not cpu_products.is_onednn_faster.__wrapped__()
    assert not cpu_products.has_packed_int8(torch.zeros(2048, 2048, dtype=torch.int8))

"""Language models of eight bits: the same products, smaller, and nearly the same captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import linear
from torch.nn.parameter import Parameter

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints import quantization
from engine.captioners.checkpoints.assembly import named_tensors
from engine.captioners.families import otter, spliced
from engine.captioners.generation import static_decoders
from engine.captioners.model_families import Family
from engine.captioners.registry import FAMILIES, Settings, change_model, choose
from engine.demo import checkpoint
from engine.demo.scenes import write_scenes
from engine.images.image import open_image
from engine.utils.errors import BadInput
from tests.engine.captioners.generation.test_cuda_graphs import imitated
from tests.engine.captioners.test_captions import greedy

KINDS = list(quantization.KINDS)
LLAVA = FAMILIES["llava-1.5"]
CLIP = {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}
TOWERS = {
    "llava-1.5": CLIP,
    "otter": CLIP,
    "minigpt-4": {"qkv", "projection", "fc1", "fc2"},
    "qwen-vl": {"in_proj", "out_proj", "c_fc", "c_proj"},
}
"""Names of the matrices in the layers of a vision tower, by the family's name or its beginning."""


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow fp8, which torch multiplies on a CPU as well, ten times slower than float32."""
    monkeypatch.setattr(quantization, "supports_fp8", lambda _: True)


def matrices(model: nn.Module, kind: type[nn.Module]) -> set[str]:
    return {name.rpartition(".")[2] for name, it in model.named_modules() if isinstance(it, kind)}


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_all_families_caption(
    family: Family,
    checkpoints: dict[str, Path],
    caption_pictures: Callable[..., Any],
    on_cpu: None,
    how: str,
    dtype: str,
) -> None:
    settings = replace(greedy(family), dtype=dtype, quantize=how)
    captions = caption_pictures(family, checkpoints[family.name], settings)
    assert all(0 < caption.tokens <= 12 for caption in captions)


def test_captions_do_not_depend_on_the_batch(
    family: Family, checkpoints: dict[str, Path], caption_pictures: Callable[..., Any]
) -> None:
    """Tokens are scaled one by one, and whole numbers are summed."""
    settings = replace(greedy(family), quantize="int8")
    together = caption_pictures(family, checkpoints[family.name], settings)
    for batch in (1, 2):
        assert caption_pictures(family, checkpoints[family.name], settings, batch) == together


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_layers_alone_are_replaced_and_no_copy_stays(
    family: Family, checkpoints: dict[str, Path], dtype: str
) -> None:
    folder, settings = str(checkpoints[family.name]), replace(greedy(family), dtype=dtype)
    plain: Any = family.load(folder, settings, "cpu")
    reports: list[str] = []
    captioner: Any = family.load(folder, replace(settings, quantize="int8"), "cpu", reports.append)
    assert reports[-1].startswith("rounding weights to int8, ")
    before, after = named_tensors(plain.model), named_tensors(captioner.model)
    expected = sum(it.nbytes for it in before.values())
    for name, tensor in after.items():
        if tensor.dtype == torch.int8:
            expected += tensor.numel() - before[name].nbytes + 4 * len(tensor)
        elif not name.endswith(".scale"):
            assert torch.equal(tensor, before[name])
    assert captioner.loaded.bytes == expected
    assert storage(captioner) == expected
    assert captioner.loaded.dtype == f"{dtype} and int8"
    replaced = matrices(captioner.model, quantization.QuantizedLinear)
    llama = {f"{it}_proj" for it in ("q", "k", "v", "o", "gate", "up", "down")}
    language = {"Wqkv", "out_proj", "up_proj", "down_proj"} if family.name == "otter" else llama
    assert replaced == language | next(
        matrices for name, matrices in TOWERS.items() if family.name.startswith(name)
    )


def storage(captioner: Any) -> int:
    """Return the bytes of the model and its decoder's fused matrices; views count once."""
    tensors = list(named_tensors(captioner.model).values())
    for layer in getattr(getattr(captioner, "decoder", None), "layers", []):
        tensors += [*layer.qkv.parameters(), *layer.gate_up.parameters()]
    return sum(
        {it.untyped_storage().data_ptr(): it.untyped_storage().nbytes() for it in tensors}.values()
    )


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rows", [1, 17, 40])
def test_products_are_those_of_the_rounded_numbers(how: str, dtype: torch.dtype, rows: int) -> None:
    kind = quantization.KINDS[how]
    layer, hidden = nn.Linear(64, 48, dtype=dtype), torch.randn(2, rows, 64, dtype=dtype)
    with torch.inference_mode():
        plain, quantized = layer(hidden), kind.from_linear(layer)(hidden)
        tokens, weight = rounded(kind, hidden.flatten(0, 1)), rounded(kind, layer.weight)
        expected = linear(tokens, weight, layer.bias.double()).view_as(quantized)
    assert quantized.dtype == dtype
    coarse = 1e-5 if how == "int8" and dtype == torch.float32 else 0.01
    assert (quantized - expected).abs().max() / plain.abs().max() < coarse
    assert 0 < (quantized - plain).norm() / plain.norm() < (0.02 if how == "int8" else 0.06)


def rounded(
    kind: type[quantization.QuantizedLinear], rows: torch.Tensor | Parameter
) -> torch.Tensor:
    """Return the rows as eight bits have them, in float64."""
    scale = kind.row_scale(rows)
    numbers = kind.round_rows(rows, scale).double()
    assert numbers.abs().amax(-1).eq(kind.max_value).all()
    return numbers * scale


@pytest.mark.parametrize("how", KINDS)
def test_a_token_of_zeros(how: str) -> None:
    layer = nn.Linear(64, 48)
    output = quantization.KINDS[how].from_linear(layer)(torch.zeros(3, 64))
    assert torch.equal(output, layer.bias.expand(3, -1))


def test_sums_beyond_float16_survive() -> None:
    layer = nn.Linear(64, 16, bias=False, dtype=torch.float16)
    nn.init.constant_(layer.weight, 1.0)
    hidden = torch.full((1, 64), 500.0, dtype=torch.float16)
    quantized = quantization.Int8Linear.from_linear(layer)
    assert torch.allclose(quantized(hidden), layer(hidden), rtol=0.01)


@pytest.mark.parametrize("how", KINDS)
def test_joined_matrices_change_nothing(
    how: str,
    on_cpu: None,
    checkpoints: dict[str, Path],
    caption_pictures: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(greedy(LLAVA), quantize=how)
    joined = caption_pictures(LLAVA, checkpoints["llava-1.5"], settings)
    monkeypatch.setattr(static_decoders, "fused", static_decoders.unfused)
    assert caption_pictures(LLAVA, checkpoints["llava-1.5"], settings) == joined


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("name", ["llava-1.5", "otter"])
def test_replayed_steps_say_the_same(
    name: str,
    how: str,
    on_cpu: None,
    checkpoints: dict[str, Path],
    caption_pictures: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = FAMILIES[name]
    settings = replace(greedy(family), quantize=how)
    plain = caption_pictures(family, checkpoints[name], settings)
    for module in (otter, spliced):
        monkeypatch.setattr(module, "capture_for", lambda *_: imitated)
    assert caption_pictures(family, checkpoints[name], settings) == plain


@pytest.mark.parametrize("how", KINDS)
def test_greedy_captions_agree_with_float32(how: str, on_cpu: None, tmp_path: Path) -> None:
    """The demo LLaVA's sheared captions agree; tests/bench/README.md has the shares of all four."""
    write_scenes(tmp_path, 32, 9)
    images = sorted((tmp_path / "images").iterdir())
    sides = []
    for quantize in ("none", how):
        settings = replace(LLAVA.presets["paper"], temperature=0.0, quantize=quantize)
        captioner: Any = LLAVA.load(str(checkpoint("llava-1.5")), settings, "cpu")
        prepared = [captioner.prepare(open_image(str(image))) for image in images]
        captions = captioner.caption(prepared, range(len(images)))
        sides.append([caption.raw.partition(".")[0] for caption in captions])
    same = sum(one == other for one, other in zip(*sides, strict=True))
    assert same >= 0.9 * len(images)
    assert len(set(sides[0])) > len(images) / 2


def test_the_setting_shapes_what_is_said(checkpoints: dict[str, Path]) -> None:
    text = f"llava-1.5={checkpoints['llava-1.5']}"
    plain = choose(text)
    assert choose(text, None, {"quantize": "none"}).settings_hash == plain.settings_hash
    hashes = {choose(text, None, {"quantize": how}).settings_hash for how in KINDS}
    assert len(hashes - {plain.settings_hash}) == len(KINDS)
    with pytest.raises(BadInput, match="quantize must be one of none, int8, fp8, not 'int4'"):
        choose(text, None, {"quantize": "int4"})
    with pytest.raises(BadInput, match="has no setting 'quantize'"):
        change_model("endpoint", "endpoint", None, Settings(), {"quantize": "int8"})


def test_fp8_is_refused_on_a_cpu(family: Family, checkpoints: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"capability 8\.9 .* not: take quantize=int8"):
        family.load(str(checkpoints[family.name]), replace(greedy(family), quantize="fp8"), "cpu")

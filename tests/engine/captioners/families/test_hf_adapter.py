"""An adapter (LoRA) beside a tiny model: merged as peft merges it, or refused in a sentence."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from engine.captioners.base import CheckpointError
from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.engine.captioners.families.hf_truth import llava_like, pictures, qwen_like, truth
from tests.engine.captioners.families.hf_truth.making import Tiny, write
from tests.engine.captioners.families.hf_truth.test_truth import SETTINGS, say

peft = pytest.importorskip("peft")

TARGETS = r".*language_model.*(q_proj|v_proj|up_proj)"
"""The layers that an adapter changes: of each model's language part."""


def load_base(folder: Path) -> Any:
    return AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    )


def save_adapter(base: Path, config: Any, folder: Path) -> Path:
    """Save an adapter of a checkpoint with random weights that change what it says."""
    torch.manual_seed(1)
    adapted = peft.get_peft_model(load_base(base), config)
    for name, weights in adapted.named_parameters():
        if "lora" in name or "ia3" in name:
            torch.nn.init.normal_(weights, 0.3, 0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    return llava_like.llava()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    return write(tiny, tmp_path_factory.mktemp("base") / "llava")


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    config = peft.LoraConfig(r=4, target_modules=TARGETS)
    return save_adapter(base, config, tmp_path_factory.mktemp("lora") / "lora")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pictures.draw(tmp_path_factory.mktemp("pictures"))


def load(base: Path, adapter: Path) -> Any:
    return FAMILIES["hf"].load(str(base), replace(SETTINGS, adapter=str(adapter)), "cpu")


def changed(adapter: Path, folder: Path, **changes: Any) -> Path:
    """Return a copy of an adapter with other values in its adapter_config.json."""
    file = Path(shutil.copytree(adapter, folder)) / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3"])
def test_it_says_what_pefts_own_merged_model_says(
    kind: str, base: Path, tiny: Tiny, paths: list[Path], tmp_path: Path
) -> None:
    configs = {
        "lora": peft.LoraConfig(r=4, target_modules=TARGETS, task_type="CAUSAL_LM"),
        "dora": peft.LoraConfig(r=4, target_modules=TARGETS, use_dora=True),
        "ia3": peft.IA3Config(target_modules=TARGETS, feedforward_modules=[]),
    }
    adapter = save_adapter(base, configs[kind], tmp_path / "adapter")
    merged = peft.PeftModel.from_pretrained(load_base(base), adapter).merge_and_unload()
    whole = Path(shutil.copytree(base, tmp_path / "whole"))
    merged.save_pretrained(whole)

    images = [open_image(str(path)).rgb() for path in paths]
    captioner = load(base, adapter)
    said = say(captioner, paths, 8)
    assert said == truth.own_texts(whole, tiny, images)
    assert said != truth.own_texts(base, tiny, images)
    assert captioner.loaded.layout.startswith("Hugging Face, llava, with the adapter adapter")


def test_an_adapter_of_another_family(paths: list[Path], tmp_path: Path) -> None:
    tiny = qwen_like.qwen2_5_vl()
    base = write(tiny, tmp_path / "qwen")
    config = peft.LoraConfig(r=4, target_modules=TARGETS)
    adapter = save_adapter(base, config, tmp_path / "adapter")
    merged = peft.PeftModel.from_pretrained(load_base(base), adapter).merge_and_unload()
    whole = Path(shutil.copytree(base, tmp_path / "whole"))
    merged.save_pretrained(whole)
    own = truth.own_texts(whole, tiny, [open_image(str(path)).rgb() for path in paths[:3]])
    assert say(load(base, adapter), paths[:3], 1) == own


@pytest.mark.parametrize(
    ("make", "now", "then"),
    [
        (llava_like.llava, "model.language_model.", "language_model.model."),
        (llava_like.llava, "model.multi_modal_projector.", "multi_modal_projector."),
        (qwen_like.qwen2_5_vl, "model.language_model.", "model."),
        (qwen_like.qwen2_5_vl, "model.visual.", "visual."),
    ],
)
def test_an_adapter_that_was_trained_with_an_earlier_transformers(
    make: Any, now: str, then: str, tmp_path: Path
) -> None:
    """It has the names that the layers had then."""
    base = write(make(), tmp_path / "base")
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "linear_1", "qkv"])
    adapter = save_adapter(base, config, tmp_path / "adapter")
    expected = load(base, adapter).model.state_dict()
    weights = load_file(adapter / "adapter_model.safetensors")
    renamed = {key.replace(f".{now}", f".{then}", 1): it for key, it in weights.items()}
    assert renamed.keys() != weights.keys()
    save_file(renamed, adapter / "adapter_model.safetensors")
    merged = load(base, adapter).model.state_dict()
    assert all(torch.equal(merged[key], it) for key, it in expected.items())


def without_a_layer(lora: Path, folder: Path) -> Path:
    file = Path(shutil.copytree(lora, folder)) / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({key: it for key, it in weights.items() if "layers.1." not in key}, file)
    return folder


def with_a_nan(lora: Path, folder: Path) -> Path:
    file = Path(shutil.copytree(lora, folder)) / "adapter_model.safetensors"
    weights = load_file(file)
    next(iter(weights.values()))[0, 0] = torch.nan
    save_file(weights, file)
    return folder


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_rounded_as_peft_does(base: Path, lora: Path, dtype: str) -> None:
    own = peft.PeftModel.from_pretrained(load_base(base).to(getattr(torch, dtype)), lora)
    expected = own.merge_and_unload().state_dict()
    settings = replace(SETTINGS, adapter=str(lora), dtype=dtype)
    merged: Any = FAMILIES["hf"].load(str(base), settings, "cpu")
    assert all(torch.equal(merged.model.state_dict()[key], it) for key, it in expected.items())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda lora, to: changed(lora, to, target_modules=["nowhere"]), "name the base model"),
        (lambda lora, to: changed(lora, to, r=2), r"cannot be merged .*name the base model"),
        (lambda lora, to: changed(lora, to, target_modules=[]), "name the base model"),
        (lambda lora, to: changed(lora, to, peft_type="NEW"), r"\(NEW\) cannot be merged"),
        (lambda lora, to: changed(lora, to, megatron_config={"a": 1}), "trained by Megatron"),
        (with_a_nan, "holds values that are not finite numbers: download it again"),
        (without_a_layer, r"lacks .*layers\.1\..* and \d+ more; name the base model"),
    ],
)
def test_an_adapter_that_does_not_fit(
    base: Path, lora: Path, tmp_path: Path, make: Any, why: str
) -> None:
    with pytest.raises(CheckpointError, match=why) as refused:
        load(base, make(lora, tmp_path / "adapter"))
    assert "\n" not in str(refused.value)


def test_an_adapter_of_prompts_is_no_change_of_weights(base: Path, tmp_path: Path) -> None:
    config = peft.PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=4,
        token_dim=48,
        num_transformer_submodules=1,
        num_attention_heads=2,
        num_layers=2,
    )
    adapter = save_adapter(base, config, tmp_path / "adapter")
    with pytest.raises(CheckpointError, match="not its weights, and cannot be merged: serve"):
        load(base, adapter)


def test_an_adapter_among_the_weights_is_not_left_out_in_silence(
    base: Path, tmp_path: Path
) -> None:
    """As a model is saved that still has its adapter in it; the first form is that of old peft."""
    folder = Path(shutil.copytree(base, tmp_path / "whole"))
    weights = load_file(base / "model.safetensors")
    layer = next(key for key in weights if key.endswith("q_proj.weight") and "language" in key)
    for old in (True, False):
        inner = layer.removesuffix("weight")
        extra = {f"{inner}lora_A.default.weight": weights[layer].clone()}
        if not old:
            extra[f"{inner}base_layer.weight"] = weights[layer].clone()
        stored = {key: it for key, it in weights.items() if old or key != layer}
        save_file(stored | extra, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(CheckpointError, match="which would not be loaded: merge them"):
            FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")


def test_peft_is_named_where_it_is_missing(
    base: Path, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(CheckpointError, match=re.escape("pip install 'mllmaug-tui[adapter]'")):
        load(base, lora)

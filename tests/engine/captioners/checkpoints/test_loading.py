"""Bad checkpoints are refused with one clear message; good ones load in every form."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.captioners import parity
from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.config_kinds import advice_for_config
from engine.captioners.checkpoints.layouts import find_projection_file
from engine.captioners.families import minigpt4
from engine.captioners.model_families import Family
from engine.captioners.registry import FAMILIES
from tests.support.checkpoints import GOLDEN, change_json, to_safetensors, weight_paths

SETTINGS = {name: replace(it.presets["paper"], dtype="float32") for name, it in FAMILIES.items()}
LANGUAGE_FOLDER = {"minigpt-4": "vicuna", "minigpt-4-llama2": "llama-2-7b-chat-hf"}
"""The folder of the language model, if it is not the checkpoint's own."""
LANGUAGE_KEY = {
    "llava-1.5": "model.layers.1.mlp.up_proj.weight",
    "minigpt-4": "model.layers.1.mlp.up_proj.weight",
    "minigpt-4-llama2": "model.layers.1.mlp.up_proj.weight",
    "otter": "lang_encoder.transformer.blocks.1.decoder_layer.ffn.up_proj.weight",
    "otter-llama": "lang_encoder.model.layers.1.decoder_layer.mlp.up_proj.weight",
    "qwen-vl": "transformer.h.1.mlp.w1.weight",
}
"""A key of each language model."""
VISION_KEY = {
    "llava-1.5": (
        "pytorch_model.bin",
        "model.vision_tower.vision_tower.vision_model.encoder.layers.1.self_attn.k_proj.bias",
    ),
    "minigpt-4": ("eva_vit_g.pth", "blocks.1.attn.q_bias"),
    "minigpt-4-llama2": ("eva_vit_g.pth", "blocks.1.attn.q_bias"),
    "otter": ("pytorch_model.bin", "perceiver.layers.1.norm_media.weight"),
    "otter-llama": ("pytorch_model.bin", "perceiver.layers.1.norm_media.weight"),
    "qwen-vl": ("pytorch_model.bin", "transformer.visual.attn_pool.pos_embed"),
}
"""A key of each vision side, with its file."""


def refusal(family: Family, folder: Path) -> str:
    """Return the message of a load that must fail."""
    with pytest.raises(CheckpointError) as caught:
        family.load(str(folder), SETTINGS[family.name], "cpu")
    text = str(caught.value)
    assert text and "\n" not in text
    assert str(folder) in text
    return text


def change(path: Path, edit: Callable[..., Any]) -> None:
    """Let `edit` change the weights in a file."""
    contents = torch.load(path, weights_only=True)
    edit(contents["model"] if isinstance(contents.get("model"), dict) else contents)
    torch.save(contents, path)


def language_file(family: Family, folder: Path) -> Path:
    """Return the weight file with the language model."""
    return folder / LANGUAGE_FOLDER.get(family.name, ".") / "pytorch_model.bin"


def test_an_empty_folder(family: Family, tmp_path: Path) -> None:
    assert "lacks" in refusal(family, tmp_path)
    assert "no such checkpoint folder" in refusal(family, tmp_path / "nowhere")


def test_every_weight_that_is_missing_is_named(family: Family, damaged_checkpoint: Path) -> None:
    key = LANGUAGE_KEY[family.name]
    change(language_file(family, damaged_checkpoint), lambda weights: weights.pop(key))
    assert f"missing keys: {key}" in refusal(family, damaged_checkpoint)
    file, vision = VISION_KEY[family.name]
    change(damaged_checkpoint / file, lambda weights: weights.pop(vision))
    message = refusal(family, damaged_checkpoint)
    assert key in message
    assert vision in message


def test_a_renamed_key_is_missing_and_unexpected(family: Family, damaged_checkpoint: Path) -> None:
    key = LANGUAGE_KEY[family.name]

    def rename(weights: dict[str, torch.Tensor]) -> None:
        weights[key.replace(".1.", ".1.renamed_")] = weights.pop(key)

    change(language_file(family, damaged_checkpoint), rename)
    message = refusal(family, damaged_checkpoint)
    assert f"missing keys: {key}" in message
    assert f"unexpected keys: {key.replace('.1.', '.1.renamed_')}" in message


@pytest.mark.parametrize("where", ["language", "vision"])
def test_a_wrong_width(family: Family, damaged_checkpoint: Path, where: str) -> None:
    file, key = VISION_KEY[family.name]
    path, key = (
        (damaged_checkpoint / file, key)
        if where == "vision"
        else (language_file(family, damaged_checkpoint), LANGUAGE_KEY[family.name])
    )

    def widen(weights: dict[str, torch.Tensor]) -> None:
        weights[key] = torch.cat([weights[key], weights[key]])

    change(path, widen)
    assert f"{key} has shape" in refusal(family, damaged_checkpoint)


def test_every_file_that_is_cut_short(family: Family, damaged_checkpoint: Path) -> None:
    for path in weight_paths(damaged_checkpoint):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        message = refusal(family, damaged_checkpoint)
        assert str(path) in message
        assert "damaged" in message
        path.write_bytes(whole)


class Trap:
    """An object whose pickle would make a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code(
    family: Family, damaged_checkpoint: Path, tmp_path: Path
) -> None:
    trapped = tmp_path / "it_ran"
    for path in weight_paths(damaged_checkpoint):
        whole = path.read_bytes()
        torch.save({"weight": torch.zeros(2), "trap": Trap(trapped)}, path)
        assert "would run code" in refusal(family, damaged_checkpoint)
        path.write_bytes(pickle.dumps({"trap": Trap(trapped)}))
        assert str(path) in refusal(family, damaged_checkpoint)
        path.write_bytes(whole)
    assert not trapped.exists()


def test_shards_in_safetensors(family: Family, damaged_checkpoint: Path) -> None:
    """Several files load as the one file does; if one is missing, the error names it."""
    loader = parity.LOADERS[family.name]
    first, _ = loader(damaged_checkpoint, torch.float32)
    to_safetensors(language_file(family, damaged_checkpoint).parent)
    second, loaded = loader(damaged_checkpoint, torch.float32)
    assert loaded.parameters == sum(it.numel() for it in first.parameters())
    for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other), name
    shard = next(language_file(family, damaged_checkpoint).parent.glob("model-00002*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-10])
    assert f"{shard.name} is damaged or cut short" in refusal(family, damaged_checkpoint)
    shard.unlink()
    assert f"lacks {shard.relative_to(damaged_checkpoint)}" in refusal(family, damaged_checkpoint)


def test_files_from_before_torch_1_6(
    family: Family, checkpoints: dict[str, Path], damaged_checkpoint: Path
) -> None:
    for path in weight_paths(damaged_checkpoint):
        contents = torch.load(path, weights_only=True)
        torch.save(contents, path, _use_new_zipfile_serialization=False)
    loader = parity.LOADERS[family.name]
    expected, _ = loader(checkpoints[family.name], torch.float32)
    model, _ = loader(damaged_checkpoint, torch.float32)
    for one, other in zip(expected.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_no_weight_is_left_random(family: Family, checkpoints: dict[str, Path]) -> None:
    """Two loads are equal whatever the seed, and every tensor lies on the CPU."""
    loader = parity.LOADERS[family.name]
    torch.manual_seed(1)
    first, _ = loader(checkpoints[family.name], torch.float32)
    torch.manual_seed(2)
    second, _ = loader(checkpoints[family.name], torch.float32)
    both = zip(first.state_dict().items(), second.state_dict().values(), strict=True)
    for (name, one), other in both:
        assert one.device.type == "cpu", name
        assert torch.equal(one, other), name
    for name, buffer in first.named_buffers():
        assert buffer.device.type == "cpu", name


def test_unneeded_keys_are_listed(family: Family, checkpoints: dict[str, Path]) -> None:
    loaded = family.load(str(checkpoints[family.name]), SETTINGS[family.name], "cpu").loaded
    expected = {
        "llava-1.5": "post_layernorm",
        "minigpt-4": "t5_proj.weight",
        "minigpt-4-llama2": "blocks.2.",
        "otter": "post_layernorm",
        "otter-llama": "post_layernorm",
        "qwen-vl": None,
    }[family.name]
    assert bool(loaded.unused_keys) == (expected is not None)
    assert expected is None or any(expected in key for key in loaded.unused_keys)


# Checkpoints of another model than they should be


def test_another_model(family: Family, damaged_checkpoint: Path) -> None:
    folder = language_file(family, damaged_checkpoint).parent
    change_json(folder / "config.json", model_type="bert", mm_projector_type="linear")
    message = refusal(family, damaged_checkpoint)
    assert any(word in message for word in ("bert", "linear", "lacks vicuna/", "lacks llama-2-"))


def test_13b_projection(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints["minigpt-4"], tmp_path / "c")
    wide = {"llama_proj.weight": torch.zeros(5120, 32), "llama_proj.bias": torch.zeros(5120)}
    torch.save({"model": wide}, folder / "prerained_minigpt4_7b.pth")
    message = refusal(FAMILIES["minigpt-4"], folder)
    assert "this is a 13B projection" in message


def test_another_q_former(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints["minigpt-4"], tmp_path / "c")
    file = folder / "blip2_pretrained_flant5xxl.pth"
    change(file, lambda weights: weights.update({"t5_proj.weight": torch.zeros(2048, 32)}))
    assert "flan-t5-xxl" in refusal(FAMILIES["minigpt-4"], folder)


@pytest.mark.parametrize(
    ("family", "form", "message"),
    [
        ("qwen-vl", "chatml", "Chat variant.*--model qwen-vl-chat"),
        ("qwen-vl-chat", "raw", "base model.*--model qwen-vl$"),
    ],
)
def test_chat_variant(
    checkpoints: dict[str, Path], tmp_path: Path, family: str, form: str, message: str
) -> None:
    folder = shutil.copytree(checkpoints["qwen-vl"], tmp_path / "c")
    (folder / "generation_config.json").write_text(json.dumps({"chat_format": form}))
    assert re.search(message, refusal(FAMILIES[family], folder))


def test_projections_of_the_other_minigpt4(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """One has a Q-Former, the other has none: neither file is taken for the other's."""
    for ours, other in (
        ("minigpt-4", "minigpt-4-llama2"),
        ("minigpt-4-llama2", "minigpt-4"),
    ):
        folder = shutil.copytree(checkpoints[ours], tmp_path / ours)
        own, strange = find_projection_file(folder), find_projection_file(checkpoints[other])
        assert own is not None and strange is not None
        shutil.copy(strange, own)
        assert f"--model {other}" in refusal(FAMILIES[ours], folder)


def test_newer_qwen(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints["qwen-vl"], tmp_path / "c")
    change_json(folder / "config.json", model_type="qwen2_5_vl")
    assert "--model hf" in refusal(FAMILIES["qwen-vl"], folder)


def test_another_tokenizer(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints["qwen-vl"], tmp_path / "c")
    lines = (folder / "qwen.tiktoken").read_bytes().splitlines(keepends=True)
    (folder / "qwen.tiktoken").write_bytes(b"".join([*lines, b"YWI= %d\n" % len(lines)]))
    assert "another model's vocabulary" in refusal(FAMILIES["qwen-vl"], folder)
    (folder / "qwen.tiktoken").write_bytes(b"".join(lines[1:]))
    assert "cut short" in refusal(FAMILIES["qwen-vl"], folder)


def test_llava_without_its_tower(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """The tower may lie in a folder of its own, where a whole CLIP has a text side, too."""
    family = FAMILIES["llava-1.5"]
    folder = shutil.copytree(checkpoints["llava-1.5"], tmp_path / "c")
    prefix = "model.vision_tower.vision_tower."
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    tower = {key.removeprefix(prefix): weights.pop(key) for key in list(weights) if prefix in key}
    torch.save(weights, folder / "pytorch_model.bin")
    message = refusal(family, folder)
    assert "without its vision tower" in message
    assert "vision_tower=FOLDER" in message
    expected, _ = parity.LOADERS["llava-1.5"](checkpoints["llava-1.5"], torch.float32)
    clip = tmp_path / "clip-vit"
    clip.mkdir()
    text_side = {
        "text_model.final_layer_norm.bias": torch.zeros(4),
        "logit_scale": torch.tensor(1.0),
    }
    save_file(tower | text_side, clip / "model.safetensors")
    vision = {"num_attention_heads": 2, "num_hidden_layers": 3}
    (clip / "config.json").write_text(json.dumps({"vision_config": vision}))
    model, loaded = parity.LOADERS["llava-1.5"](folder, torch.float32, vision_tower=str(clip))
    for one, other in zip(expected.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert "logit_scale" in loaded.unused_keys
    shutil.copytree(clip, folder / "clip")
    family.load(str(folder), SETTINGS["llava-1.5"], "cpu")


# Two checkpoints that transformers loads with random weights, without an error


def test_the_original_llava_is_no_random_llava_hf(checkpoints: dict[str, Path]) -> None:
    """`AutoModel` reads this layout as a default 7B configuration; one key of eighty matches."""
    config = json.loads((checkpoints["llava-1.5"] / "config.json").read_text())
    assert config["model_type"] == "llava"
    assert "original-layout LLaVA checkpoint" in str(advice_for_config(Path(), config))
    model, _ = parity.LOADERS["llava-1.5"](checkpoints["llava-1.5"], torch.float32)
    weights = torch.load(checkpoints["llava-1.5"] / "pytorch_model.bin", weights_only=True)
    weight = model.language_model.model.layers[1].mlp.up_proj.weight
    assert torch.equal(weight, weights["model.layers.1.mlp.up_proj.weight"])


def test_the_vision_side_of_blip2_is_read(tmp_path: Path) -> None:
    """`Blip2VisionModel.from_pretrained` matches no key of a whole BLIP-2."""
    shutil.copytree(GOLDEN / "minigpt4/A", tmp_path, dirs_exist_ok=True)
    (tmp_path / "eva_vit_g.pth").unlink()
    model, loaded = minigpt4.load_model(tmp_path, torch.float32)
    weights = load_file(tmp_path / "hf_blip2/model.safetensors")
    name = "encoder.layers.1.mlp.fc1.weight"
    assert torch.equal(model.vision.get_parameter(name), weights[f"vision_model.{name}"])
    assert loaded.layout.endswith("Hugging Face layout")
    del weights[f"vision_model.{name}"]
    save_file(weights, tmp_path / "hf_blip2/model.safetensors")
    with pytest.raises(CheckpointError, match=f"missing keys: vision_model.{name}"):
        minigpt4.load_model(tmp_path, torch.float32)

"""LLaVA-1.5 (Liu et al., arXiv 2310.03744): CLIP, a two-layer projector and Vicuna.

Checkpoints may have two layouts: the original one (`liuhaotian/llava-v1.5-7b`,
github.com/haotian-liu/LLaVA) and that of `llava-hf/llava-1.5-7b-hf`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionModel, LlamaForCausalLM

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import assemble, recipe_by_rules, rename_keys
from engine.captioners.checkpoints.layouts import missing_weights, read_config
from engine.captioners.checkpoints.modules import (
    build_clip_tower,
    build_llama,
    clip_depth,
    unread_layers_pattern,
)
from engine.captioners.checkpoints.weights import Weights, read_folder
from engine.captioners.config_files import read_json
from engine.captioners.families.spliced import SplicedCaptioner, SplicedModel
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.preprocessing.prompts import as_id_list, encode_around_image, load_tokenizer
from engine.captioners.settings import Settings

ORIGINAL_TOWER = "model.vision_tower.vision_tower.vision_model."
"""Prefix of CLIP's keys in the original layout."""
HF_TOWER = "vision_tower.vision_model."
"""Prefix of CLIP's keys in the llava-hf layout."""
HF_NEWER_RULES = (
    (r"model\.language_model\.", "language_model.model."),
    (r"lm_head\.", "language_model.lm_head."),
    (r"model\.multi_modal_projector\.", "multi_modal_projector."),
    (r"(model\.)?vision_tower\.(?!vision_model\.)(vision_model\.)?", HF_TOWER),
)
"""Rules that rename the keys which later versions of transformers write to those of the published
llava-hf files."""
UNUSED = r".*(rotary_emb\.inv_freq|position_ids)|.*post_layernorm\.(weight|bias)"
"""A pattern of whole keys that official files contain and the model does not need."""
UNUSED_OF_CLIP = r"text_model\..*|(text|visual)_projection\..*|logit_scale"
"""A pattern of whole keys of a complete CLIP that belong to its text side."""


class LlavaModel(SplicedModel):
    """LLaVA-1.5: CLIP's patches, projected to embeddings of Vicuna."""

    def __init__(self, tower: CLIPVisionModel, language_model: LlamaForCausalLM) -> None:
        """`tower` ends at the layer whose output is projected."""
        super().__init__()
        vision_width = tower.config.hidden_size
        width = language_model.config.hidden_size
        self.vision_tower = tower
        self.language_model = language_model
        self.image_size = tower.config.image_size
        self.image_tokens = (self.image_size // tower.config.patch_size) ** 2
        self.vision_tokens = self.image_tokens + 1
        with torch.device("meta"):
            self.projector = nn.Sequential(
                nn.Linear(vision_width, width), nn.GELU(), nn.Linear(width, width)
            )

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        layers: nn.ModuleList = self.vision_tower.encoder.layers
        return list(layers)

    def image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Project the patches of CLIP's last layer but one, without the class token."""
        patches = self.vision_tower(pixel_values).last_hidden_state[:, 1:]
        features: torch.Tensor = self.projector(patches)
        return features


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a checkpoint names its weights, and what its config.json says of the model's parts."""

    name: str
    text_config: Mapping[str, Any]
    """The language model's configuration."""
    tower_prefix: str
    """Prefix of CLIP's keys."""
    tower_layer: int
    """Index of the `hidden_states` of CLIP that are projected; -2 is the last layer but one."""
    rules: tuple[tuple[str, str], ...]
    """Patterns and replacements that turn the model's names into the layout's keys."""


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    vision_tower: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[LlavaModel, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`.

    `vision_tower` is the folder of CLIP; without it, `tower_folder` chooses one.
    """
    config = read_json(folder / "config.json")
    layout = recognise_layout(folder, config)
    weights = read_folder(folder, report)
    tower_config: Mapping[str, Any] = config.get("vision_config", {})
    if layout.tower_prefix == HF_TOWER:
        weights = rename_keys(weights, HF_NEWER_RULES)
    else:
        tower_config = add_tower(weights, folder, config, vision_tower, report)
    tower = build_clip_tower(weights, layout.tower_prefix, tower_config, layout.tower_layer, folder)
    model = LlavaModel(tower, build_llama(layout.text_config))
    depth = clip_depth(weights, layout.tower_prefix, tower_config)
    unread = unread_layers_pattern(depth, layout.tower_layer)
    loaded = assemble(
        model,
        weights,
        recipe_by_rules(layout.rules),
        f"{UNUSED}|.*{unread}|{UNUSED_OF_CLIP}",
        dtype,
        device,
        folder,
        layout.name,
        report,
    )
    return model, loaded


def recognise_layout(folder: Path, config: Mapping[str, Any]) -> Layout:
    """Return the layout of a checkpoint. Raises `CheckpointError` if it is not LLaVA-1.5."""
    kind = config.get("model_type")
    if "mm_vision_tower" in config:
        projector = config.get("mm_projector_type", "linear")
        if projector != "mlp2x_gelu":
            raise CheckpointError(
                f"{folder} has a projector of type {projector!r}: this is not LLaVA-1.5, whose"
                " projector is mlp2x_gelu (liuhaotian/llava-v1.5-7b)"
            )
        return Layout(
            name="original (liuhaotian)",
            text_config=config,
            tower_prefix=ORIGINAL_TOWER,
            tower_layer=config.get("mm_vision_select_layer", -2),
            rules=(
                (r"language_model\.", ""),
                (r"projector\.", "model.mm_projector."),
                (r"vision_tower\.", ORIGINAL_TOWER),
            ),
        )
    if kind != "llava" or "text_config" not in config:
        hint = ": load it with --model hf" if str(kind).startswith("llava") else ""
        raise CheckpointError(f"{folder} is a {kind!r} checkpoint, not LLaVA-1.5{hint}")
    language = config["text_config"].get("model_type", "llama")
    if language != "llama":
        raise CheckpointError(
            f"{folder} has the language model {language!r}, not Vicuna: load it with --model hf"
        )
    if config.get("vision_feature_select_strategy", "default") != "default":
        raise CheckpointError(f"{folder} keeps CLIP's class token: this is not LLaVA-1.5")
    return Layout(
        name="llava-hf",
        text_config=config["text_config"],
        tower_prefix=HF_TOWER,
        tower_layer=config.get("vision_feature_layer", -2),
        rules=(
            (r"projector\.0\.", "multi_modal_projector.linear_1."),
            (r"projector\.2\.", "multi_modal_projector.linear_2."),
            (r"vision_tower\.", HF_TOWER),
        ),
    )


def add_tower(
    weights: Weights,
    folder: Path,
    config: Mapping[str, Any],
    vision_tower: str | None,
    report: Callable[[str], None],
) -> Mapping[str, Any]:
    """Add CLIP's weights to LLaVA's, unless the checkpoint has them; return CLIP's config.json.

    The result is empty if there is no such file. Raises `CheckpointError`.
    """
    clip_folder = tower_folder(folder, config, vision_tower)
    if any(key.startswith(ORIGINAL_TOWER) for key in weights):
        return read_config(clip_folder) if clip_folder else {}
    if clip_folder is None:
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint without its vision tower: put"
            f" {config['mm_vision_tower']} into {folder / 'clip'}, or name its folder with"
            " vision_tower=FOLDER"
        )
    for key, value in read_folder(clip_folder, report).items():
        inside = key.removeprefix("vision_model.")
        is_vision = inside != key or key.split(".", 1)[0] in (
            "embeddings",
            "encoder",
            "pre_layrnorm",  # spelled so in CLIP's own checkpoints
            "post_layernorm",
        )
        weights[ORIGINAL_TOWER + inside if is_vision else key] = value
    return read_config(clip_folder)


def tower_folder(folder: Path, config: Mapping[str, Any], vision_tower: str | None) -> Path | None:
    """Return the folder of CLIP: the setting's, `clip/`, or that which config.json names.

    The result is None if the setting is not set and no folder has weights.
    """
    if vision_tower:
        return Path(vision_tower)
    name = str(config["mm_vision_tower"])
    candidates = (folder / "clip", folder / Path(name).name, folder / name)
    return next((it for it in candidates if it.is_dir() and not missing_weights(it)), None)


class LlavaCaptioner(SplicedCaptioner):
    """Captions with LLaVA-1.5."""

    name = "llava-1.5"

    def encode_prompt(self, prompt: str) -> tuple[list[int], list[int]]:
        return encode_around_image(self.tokenizer, prompt, "<image>")


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> LlavaCaptioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    tokenizer = load_tokenizer(Path(settings.tokenizer) if settings.tokenizer else folder)
    prompt = encode_around_image(tokenizer, settings.prompt, "<image>")
    dtype = choose_dtype(settings.dtype, device)
    model, loaded = load_model(folder, dtype, device, settings.vision_tower, report)
    # The official generation_config.json names </s>; that of a fine-tune may name another token.
    generation = folder / "generation_config.json"
    eos = read_json(generation).get("eos_token_id") if generation.is_file() else None
    stop_ids = as_id_list(tokenizer.eos_token_id if eos is None else eos)
    pad_id = tokenizer.pad_token_id
    pad_id = stop_ids[0] if pad_id is None else pad_id
    return LlavaCaptioner(
        model, loaded, tokenizer, settings, prompt, stop_ids, pad_id, report=report
    )

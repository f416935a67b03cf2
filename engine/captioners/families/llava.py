"""LLaVA-1.5 (Liu et al., arXiv 2310.03744): CLIP, a two-layer projector and Vicuna.

Two layouts: the original one (`liuhaotian/llava-v1.5-7b`, github.com/haotian-liu/LLaVA) and that
of `llava-hf/llava-1.5-7b-hf`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionModel, LlamaForCausalLM

from engine.captioners.base import CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import assemble, by_rules, renamed
from engine.captioners.checkpoints.layouts import config_of, lacks_weights
from engine.captioners.checkpoints.modules import clip_depth, clip_tower, llama, unread_layers
from engine.captioners.checkpoints.weights import Weights, read_folder, read_json
from engine.captioners.families.spliced import Spliced, SplicedModel
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.preprocessing.prompts import around_image, load_tokenizer, one_id
from engine.captioners.settings import Settings

ORIGINAL_TOWER = "model.vision_tower.vision_tower.vision_model."
HF_TOWER = "vision_tower.vision_model."
HF_NEWER = (
    (r"model\.language_model\.", "language_model.model."),
    (r"lm_head\.", "language_model.lm_head."),
    (r"model\.multi_modal_projector\.", "multi_modal_projector."),
    (r"(model\.)?vision_tower\.(?!vision_model\.)(vision_model\.)?", HF_TOWER),
)
"""Names that later versions of transformers write, as the published files have them."""
UNUSED = r".*(rotary_emb\.inv_freq|position_ids)|.*post_layernorm\.(weight|bias)"
UNUSED_OF_CLIP = r"text_model\..*|(text|visual)_projection\..*|logit_scale"


class LlavaModel(SplicedModel):
    def __init__(self, tower: CLIPVisionModel, language_model: LlamaForCausalLM) -> None:
        super().__init__()
        width = tower.config.hidden_size
        inner = language_model.config.hidden_size
        self.vision_tower = tower
        self.language_model = language_model
        self.image_size = tower.config.image_size
        with torch.device("meta"):
            self.projector = nn.Sequential(
                nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, inner)
            )

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The patches of the last layer but one, without the class token."""
        patches = self.vision_tower(pixels).last_hidden_state[:, 1:]
        features: torch.Tensor = self.projector(patches)
        return features


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to name the weights; `rules` make the model's names into its keys."""

    name: str
    text: Mapping[str, Any]
    tower: str
    layer: int
    rules: tuple[tuple[str, str], ...]


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    vision_tower: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[LlavaModel, Loaded]:
    """Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    layout = recognise(folder, config)
    weights = read_folder(folder, report)
    tower_config: Mapping[str, Any] = config.get("vision_config", {})
    if layout.tower == HF_TOWER:
        weights = renamed(weights, HF_NEWER)
    else:
        tower_config = add_tower(weights, folder, config, vision_tower, report)
    tower = clip_tower(weights, layout.tower, tower_config, layout.layer, folder)
    model = LlavaModel(tower, llama(layout.text))
    unread = unread_layers(clip_depth(weights, layout.tower, tower_config), layout.layer)
    loaded = assemble(
        model,
        weights,
        by_rules(layout.rules),
        f"{UNUSED}|.*{unread}|{UNUSED_OF_CLIP}",
        dtype,
        device,
        folder,
        layout.name,
        report,
    )
    return model, loaded


def recognise(folder: Path, config: Mapping[str, Any]) -> Layout:
    """Raises `CheckpointError` for what is not LLaVA-1.5."""
    kind = config.get("model_type")
    if "mm_vision_tower" in config:
        projector = config.get("mm_projector_type", "linear")
        if projector != "mlp2x_gelu":
            raise CheckpointError(
                f"{folder} has a projector of type {projector!r}: this is not LLaVA-1.5, whose"
                " projector is mlp2x_gelu (liuhaotian/llava-v1.5-7b)"
            )
        return Layout(
            "original (liuhaotian)",
            config,
            ORIGINAL_TOWER,
            config.get("mm_vision_select_layer", -2),
            (
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
        "llava-hf",
        config["text_config"],
        HF_TOWER,
        config.get("vision_feature_layer", -2),
        (
            (r"projector\.0\.", "multi_modal_projector.linear_1."),
            (r"projector\.2\.", "multi_modal_projector.linear_2."),
            (r"vision_tower\.", HF_TOWER),
        ),
    )


def add_tower(
    weights: Weights,
    folder: Path,
    config: Mapping[str, Any],
    named: str | None,
    report: Callable[[str], None],
) -> Mapping[str, Any]:
    """CLIP's weights beside LLaVA's, unless the checkpoint has them; CLIP's config if there is one.

    Raises `CheckpointError`.
    """
    found = tower_folder(folder, config, named)
    if any(key.startswith(ORIGINAL_TOWER) for key in weights):
        return config_of(found) if found else {}
    if found is None:
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint without its vision tower: put"
            f" {config['mm_vision_tower']} into {folder / 'clip'}, or name its folder with"
            " vision_tower=FOLDER"
        )
    for key, value in read_folder(found, report).items():
        inside = key.removeprefix("vision_model.")
        is_vision = inside != key or key.split(".", 1)[0] in (
            "embeddings",
            "encoder",
            "pre_layrnorm",
            "post_layernorm",
        )
        weights[ORIGINAL_TOWER + inside if is_vision else key] = value
    return config_of(found)


def tower_folder(folder: Path, config: Mapping[str, Any], named: str | None) -> Path | None:
    """Where CLIP lies: as the settings say, in `clip/`, or where config.json names a folder."""
    if named:
        return Path(named)
    told = str(config["mm_vision_tower"])
    places = (folder / "clip", folder / Path(told).name, folder / told)
    return next((it for it in places if it.is_dir() and not lacks_weights(it)), None)


class Llava(Spliced):
    name = "llava-1.5"


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> Llava:
    """Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    tokenizer = load_tokenizer(Path(settings.tokenizer) if settings.tokenizer else folder)
    prompt = around_image(tokenizer, settings.prompt, "<image>")
    dtype = choose_dtype(settings.dtype, device)
    model, loaded = load_model(folder, dtype, device, settings.vision_tower, report)
    # The files name </s>; those of a fine-tune may name another.
    generation = folder / "generation_config.json"
    eos = read_json(generation).get("eos_token_id") if generation.is_file() else None
    stops = one_id(tokenizer.eos_token_id if eos is None else eos)
    pad = tokenizer.pad_token_id
    pad = stops[0] if pad is None else pad
    return Llava(model, loaded, tokenizer, settings, prompt, stops, pad, report=report)

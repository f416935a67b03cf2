"""MiniGPT-4 (Zhu et al., arXiv 2304.10592): EVA ViT-g, BLIP-2's Q-Former, a linear layer, Vicuna.

Two layouts of the frozen part: the official files `eva_vit_g.pth` and
`blip2_pretrained_flant5xxl.pth` (github.com/Vision-CAIR/MiniGPT-4), or `Salesforce/
blip2-flan-t5-xxl`. None of the official files says its sizes: they are those of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Blip2QFormerConfig, Blip2VisionConfig, LlamaForCausalLM
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2VisionModel

from engine.captioners.base import CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import Recipe, assemble, by_rules
from engine.captioners.checkpoints.layouts import config_of, part_of_type, projection_file
from engine.captioners.checkpoints.modules import llama
from engine.captioners.checkpoints.weights import (
    Weights,
    count_layers,
    head_count,
    read_file,
    read_folder,
    read_json,
    shape,
    side,
)
from engine.captioners.families.spliced import Spliced, SplicedModel
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.preprocessing.prompts import around_image, load_tokenizer
from engine.captioners.settings import Settings

EVA = "eva_vit_g.pth"
BLIP2 = "blip2_pretrained_flant5xxl.pth"
VIT_HEAD_WIDTH = 88
QFORMER_HEAD_WIDTH = 64
CROSS_ATTENTION_EVERY = 2
LN_VISION_EPS = 1e-5
"""transformers builds this norm with the ViT's 1e-6; BLIP-2's own code has torch's default."""
WIDTH_OF_7B, WIDTH_OF_13B = 4096, 5120
WIDTH_OF_T5_XL = 2048
STOP_TEXT = "###"
UNUSED = (
    r".*rotary_emb\.inv_freq|.*position_ids"
    # EVA's classifier, BERT's text side, and the way into BLIP-2's own language model.
    r"|norm\.(weight|bias)|fc_norm\..*|head\.(weight|bias)|mask_token"
    r"|Qformer\.cls\..*|Qformer\.bert\.embeddings\.(word|position)_embeddings\..*"
    r"|Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|output)\..*"
    r"|t5_proj\..*|language_projection\..*"
)

OFFICIAL_RULES = (
    (r"vision\.embeddings\.class_embedding", "cls_token"),
    (r"vision\.embeddings\.position_embedding", "pos_embed"),
    (r"vision\.embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"vision\.encoder\.layers\.(\d+)\.self_attn\.projection\.", r"blocks.\1.attn.proj."),
    (r"vision\.encoder\.layers\.(\d+)\.self_attn\.", r"blocks.\1.attn."),
    (r"vision\.encoder\.layers\.(\d+)\.layer_norm", r"blocks.\1.norm"),
    (r"vision\.encoder\.layers\.", "blocks."),
    (r"vision\.post_layernorm\.", "ln_vision."),
    (r"qformer\.layernorm\.", "Qformer.bert.embeddings.LayerNorm."),
    (r"qformer\.(.*attention)\.attention\.", r"Qformer.bert.\1.self."),
    (r"qformer\.", "Qformer.bert."),
    (r"language_model\.", ""),
    (r"projection\.", "llama_proj."),
)
HF_RULES = (
    (r"vision\.", "vision_model."),
    (r"language_model\.", ""),
    (r"projection\.", "llama_proj."),
)


class MiniGPT4Model(SplicedModel):
    def __init__(
        self,
        vision: Blip2VisionConfig,
        qformer: Blip2QFormerConfig,
        queries: int,
        language_model: LlamaForCausalLM,
    ) -> None:
        super().__init__()
        self.image_size = vision.image_size
        self.language_model = language_model
        with torch.device("meta"):
            self.vision = Blip2VisionModel(vision)
            self.vision.post_layernorm.eps = LN_VISION_EPS
            self.query_tokens = nn.Parameter(torch.empty(1, queries, qformer.hidden_size))
            self.qformer = Blip2QFormerModel(qformer)
            self.projection = nn.Linear(qformer.hidden_size, language_model.config.hidden_size)

    def vit(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 1 + patches, D) before `ln_vision`, the class token first."""
        hidden = self.vision.embeddings(pixels)
        found: torch.Tensor = self.vision.encoder(inputs_embeds=hidden).last_hidden_state
        return found

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """One feature for each query."""
        seen = self.vision.post_layernorm(self.vit(pixels))
        queries = self.query_tokens.expand(seen.shape[0], -1, -1)
        read = self.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
        features: torch.Tensor = self.projection(read)
        return features


@dataclass(frozen=True, slots=True)
class Frozen:
    """The part that MiniGPT-4 took from BLIP-2."""

    layout: str
    weights: Weights
    vision: Blip2VisionConfig
    qformer: Blip2QFormerConfig
    recipe: Callable[[str], Recipe]
    unused: str


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[MiniGPT4Model, Loaded]:
    """Raises `CheckpointError`."""
    vicuna, projection = part_of_type(folder, "llama"), projection_file(folder)
    if vicuna is None or projection is None:
        raise CheckpointError(
            f"{folder} lacks vicuna/ (with its config.json) or prerained_minigpt4_7b.pth"
        )
    language_model = llama(read_json(vicuna / "config.json"))
    projected = read_file(projection)
    check_projection(projected, projection, language_model.config.hidden_size, vicuna)
    blip2 = part_of_type(folder, "blip-2")
    use_official = (folder / EVA).is_file() and (folder / BLIP2).is_file()
    frozen = hf_frozen(blip2, report) if blip2 and not use_official else official_frozen(folder)
    queries = shape(frozen.weights, "query_tokens", folder)[1]
    model = MiniGPT4Model(frozen.vision, frozen.qformer, queries, language_model)
    # What else the projection's trainer left in its file is a copy of frozen parts.
    kept = {key: value for key, value in projected.items() if key.startswith("llama_proj.")}
    weights = read_folder(vicuna, report) | frozen.weights | kept
    loaded = assemble(
        model,
        weights,
        frozen.recipe,
        f"{UNUSED}|{frozen.unused}",
        dtype,
        device,
        folder,
        frozen.layout,
        report,
    )
    return model, loaded


def check_projection(weights: Weights, path: Path, width: int, vicuna: Path) -> None:
    """Raises `CheckpointError` for a projection to another Vicuna."""
    found = shape(weights, "llama_proj.weight", path)[0]
    if found == width:
        return
    sizes = {WIDTH_OF_7B: "7B", WIDTH_OF_13B: "13B"}
    kind = f"this is a {sizes[found]} projection" if found in sizes else "it does not fit"
    needed = f"a {sizes[width]} model" if width in sizes else "another model"
    raise CheckpointError(
        f"{path} projects to width {found}: {kind}, and {vicuna.name}/ is {needed} of width"
        f" {width}; take the projection and the Vicuna of one size"
    )


def official_frozen(folder: Path) -> Frozen:
    """Raises `CheckpointError`."""
    weights = read_file(folder / EVA)
    blip2 = read_file(folder / BLIP2)
    if "opt_proj.weight" in blip2 or blip2.get("t5_proj.weight", torch.empty(0)).shape[0] == (
        WIDTH_OF_T5_XL
    ):
        raise CheckpointError(
            f"{folder / BLIP2} is the Q-Former of another BLIP-2: MiniGPT-4 needs that of"
            " flan-t5-xxl (blip2_pretrained_flant5xxl.pth)"
        )
    sizes = config_of(folder)
    vision = vit_config(weights, sizes.get("vit", {}), folder / EVA)
    depth = vision.num_hidden_layers
    beyond = "|".join(str(number) for number in range(depth, count_layers(weights, "blocks.")))
    return Frozen(
        "official files",
        weights | blip2,
        vision,
        qformer_config(blip2, sizes.get("qformer", {}), folder / BLIP2),
        official_recipe,
        rf"blocks\.({beyond})\..*" if beyond else "(?!)",
    )


def official_recipe(name: str) -> Recipe:
    found = RENAMED(name).keys[0]
    if not found.endswith("attn.qkv.bias"):
        return Recipe((found,))
    block = found.removesuffix("qkv.bias")
    return Recipe(
        (f"{block}q_bias", f"{block}v_bias"),
        # EVA's keys have no bias.
        lambda query, value: torch.cat([query, torch.zeros_like(value), value]),
    )


RENAMED = by_rules(OFFICIAL_RULES)


def vit_config(weights: Weights, told: Mapping[str, Any], where: Path) -> Blip2VisionConfig:
    """`told` is what a config.json beside the official files says, where the shapes do not."""
    width, _, patch, _ = shape(weights, "patch_embed.proj.weight", where)
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=shape(weights, "blocks.0.mlp.fc1.weight", where)[0],
        # The published file holds one block more than the model uses.
        num_hidden_layers=told.get("depth") or count_layers(weights, "blocks.") - 1,
        num_attention_heads=told.get("num_heads") or head_count(width, VIT_HEAD_WIDTH),
        image_size=side(shape(weights, "pos_embed", where)[1] - 1, patch),
        patch_size=patch,
        layer_norm_eps=told.get("layer_norm_eps", 1e-6),
        hidden_act="gelu",
        qkv_bias=True,
    )


def qformer_config(weights: Weights, told: Mapping[str, Any], where: Path) -> Blip2QFormerConfig:
    layers = "Qformer.bert.encoder.layer."
    width = shape(weights, f"{layers}0.attention.self.query.weight", where)[0]
    return Blip2QFormerConfig(
        hidden_size=width,
        intermediate_size=shape(weights, f"{layers}0.intermediate_query.dense.weight", where)[0],
        num_hidden_layers=count_layers(weights, layers),
        num_attention_heads=told.get("num_attention_heads")
        or head_count(width, QFORMER_HEAD_WIDTH),
        encoder_hidden_size=shape(weights, f"{layers}0.crossattention.self.key.weight", where)[1],
        cross_attention_frequency=told.get("cross_attention_freq", CROSS_ATTENTION_EVERY),
        layer_norm_eps=told.get("layer_norm_eps", 1e-12),
        hidden_act="gelu",
    )


def hf_frozen(folder: Path, report: Callable[[str], None]) -> Frozen:
    """The vision side of a `Salesforce/blip2-flan-t5-xxl` folder. Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    language = config.get("text_config", {}).get("model_type", "t5")
    weights = read_folder(folder, report)
    projected = weights.get("language_projection.weight", torch.empty(0)).shape[0]
    if language != "t5" or projected == WIDTH_OF_T5_XL:
        raise CheckpointError(
            f"{folder} is another BLIP-2: MiniGPT-4 needs the Q-Former of flan-t5-xxl"
            " (Salesforce/blip2-flan-t5-xxl)"
        )
    vision = Blip2VisionConfig(**config.get("vision_config", {}))
    return Frozen(
        "official projection, BLIP-2 in the Hugging Face layout",
        {key: value for key, value in weights.items() if not key.startswith("language_model.")},
        vision,
        Blip2QFormerConfig(**config.get("qformer_config", {})),
        by_rules(HF_RULES),
        "(?!)",
    )


class MiniGPT4(Spliced):
    name = "minigpt-4"


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> MiniGPT4:
    """Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    vicuna = part_of_type(folder, "llama") or folder
    tokenizer = load_tokenizer(Path(settings.tokenizer) if settings.tokenizer else vicuna)
    prompt = around_image(tokenizer, settings.prompt, "<ImageHere>")
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    stops, pad = [tokenizer.eos_token_id], tokenizer.unk_token_id or 0
    return MiniGPT4(model, loaded, tokenizer, settings, prompt, stops, pad, STOP_TEXT, report)

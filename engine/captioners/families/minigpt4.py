"""MiniGPT-4 (Zhu et al., arXiv 2304.10592): EVA ViT-g, BLIP-2's Q-Former, a linear layer, Vicuna.

The frozen part may have two layouts: the official files `eva_vit_g.pth` and
`blip2_pretrained_flant5xxl.pth` (github.com/Vision-CAIR/MiniGPT-4), or `Salesforce/
blip2-flan-t5-xxl`. No official file names the model's sizes, so they are read off the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Blip2QFormerConfig, Blip2VisionConfig, LlamaForCausalLM
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2VisionModel

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import Recipe, assemble, recipe_by_rules
from engine.captioners.checkpoints.layouts import (
    find_projection_file,
    read_config,
    subfolder_of_type,
)
from engine.captioners.checkpoints.modules import build_llama
from engine.captioners.checkpoints.weights import (
    Weights,
    count_layers,
    head_count,
    image_side,
    read_file,
    read_folder,
    tensor_shape,
)
from engine.captioners.config_files import read_json
from engine.captioners.families.spliced import SplicedCaptioner, SplicedModel
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.preprocessing.prompts import encode_around_image, load_tokenizer
from engine.captioners.settings import Settings

EVA = "eva_vit_g.pth"
"""The official file of the ViT."""
BLIP2 = "blip2_pretrained_flant5xxl.pth"
"""The official file of the Q-Former, the queries and `ln_vision`."""
VIT_HEAD_DIM = 88
"""Width of an attention head of EVA ViT-g."""
QFORMER_HEAD_DIM = 64
"""Width of an attention head of the Q-Former, which is BERT-base."""
CROSS_ATTENTION_EVERY = 2
"""Every second layer of the Q-Former has cross-attention, as BLIP-2 builds it."""
LN_VISION_EPS = 1e-5
"""Epsilon of `ln_vision`: transformers builds this norm with the ViT's 1e-6, but BLIP-2's own code
has torch's default."""
WIDTH_OF_7B, WIDTH_OF_13B = 4096, 5120
"""Hidden sizes of the two Vicunas."""
WIDTH_OF_T5_XL = 2048
"""Hidden size of flan-t5-xl, by which the Q-Former of another BLIP-2 is recognised."""
STOP_TEXT = "###"
"""Text that ends an answer: Vicuna v0 begins the next turn with it."""
UNUSED = (
    r".*rotary_emb\.inv_freq|.*position_ids"
    # EVA's classifier, BERT's text side, and the way into BLIP-2's own language model.
    r"|norm\.(weight|bias)|fc_norm\..*|head\.(weight|bias)|mask_token"
    r"|Qformer\.cls\..*|Qformer\.bert\.embeddings\.(word|position)_embeddings\..*"
    r"|Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|output)\..*"
    r"|t5_proj\..*|language_projection\..*"
)
"""A pattern of whole keys that the files contain and the model does not need."""
UNUSED_NONE = "(?!)"
"""A pattern that matches nothing."""

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
"""Rules that turn the model's names into the keys of the official files."""
HF_RULES = (
    (r"vision\.", "vision_model."),
    (r"language_model\.", ""),
    (r"projection\.", "llama_proj."),
)
"""Rules that turn the model's names into the keys of Salesforce/blip2-flan-t5-xxl, Vicuna and the
projection."""


class MiniGPT4Model(SplicedModel):
    """MiniGPT-4: the Q-Former reads the ViT's patches; its outputs are projected to Vicuna's
    embeddings."""

    def __init__(
        self,
        vision: Blip2VisionConfig,
        qformer: Blip2QFormerConfig,
        queries: int,
        language_model: LlamaForCausalLM,
    ) -> None:
        """`queries` is the number of the Q-Former's learned queries."""
        super().__init__()
        self.image_size = vision.image_size
        self.vision_tokens = (vision.image_size // vision.patch_size) ** 2 + 1
        self.image_tokens = queries
        self.language_model = language_model
        with torch.device("meta"):
            self.vision = Blip2VisionModel(vision)
            self.vision.post_layernorm.eps = LN_VISION_EPS
            self.query_tokens = nn.Parameter(torch.empty(1, queries, qformer.hidden_size))
            self.qformer = Blip2QFormerModel(qformer)
            self.projection = nn.Linear(qformer.hidden_size, language_model.config.hidden_size)

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        layers: nn.ModuleList = self.vision.encoder.layers
        return list(layers)

    def vit(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as (B, 1 + patches, D), the class token first.

        This is the ViT's output before `ln_vision`.
        """
        return encode_patches(self.vision, pixel_values)

    def image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as (B, queries, D): one feature for each query."""
        image_embeds = self.vision.post_layernorm(self.vit(pixel_values))
        query_embeds = self.query_tokens.expand(image_embeds.shape[0], -1, -1)
        outputs = self.qformer(query_embeds=query_embeds, encoder_hidden_states=image_embeds)
        features: torch.Tensor = self.projection(outputs.last_hidden_state)
        return features


def encode_patches(vision: Blip2VisionModel, pixel_values: torch.Tensor) -> torch.Tensor:
    """Encode images (B, 3, S, S) as (B, 1 + patches, D) with the ViT alone, without its norm."""
    embeds = vision.embeddings(pixel_values)
    hidden_states: torch.Tensor = vision.encoder(inputs_embeds=embeds).last_hidden_state
    return hidden_states


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPart:
    """The frozen part of a checkpoint, which MiniGPT-4 took from BLIP-2: ViT and Q-Former."""

    layout: str
    """The layout's name, as it is shown."""
    weights: Weights
    vision: Blip2VisionConfig
    qformer: Blip2QFormerConfig
    recipe: Callable[[str], Recipe]
    """Gives the keys from which a tensor of the model is made."""
    unused: str
    """A pattern of further whole keys that the model does not need."""


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[MiniGPT4Model, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`."""
    vicuna, projection = subfolder_of_type(folder, "llama"), find_projection_file(folder)
    if vicuna is None or projection is None:
        raise CheckpointError(
            f"{folder} lacks vicuna/ (with its config.json) or prerained_minigpt4_7b.pth"
        )
    language_model = build_llama(read_json(vicuna / "config.json"))
    projection_weights = read_file(projection)
    check_projection(projection_weights, projection, language_model.config.hidden_size, vicuna)
    blip2 = subfolder_of_type(folder, "blip-2")
    use_official = (folder / EVA).is_file() and (folder / BLIP2).is_file()
    if blip2 and not use_official:
        frozen = read_blip2_folder(blip2, report)
    else:
        frozen = read_official_files(folder)
    check_from_qformer(projection_weights, projection, frozen.qformer)
    queries = tensor_shape(frozen.weights, "query_tokens", folder)[1]
    model = MiniGPT4Model(frozen.vision, frozen.qformer, queries, language_model)
    # All else that the projection's trainer left in its file is a copy of frozen parts.
    trained = {
        key: value for key, value in projection_weights.items() if key.startswith("llama_proj.")
    }
    weights = read_folder(vicuna, report) | frozen.weights | trained
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
    """Raise `CheckpointError` for a projection to a Vicuna of another size.

    `width` is the hidden size of the Vicuna in the folder `vicuna`.
    """
    projected = tensor_shape(weights, "llama_proj.weight", path)[0]
    if projected == width:
        return
    sizes = {WIDTH_OF_7B: "7B", WIDTH_OF_13B: "13B"}
    kind = f"this is a {sizes[projected]} projection" if projected in sizes else "it does not fit"
    needed = f"a {sizes[width]} model" if width in sizes else "another model"
    raise CheckpointError(
        f"{path} projects to width {projected}: {kind}, and {vicuna.name}/ is {needed} of width"
        f" {width}; take the projection and the language model of one size"
    )


def check_from_qformer(weights: Weights, path: Path, qformer: Blip2QFormerConfig) -> None:
    """Raise `CheckpointError` for a projection that does not take the Q-Former's output."""
    width = tensor_shape(weights, "llama_proj.weight", path)[1]
    if width != qformer.hidden_size:
        raise CheckpointError(
            f"{path} projects from width {width}, not from the Q-Former's {qformer.hidden_size}:"
            " if it is that of MiniGPT-4 with Llama-2-Chat, which has no Q-Former, load it with"
            " --model minigpt-4-llama2"
        )


def read_official_files(folder: Path) -> FrozenPart:
    """Return the frozen part from `EVA` and `BLIP2`. Raises `CheckpointError`."""
    weights = read_file(folder / EVA)
    blip2 = read_file(folder / BLIP2)
    if "opt_proj.weight" in blip2 or blip2.get("t5_proj.weight", torch.empty(0)).shape[0] == (
        WIDTH_OF_T5_XL
    ):
        raise CheckpointError(
            f"{folder / BLIP2} is the Q-Former of another BLIP-2: MiniGPT-4 needs that of"
            " flan-t5-xxl (blip2_pretrained_flant5xxl.pth)"
        )
    sizes = read_config(folder)
    vision = vit_config(weights, sizes.get("vit", {}), folder / EVA)
    return FrozenPart(
        layout="official files",
        weights=weights | blip2,
        vision=vision,
        qformer=qformer_config(blip2, sizes.get("qformer", {}), folder / BLIP2),
        recipe=official_recipe,
        unused=unread_blocks(vision.num_hidden_layers, count_layers(weights, "blocks.")),
    )


def unread_blocks(depth: int, blocks: int) -> str:
    """Return a pattern of the keys of a ViT's blocks behind the first `depth` of so many."""
    unread = "|".join(str(index) for index in range(depth, blocks))
    return rf"blocks\.({unread})\..*" if unread else UNUSED_NONE


def official_recipe(name: str) -> Recipe:
    """Return how a tensor of the model is made of the official files' tensors."""
    key = RENAMED(name).keys[0]
    if not key.endswith("attn.qkv.bias"):
        return Recipe((key,))
    block = key.removesuffix("qkv.bias")
    return Recipe(
        (f"{block}q_bias", f"{block}v_bias"),
        # EVA's key projections have no bias.
        lambda query, value: torch.cat([query, torch.zeros_like(value), value]),
    )


RENAMED = recipe_by_rules(OFFICIAL_RULES)


def vit_config(weights: Weights, config: Mapping[str, Any], where: Path) -> Blip2VisionConfig:
    """Return the ViT's configuration by the shapes of its weights.

    `config` comes from a config.json beside the official files, for sizes that shapes do not show.
    """
    width, _, patch, _ = tensor_shape(weights, "patch_embed.proj.weight", where)
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=tensor_shape(weights, "blocks.0.mlp.fc1.weight", where)[0],
        # The published file holds one block more than the model uses.
        num_hidden_layers=config.get("depth") or count_layers(weights, "blocks.") - 1,
        num_attention_heads=config.get("num_heads") or head_count(width, VIT_HEAD_DIM),
        image_size=image_side(tensor_shape(weights, "pos_embed", where)[1] - 1, patch),
        patch_size=patch,
        layer_norm_eps=config.get("layer_norm_eps", 1e-6),
        hidden_act="gelu",
        qkv_bias=True,
    )


def qformer_config(weights: Weights, config: Mapping[str, Any], where: Path) -> Blip2QFormerConfig:
    """Return the Q-Former's configuration by the shapes of its weights.

    `config` is as in `vit_config`.
    """
    layers = "Qformer.bert.encoder.layer."
    width = tensor_shape(weights, f"{layers}0.attention.self.query.weight", where)[0]
    return Blip2QFormerConfig(
        hidden_size=width,
        intermediate_size=tensor_shape(
            weights, f"{layers}0.intermediate_query.dense.weight", where
        )[0],
        num_hidden_layers=count_layers(weights, layers),
        num_attention_heads=config.get("num_attention_heads")
        or head_count(width, QFORMER_HEAD_DIM),
        encoder_hidden_size=tensor_shape(
            weights, f"{layers}0.crossattention.self.key.weight", where
        )[1],
        cross_attention_frequency=config.get("cross_attention_freq", CROSS_ATTENTION_EVERY),
        layer_norm_eps=config.get("layer_norm_eps", 1e-12),
        hidden_act="gelu",
    )


def read_blip2_folder(folder: Path, report: Callable[[str], None]) -> FrozenPart:
    """Return the frozen part from a `Salesforce/blip2-flan-t5-xxl` folder.

    Raises `CheckpointError`.
    """
    config = read_json(folder / "config.json")
    language = config.get("text_config", {}).get("model_type", "t5")
    weights = read_folder(folder, report)
    width = weights.get("language_projection.weight", torch.empty(0)).shape[0]
    if language != "t5" or width == WIDTH_OF_T5_XL:
        raise CheckpointError(
            f"{folder} is another BLIP-2: MiniGPT-4 needs the Q-Former of flan-t5-xxl"
            " (Salesforce/blip2-flan-t5-xxl)"
        )
    vision = Blip2VisionConfig(**config.get("vision_config", {}))
    return FrozenPart(
        layout="official projection, BLIP-2 in the Hugging Face layout",
        weights={
            key: value for key, value in weights.items() if not key.startswith("language_model.")
        },
        vision=vision,
        qformer=Blip2QFormerConfig(**config.get("qformer_config", {})),
        recipe=recipe_by_rules(HF_RULES),
        unused=UNUSED_NONE,
    )


class MiniGPT4Captioner(SplicedCaptioner):
    """Captions with MiniGPT-4."""

    name = "minigpt-4"
    ending: str | None = STOP_TEXT
    """Text that ends an answer; None where the end of the text alone does."""

    def encode_prompt(self, prompt: str) -> tuple[list[int], list[int]]:
        return encode_around_image(self.tokenizer, prompt, "<ImageHere>")


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> MiniGPT4Captioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(MiniGPT4Captioner, load_model, checkpoint, settings, device, report)


def load_captioner(
    kind: type[MiniGPT4Captioner],
    load_model: Callable[..., tuple[SplicedModel, LoadedCheckpoint]],
    checkpoint: str | None,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
) -> MiniGPT4Captioner:
    """Return the captioner of this kind, around the model that `load_model` loads.

    Raises `CheckpointError`.
    """
    folder = Path(checkpoint or "")
    llama = subfolder_of_type(folder, "llama") or folder
    tokenizer = load_tokenizer(Path(settings.tokenizer) if settings.tokenizer else llama)
    prompt = encode_around_image(tokenizer, settings.prompt, "<ImageHere>")
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    stop_ids, pad_id = [tokenizer.eos_token_id], tokenizer.unk_token_id or 0
    return kind(model, loaded, tokenizer, settings, prompt, stop_ids, pad_id, kind.ending, report)

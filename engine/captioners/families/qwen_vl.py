"""Qwen-VL (Bai et al., arXiv 2308.12966), the original one: ViT-bigG, a resampler, Qwen-7B.

The vision side has the official names (Qwen/Qwen-VL, `visual.py`). The language model is carried
by transformers' Qwen2, which computes the same up to `seq_length` keys: beyond it the official
code stretches its rotary base and scales its queries, so longer prompts are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate, scaled_dot_product_attention
from transformers import Qwen2Config, Qwen2ForCausalLM

from engine.captioners.base import CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import Recipe, assemble, by_rules
from engine.captioners.checkpoints.layouts import config_of
from engine.captioners.checkpoints.weights import Weights, read_folder, read_json, shape
from engine.captioners.families.qwen_tokenizer import END_OF_TEXT, QwenTokenizer
from engine.captioners.families.spliced import Spliced, SplicedModel
from engine.captioners.generation.generate import check_length, choose_dtype
from engine.captioners.settings import Settings

RESAMPLER_HEAD_WIDTH = 128
EPS = 1e-6
UNUSED = r".*rotary_emb\.inv_freq|.*\.attn\.(bias|masked_bias)"
PLACEHOLDER = "<img></img>"

RULES = (
    (r"visual\.", "transformer.visual."),
    (r"language_model\.lm_head\.", "lm_head."),
    (r"language_model\.model\.embed_tokens\.", "transformer.wte."),
    (r"language_model\.model\.norm\.", "transformer.ln_f."),
    (r"language_model\.model\.layers\.(\d+)\.input_layernorm\.", r"transformer.h.\1.ln_1."),
    (
        r"language_model\.model\.layers\.(\d+)\.post_attention_layernorm\.",
        r"transformer.h.\1.ln_2.",
    ),
    (
        r"language_model\.model\.layers\.(\d+)\.self_attn\.[qkv]_proj\.",
        r"transformer.h.\1.attn.c_attn.",
    ),
    (
        r"language_model\.model\.layers\.(\d+)\.self_attn\.o_proj\.",
        r"transformer.h.\1.attn.c_proj.",
    ),
    # The official MLP is c_proj(w1(x) * silu(w2(x))).
    (r"language_model\.model\.layers\.(\d+)\.mlp\.up_proj\.", r"transformer.h.\1.mlp.w1."),
    (r"language_model\.model\.layers\.(\d+)\.mlp\.gate_proj\.", r"transformer.h.\1.mlp.w2."),
    (r"language_model\.model\.layers\.(\d+)\.mlp\.down_proj\.", r"transformer.h.\1.mlp.c_proj."),
)
RENAMED = by_rules(RULES)


def recipe(name: str) -> Recipe:
    """Queries, keys and values lie in one official matrix, one after the other."""
    keys = RENAMED(name).keys
    part = next((it for it in range(3) if f".self_attn.{'qkv'[it]}_proj." in name), None)
    return Recipe(keys) if part is None else Recipe(keys, lambda it: it.chunk(3)[part])


def grid(positions: torch.Tensor, patches: int) -> torch.Tensor:
    """Position embeddings (N, D) of a square grid, as those (patches, D) of another one."""
    have, want = int(len(positions) ** 0.5), int(patches**0.5)
    if have == want:
        return positions
    square = positions.float().reshape(1, have, have, -1).permute(0, 3, 1, 2)
    resized = interpolate(square, (want, want), mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).flatten(0, 2).to(positions.dtype)


class ViTAttention(nn.Module):
    """Queries, keys and values lie head by head in `in_proj`, in Megatron's order."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        mixed = self.in_proj(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        read = scaled_dot_product_attention(*mixed.chunk(3, dim=-1))
        found: torch.Tensor = self.out_proj(read.transpose(1, 2).flatten(2))
        return found


class ViTBlock(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=EPS)
        self.attn = ViTAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, inner), "c_proj": nn.Linear(inner, width)}
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.attn(self.ln_1(hidden))
        inner = nn.functional.gelu(self.mlp["c_fc"](self.ln_2(hidden)))
        found: torch.Tensor = hidden + self.mlp["c_proj"](inner)
        return found


class Resampler(nn.Module):
    """Patches (B, n, V) to a fixed number of features (B, queries, D), by one cross-attention."""

    def __init__(self, queries: int, vision_width: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(queries, width))
        self.query = nn.Parameter(torch.empty(queries, width))
        self.kv_proj = nn.Linear(vision_width, width, bias=False)
        heads = max(1, width // RESAMPLER_HEAD_WIDTH)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_q = nn.LayerNorm(width, eps=EPS)
        self.ln_kv = nn.LayerNorm(width, eps=EPS)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        values = self.ln_kv(self.kv_proj(patches))
        keys = values + grid(self.pos_embed, patches.shape[1])
        queries = (self.ln_q(self.query) + self.pos_embed).expand(len(patches), -1, -1)
        found: torch.Tensor = self.attn(queries, keys, values, need_weights=False)[0]
        return found


class Vision(nn.Module):
    def __init__(self, config: Mapping[str, Any], weights: Weights, where: Path) -> None:
        super().__init__()
        prefix = "transformer.visual."
        width, _, patch, _ = shape(weights, f"{prefix}conv1.weight", where)
        places = shape(weights, f"{prefix}positional_embedding", where)[0]
        queries, output = shape(weights, f"{prefix}attn_pool.query", where)
        blocks = f"{prefix}transformer.resblocks."
        inner = shape(weights, f"{blocks}0.mlp.c_fc.weight", where)[0]
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.positional_embedding = nn.Parameter(torch.empty(places, width))
        self.ln_pre = nn.LayerNorm(width, eps=EPS)
        self.transformer = nn.ModuleDict(
            {
                "resblocks": nn.ModuleList(
                    ViTBlock(width, config["heads"], inner) for _ in range(config["layers"])
                )
            }
        )
        self.attn_pool = Resampler(queries, width, output)
        self.ln_post = nn.LayerNorm(output, eps=EPS)
        self.proj = nn.Parameter(torch.empty(output, output))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        hidden = self.ln_pre(patches + grid(self.positional_embedding, patches.shape[1]))
        blocks: Any = self.transformer["resblocks"]
        for block in blocks:
            hidden = block(hidden)
        found: torch.Tensor = self.ln_post(self.attn_pool(hidden)) @ self.proj
        return found


class QwenVLModel(SplicedModel):
    def __init__(self, visual: Vision, language_model: Qwen2ForCausalLM, image_size: int) -> None:
        super().__init__()
        self.visual = visual
        self.language_model = language_model
        self.image_size = image_size

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.visual(pixels)
        return found


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[QwenVLModel, Loaded]:
    """Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    check_kind(folder, config)
    weights = read_folder(folder, report)
    with torch.device("meta"):
        visual = Vision(config["visual"], weights, folder)
        language_model = Qwen2ForCausalLM(language_config(config, weights, folder))
    model = QwenVLModel(visual, language_model, config["visual"]["image_size"])
    loaded = assemble(
        model, weights, recipe, UNUSED, dtype, device, folder, "official (Qwen)", report
    )
    return model, loaded


def check_kind(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises `CheckpointError` for what is not the original Qwen-VL."""
    kind = config.get("model_type")
    if kind != "qwen" or "visual" not in config:
        hint = ": load it with --model hf" if str(kind).startswith("qwen2") else ""
        what = "a Qwen language model without a vision side" if kind == "qwen" else f"{kind!r}"
        raise CheckpointError(f"{folder} is {what}, not the original Qwen-VL{hint}")
    generation = folder / "generation_config.json"
    told = read_json(generation) if generation.is_file() else {}
    named = str(config.get("_name_or_path", ""))
    if told.get("chat_format") == "chatml" or named.rstrip("/").endswith("-Chat"):
        raise CheckpointError(
            f"{folder} is the Chat variant (Qwen-VL-Chat), which answers in ChatML: take the base"
            " model, Qwen/Qwen-VL"
        )


def language_config(config: Mapping[str, Any], weights: Weights, where: Path) -> Qwen2Config:
    """Qwen-7B as Qwen2: `intermediate_size` counts both halves of the official MLP."""
    words, width = shape(weights, "transformer.wte.weight", where)
    return Qwen2Config(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=shape(weights, "transformer.h.0.mlp.w1.weight", where)[0],
        num_hidden_layers=config["num_hidden_layers"],
        num_attention_heads=config["num_attention_heads"],
        num_key_value_heads=config["num_attention_heads"],
        rms_norm_eps=config.get("layer_norm_epsilon", EPS),
        max_position_embeddings=config.get("seq_length", 2048),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(config.get("rotary_emb_base", 10000)),
        },
        tie_word_embeddings=False,
    )


class QwenVL(Spliced):
    name = "qwen-vl"


def around(tokenizer: QwenTokenizer, prompt: str) -> tuple[Sequence[int], Sequence[int]]:
    """Ids before and after the image's features. The official ids hold the image's path between
    `<img>` and `</img>`; features overwrite all of it, so no path is needed.

    Raises `CheckpointError`.
    """
    before, found, after = prompt.partition(PLACEHOLDER)
    if not found or PLACEHOLDER in after:
        raise CheckpointError(f"the prompt must hold {PLACEHOLDER} once: {prompt!r}")
    return tokenizer.encode(f"{before}<img>"), tokenizer.encode(f"</img>{after}")


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> QwenVL:
    """Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    config = config_of(folder)
    tokenizer = QwenTokenizer(Path(settings.tokenizer or folder))
    prompt = around(tokenizer, settings.prompt)
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    image = tokenizer.special["<img>"]
    if config["visual"].get("image_start_id", image) != image:
        raise CheckpointError(
            f"{folder}: qwen.tiktoken puts <img> at {image}, config.json at"
            f" {config['visual']['image_start_id']}: it is another model's vocabulary"
        )
    tokens = len(prompt[0]) + len(model.visual.attn_pool.query) + len(prompt[1])
    check_length(tokens, settings, config.get("seq_length", 2048), "seq_length")
    end = tokenizer.special[END_OF_TEXT]
    return QwenVL(model, loaded, tokenizer, settings, prompt, [end], end, report=report)

"""Qwen-VL (Bai et al., arXiv 2308.12966), the original one: ViT-bigG, a resampler, Qwen-7B.

The vision side has the official module names (Qwen/Qwen-VL, `visual.py`). transformers' Qwen2
serves as the language model. Up to `seq_length` tokens it computes the same; beyond that the
official code stretches its rotary base and scales its queries, so longer prompts are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate, scaled_dot_product_attention
from transformers import Qwen2Config, Qwen2ForCausalLM

from engine.captioners.base import CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import Recipe, assemble, recipe_by_rules
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.checkpoints.weights import Weights, read_folder, tensor_shape
from engine.captioners.config_files import read_json
from engine.captioners.families.qwen_tokenizer import END_OF_TEXT, QwenTokenizer
from engine.captioners.families.spliced import SplicedCaptioner, SplicedModel
from engine.captioners.generation.generate import check_length, choose_dtype
from engine.captioners.settings import Settings

RESAMPLER_HEAD_DIM = 128
"""Width of an attention head of the resampler."""
EPS = 1e-6
"""Epsilon of the vision side's layer norms."""
UNUSED = r".*rotary_emb\.inv_freq|.*\.attn\.(bias|masked_bias)"
"""A pattern of whole keys that official files contain and the model does not need."""
PLACEHOLDER = "<img></img>"
"""Stands in a prompt where the image goes."""

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
"""Rules that turn the model's names into the official keys."""
RENAMED = recipe_by_rules(RULES)


def recipe(name: str) -> Recipe:
    """Return how a tensor of the model is made of the official files' tensors."""
    keys = RENAMED(name).keys
    # Queries, keys and values lie in one official matrix, one after the other.
    part = next((it for it in range(3) if f".self_attn.{'qkv'[it]}_proj." in name), None)
    return Recipe(keys) if part is None else Recipe(keys, lambda it: it.chunk(3)[part])


def resize_positions(embeddings: torch.Tensor, patches: int) -> torch.Tensor:
    """Resize position embeddings (N, D) of one square grid to those (patches, D) of another."""
    side, new_side = int(len(embeddings) ** 0.5), int(patches**0.5)
    if side == new_side:
        return embeddings
    square = embeddings.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    resized = interpolate(square, (new_side, new_side), mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).flatten(0, 2).to(embeddings.dtype)


class ViTAttention(nn.Module):
    """Self-attention of the ViT.

    In `in_proj` query, key and value follow each other head by head, in Megatron's order.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        qkv = self.in_proj(hidden_states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        attended = scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
        output: torch.Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return output


class ViTBlock(nn.Module):
    """One layer of the ViT: self-attention and an MLP, each behind a layer norm."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=EPS)
        self.attn = ViTAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, inner), "c_proj": nn.Linear(inner, width)}
        )

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden_states = hidden_states + self.attn(self.ln_1(hidden_states))
        inner = nn.functional.gelu(self.mlp["c_fc"](self.ln_2(hidden_states)))
        output: torch.Tensor = hidden_states + self.mlp["c_proj"](inner)
        return output


class Resampler(nn.Module):
    """Resamples patches to a fixed number of features, by one cross-attention of its queries."""

    def __init__(self, queries: int, vision_width: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(queries, width))
        self.query = nn.Parameter(torch.empty(queries, width))
        self.kv_proj = nn.Linear(vision_width, width, bias=False)
        heads = max(1, width // RESAMPLER_HEAD_DIM)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_q = nn.LayerNorm(width, eps=EPS)
        self.ln_kv = nn.LayerNorm(width, eps=EPS)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Resample patches (B, n, V) to features (B, queries, D)."""
        values = self.ln_kv(self.kv_proj(patches))
        keys = values + resize_positions(self.pos_embed, patches.shape[1])
        queries = (self.ln_q(self.query) + self.pos_embed).expand(len(patches), -1, -1)
        features: torch.Tensor = self.attn(queries, keys, values, need_weights=False)[0]
        return features


class VisionTransformer(nn.Module):
    """Qwen-VL's vision side: ViT-bigG, the resampler and a projection."""

    def __init__(self, config: Mapping[str, Any], weights: Weights, where: Path) -> None:
        """Build the module in the shapes of the checkpoint's weights; `where` is for errors.

        `config` is `visual` of config.json: it gives the numbers of heads and layers.
        """
        super().__init__()
        prefix = "transformer.visual."
        width, _, patch, _ = tensor_shape(weights, f"{prefix}conv1.weight", where)
        positions = tensor_shape(weights, f"{prefix}positional_embedding", where)[0]
        queries, output = tensor_shape(weights, f"{prefix}attn_pool.query", where)
        blocks = f"{prefix}transformer.resblocks."
        inner = tensor_shape(weights, f"{blocks}0.mlp.c_fc.weight", where)[0]
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.positional_embedding = nn.Parameter(torch.empty(positions, width))
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

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Encode images (B, 3, S, S) as features (B, queries, D)."""
        patches = self.conv1(pixel_values).flatten(2).transpose(1, 2)
        positions = resize_positions(self.positional_embedding, patches.shape[1])
        hidden_states = self.ln_pre(patches + positions)
        blocks: Any = self.transformer["resblocks"]
        for block in blocks:
            hidden_states = block(hidden_states)
        features: torch.Tensor = self.ln_post(self.attn_pool(hidden_states)) @ self.proj
        return features


class QwenVLModel(SplicedModel):
    """Qwen-VL: the resampled features of the vision side are embeddings of the language model."""

    def __init__(
        self, visual: VisionTransformer, language_model: Qwen2ForCausalLM, image_size: int
    ) -> None:
        super().__init__()
        self.visual = visual
        self.language_model = language_model
        self.image_size = image_size
        self.vision_tokens = (image_size // visual.conv1.kernel_size[0]) ** 2
        self.image_tokens = len(visual.attn_pool.query)

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        layers: Any = self.visual.transformer["resblocks"]
        return list(layers)

    def image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.visual(pixel_values)
        return features


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[QwenVLModel, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    weights = read_folder(folder, report)
    with torch.device("meta"):
        visual = VisionTransformer(config["visual"], weights, folder)
        language_model = Qwen2ForCausalLM(language_config(config, weights, folder))
    model = QwenVLModel(visual, language_model, config["visual"]["image_size"])
    loaded = assemble(
        model, weights, recipe, UNUSED, dtype, device, folder, "official (Qwen)", report
    )
    return model, loaded


def check_kind(folder: Path, config: Mapping[str, Any], chat: bool) -> None:
    """Raise `CheckpointError` for a checkpoint that is not the original Qwen-VL.

    `chat` is True if it must be the one that answers in ChatML, and False if it must not.
    """
    kind = config.get("model_type")
    if kind != "qwen" or "visual" not in config:
        hint = ": load it with --model hf" if str(kind).startswith("qwen2") else ""
        what = "a Qwen language model without a vision side" if kind == "qwen" else f"{kind!r}"
        raise CheckpointError(f"{folder} is {what}, not the original Qwen-VL{hint}")
    said = says_chat(folder, config)
    if chat and said is False:
        raise CheckpointError(
            f"{folder} is the base model (Qwen-VL), which continues a text and answers none: load"
            " it with --model qwen-vl"
        )
    if not chat and said:
        raise CheckpointError(
            f"{folder} is the Chat variant (Qwen-VL-Chat), which answers in ChatML: load it with"
            " --model qwen-vl-chat"
        )


def says_chat(folder: Path, config: Mapping[str, Any]) -> bool | None:
    """Return whether a checkpoint is Qwen-VL-Chat; None if its files do not say so."""
    file = folder / "generation_config.json"
    form = read_json(file).get("chat_format") if file.is_file() else None
    if form == "chatml" or str(config.get("_name_or_path", "")).rstrip("/").endswith("-Chat"):
        return True
    return False if form == "raw" else None


def language_config(config: Mapping[str, Any], weights: Weights, where: Path) -> Qwen2Config:
    """Return Qwen-7B's configuration as Qwen2's, by config.json and the shapes of the weights."""
    vocab_size, width = tensor_shape(weights, "transformer.wte.weight", where)
    return Qwen2Config(
        vocab_size=vocab_size,
        hidden_size=width,
        # The official intermediate_size counts both halves of the MLP.
        intermediate_size=tensor_shape(weights, "transformer.h.0.mlp.w1.weight", where)[0],
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


class QwenVLCaptioner(SplicedCaptioner):
    """Captions with Qwen-VL."""

    name = "qwen-vl"
    chat = False
    """True if the checkpoint must be the one that answers in ChatML."""
    stop_tokens: tuple[str, ...] = (END_OF_TEXT,)
    """The special tokens that end an answer."""

    def encode_prompt(self, prompt: str) -> tuple[Sequence[int], Sequence[int]]:
        return encode_prompt(self.tokenizer, prompt)


def encode_prompt(tokenizer: QwenTokenizer, prompt: str) -> tuple[Sequence[int], Sequence[int]]:
    """Return the token ids before and after the image's features.

    The official ids hold the image's path between `<img>` and `</img>`; features overwrite all of
    it, so no path is needed. Raises `CheckpointError`.
    """
    before, placeholder, after = prompt.partition(PLACEHOLDER)
    if not placeholder or PLACEHOLDER in after:
        raise CheckpointError(f"the prompt must hold {PLACEHOLDER} once: {prompt!r}")
    return tokenizer.encode(f"{before}<img>"), tokenizer.encode(f"</img>{after}")


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> QwenVLCaptioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(QwenVLCaptioner, Path(checkpoint or ""), settings, device, report)


def load_captioner(
    kind: type[QwenVLCaptioner],
    folder: Path,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
) -> QwenVLCaptioner:
    """Return the captioner of this kind of a checkpoint folder. Raises `CheckpointError`."""
    config = read_config(folder)
    check_kind(folder, config, kind.chat)
    tokenizer = QwenTokenizer(Path(settings.tokenizer or folder))
    prompt = encode_prompt(tokenizer, settings.prompt)
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    image_id = tokenizer.special["<img>"]
    if config["visual"].get("image_start_id", image_id) != image_id:
        raise CheckpointError(
            f"{folder}: qwen.tiktoken puts <img> at {image_id}, config.json at"
            f" {config['visual']['image_start_id']}: it is another model's vocabulary"
        )
    prompt_tokens = len(prompt[0]) + model.image_tokens + len(prompt[1])
    check_length(prompt_tokens, settings, config.get("seq_length", 2048), "seq_length")
    stop_ids = [tokenizer.special[token] for token in kind.stop_tokens]
    pad_id = tokenizer.special[END_OF_TEXT]
    return kind(model, loaded, tokenizer, settings, prompt, stop_ids, pad_id, report=report)

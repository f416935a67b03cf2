"""Otter (Li et al., arXiv 2305.03726), OTTER-Image-MPT7B: Flamingo's design around MPT-7B.

CLIP's patches are resampled to a few latents, which gated cross-attention blocks in front of some
decoder layers read (github.com/Luodian/Otter, `modeling_otter.py`; Flamingo: arXiv 2204.14198).
The names of the modules are those of the official weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import CLIPVisionModel, MptConfig, MptForCausalLM

from engine.captioners.base import Caption, Captioner, CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import assemble, by_rules, renamed
from engine.captioners.checkpoints.modules import clip_tower
from engine.captioners.checkpoints.quantization import quantize
from engine.captioners.checkpoints.weights import (
    Weights,
    count_layers,
    read_folder,
    read_json,
    shape,
)
from engine.captioners.generation.cuda_graphs import recorder
from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import (
    GenerationRequest,
    check_length,
    choose_dtype,
    to_caption,
)
from engine.captioners.generation.mpt_decoder import MptRunning
from engine.captioners.generation.static_decoders import LayerCache
from engine.captioners.preprocessing.pixels import Square
from engine.captioners.preprocessing.prompts import load_tokenizer
from engine.captioners.settings import Settings
from engine.images.image import Picture

HEAD_WIDTH = 64
TOWER = "vision_encoder.vision_model."
SPECIAL_TOKENS = ("<|endofchunk|>", "<image>", "<answer>")
PAD_TOKEN = "<PAD>"  # noqa: S105
UNUSED = (
    r".*position_ids|.*vision_model\.post_layernorm\.(weight|bias)"
    # Older files list the language model's parts a second time.
    r"|lang_encoder\.(old_decoder_blocks|gated_cross_attn_layers)\..*|lang_encoder\.lm_head\.weight"
)
MPT_KEYS = ("d_model", "n_heads", "n_layers", "max_seq_len", "expansion_ratio")


def by_heads(mixed: torch.Tensor) -> torch.Tensor:
    """(B, t, inner) to (B, heads, t, 64)."""
    return mixed.reshape(*mixed.shape[:2], -1, HEAD_WIDTH).transpose(1, 2)


def attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, to_q: nn.Linear
) -> torch.Tensor:
    """(B, t, D) reads keys and values (B, heads, m, 64); (B, t, inner)."""
    read = scaled_dot_product_attention(by_heads(to_q(query)), keys, values)
    return read.transpose(1, 2).flatten(2)


def feed_forward(width: int, inner: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, inner, bias=False),
        nn.GELU(),
        nn.Linear(inner, width, bias=False),
    )


class PerceiverLayer(nn.Module):
    def __init__(self, width: int, inner: int, hidden: int) -> None:
        super().__init__()
        self.norm_media = nn.LayerNorm(width)
        self.norm_latents = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)
        self.feed_forward = feed_forward(width, hidden)

    def forward(self, media: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        normed = self.norm_latents(latents)
        read = torch.cat([self.norm_media(media), normed], dim=1)
        keys, values = map(by_heads, self.to_kv(read).chunk(2, dim=-1))
        latents = latents + self.to_out(attend(normed, keys, values, self.to_q))
        found: torch.Tensor = latents + self.feed_forward(latents)
        return found


class Perceiver(nn.Module):
    """Patches to latents. Embeddings of frames and media, where a file has them, are those of the
    first: a caption has one image of one frame."""

    def __init__(self, weights: Weights, where: Path) -> None:
        super().__init__()
        count, width = shape(weights, "perceiver.latents", where)
        inner = shape(weights, "perceiver.layers.0.to_q.weight", where)[0]
        hidden = shape(weights, "perceiver.layers.0.feed_forward.1.weight", where)[0]
        self.frame_embs: torch.Tensor | None
        self.media_time_embs: torch.Tensor | None
        self.latents = nn.Parameter(torch.empty(count, width))
        for name in ("frame_embs", "media_time_embs"):
            found = weights.get(f"perceiver.{name}")
            empty = None if found is None else nn.Parameter(torch.empty(found.shape))
            self.register_parameter(name, empty)
        depth = count_layers(weights, "perceiver.layers.")
        self.layers = nn.ModuleList(PerceiverLayer(width, inner, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, media: torch.Tensor) -> torch.Tensor:
        """(B, n, D) to (B, latents, D)."""
        if self.frame_embs is not None:
            media = media + self.frame_embs[0]
        if self.media_time_embs is not None:
            media = media + self.media_time_embs[0]
        latents = self.latents.expand(media.shape[0], -1, -1)
        for layer in self.layers:
            latents = layer(media, latents)
        found: torch.Tensor = self.norm(latents)
        return found


class CrossAttention(nn.Module):
    def __init__(self, width: int, inner: int, media_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(media_width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def media(self, latents: torch.Tensor) -> list[torch.Tensor]:
        """Keys and values (B, heads, n, 64) of the images."""
        return [by_heads(part) for part in self.to_kv(latents).chunk(2, dim=-1)]

    def forward(
        self, text: torch.Tensor, media: Sequence[torch.Tensor], seen: torch.Tensor
    ) -> torch.Tensor:
        """`seen` (B, T, 1): whether a token may look at the image."""
        read = attend(self.norm(text), media[0], media[1], self.to_q)
        found: torch.Tensor = self.to_out(read * seen)
        return found


class GatedCrossAttention(nn.Module):
    def __init__(self, width: int, inner: int, media_width: int, hidden: int) -> None:
        super().__init__()
        self.attn = CrossAttention(width, inner, media_width)
        self.attn_gate = nn.Parameter(torch.empty(1))
        self.feed_forward = feed_forward(width, hidden)
        self.ff_gate = nn.Parameter(torch.empty(1))

    def forward(self, text: torch.Tensor, look: Look) -> torch.Tensor:
        return self.look(text, self.attn.media(look.latents), look.seen[..., None])

    def look(
        self, text: torch.Tensor, media: Sequence[torch.Tensor], seen: torch.Tensor
    ) -> torch.Tensor:
        """With keys and values that are known already."""
        text = text + self.attn_gate.tanh() * self.attn(text, media, seen)
        found: torch.Tensor = text + self.ff_gate.tanh() * self.feed_forward(text)
        return found


class Look:
    """What the text of the running batch sees of its images, token by token.

    With a key-value cache the official code looks for `<image>` in the newest token alone, and so
    loses the image after the first step; here a row that has seen its image goes on seeing it.
    """

    latents: torch.Tensor
    """(B, latents, D)."""
    seen: torch.Tensor
    """(B, T) of the running forward pass: whether `<image>` stands at or before the token."""

    def begin(self, latents: torch.Tensor) -> None:
        self.latents = latents
        self.seen = torch.zeros(latents.shape[0], 1, dtype=torch.bool, device=latents.device)

    def go_on(self, ids: torch.Tensor, image_id: int) -> None:
        """`ids` (B, T) follow those of the passes before."""
        self.seen = self.seen[:, -1:] | ((ids == image_id).cumsum(dim=1) > 0)


class OtterLayer(nn.Module):
    """A decoder layer of MPT, behind a cross-attention block where there is one."""

    def __init__(self, decoder: nn.Module, gated: nn.Module | None, look: Look) -> None:
        super().__init__()
        self.gated_cross_attn_layer = gated
        self.decoder_layer = decoder
        self.look = look

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.gated_cross_attn_layer is not None:
            hidden_states = self.gated_cross_attn_layer(hidden_states, self.look)
        return self.decoder_layer(hidden_states, *args, **kwargs)


class OtterModel(nn.Module):
    def __init__(
        self,
        vision_encoder: CLIPVisionModel,
        perceiver: Perceiver,
        lang_encoder: MptForCausalLM,
        gates: Mapping[int, nn.Module],
    ) -> None:
        super().__init__()
        self.image_size = vision_encoder.config.image_size
        self.vision_encoder = vision_encoder
        self.perceiver = perceiver
        self.lang_encoder = lang_encoder
        self.look = Look()
        blocks = lang_encoder.transformer.blocks
        for number, block in enumerate(blocks):
            blocks[number] = OtterLayer(block, gates.get(number), self.look)
        self.image_id = -1
        """The token `<image>`: the tokenizer's to say."""
        lang_encoder.transformer.register_forward_pre_hook(self.notice, with_kwargs=True)

    def notice(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.look.go_on(args[0] if args else kwargs["input_ids"], self.image_id)

    def patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, patches, D), without the class token."""
        found: torch.Tensor = self.vision_encoder(pixels).last_hidden_state[:, 1:]
        return found

    def latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, latents, D)."""
        found: torch.Tensor = self.perceiver(self.patches(pixels))
        return found

    def see(self, pixels: torch.Tensor) -> None:
        """The images, (B, 3, S, S), of the prompts that come next."""
        self.look.begin(self.latents(pixels))


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[OtterModel, Loaded]:
    """Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    check_kind(folder, config)
    weights = renamed(read_folder(folder, report), [(r"vision_encoder\.(?!vision_model\.)", TOWER)])
    tower = clip_tower(weights, TOWER, config["vision_config"], -1, folder)
    with torch.device("meta"):
        language_model = mpt(config["text_config"], weights, folder)
        gates = {
            number: gated(weights, number, folder)
            for number in gated_layers(config, language_model.config.n_layers)
        }
        model = OtterModel(tower, Perceiver(weights, folder), language_model, gates)
    loaded = assemble(
        model,
        weights,
        by_rules([(r"vision_encoder\.", TOWER)]),
        UNUSED,
        dtype,
        device,
        folder,
        "official (luodian)",
        report,
    )
    return model, loaded


def check_kind(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises `CheckpointError` for what is not Otter on MPT."""
    kind = config.get("model_type")
    if kind not in ("otter", "flamingo") or "text_config" not in config:
        raise CheckpointError(
            f"{folder} is a {kind!r} checkpoint, not Otter (luodian/OTTER-Image-MPT7B)"
        )
    language = config["text_config"].get("model_type")
    if language != "mpt":
        raise CheckpointError(
            f"{folder} is an Otter on {language!r}: this is not OTTER-Image-MPT7B, whose language"
            " model is MPT"
        )
    attention = config["text_config"].get("attn_config", {})
    if attention.get("qk_ln") or attention.get("alibi") is False:
        raise CheckpointError(f"{folder} has an MPT that is not MPT-7B (qk_ln, or no alibi)")


def gated_layers(config: Mapping[str, Any], layers: int) -> list[int]:
    """Numbers of the decoder layers that a cross-attention block stands before."""
    every = config.get("cross_attn_every_n_layers", 4)
    return [number for number in range(layers) if (number + 1) % every == 0]


def gated(weights: Weights, number: int, where: Path) -> GatedCrossAttention:
    prefix = f"lang_encoder.transformer.blocks.{number}.gated_cross_attn_layer."
    inner, width = shape(weights, f"{prefix}attn.to_q.weight", where)
    media_width = shape(weights, f"{prefix}attn.to_kv.weight", where)[1]
    hidden = shape(weights, f"{prefix}feed_forward.1.weight", where)[0]
    return GatedCrossAttention(width, inner, media_width, hidden)


def mpt(config: Mapping[str, Any], weights: Weights, where: Path) -> MptForCausalLM:
    """The vocabulary is the weights': the official code grows it by the special tokens."""
    attention = config.get("attn_config", {})
    sizes = {key: config[key] for key in MPT_KEYS if config.get(key) is not None}
    kept = {key: attention.get(key) for key in ("softmax_scale", "clip_qkv")}
    kept["alibi_bias_max"] = attention.get("alibi_bias_max", 8)
    words = shape(weights, "lang_encoder.transformer.wte.weight", where)[0]
    made = MptConfig(**sizes, vocab_size=words, attn_config=kept, tie_word_embeddings=True)
    return MptForCausalLM(made)


class Otter(Captioner):
    """The prompt's tokens stand as they are: images come in by cross-attention."""

    side_by_side = True

    def __init__(
        self,
        model: OtterModel,
        loaded: Loaded,
        tokenizer: Any,
        settings: Settings,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model
        language_model = model.lang_encoder
        layers = [block.decoder_layer for block in language_model.transformer.blocks]
        device = language_model.device
        self.loaded = quantize(model, layers, settings.quantize, device, loaded, report)
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.square = Square(model.image_size, settings.preprocess)
        self.model.image_id = tokenizer.convert_tokens_to_ids("<image>")
        self.stop_ids = [tokenizer.convert_tokens_to_ids("<|endofchunk|>")]
        self.pad_id = tokenizer.pad_token_id
        self.prompt = tokenizer(settings.prompt, add_special_tokens=False).input_ids
        limit = language_model.config.max_seq_len
        check_length(len(self.prompt), settings, limit, "max_seq_len")
        self.kept = LayerCache(self.make_running)

    def make_running(self, rows: int, length: int) -> MptRunning:
        language_model = self.model.lang_encoder
        record = recorder(language_model.device, self.settings.graphs)
        return MptRunning(language_model, self.prompt, self.model.image_id, rows, length, record)

    def release(self) -> None:
        self.kept.release()

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """(S, S, 3)."""
        if self.settings.fast_decode:
            picture.draft(self.square.side)
        return self.square.cut(picture.rgb())

    @torch.inference_mode()
    def caption(self, inputs: Sequence[NDArray[np.uint8]], records: Sequence[int]) -> list[Caption]:
        language_model = self.model.lang_encoder
        dtype, device = language_model.dtype, language_model.device
        pixels = self.square.pixel_values(inputs, device, dtype)
        asked = GenerationRequest(
            self.settings,
            records,
            "otter",
            self.stop_ids,
            self.pad_id,
            tokenizer=self.tokenizer,
        )
        length = len(self.prompt) + self.settings.max_new_tokens
        with self.kept.running_for(len(inputs), length) as running:
            running.begin(self.model.latents(pixels))
            ids = decode(running, asked, self.prompt)
        return [to_caption(row, self.tokenizer, asked) for row in ids]


def otter_tokenizer(folder: Path, words: int) -> Any:
    """MPT's tokenizer (EleutherAI/gpt-neox-20b) with Otter's tokens added, in the official order.

    Raises `CheckpointError` if it does not belong to a vocabulary of `words`.
    """
    tokenizer = load_tokenizer(folder)
    known = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    if len(tokenizer) > words:
        raise CheckpointError(
            f"the tokenizer in {folder} knows {known} tokens and needs"
            f" {len(tokenizer) - known} more for Otter, but the model has {words}: it is another"
            " model's tokenizer (Otter's is that of mosaicml/mpt-7b-instruct)"
        )
    return tokenizer


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> Otter:
    """Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    words = model.lang_encoder.config.vocab_size
    tokenizer = otter_tokenizer(Path(settings.tokenizer or folder), words)
    return Otter(model, loaded, tokenizer, settings, report)

"""Otter (Li et al., arXiv 2305.03726), OTTER-Image-MPT7B: Flamingo's design around MPT-7B.

This module loads checkpoints and captions; the network is in `otter_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaForCausalLM, MptConfig, MptForCausalLM

from engine.captioners.answer_text import with_longer_cap
from engine.captioners.base import Caption, Captioner, CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import assemble, recipe_by_rules, rename_keys
from engine.captioners.checkpoints.cpu_products import use_fast_products
from engine.captioners.checkpoints.modules import build_clip_tower
from engine.captioners.checkpoints.quantization import quantize
from engine.captioners.checkpoints.weights import Weights, read_folder, tensor_shape
from engine.captioners.config_files import read_json
from engine.captioners.families.otter_model import GatedCrossAttention, OtterModel, Perceiver
from engine.captioners.generation.cuda_graphs import capture_for
from engine.captioners.generation.decode_loop import decode
from engine.captioners.generation.generate import (
    GenerationRequest,
    check_length,
    choose_dtype,
    to_caption,
)
from engine.captioners.generation.mpt_decoder import MptDecodeState
from engine.captioners.generation.row_slices import encode_slices, slice_rows, widest_layer
from engine.captioners.generation.static_decoders import DecodeState, DecodeStatePool
from engine.captioners.preprocessing.picture_rules import pixel_rules
from engine.captioners.preprocessing.pixels import SquarePreprocessor
from engine.captioners.preprocessing.prompts import load_tokenizer
from engine.captioners.settings import Settings
from engine.images.image import Picture

TOWER = "vision_encoder.vision_model."
"""Prefix of CLIP's keys in the official files."""
SPECIAL_TOKENS = ("<|endofchunk|>", "<image>", "<answer>")
"""Tokens that Otter adds to MPT's, in the order of their ids."""
PAD_TOKEN = "<PAD>"  # noqa: S105
"""The padding token that Otter adds where the tokenizer has none."""
UNUSED_OF_OTTER = (
    r".*position_ids|.*rotary_emb\.inv_freq|.*vision_model\.post_layernorm\.(weight|bias)"
    # Older files list the language model's parts a second time.
    r"|lang_encoder\.(old_decoder_blocks|gated_cross_attn_layers)\..*"
)
"""A pattern of whole keys that official files contain and the model does not need."""
UNUSED = rf"{UNUSED_OF_OTTER}|lang_encoder\.lm_head\.weight"
"""The same with MPT's head, which is its embeddings."""
MPT_BLOCKS = "lang_encoder.transformer.blocks."
"""Prefix of the keys of MPT's layers."""
MPT_KEYS = ("d_model", "n_heads", "n_layers", "max_seq_len", "expansion_ratio")
"""Keys of `text_config` that are handed on to transformers' `MptConfig`."""


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[OtterModel, LoadedCheckpoint]:
    """Return the model of a checkpoint folder. Raises `CheckpointError`."""
    config = read_json(folder / "config.json")
    check_kind(folder, config)
    return load_around(mpt, MPT_BLOCKS, folder, config, dtype, device, report)


def load_around(
    language: Callable[[Mapping[str, Any], Weights, Path], MptForCausalLM | LlamaForCausalLM],
    blocks: str,
    folder: Path,
    config: Mapping[str, Any],
    dtype: torch.dtype,
    device: str,
    report: Callable[[str], None],
) -> tuple[OtterModel, LoadedCheckpoint]:
    """Return the model of a checkpoint folder, around a language model.

    `language` builds that from `text_config`, all weights and the folder; `blocks` is the prefix of
    its layers' keys. Raises `CheckpointError`.
    """
    weights = rename_keys(
        read_folder(folder, report), [(r"vision_encoder\.(?!vision_model\.)", TOWER)]
    )
    tower = build_clip_tower(weights, TOWER, config["vision_config"], -1, folder)
    with torch.device("meta"):
        language_model = language(config["text_config"], weights, folder)
        gates = {
            index: gated_block(weights, f"{blocks}{index}.gated_cross_attn_layer.", folder)
            for index in gated_layers(config, language_model.config.num_hidden_layers)
        }
        model = OtterModel(tower, Perceiver(weights, folder), language_model, gates)
    loaded = assemble(
        model,
        weights,
        recipe_by_rules([(r"vision_encoder\.", TOWER)]),
        UNUSED if isinstance(language_model, MptForCausalLM) else UNUSED_OF_OTTER,
        dtype,
        device,
        folder,
        "official (luodian)",
        report,
    )
    return model, loaded


def check_kind(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` for a checkpoint that is not Otter on MPT."""
    language = language_of(folder, config)
    if language == "llama":
        raise CheckpointError(
            f"{folder} is an Otter on LLaMA, not on MPT: load it with --model otter-llama"
        )
    if language != "mpt":
        raise CheckpointError(
            f"{folder} is an Otter on {language!r}: this is not OTTER-Image-MPT7B, whose language"
            " model is MPT"
        )
    attention = config["text_config"].get("attn_config", {})
    if attention.get("qk_ln") or attention.get("alibi") is False:
        raise CheckpointError(f"{folder} has an MPT that is not MPT-7B (qk_ln, or no alibi)")


def language_of(folder: Path, config: Mapping[str, Any]) -> str:
    """Return the type of an Otter's language model. Raises `CheckpointError` if it is no Otter."""
    kind = config.get("model_type")
    if kind not in ("otter", "flamingo") or "text_config" not in config:
        raise CheckpointError(
            f"{folder} is a {kind!r} checkpoint, not Otter (luodian/OTTER-Image-MPT7B)"
        )
    return str(config["text_config"].get("model_type"))


def gated_layers(config: Mapping[str, Any], layers: int) -> list[int]:
    """Return the indices of the decoder layers behind a cross-attention block."""
    every = config.get("cross_attn_every_n_layers", 4)
    return [index for index in range(layers) if (index + 1) % every == 0]


def gated_block(weights: Weights, prefix: str, where: Path) -> GatedCrossAttention:
    """Build the cross-attention block with keys of this prefix, in the shapes of its weights."""
    inner, width = tensor_shape(weights, f"{prefix}attn.to_q.weight", where)
    media_width = tensor_shape(weights, f"{prefix}attn.to_kv.weight", where)[1]
    hidden = tensor_shape(weights, f"{prefix}feed_forward.1.weight", where)[0]
    return GatedCrossAttention(width, inner, media_width, hidden)


def mpt(config: Mapping[str, Any], weights: Weights, where: Path) -> MptForCausalLM:
    """Build MPT from `text_config`, with the vocabulary size of the weights.

    The official code grows the vocabulary by the special tokens.
    """
    attention = config.get("attn_config", {})
    sizes = {key: config[key] for key in MPT_KEYS if config.get(key) is not None}
    attn_config = {key: attention.get(key) for key in ("softmax_scale", "clip_qkv")}
    attn_config["alibi_bias_max"] = attention.get("alibi_bias_max", 8)
    vocab_size = tensor_shape(weights, "lang_encoder.transformer.wte.weight", where)[0]
    return MptForCausalLM(
        MptConfig(**sizes, vocab_size=vocab_size, attn_config=attn_config, tie_word_embeddings=True)
    )


class OtterCaptioner(Captioner):
    """Captions with Otter. Images enter by cross-attention, so the prompt stays plain token ids."""

    concurrent_batches = True
    name = "otter"
    """The family's name, by which the sampler seeds its noise."""
    length_key = "max_seq_len"
    """The name in the language model's configuration of the most tokens that it takes."""

    def __init__(
        self,
        model: OtterModel,
        loaded: LoadedCheckpoint,
        tokenizer: Any,
        settings: Settings,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take a loaded model; `report` takes progress texts. Raises `CheckpointError`."""
        self.model = model
        language_model = model.lang_encoder
        tower = model.vision_encoder.encoder.layers
        layers = [*tower, *(block.decoder_layer for block in model.blocks)]
        widest = widest_layer(language_model.base_model)
        widest_of_vision = widest_layer(model.vision_encoder, model.perceiver)
        device = language_model.device
        self.loaded: LoadedCheckpoint = quantize(
            model, layers, settings.quantize, device, loaded, report
        )
        if use_fast_products(model, language_model):
            self.loaded = replace(self.loaded, memory_mapped=False)
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch = settings.batch
        self.preprocessor = SquarePreprocessor(model.image_size, settings.preprocess)
        self.model.image_id = tokenizer.convert_tokens_to_ids("<image>")
        self.stop_ids = [tokenizer.convert_tokens_to_ids("<|endofchunk|>")]
        self.pad_id = tokenizer.pad_token_id
        self.prompt = self.encode_prompt(settings.prompt)
        self.longest = getattr(language_model.config, self.length_key)
        """The most tokens of prompt and answer."""
        check_length(len(self.prompt), settings, self.longest, self.length_key)
        self.state_pool = DecodeStatePool(self.make_state)
        values = max(
            3 * model.image_size**2,
            model.vision_tokens * widest_of_vision,
            len(self.prompt) * widest,
        )
        self.slice_rows = slice_rows(values * language_model.dtype.itemsize, device)
        """Rows that go through the vision side and prefill at a time."""
        self.fills_cores = self.slice_rows < self.batch

    def encode_prompt(self, prompt: str) -> list[int]:
        """Return the token ids of a prompt."""
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=False).input_ids
        return ids

    def make_state(self, max_rows: int, length: int) -> DecodeState:
        """Return a state for batches of so many rows, with so many tokens of prompt and answer."""
        language_model = self.model.lang_encoder
        capture = capture_for(language_model.device, self.settings.graphs)
        return MptDecodeState(
            language_model, self.prompt, self.model.image_id, max_rows, length, capture
        )

    def release(self) -> None:
        self.state_pool.release_idle()

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Return the model's square of the image, (S, S, 3)."""
        if self.settings.fast_decode:
            picture.draft(self.preprocessor.side)
        return self.preprocessor.resize(picture.rgb(pixel_rules(self.settings)))

    def caption(
        self, inputs: Sequence[NDArray[np.uint8]], record_ids: Sequence[int]
    ) -> list[Caption]:
        return self.caption_with(inputs, record_ids, self.settings)

    def caption_longer(
        self, inputs: Sequence[NDArray[np.uint8]], record_ids: Sequence[int]
    ) -> list[Caption]:
        room = self.longest - len(self.prompt)
        return self.caption_with(inputs, record_ids, with_longer_cap(self.settings, room))

    def with_settings(self, settings: Settings) -> OtterCaptioner:
        other = copy(self)
        other.settings = settings
        other.prompt = self.encode_prompt(settings.prompt)
        check_length(len(other.prompt), settings, self.longest, self.length_key)
        other.state_pool = DecodeStatePool(other.make_state)
        return other

    @torch.inference_mode()
    def caption_with(
        self,
        inputs: Sequence[NDArray[np.uint8]],
        record_ids: Sequence[int],
        settings: Settings,
    ) -> list[Caption]:
        """Caption with settings of generation that may be others."""
        request = GenerationRequest(
            settings=settings,
            record_ids=record_ids,
            family_name=self.name,
            stop_ids=self.stop_ids,
            pad_id=self.pad_id,
            tokenizer=self.tokenizer,
        )
        length = len(self.prompt) + settings.max_new_tokens
        with self.state_pool.acquire(len(inputs), length) as state:
            state.prefill(encode_slices(inputs, self.slice_rows, self.encode))
            rows = decode(state, request, self.prompt)
        return [to_caption(row, self.tokenizer, request) for row in rows]

    def encode(self, inputs: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Return the latents (B, n, D) of prepared inputs."""
        language_model = self.model.lang_encoder
        dtype, device = language_model.dtype, language_model.device
        return self.model.latents(self.preprocessor.pixel_values(inputs, device, dtype))


def otter_tokenizer(folder: Path, vocab_size: int) -> Any:
    """Return a language model's tokenizer with Otter's tokens added, in the official order.

    Raises `CheckpointError` if the tokenizer does not belong to a vocabulary of `vocab_size`
    tokens. MPT's is EleutherAI/gpt-neox-20b.
    """
    tokenizer = load_tokenizer(folder)
    known = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    if len(tokenizer) > vocab_size:
        raise CheckpointError(
            f"the tokenizer in {folder} has {known} tokens and needs"
            f" {len(tokenizer) - known} more for Otter, but the model has {vocab_size}: it is"
            " another model's tokenizer (Otter's is that of mosaicml/mpt-7b-instruct, or of"
            " LLaMA-7B if it is built on that)"
        )
    return tokenizer


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> OtterCaptioner:
    """Return the captioner of a checkpoint folder. Raises `CheckpointError`."""
    return load_captioner(OtterCaptioner, load_model, checkpoint, settings, device, report)


def load_captioner(
    kind: type[OtterCaptioner],
    load_model: Callable[..., tuple[OtterModel, LoadedCheckpoint]],
    checkpoint: str | None,
    settings: Settings,
    device: str,
    report: Callable[[str], None],
) -> OtterCaptioner:
    """Return the captioner of this kind, around the model that `load_model` loads.

    Raises `CheckpointError`.
    """
    folder = Path(checkpoint or "")
    dtype = choose_dtype(settings.dtype, device)
    model, loaded = load_model(folder, dtype, device, report)
    vocab_size = model.lang_encoder.config.vocab_size
    tokenizer = otter_tokenizer(Path(settings.tokenizer or folder), vocab_size)
    return kind(model, loaded, tokenizer, settings, report)

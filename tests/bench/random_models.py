"""The four models at their official sizes with random weights: speed does not depend on values.

Captions then run to the cap on new tokens. Prompts have as many tokens as the official ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from transformers import (
    Blip2QFormerConfig,
    Blip2VisionConfig,
    MptConfig,
    MptForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from engine.captioners.base import LoadedCheckpoint
from engine.captioners.checkpoints.assembly import (
    last_part,
    named_tensors,
    parent_module,
    rebuild_buffers,
    set_tensor,
    tied_parameters,
)
from engine.captioners.checkpoints.modules import build_clip_tower, build_llama
from engine.captioners.families.llava import LlavaCaptioner, LlavaModel
from engine.captioners.families.minigpt4 import MiniGPT4Captioner, MiniGPT4Model
from engine.captioners.families.otter import OtterCaptioner
from engine.captioners.families.otter_model import GatedCrossAttention, OtterModel, Perceiver
from engine.captioners.families.qwen_vl import QwenVLCaptioner, QwenVLModel, VisionTransformer
from engine.captioners.generation.generate import choose_dtype
from engine.captioners.settings import Settings

LAYERS = 32
"""Number of layers of every language model here."""
GIGABYTES = {"llava-1.5": 15, "minigpt-4": 17, "otter": 18, "qwen-vl": 21}
"""Memory that each family needs, in GB: two bytes a weight, and room for a batch."""
NOWHERE = Path("random")
"""The path of the checkpoint in error messages."""
VICUNA = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
}


def check_host_memory(family: str, device: str) -> None:
    """End the bench with a message if the weights do not fit."""
    if family not in BUILDERS:
        raise SystemExit(f"random-7b is one of {', '.join(BUILDERS)}, not {family}")
    # On the CPU the weights are float32.
    needed = GIGABYTES[family] * (2 if device == "cpu" else 1)
    if device == "cpu":
        free = psutil.virtual_memory().available / 1e9
    else:
        free = torch.cuda.mem_get_info()[0] / 1e9
    if free < needed:
        raise SystemExit(
            f"random-7b of {family} needs {needed} GB of free memory on {device}, {free:.0f} GB"
            " are free: run it on a GPU, or take --checkpoint demo or small"
        )


def shapes(**sizes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return weights that take no memory. In their names, `__` stands for a full stop."""
    return {
        name.replace("__", "."): torch.empty(size, device="meta") for name, size in sizes.items()
    }


def clip(side: int, layer: int) -> Any:
    """Return a CLIP ViT-L/14 for images of this side, which is read after this layer."""
    weights = shapes(
        embeddings__patch_embedding__weight=(1024, 3, 14, 14),
        embeddings__position_embedding__weight=((side // 14) ** 2 + 1, 1024),
        encoder__layers__0__mlp__fc1__weight=(4096, 1024),
    )
    return build_clip_tower(weights, "", {"num_hidden_layers": 24}, layer, NOWHERE)


def build_llava() -> nn.Module:
    return LlavaModel(clip(336, -2), build_llama(VICUNA | {"num_hidden_layers": LAYERS}))


def build_minigpt4() -> nn.Module:
    vision = Blip2VisionConfig()
    qformer = Blip2QFormerConfig(encoder_hidden_size=vision.hidden_size)
    return MiniGPT4Model(vision, qformer, 32, build_llama(VICUNA | {"num_hidden_layers": LAYERS}))


def build_otter() -> nn.Module:
    perceiver = shapes(
        perceiver__latents=(64, 1024),
        perceiver__layers__0__to_q__weight=(512, 1024),
        perceiver__layers__0__feed_forward__1__weight=(4096, 1024),
        perceiver__layers__5__to_q__weight=(512, 1024),
    )
    config = MptConfig(
        d_model=4096, n_heads=32, n_layers=LAYERS, vocab_size=50432, tie_word_embeddings=True
    )
    with torch.device("meta"):
        layers = range(3, LAYERS, 4)
        gates = {layer: GatedCrossAttention(4096, 512, 1024, 16384) for layer in layers}
        language_model = MptForCausalLM(config)
        return OtterModel(clip(224, -1), Perceiver(perceiver, NOWHERE), language_model, gates)


def build_qwen_vl() -> nn.Module:
    visual = shapes(
        transformer__visual__conv1__weight=(1664, 3, 14, 14),
        transformer__visual__positional_embedding=(256, 1664),
        transformer__visual__attn_pool__query=(256, 4096),
        transformer__visual__transformer__resblocks__0__mlp__c_fc__weight=(8192, 1664),
    )
    config = Qwen2Config(
        vocab_size=151936,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=LAYERS,
        num_attention_heads=32,
        num_key_value_heads=32,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        vision = VisionTransformer({"heads": 16, "layers": 48}, visual, NOWHERE)
        return QwenVLModel(vision, Qwen2ForCausalLM(config), 448)


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "llava-1.5": build_llava,
    "minigpt-4": build_minigpt4,
    "otter": build_otter,
    "qwen-vl": build_qwen_vl,
}


def fill(model: nn.Module, dtype: torch.dtype, device: str) -> None:
    """Give the model random weights, made on the device itself."""
    twins = tied_parameters(model)
    for name, tensor in named_tensors(model).items():
        if tensor.is_floating_point():
            set_tensor(
                model, name, torch.empty(tensor.shape, dtype=dtype, device=device).normal_(0, 0.02)
            )
    for twin, name in twins.items():
        setattr(parent_module(model, twin), last_part(twin), model.get_parameter(name))
    rebuild_buffers(model, device)
    model.eval().requires_grad_(False)


class NumberTokenizer:
    """In place of a tokenizer: the text of an id is its number."""

    pad_token_id = 0

    def __init__(self, prompt: list[int]) -> None:
        self.input_ids = prompt

    def __call__(self, _text: str, **_: Any) -> NumberTokenizer:
        return self

    def convert_tokens_to_ids(self, _token: str) -> int:
        return 1

    def decode(self, ids: list[int], **_: Any) -> str:
        return " ".join(map(str, ids))

    def batch_decode(self, rows: torch.Tensor, **_: Any) -> list[str]:
        return [self.decode(row) for row in rows.tolist()]


PROMPTS = {"llava-1.5": (3, 4), "minigpt-4": (42, 12), "otter": (0, 12), "qwen-vl": (1, 8)}
"""Number of prompt tokens before and after the image."""


def load(family: str, settings: Settings, device: str) -> Any:
    """Return a captioner as the family's own `load` does. Raises `torch.OutOfMemoryError`."""
    model: Any = BUILDERS[family]()
    dtype = choose_dtype(settings.dtype, device)
    fill(model, dtype, device)
    loaded = LoadedCheckpoint(
        layout="random",
        dtype=str(dtype),
        parameters=sum(map(torch.numel, model.parameters())),
        bytes=0,
    )
    before, after = (list(range(5, 5 + count)) for count in PROMPTS[family])
    if family == "otter":
        return OtterCaptioner(model, loaded, NumberTokenizer([1, *after]), settings)
    kind = {
        "llava-1.5": LlavaCaptioner,
        "minigpt-4": MiniGPT4Captioner,
        "qwen-vl": QwenVLCaptioner,
    }[family]
    text = "###" if family == "minigpt-4" else None
    return kind(model, loaded, NumberTokenizer([]), settings, (before, after), [2], 0, text)

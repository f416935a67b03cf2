"""Writing a tiny checkpoint with random weights, laid out as published ones are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText, PreTrainedTokenizerFast

SENTENCES = [
    "a brown dog runs along the beach, near the water.",
    "two people sit at a wooden table in the kitchen",
    "Describe in English: what is in the picture?",
    "user assistant system USER ASSISTANT You are a helpful assistant.",
    "a red bus stops in front of an old church at night",
]
"""What the tokenizers learn their words from."""
SPREAD = 0.25
"""Standard deviation of the weights: fresh ones are so small that the image changes no answer."""
TEXT_PARTS = ("language_model", "decoder")
"""What is in the names of a language model's weights."""
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """One tiny checkpoint, and how its authors ask it."""

    config: Any
    """The configuration of transformers."""
    tokenizer: Any
    images: Json
    """preprocessor_config.json."""
    processor: Json | None = None
    """processor_config.json."""
    template: str | None = None
    template_file: str = "chat_template.jinja"
    for_texts: bool = False
    """True if the template takes plain texts and places the image itself."""
    generation: Json = field(default_factory=dict)
    """generation_config.json."""
    files: Mapping[str, Json] = field(default_factory=dict)
    """Further JSON files."""
    plain: str | Sequence[str] | None = None
    """The text of the documented call without a chat template; a sequence has the image between its
    two texts. None if there is no text, or a template."""
    loud: str = ""
    """Part of the names of the norms whose weights are made large, so that tied embeddings do not
    only repeat the last token."""


def tokens(
    *special: str,
    bos: str | None = None,
    eos: str = "</s>",
    pad: str = "<pad>",
    unk: str | None = None,
    add_bos: bool = False,
    add_eos: bool = False,
    named: Mapping[str, str] | None = None,
    **more: Any,
) -> Any:
    """Return a byte-level tokenizer; `named` special tokens are attributes of it."""
    own = [it for it in (pad, bos, eos, unk) if it]
    every = list(dict.fromkeys([*own, *special, *(named or {}).values()]))
    made = Tokenizer(models.BPE(unk_token=unk))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=every,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES * 3, trainer)
    if add_bos or add_eos:
        single = " ".join([f"{bos}:0"] * add_bos + ["$A:0"] + [f"{eos}:0"] * add_eos)
        added = [bos] * add_bos + [eos] * add_eos
        made.post_processor = processors.TemplateProcessing(
            single=single,
            pair=f"{single} $B:1",
            special_tokens=[(str(it), made.token_to_id(str(it))) for it in added],
        )
    options = more | ({"bos_token": bos} if bos else {}) | ({"unk_token": unk} if unk else {})
    if named:
        options["extra_special_tokens"] = dict(named)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=eos, pad_token=pad, **options)


def ids(tokenizer: Any, *names: str) -> list[int]:
    return [tokenizer.convert_tokens_to_ids(it) for it in names]


def configured(kind: str, **parts: Any) -> Any:
    return CONFIG_MAPPING[kind](**parts)


def language(tokenizer: Any, **more: Any) -> Json:
    """Return the configuration of a language model of two layers."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "max_position_embeddings": 8192,
    } | more


def without(values: Json, *keys: str) -> Json:
    return {key: value for key, value in values.items() if key not in keys}


VISION: Json = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}
CLIP: Json = VISION | {"model_type": "clip_vision_model", "projection_dim": 32}
SIGLIP: Json = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
SQUARE = {"height": 56, "width": 56}
HALVES: Json = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CLIP_IMAGES: Json = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 56},
    "crop_size": SQUARE,
    "do_center_crop": True,
}
SIGLIP_IMAGES: Json = {"image_processor_type": "SiglipImageProcessor", "size": SQUARE} | HALVES


def chatml(image: str, system: str = "", answer: str = "") -> str:
    """Return Qwen's form of a chat template."""
    first = "<|im_start|>system\n" + system + "<|im_end|>\n" if system else ""
    return (
        first + "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
        "{% for part in m['content'] %}{% if part['type'] == 'image' %}"
        + image
        + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n" + answer + "{% endif %}"
    )


def parts(image: str, before: str = "", after: str = "") -> str:
    """Return a template that writes the image's mark and the text between two texts."""
    return (
        before + "{% for m in messages %}{% for part in m['content'] %}"
        "{% if part['type'] == 'image' %}"
        + image
        + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}" + after + "{% endif %}"
    )


def write(tiny: Tiny, folder: Path) -> Path:
    """Write the checkpoint into a folder that is not there yet."""
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(tiny.config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, SPREAD)
            elif (
                tiny.loud and tiny.loud in name and ("language_model" in name or "decoder" in name)
            ):
                weight.fill_(3.0)
    save(tiny, model, folder)
    return folder


def save(tiny: Tiny, model: Any, folder: Path) -> None:
    """Write a model into a folder, and beside it the other files of a checkpoint."""
    model.generation_config = type(model.generation_config)()
    model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    stated = {"generation_config.json": tiny.generation, "preprocessor_config.json": tiny.images}
    stated |= {"processor_config.json": tiny.processor} if tiny.processor else {}
    for name, content in (stated | dict(tiny.files)).items():
        (folder / name).write_text(json.dumps(content))
    if not tiny.generation:
        (folder / "generation_config.json").unlink()
    if tiny.template:
        text = tiny.template
        if tiny.template_file.endswith("json"):
            text = json.dumps({"chat_template": text})
        (folder / tiny.template_file).write_text(text)


Make = Callable[[], Tiny]
FAMILIES: dict[str, Make] = {}
"""The tiny checkpoints by name."""


def family(make: Make) -> Make:
    FAMILIES[make.__name__] = make
    return make

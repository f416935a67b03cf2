"""How a model is asked: the settings, and changing them by `KEY=VALUE`. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.utils.errors import BadInput

DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZED = ("none", "int8", "fp8")
PREPROCESSING = ("crop", "pad", "squash")
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything here but `batch`, `auto_batch`, `graphs` and `overlap` shapes the raw text."""

    prompt: str = ""
    preprocess: str = ""
    """How an image becomes the model's square: `crop` (shortest edge, then the centre), `pad` (to
    a square of the mean colour first), `squash` (aspect ratio lost); empty where the checkpoint's
    own processor decides."""
    max_new_tokens: int = 30
    min_new_tokens: int = 0
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float | None = None
    no_repeat_ngram: int = 0
    dtype: str = "auto"
    """auto is bfloat16 on a GPU and float32 elsewhere."""
    quantize: str = "none"
    """Eight bits for the matrices of the language model's layers, of half the memory: `int8`, or
    `fp8` on a GPU that multiplies it. What a model says comes out a little different."""
    seed: int = 0
    tokenizer: str | None = None
    """Folder (or file) of the tokenizer, where it does not lie with the checkpoint."""
    vision_tower: str | None = None
    """Folder of the CLIP model, for an original LLaVA checkpoint without it."""
    served_model: str | None = None
    """What to ask a server for, where it serves more than one model."""
    fast_decode: bool = False
    """Decode large JPEGs at a fraction of their size, still at least twice the model's square:
    faster, and pixels differ a little from upstream's."""
    stop_at_sentence: bool = False
    """End a caption once its first sentence is over: fewer tokens, the same sheared text, and no
    cut tail to look at."""
    batch: int = 32
    auto_batch: bool = True
    """Double the batch while that is faster, beginning with `batch`."""
    graphs: bool = True
    """On a GPU, record decode steps and replay them, rather than launch every operation."""
    overlap: bool = False
    """On a GPU, read one batch in while the one before chooses its tokens: more memory."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError
        return value

    parse.__doc__ = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
    return parse


def one_of(values: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    parse.__doc__ = f"one of {', '.join(values)}"
    return parse


def temperature(text: str) -> float:
    """a number from 0 up (0 is greedy)"""
    value = float(text)
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError
    return value


def share(text: str) -> float | None:
    """a number above 0 and up to 1, or none"""
    if text == "none":
        return None
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError
    return value


def existing_path(text: str) -> str | None:
    """an existing folder or file, or none"""
    if text == "none":
        return None
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise ValueError
    return str(path)


def yes_or_no(text: str) -> bool:
    """yes or no"""
    return {"yes": True, "no": False}[text]


def batch_size(text: str) -> int | None:
    """a whole number from 1 to 65536, or auto"""
    return None if text == "auto" else whole(1, 65536)(text)


def served(text: str) -> str | None:
    """the id of a model as GET /v1/models lists it, or none"""
    if text == "none":
        return None
    if not text or not text.isprintable():
        raise ValueError
    return text


def any_text(text: str) -> str:
    """text"""
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "prompt": any_text,
    "preprocess": one_of(PREPROCESSING),
    "max_new_tokens": whole(1, 4096),
    "min_new_tokens": whole(0, 4096),
    "temperature": temperature,
    "top_p": share,
    "no_repeat_ngram": whole(0, 64),
    "dtype": one_of(DTYPES),
    "quantize": one_of(QUANTIZED),
    "seed": whole(0, LARGEST_SEED),
    "tokenizer": existing_path,
    "vision_tower": existing_path,
    "served_model": served,
    "fast_decode": yes_or_no,
    "stop_at_sentence": yes_or_no,
    "batch": batch_size,
    "graphs": yes_or_no,
    "overlap": yes_or_no,
}
"""By setting; each reads its text or raises `ValueError`, its docstring says what it wants."""


def pair(text: str) -> tuple[str, str]:
    """Reads `KEY=VALUE`. Raises `BadInput`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{text!r}: write KEY=VALUE, such as batch=16")
    return key, value


def changed(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """The settings with these keys (of `PARSERS`) read from text. Raises `BadInput`."""
    values: dict[str, Any] = {}
    for key, text in changes.items():
        parse = PARSERS[key]
        try:
            values[key] = parse(text)
        except (ValueError, KeyError):
            raise BadInput(f"{key} must be {parse.__doc__}, not {text!r}") from None
    if "batch" in values:
        values["auto_batch"] = values["batch"] is None
        values["batch"] = values["batch"] or settings.batch
    result = replace(settings, **values)
    if result.min_new_tokens > result.max_new_tokens:
        raise BadInput(
            f"min_new_tokens {result.min_new_tokens} is above max_new_tokens"
            f" {result.max_new_tokens}"
        )
    return result

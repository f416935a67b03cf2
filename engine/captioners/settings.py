"""The settings of a model, and how `KEY=VALUE` changes them. This module imports no torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from engine.utils.errors import BadInput

DTYPES = ("auto", "float32", "bfloat16", "float16")
"""Values of `dtype`."""
QUANTIZATIONS = ("none", "int8", "fp8")
"""Values of `quantize`."""
PREPROCESSING = ("crop", "pad", "squash")
"""Values of `preprocess`: the keys of `preprocessing.pixels.RESIZERS`."""
ALPHAS = ("drop", "white")
"""Values of `alpha`."""
EXIFS = ("stored", "upright")
"""Values of `exif`."""
JPEG_ENDS = ("required", "optional")
"""Values of `jpeg_end`."""
MAX_TOKENS_NAMES = ("max_tokens", "max_completion_tokens")
"""Values of `max_tokens_name`."""
UNSENDABLE = ("max_new_tokens", "temperature", "seed")
"""Settings that a server need not be sent, by the value `none`."""
MAX_SEED = 2**63 - 1
"""The largest seed: that of a signed 64-bit integer."""
MAX_NEW_TOKENS = 4096
"""The largest `max_new_tokens`: far above any caption, within the context of every family."""
MAX_NGRAM = 64
"""The largest `no_repeat_ngram`."""
MAX_BATCH = 65536
"""The largest `batch`."""


def any_of(values: Sequence[str], empty: bool = False) -> Meta:
    """Return the constraint that a text is one of `values`, or with `empty` empty."""
    return Meta(pattern=f"^({'|'.join(values)}){'?' if empty else ''}\\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is loaded and asked. `msgspec.convert` checks types and ranges.

    All but `batch`, `auto_batch`, `graphs` and `overlap` change the raw captions, and therefore the
    settings hash.
    """

    prompt: str = ""
    """The whole prompt, with the family's placeholder where the image goes."""
    preprocess: Annotated[str, any_of(PREPROCESSING, empty=True)] = ""
    """How an image becomes the square that the model takes: `crop` (resize the shortest edge, cut
    out the centre), `pad` (first pad to a square with the mean colour) or `squash` (lose the aspect
    ratio). It is empty where the checkpoint's own processor decides."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=MAX_NEW_TOKENS)] = 30
    min_new_tokens: Annotated[int, Meta(ge=0, le=MAX_NEW_TOKENS)] = 0
    temperature: Annotated[float, Meta(ge=0, le=sys.float_info.max)] = 0.0
    """The temperature of sampling; 0 means greedy decoding."""
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    """The probability mass that nucleus sampling keeps; None keeps all tokens."""
    no_repeat_ngram: Annotated[int, Meta(ge=0, le=MAX_NGRAM)] = 0
    """Length of the n-grams that may not occur twice in a caption; 0 allows all."""
    dtype: Annotated[str, any_of(DTYPES)] = "auto"
    """Floating-point type of the weights; `auto` is bfloat16 on a GPU and float32 elsewhere."""
    quantize: Annotated[str, any_of(QUANTIZATIONS)] = "none"
    """Type of eight bits for the matrices of the language model's layers: `int8`, or `fp8` on a GPU
    that can multiply it. It halves their memory and changes captions a little."""
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] = 0
    """Seed of sampling. Each record draws its own noise from it."""
    tokenizer: str | None = None
    """Folder or file of the tokenizer; None if it is in the checkpoint's folder."""
    vision_tower: str | None = None
    """Folder of the CLIP model, for an original LLaVA checkpoint that does not contain it."""
    served_model: str | None = None
    """Id of the model to ask a server for; None if it serves only one."""
    max_tokens_name: Annotated[str, any_of(MAX_TOKENS_NAMES)] = "max_tokens"
    """What a server calls the most tokens of an answer."""
    unsent: Annotated[str, Meta(pattern=f"^({'|'.join(UNSENDABLE)}|,)*\\Z")] = ""
    """Names of settings that a server is not sent, with commas between."""
    alpha: Annotated[str, any_of(ALPHAS)] = "drop"
    """What becomes of transparency, as in `PixelRules`."""
    exif: Annotated[str, any_of(EXIFS)] = "stored"
    """Whether pictures are turned as their EXIF tag says, as in `PixelRules`."""
    jpeg_end: Annotated[str, any_of(JPEG_ENDS)] = "required"
    """Whether a JPEG may lack its end marker, as in `PixelRules`."""
    fast_decode: bool = False
    """True to decode large JPEGs at a fraction of their size, but at least twice the size of the
    model's square. This is faster, and the pixels differ a little from upstream's."""
    stop_at_sentence: bool = False
    """True to end a caption when its first sentence is complete: fewer tokens and the same sheared
    caption, but there is no rest that was sheared off to look at."""
    batch: Annotated[int, Meta(ge=1, le=MAX_BATCH)] = 32
    """Images per batch; for a server, the most requests at a time."""
    auto_batch: bool = True
    """True to double the batch while that is faster, beginning with `batch`."""
    graphs: bool = True
    """True to capture decode steps as CUDA graphs and replay them, instead of launching each
    operation."""
    overlap: bool = False
    """True to run the prefill of one batch on a GPU while the batch before is in its decode steps.
    This takes more memory."""

    @property
    def unsent_names(self) -> list[str]:
        """Names of settings that a server is not sent."""
        return [name for name in self.unsent.split(",") if name]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Return settings with these values; names that this version does not know are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


# The docstring of each parser below is shown to users: it completes "KEY must be ...".


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError
        return value

    parse.__doc__ = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
    return parse


def one_of(values: Sequence[str]) -> Callable[[str], str]:
    """Return a parser that accepts exactly these values."""

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


def probability(text: str) -> float | None:
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
    return None if text == "auto" else whole_number(1, MAX_BATCH)(text)


def served_model(text: str) -> str | None:
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
    "max_new_tokens": whole_number(1, MAX_NEW_TOKENS),
    "min_new_tokens": whole_number(0, MAX_NEW_TOKENS),
    "temperature": temperature,
    "top_p": probability,
    "no_repeat_ngram": whole_number(0, MAX_NGRAM),
    "dtype": one_of(DTYPES),
    "quantize": one_of(QUANTIZATIONS),
    "seed": whole_number(0, MAX_SEED),
    "tokenizer": existing_path,
    "vision_tower": existing_path,
    "served_model": served_model,
    "max_tokens_name": one_of(MAX_TOKENS_NAMES),
    "alpha": one_of(ALPHAS),
    "exif": one_of(EXIFS),
    "jpeg_end": one_of(JPEG_ENDS),
    "fast_decode": yes_or_no,
    "stop_at_sentence": yes_or_no,
    "batch": batch_size,
    "graphs": yes_or_no,
    "overlap": yes_or_no,
}
"""For each setting its parser, which raises `ValueError` or `KeyError` for text that it refuses.

`auto_batch` and `unsent` have no parser: `batch` may be `auto`, and for a server the settings in
`UNSENDABLE` may be `none`.
"""


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `KEY=VALUE` into key and value. Raises `BadInput`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{text!r}: write KEY=VALUE, such as batch=16")
    return key, value


def apply_changes(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """Return the settings with the values that `changes` gives as text to keys of `PARSERS`.

    Raises `BadInput`.
    """
    values: dict[str, Any] = {}
    unsent = set(settings.unsent_names)
    for key, text in changes.items():
        if key in UNSENDABLE:
            unsent.discard(key)
            if text == "none":
                unsent.add(key)
                continue
        parse = PARSERS[key]
        try:
            values[key] = parse(text)
        except (ValueError, KeyError):
            raise BadInput(f"{key} must be {parse.__doc__}, not {text!r}") from None
    values["unsent"] = ",".join(sorted(unsent))
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

"""How `KEY=VALUE` changes the settings of a model. This module imports no torch."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.captioners.settings import (
    ALPHAS,
    DTYPES,
    ENGINES,
    EXIFS,
    JPEG_ENDS,
    MAX_BATCH,
    MAX_NEW_TOKENS,
    MAX_NGRAM,
    MAX_PENALTY,
    MAX_PIXELS,
    MAX_SEED,
    MAX_TILES,
    MAX_TOKENS_NAMES,
    PREPROCESSING,
    QUANTIZATIONS,
    UNSENDABLE,
    Settings,
    check_settings,
    json_object,
    json_texts,
    stored_backend,
    stored_json,
)
from engine.quality.alarms import parse_limits
from engine.utils.errors import BadInput

TEMPLATE_PREFIX = "template."
"""What stands before the name of a template variable in the key of a change."""


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


def number_or_none(low: int, high: int) -> Callable[[str], int | None]:
    """Return a parser of whole numbers from `low` to `high`, both included, and of `none`."""
    parse_number = whole_number(low, high)

    def parse(text: str) -> int | None:
        return None if text == "none" else parse_number(text)

    parse.__doc__ = f"{parse_number.__doc__}, or none for the checkpoint's own"
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
    if not text or not path.exists():
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


def backend(text: str) -> str:
    """vllm, sglang, lmdeploy, llama.cpp, transformers, or the command of a server, with {model},
    {port} and {key} for folder, port and API key"""
    if text in ENGINES:
        return text
    program, *rest = words(text)
    # Its server's folder is none of the user's.
    program = str(Path(program).expanduser().absolute()) if "/" in program else program
    return stored_backend(stored_json([program, *rest]))


def arguments(text: str) -> str:
    """further arguments for the engine, such as --max-model-len 4096, or none"""
    return "" if text in ("", "none") else stored_json(words(text))


def words(text: str) -> list[str]:
    """Return the words of a command line or the texts of a JSON list.

    No shell reads them. Raises `ValueError`, `BadInput`.
    """
    if text.lstrip().startswith("["):
        parsed: list[str] = json.loads(json_texts(text))
        return parsed
    return shlex.split(text)


def any_text(text: str) -> str:
    """text"""
    return text


def penalty(text: str) -> float | None:
    """a number above 0 and up to 10 (1 has no effect), or none for the checkpoint's own"""
    if text == "none":
        return None
    value = float(text)
    if not 0 < value <= MAX_PENALTY:
        raise ValueError
    return value


def texts(text: str) -> str:
    """a JSON list of texts such as ["one", "two"], or none"""
    return "" if text in ("", "none") else json_texts(text)


def cuts(text: str) -> str:
    """a JSON list of texts such as ["...</think>", "The image shows "], none of which begins with a
    blank or is dots alone, or none"""
    stored = texts(text)
    for cut in json.loads(stored) if stored else []:
        if cut != cut.lstrip() or (cut.startswith("...") and not cut.strip(".")):
            raise ValueError
    return stored


def template_variables(text: str) -> str:
    """a JSON object of variables that a chat template may be given, such as {"enable_thinking":
    false}, or none"""
    return "" if text in ("", "none") else json_object(text)


def limits(text: str) -> str:
    """shares of bad captions for a warning and a stop, such as loops=0.05/0.5,truncated=off, or
    none"""
    if text in ("", "none"):
        return ""
    parse_limits(text)
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "prompt": any_text,
    "prompts": texts,
    "system": any_text,
    "prefill": any_text,
    "keep_prefill": yes_or_no,
    "template": template_variables,
    "strip": cuts,
    "preprocess": one_of(PREPROCESSING),
    "min_pixels": number_or_none(1, MAX_PIXELS),
    "max_pixels": number_or_none(1, MAX_PIXELS),
    "max_tiles": number_or_none(1, MAX_TILES),
    "max_new_tokens": whole_number(1, MAX_NEW_TOKENS),
    "min_new_tokens": whole_number(0, MAX_NEW_TOKENS),
    "temperature": temperature,
    "top_p": probability,
    "no_repeat_ngram": whole_number(0, MAX_NGRAM),
    "repetition_penalty": penalty,
    "dtype": one_of(DTYPES),
    "quantize": one_of(QUANTIZATIONS),
    "seed": whole_number(0, MAX_SEED),
    "tokenizer": existing_path,
    "vision_tower": existing_path,
    "adapter": existing_path,
    "served_model": served_model,
    "thinking": yes_or_no,
    "max_tokens_name": one_of(MAX_TOKENS_NAMES),
    "backend": backend,
    "interpreter": existing_path,
    "arguments": arguments,
    "alpha": one_of(ALPHAS),
    "exif": one_of(EXIFS),
    "jpeg_end": one_of(JPEG_ENDS),
    "fast_decode": yes_or_no,
    "stop_at_sentence": yes_or_no,
    "batch": batch_size,
    "limits": limits,
    "graphs": yes_or_no,
    "overlap": yes_or_no,
}
"""For each setting its parser, which raises `ValueError` or `KeyError` for text that it refuses.

`auto_batch` and `unsent` have no parser: `batch` may be `auto`, and for a server the settings in
`UNSENDABLE` may be `none`.
"""

YES_NO_SETTINGS = (
    "keep_prefill",
    "thinking",
    "fast_decode",
    "stop_at_sentence",
    "graphs",
    "overlap",
)
CHOICES: dict[str, Sequence[str]] = {
    "preprocess": PREPROCESSING,
    "dtype": DTYPES,
    "quantize": QUANTIZATIONS,
    "max_tokens_name": MAX_TOKENS_NAMES,
    "alpha": ALPHAS,
    "exif": EXIFS,
    "jpeg_end": JPEG_ENDS,
    **dict.fromkeys(YES_NO_SETTINGS, ("yes", "no")),
}
"""For each setting that has one of a few values these, as its parser reads them."""


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `KEY=VALUE` into key and value. Raises `BadInput`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{text!r}: write KEY=VALUE, such as batch=16")
    return key, value


def apply_changes(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """Return the settings with the values that `changes` gives as text.

    Its keys are those of `PARSERS`, and `template.NAME` for a single variable of the chat template.
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
        if not key.startswith(TEMPLATE_PREFIX):
            values[key] = parse_value(key, text)
    values["unsent"] = ",".join(sorted(unsent))
    if "batch" in values:
        values["auto_batch"] = values["batch"] is None
        values["batch"] = values["batch"] or settings.batch
    result = with_variables(replace(settings, **values), changes)
    check_settings(result)
    return result


def parse_value(key: str, text: str) -> Any:
    """Return the value of a setting that a text stands for. Raises `BadInput`."""
    parse = PARSERS[key]
    try:
        return parse(text)
    except (ValueError, KeyError, BadInput) as error:
        why = f": {error}" if isinstance(error, BadInput) else ""
        raise BadInput(f"{key} must be {describe(parse)}, not {text!r}{why}") from None


def setting_text(value: Any) -> str:
    """Return the value of a setting as text, as its parser reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def describe(parse: Callable[[str], Any]) -> str:
    """Return what a parser takes, for people."""
    return " ".join((parse.__doc__ or "").split())


def with_variables(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """Return the settings with the template variables that `changes` names one by one.

    A value is JSON (`false`, `3`, `"no"`) or else a text; `none` takes a variable away. Raises
    `BadInput`.
    """
    variables = settings.template_variables
    for key, text in changes.items():
        if not key.startswith(TEMPLATE_PREFIX):
            continue
        name = key.removeprefix(TEMPLATE_PREFIX)
        json_object(json.dumps({name: 0}))  # refuses a name that no template may be given
        variables.pop(name, None)
        if text != "none":
            variables[name] = json_or_text(text)
    stored = json_object(json.dumps(variables)) if variables else ""
    return replace(settings, template=stored)


def json_or_text(text: str) -> Any:
    """Return the value of a JSON text, or else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

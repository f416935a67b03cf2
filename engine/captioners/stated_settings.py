"""Settings that a checkpoint of `hf` has from its own files when a model begins with it.

They are written into the model's settings, so that they are seen, exported with captions and
changed as any others. Imports no torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.captioners.config_files import read_json, read_text
from engine.captioners.errors import CheckpointError
from engine.captioners.settings import MAX_PENALTY, Settings, stored_json

PIXELS = 401_408
"""Pixels of a picture that a model begins with if its processor keeps more: 512 times 28x28 pixels,
or 392 times 32x32. The millions that such files allow take many times as long."""
PIXEL_LIMITS = {
    "Qwen2VLImageProcessor": PIXELS,
    "VideoLlama3ImageProcessor": PIXELS,
    "Ernie4_5_VLMoeImageProcessor": PIXELS,
    # These count each picture twice, as two frames of a video.
    "Glm4vImageProcessor": 2 * PIXELS,
    "Glm46VImageProcessor": 2 * PIXELS,
}
"""The `max_pixels` of image processors that keep a picture's own size, within limits, by what their
types begin with."""
THINKING_SWITCHES = ("enable_thinking", "thinking", "enable_reasoning", "reasoning")
"""Template variables by which a model is told to reason before it answers: Qwen3, GLM, Gemma 4 and
others have the first, Granite and DeepSeek the second, Command A Reasoning the last."""
TEMPLATE_CODE = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
"""What a template computes, as against the text that it writes."""
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
"""A text within what a template computes."""
DEFAULTS = asdict(Settings())
"""The value of each setting that is open."""


def begun(folder: Path, settings: Settings, names: Collection[str]) -> Settings:
    """Return the settings with what the checkpoint states, for those of `names` that are open."""
    own = stated_settings(folder)
    changes = {
        key: it
        for key, it in own.items()
        if key in names and getattr(settings, key) == DEFAULTS[key]
    }
    return replace(settings, **changes)


def reopened(folder: Path, settings: Settings) -> Settings:
    """Return the settings without what this checkpoint states, for another one."""
    own = stated_settings(folder)
    changes = {key: DEFAULTS[key] for key, it in own.items() if getattr(settings, key) == it}
    return replace(settings, **changes)


def with_penalty(folder: Path, settings: Settings) -> Settings:
    """Return the settings with the repetition penalty that holds, if there is one."""
    own = stated_penalty(folder)
    if settings.repetition_penalty is not None or own == 1:
        return settings
    return replace(settings, repetition_penalty=own)


def stated_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that follow from the files of a checkpoint, by name."""
    found: dict[str, Any] = {}
    penalty, limit = stated_penalty(folder), pixel_limit(folder)
    if penalty != 1:
        found["repetition_penalty"] = penalty
    if limit is not None:
        found["max_pixels"] = limit
    if switches := thinking_switches(stated_template(folder)):
        found["template"] = stored_json(dict.fromkeys(switches, False))
    return found


def thinking_switches(template: str) -> list[str]:
    """Return the variables of a chat template that switch thinking on and off."""
    code = " ".join(QUOTED.sub("''", it) for it in TEMPLATE_CODE.findall(template))
    return [name for name in THINKING_SWITCHES if re.search(rf"(?<![.\w]){name}\b", code)]


def stated_penalty(folder: Path) -> float:
    """Return the repetition penalty in generation_config.json; 1 has no effect."""
    value = read_object(folder / "generation_config.json").get("repetition_penalty")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 1.0
    return float(value) if 0 < value <= MAX_PENALTY else 1.0


def pixel_limit(folder: Path) -> int | None:
    """Return the `max_pixels` that a model begins with; None where its processor keeps fewer."""
    whole = read_object(folder / "processor_config.json").get("image_processor")
    images = whole if isinstance(whole, dict) else read_object(folder / "preprocessor_config.json")
    kind = str(images.get("image_processor_type"))
    limit = next((it for name, it in PIXEL_LIMITS.items() if kind.startswith(name)), None)
    size = images.get("size")
    size = size if isinstance(size, dict) else {}
    most = images.get("max_pixels") or size.get("longest_edge") or math.inf
    least = images.get("min_pixels") or size.get("shortest_edge") or 0
    numbers = isinstance(most, int | float) and isinstance(least, int | float)
    return limit if limit and numbers and least <= limit < most else None


def stated_template(folder: Path) -> str:
    """Return the text of the checkpoint's chat templates, wherever they stand."""
    texts = []
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        texts.append(str(read_object(folder / name).get("chat_template")))
    with suppress(CheckpointError):
        texts.append(read_text(folder / "chat_template.jinja"))
    return "\n".join(texts)


def read_object(file: Path) -> Mapping[str, Any]:
    """Return the JSON object in a file; an empty one if it cannot be read."""
    try:
        return read_json(file)
    except CheckpointError:
        return {}

"""What the settings of a model mean, what they are by default, and what follows from a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.captioners.registry import FAMILIES, PAPER, Settings
from engine.captioners.setting_changes import CHOICES, PARSERS, describe, setting_text
from engine.captioners.settings_hash import UNHASHED
from tui.formatting import text

if TYPE_CHECKING:
    from db.rows import ModelRow
    from tui.viewmodel.snapshot import ModelProgress

HELP = {
    "checkpoint": "The folder with the model's weights, or the address of its server.",
    "prompt": "What the model is asked. The family's placeholder says where the image goes.",
    "prompts": "Several prompts, of which each image gets one.",
    "system": "The system message of the conversation.",
    "prefill": "The beginning of the answer, which the model continues.",
    "keep_prefill": "Whether the caption begins with the prefill.",
    "template": "Variables of the chat template, such as one that turns thinking off.",
    "strip": "Texts that are cut from captions.",
    "preprocess": "How an image becomes the model's square: cut, padded or squeezed.",
    "min_pixels": "Smaller images are enlarged to this many pixels.",
    "max_pixels": "Larger images are reduced to this many pixels: fewer are faster.",
    "max_tiles": "The most tiles into which an image is cut: fewer are faster.",
    "max_new_tokens": "The token cap: a caption that reaches it is cut off.",
    "min_new_tokens": "A caption does not end before this many tokens.",
    "temperature": "How random the choice of words is.",
    "top_p": "Words are drawn from the likeliest ones with this share of the probability.",
    "no_repeat_ngram": "This many words in a row do not occur twice in a caption; 0 allows all.",
    "repetition_penalty": "Words that were said become less likely.",
    "dtype": "The floating-point type of the weights.",
    "quantize": "Eight-bit weights: half the memory, captions change a little.",
    "seed": "Another seed gives other captions where words are drawn.",
    "tokenizer": "Where the tokenizer is, if not beside the weights.",
    "vision_tower": "The folder of the CLIP model, if it is not in the checkpoint.",
    "adapter": "The folder of a LoRA that is merged into the weights.",
    "served_model": "The id of the model to ask a server for.",
    "thinking": "Whether a server may have the model think before it answers.",
    "max_tokens_name": "What the server calls the token cap.",
    "backend": "The program that serves the model.",
    "interpreter": "The Python in whose environment that program is installed.",
    "arguments": "Further arguments for that program.",
    "alpha": "What becomes of transparency.",
    "exif": "Whether images are turned as their EXIF tag says.",
    "jpeg_end": "Whether a JPEG that breaks off is an error.",
    "fast_decode": "Large JPEGs are decoded at a fraction of their size: faster, a little coarser.",
    "stop_at_sentence": "A caption ends with its first sentence: fewer tokens.",
    "batch": "Images at a time; auto finds the fastest size.",
    "limits": "Shares of bad captions for a warning, and above which the model is stopped.",
    "graphs": "Whether decode steps are replayed as CUDA graphs.",
    "overlap": "Whether the next batch is read while one is decoded: faster, more memory.",
}
"""One sentence for each setting of a model."""


def setting_values(model: ModelRow) -> dict[str, str]:
    """Return the settings of a model as they are now, as text, by name; its checkpoint first."""
    family = FAMILIES[model.family]
    settings = asdict(Settings.of(model.settings))
    values = {name: setting_text(settings[name]) for name in family.setting_names}
    values |= dict.fromkeys(settings["unsent"].split(","), "none") if settings["unsent"] else {}
    if settings["auto_batch"]:
        values["batch"] = "auto"
    checkpoint = {"checkpoint": model.checkpoint or ""} if family.checkpoint_form else {}
    return checkpoint | values


def default_of(family: str, name: str) -> str | None:
    """Return the value of a setting in the preset `paper`, as text; a checkpoint has none."""
    settings = FAMILIES[family].presets[PAPER]
    if name == "checkpoint":
        return None
    if name == "batch" and settings.auto_batch:
        return "auto"
    return setting_text(getattr(settings, name))


def choices_of(family: str, name: str) -> str:
    """Return what a setting can be, for people."""
    if name in CHOICES:
        return f"one of {', '.join(CHOICES[name])}"
    if name == "checkpoint":
        return FAMILIES[family].checkpoint_form or ""
    return describe(PARSERS[name])


def help_lines(
    model: ModelProgress, name: str, seconds: Mapping[int, float], devices: int
) -> list[str]:
    """Return what to show of a setting: its meaning, what a change does, its choices and default.

    `seconds` are those that a device takes for an image, by model id; `devices` is their number.
    """
    family = model.row.family
    default = default_of(family, name)
    shown = "" if default is None else f"  default: {text.visible(default) or 'nothing'}"
    return [
        HELP[name],
        consequence(model, name, seconds.get(model.row.id), devices),
        f"{choices_of(family, name)}{shown}",
    ]


def consequence(
    model: ModelProgress, name: str, seconds_per_image: float | None, devices: int
) -> str:
    """Return what a change of a setting does to the captions that are there."""
    if name in UNHASHED:
        return "A change keeps all captions; the next run uses it."
    if not model.captioned:
        return "Nothing is captioned yet: a change costs nothing."
    verb = "scores" if model.is_scorer else "captions"
    images = text.plural(model.total, "image")
    hours = ""
    if seconds_per_image is not None:
        duration = text.duration(model.total * seconds_per_image / max(1, devices))
        hours = f", about {duration} on {text.plural(max(1, devices), 'device')}"
    kept = f"captions/{model.row.folder}"
    return (
        f"A change {verb} {images} again{hours}; the {text.number(model.captioned)} {verb} of now"
        f" stay in {kept} and count again when it is changed back."
    )

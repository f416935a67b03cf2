"""The card of a data set on the Hugging Face Hub: what it holds, and who captioned it."""

from __future__ import annotations

import json

from engine.captioners.settings import Settings
from engine.datasets.exports.writers.base import ExportPlan
from engine.utils.plurals import plural

HEAD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
task_categories:
- image-to-text
---

# Images with captions

Say here where the images come from, and under what licence they may be used.
"""


def dataset_card(plan: ExportPlan, images: int) -> str:
    """Return the card of so many images, as Markdown with the Hub's metadata."""
    lines = [HEAD, f"{plural(images, 'image')}, a row each. The columns with captions:", ""]
    if plan.with_original:
        lines.append("- `original`: the caption that the image came with")
    for model in plan.models:
        prompts = list(filter(None, Settings.of(model.settings).prompt_choices))
        asked = f", asked {' or '.join(map(code, prompts))}" if prompts else ""
        lines.append(f"- `{model.name}`: by a model of the family `{model.family}`{asked}")
    lines += [
        "",
        "A caption that is missing is null. Captions of models are sheared to a sentence.",
    ]
    if plan.filters:
        lines += ["", f"Captions were left out by `{' '.join(plan.filters)}`."]
    if plan.quality is not None:
        lines += [
            "",
            "`health` says what is wrong with each caption, `agreement` how far those of other"
            " models support it, `scores` how well it fits the image, and `flags` why a person"
            " flagged it.",
        ]
    return "\n".join([*lines, ""])


def code(text: object) -> str:
    """Return a text as Markdown shows it to the letter."""
    return f"`{json.dumps(text, ensure_ascii=False).replace('`', chr(39))}`"

"""The model families that the product knows, as `mllmaug-tui models` lists them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from engine.captioners.model_families import HF
from engine.captioners.open_models import own_prompts, types_by_state
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint


def family_dicts() -> list[dict[str, Any]]:
    """Return the JSON array that `models --json` prints.

    `demo_checkpoint` is the folder of the family's built-in checkpoint, or None. The family `hf`
    has `types` as well, the types of model by their state (`tried`, `untried`, `refused`), and
    `own_prompts`, what types are asked that have a prompt of their own.
    """
    built_in = {name: folder for name in FAMILIES if (folder := checkpoint(name)).is_dir()}
    return [
        {
            "name": family.name,
            "summary": family.summary,
            "checkpoint": family.checkpoint_form,
            "demo_checkpoint": str(built_in[family.name]) if family.name in built_in else None,
            "settings": list(family.setting_names),
            "presets": {name: asdict(preset) for name, preset in family.presets.items()},
        }
        | ({"types": types_by_state(), "own_prompts": own_prompts()} if family.name == HF else {})
        for family in FAMILIES.values()
    ]

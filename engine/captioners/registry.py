"""The names by which other packages use model families and choices, without importing torch.

The families are in `model_families` and `presets`, choosing a model is in `model_choice`, the
settings hash in `settings_hash`.
"""

from __future__ import annotations

from engine.captioners.model_choice import (
    ModelChoice,
    change_model,
    check_prompt_keys,
    choose,
    choose_all,
    complete_prompt,
    parse_model,
)
from engine.captioners.model_families import FAMILIES, IMPORTED, Family, check_checkpoint
from engine.captioners.presets import OFFICIAL, PAPER
from engine.captioners.settings import Settings

__all__ = [
    "FAMILIES",
    "IMPORTED",
    "OFFICIAL",
    "PAPER",
    "Family",
    "ModelChoice",
    "Settings",
    "change_model",
    "check_checkpoint",
    "check_prompt_keys",
    "choose",
    "choose_all",
    "complete_prompt",
    "parse_model",
]

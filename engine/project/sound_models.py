"""Whether the models of a received project are such as this program would have made.

A model's name and settings hash are part of paths, its settings go to workers as they are: none of
them is taken on trust.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import msgspec

from db.rows import ModelRow
from engine.captioners.address import MODEL_NAME, read_address
from engine.captioners.registry import FAMILIES, IMPORTED, Settings
from engine.captioners.settings import check_settings
from engine.utils.errors import BadInput

KNOWN_SETTINGS = {field.name for field in fields(Settings)}
"""The settings that this version knows; it passes over others."""


def check_models(models: Iterable[ModelRow]) -> None:
    """Raise `ValueError`, which says what is wrong, unless all models make sense."""
    for model in models:
        check_model(model)


def check_model(model: ModelRow) -> None:
    """Raise `ValueError`, which says what is wrong, unless the model makes sense."""
    if not MODEL_NAME.fullmatch(model.name):
        raise ValueError(f"no model can have the name {model.name[:100]!r}")
    if not MODEL_NAME.fullmatch(model.settings_hash):
        raise ValueError(f"{model.name} has the settings hash {model.settings_hash[:100]!r}")
    if model.family == IMPORTED:
        if model.checkpoint is not None or model.settings:
            raise ValueError(f"{model.name} is imported, but has a checkpoint or settings")
        return
    family = FAMILIES.get(model.family)
    if family is None:
        raise ValueError(
            f"{model.name} is of the family {model.family[:100]!r}, which this version does not"
            " have"
        )
    if (model.checkpoint is None) != (family.checkpoint_form is None):
        raise ValueError(f"{model.name} has no checkpoint, or one that its family does not take")
    if model.checkpoint is not None and "\0" in model.checkpoint:
        raise ValueError(f"{model.name} has a checkpoint that is not a valid path")
    if model.checkpoint is not None and family.remote:
        try:
            read_address(model.checkpoint)
        except BadInput as error:
            raise ValueError(f"{model.name}: {error}") from error
    known = {key: value for key, value in model.settings.items() if key in KNOWN_SETTINGS}
    try:
        settings = msgspec.convert(known, Settings)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{model.name} has invalid settings: {error}") from error
    try:
        check_settings(settings)
    except BadInput as error:
        raise ValueError(f"{model.name} has invalid settings: {error}") from error

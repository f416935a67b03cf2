"""How a new model is to be asked: its preset, and what a person changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.captioners.registry import FAMILIES, PAPER, Settings, change_model
from engine.captioners.setting_changes import setting_text
from engine.utils.errors import BadInput

SHOWN = ("prompt", "temperature", "top_p", "max_new_tokens", "backend", "interpreter", "arguments")
"""The settings that are offered for a new model; all others can be changed later. Without the last
three, no model could be tried that is served by a program from another environment, or one that
needs an argument to fit into memory."""


@dataclass(kw_only=True)
class AskedSettings:
    """The preset of a model of `family`, and the texts that were entered for its settings."""

    family: str
    preset: str = PAPER
    entered: dict[str, str] = field(default_factory=dict)
    """By setting what was entered, which may be the preset's own value."""

    @property
    def preset_values(self) -> Mapping[str, str]:
        """The preset's values of the settings that are offered, as text.

        A family that takes no prompt has none, and one that is not sampled no others.
        """
        family = FAMILIES[self.family]
        settings = family.presets[self.preset]
        names = [name for name in SHOWN if name in family.setting_names]
        values = {name: setting_text(getattr(settings, name)) for name in names}
        if "arguments" in values:
            values["arguments"] = values["arguments"] or "none"
        return {name: value for name, value in values.items() if value}

    @property
    def values(self) -> dict[str, str]:
        """What the fields show: what was entered, else the preset's values."""
        return {name: self.entered.get(name, own) for name, own in self.preset_values.items()}

    def choose_preset(self, preset: str) -> None:
        """Take another preset; what differed from the one before stays."""
        self.entered = self.changed_values
        self.preset = preset

    @property
    def changed_values(self) -> dict[str, str]:
        """The entered values that differ from the preset's."""
        own = self.preset_values
        return {k: v for k, v in self.values.items() if v != own[k]}

    @property
    def changes(self) -> dict[str, str]:
        """What `--set MODEL.KEY=VALUE` is to say of the model: nothing for the preset `paper`."""
        preset = {"preset": self.preset} if self.preset != PAPER else {}
        return preset | self.changed_values

    def problem(self) -> str | None:
        """Return why a model cannot be asked so, None if it can."""
        changes = {"preset": self.preset} | self.changed_values
        try:
            change_model(self.family, self.family, None, Settings(), changes)
        except BadInput as error:
            return f"{self.family}: {error}"
        return None

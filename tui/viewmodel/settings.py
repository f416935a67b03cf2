"""All settings in one list: of the project, of its models, and of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.rows import SHEAR_MODES
from engine.captioners.registry import IMPORTED
from tui.formatting import text
from tui.viewmodel.setting_help import default_of, help_lines, setting_values

if TYPE_CHECKING:
    from pathlib import Path

    from tui.viewmodel.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """A setting as it is now, and where it is changed."""

    section: str
    """What it belongs to."""
    name: str
    value: str
    is_default: bool
    lines: Sequence[str]
    """Its meaning, what follows from a change, its choices and default."""
    opens: str = ""
    """The dialog in which it is changed, as `OPENERS` calls it; `model` and `theme` are others, and
    an empty text says that it cannot be changed here."""
    model: str = ""
    """The name of the model that it is a setting of."""


@dataclass(frozen=True, slots=True)
class UserValue:
    """The value of a setting of the user."""

    text: str
    is_default: bool


def setting_rows(
    snapshot: Snapshot,
    user: Mapping[str, UserValue],
    config_file: Path,
    seconds: Mapping[int, float],
) -> list[SettingRow]:
    """Return the rows of all settings.

    `user` has those of `USER_SETTINGS`, by name; `seconds` are as in `help_lines`.
    """
    return [
        *project_rows(snapshot),
        *model_rows(snapshot, seconds),
        *user_rows(user, config_file),
    ]


def project_rows(snapshot: Snapshot) -> list[SettingRow]:
    project = snapshot.project
    again = "A change shears all captions again, without a GPU; no caption is made again."
    new = "Fixed when the project was made (new)."
    rows = (
        (
            "shearing",
            project.shear_mode,
            project.shear_mode == SHEAR_MODES[0],
            ("How captions are cut to a sentence.", again, f"one of {', '.join(SHEAR_MODES)}"),
            "reshear",
        ),
        (
            "max. words",
            "no limit" if project.shear_max_words is None else str(project.shear_max_words),
            project.shear_max_words is None,
            ("The most words of a sheared caption.", again, "a number  default: no limit"),
            "reshear",
        ),
        (
            "devices",
            snapshot.last_devices,
            snapshot.last_devices == "auto",
            (
                "What the next run uses.",
                "A change starts the run on these devices; captions stay.",
                "auto, cpu:N, GPUs such as 0,1, or ray:auto  default: auto",
            ),
            "devices",
        ),
        ("image root", project.image_root, True, ("Where the images are.", new), ""),
        (
            "path prefixes",
            ", ".join(f"{old}={new}" for old, new in project.path_map) or "none",
            not project.path_map,
            ("Path prefixes that are replaced in image paths.", new),
            "",
        ),
        (
            "images outside",
            "allowed" if project.allow_outside else "refused",
            not project.allow_outside,
            (
                "Whether image paths may leave the image root.",
                "'run --allow-outside' allows it for this user.",
                "default: refused",
            ),
            "",
        ),
    )
    return [
        SettingRow(
            section="Project", name=name, value=value, is_default=own, lines=lines, opens=opens
        )
        for name, value, own, lines, opens in rows
    ]


def model_rows(snapshot: Snapshot, seconds: Mapping[int, float]) -> list[SettingRow]:
    devices = len(snapshot.devices)
    return [
        SettingRow(
            section=f"Model {model.row.name}",
            name=name,
            value=value,
            is_default=default_of(model.row.family, name) in (None, value),
            lines=help_lines(model, name, seconds, devices),
            opens="model",
            model=model.row.name,
        )
        for model in snapshot.models
        if model.row.family != IMPORTED
        for name, value in setting_values(model.row).items()
    ]


USER_SETTINGS: Mapping[str, tuple[str, str]] = {
    "theme": ("The colours.", ""),
    "images": ("How pictures are drawn.", "auto, kitty, sixel, cells, off"),
    "notifications": ("How the terminal tells of a run.", "auto, bell, osc9, osc777, off"),
    "health_stop": ("Whether a model whose captions are bad is stopped.", "yes or no"),
    "keys": ("Other keys for actions; Help (?) has their ids.", ""),
}
"""The settings of the user, with their meaning and choices."""


def user_rows(user: Mapping[str, UserValue], config_file: Path) -> list[SettingRow]:
    where = f"Set in {text.visible(str(config_file))}; it holds from the next start on."
    return [
        SettingRow(
            section="This user",
            name=name,
            value=user[name].text,
            is_default=user[name].is_default,
            lines=(meaning, "A change holds at once." if name == "theme" else where, choices),
            opens="theme" if name == "theme" else "",
        )
        for name, (meaning, choices) in USER_SETTINGS.items()
    ]

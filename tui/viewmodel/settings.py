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

    from tui.config.settings import UserSettings
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
    """Its meaning, its choices and default, and what follows from a change."""
    opens: str = ""
    """The dialog in which it is changed, as `OPENERS` calls it; `model` and `theme` are others, and
    an empty text says that it cannot be changed here."""
    model: str = ""
    """The name of the model that it is a setting of."""


def setting_rows(
    snapshot: Snapshot,
    user: UserSettings,
    theme: str,
    config_file: Path,
    seconds: Mapping[int, float],
) -> list[SettingRow]:
    """Return the rows of all settings.

    `theme` is the theme that is shown; `seconds` are as in `help_lines`.
    """
    return [
        *project_rows(snapshot),
        *model_rows(snapshot, seconds),
        *user_rows(user, theme, config_file),
    ]


def project_rows(snapshot: Snapshot) -> list[SettingRow]:
    project = snapshot.project
    again = "A change shears all captions again, without a GPU; no caption is made again."
    new = "Fixed since the project was made (new)."
    rows = (
        (
            "shearing",
            project.shear_mode,
            project.shear_mode == SHEAR_MODES[0],
            ("How captions are cut to a sentence.", f"one of {', '.join(SHEAR_MODES)}", again),
            "reshear",
        ),
        (
            "words at most",
            "no limit" if project.shear_max_words is None else str(project.shear_max_words),
            project.shear_max_words is None,
            ("The most words of a sheared caption.", "a number; default: no limit", again),
            "reshear",
        ),
        (
            "devices",
            snapshot.last_devices,
            snapshot.last_devices == "auto",
            (
                "What the next run uses.",
                "auto, cpu:N, GPUs such as 0,1, or ray:auto  default: auto",
                "A change starts the run on these devices; captions stay.",
            ),
            "devices",
        ),
        ("image root", project.image_root, True, ("Where the images are.", "a folder", new), ""),
        (
            "path beginnings",
            ", ".join(f"{old}={new}" for old, new in project.path_map) or "none",
            not project.path_map,
            ("Beginnings of image paths that are replaced.", "OLD=NEW", new),
            "",
        ),
        (
            "images outside",
            "allowed" if project.allow_outside else "refused",
            not project.allow_outside,
            (
                "Whether image paths may leave the image root.",
                "default: refused",
                "'run --allow-outside' allows it for this user.",
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


def user_rows(user: UserSettings, theme: str, config_file: Path) -> list[SettingRow]:
    where = f"Set in {text.visible(str(config_file))}; it holds from the next start on."
    rows = (
        ("theme", theme, user.theme is None, ("The colours.", "", "It holds at once."), "theme"),
        (
            "images",
            user.images,
            user.images == "auto",
            ("How pictures are drawn.", "auto, kitty, sixel, cells, off", where),
            "",
        ),
        (
            "notifications",
            user.notifications,
            user.notifications == "auto",
            ("How the terminal tells of a run.", "auto, bell, osc9, osc777, off", where),
            "",
        ),
        (
            "health_stop",
            "yes" if user.health_stop else "no",
            user.health_stop,
            ("Whether a model whose captions are bad is stopped.", "yes or no", where),
            "",
        ),
        (
            "keys",
            text.plural(len(user.keys), "key"),
            not user.keys,
            ("Other keys for actions; Help (?) has their ids.", "", where),
            "",
        ),
    )
    return [
        SettingRow(
            section="This user", name=name, value=value, is_default=own, lines=lines, opens=opens
        )
        for name, value, own, lines, opens in rows
    ]

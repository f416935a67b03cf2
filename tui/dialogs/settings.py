"""The dialog that lists all settings: of the project, of its models, of the user."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.session.feedback import notify
from tui.threads.page_loader import PageLoader
from tui.viewmodel import pages
from tui.viewmodel.settings import SettingRow, UserValue, setting_rows
from tui.widgets.tables.setting_table import SettingTable
from tui.widgets.tables.table import VirtualTable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.project.layout import Project
    from tui.config.settings import UserSettings
    from tui.viewmodel.snapshot import Snapshot


class Settings(Dialog[SettingRow | None]):
    """A table of all settings, which explains the one under the cursor; returns one to change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="all_settings.close"),
    ]

    def __init__(
        self, project: Project, snapshot: Snapshot, user: UserSettings, config_file: Path
    ) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.user = user
        self.config_file = config_file
        self.speeds = PageLoader(
            self, partial(pages.read_seconds_per_image, project), self.show_rows
        )

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Settings"
            dialog.border_subtitle = "enter changes, esc closes"
            yield SettingTable(id="settings")
            yield Static(id="meaning", markup=False)

    def on_mount(self) -> None:
        self.show_rows(None, {})
        self.speeds.load(None)
        self.table.focus()

    @property
    def table(self) -> SettingTable:
        return self.query_one(SettingTable)

    def show_rows(self, _: None, seconds: dict[int, float]) -> None:
        """Show all settings; `seconds` are those that a device takes for an image, by model id."""
        user = user_values(self.user, self.app.theme)
        rows = setting_rows(self.snapshot, user, self.config_file, seconds)
        self.table.set_rows(rows, 0, len(rows))

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        row = self.table.current
        if row is not None:
            value = text.visible(row.value) or "nothing"
            lines = (f"{text.visible(row.section)}, {row.name}: {value}", *row.lines)
            self.query_one("#meaning", Static).update("\n".join(filter(None, lines)))

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        row = self.table.current
        if row is not None and row.opens:
            self.dismiss(row)
        elif row is not None:
            notify(self, f"{row.name} cannot be changed here: {row.lines[1]}", "warning")

    def action_close(self) -> None:
        self.dismiss(None)


def user_values(user: UserSettings, theme: str) -> dict[str, UserValue]:
    """Return the settings of the user by name; `theme` is the theme that is shown."""
    return {
        "theme": UserValue(theme, user.theme is None),
        "images": UserValue(user.images, user.images == "auto"),
        "notifications": UserValue(user.notifications, user.notifications == "auto"),
        "health_stop": UserValue("yes" if user.health_stop else "no", user.health_stop),
        "keys": UserValue(text.plural(len(user.keys), "key"), not user.keys),
    }

"""The line of keys at the bottom.

Textual's own footer is a widget a key, made and styled anew whenever a key becomes possible or
impossible: that was nearly half of what changing the screen cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget


@dataclass(frozen=True)
class Entry:
    key: str
    shown: str
    description: str
    enabled: bool

    @property
    def content(self) -> Content:
        dim = "" if self.enabled else " dim"
        return Content.assemble(
            (f" {self.shown} ", f"bold $footer-key-foreground{dim}"),
            (f"{self.description} ", f"$footer-description-foreground{dim}"),
        )


class KeyBar(Widget):
    """Every shown binding of the screen; a click does what the key does."""

    ALLOW_SELECT = False
    entries: tuple[Entry, ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self.look)

    def look(self, screen: Screen[Any]) -> None:
        entries = tuple(self.shown(screen))
        if entries != self.entries:
            self.entries = entries
            self.refresh()

    def shown(self, screen: Screen[Any]) -> list[Entry]:
        first: dict[str, tuple[Binding, bool]] = {}
        for active in screen.active_bindings.values():
            if active.binding.show:
                first.setdefault(active.binding.action, (active.binding, active.enabled))
        return [
            Entry(binding.key, self.app.get_key_display(binding), binding.description, enabled)
            for binding, enabled in first.values()
        ]

    def render(self) -> Content:
        return Content("").join(entry.content for entry in self.entries)

    def on_click(self, event: Click) -> None:
        right = 0
        for entry in self.entries:
            right += entry.content.cell_length
            if event.x < right:
                if entry.enabled:
                    self.app.simulate_key(entry.key)
                return

"""The line of keys at the bottom of a screen.

Textual's own footer has a widget for each key, which is made and styled anew whenever a key becomes
possible or impossible: that was nearly half of the cost of changing the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from tui.keys.action import READONLY_REASON, declaration_of, reason_disabled


@dataclass(frozen=True, kw_only=True)
class KeyBarItem:
    """A key binding in the bar; `key_label` is the key as the user reads it."""

    key: str
    key_label: str
    description: str
    enabled: bool
    always_shown: bool = False
    """True if the bar leaves out other keys first."""

    @property
    def content(self) -> Content:
        dim = "" if self.enabled else " dim"
        return Content.assemble(
            (f" {self.key_label} ", f"bold $footer-key-foreground{dim}"),
            (f"{self.description} ", f"$footer-description-foreground{dim}"),
        )


class KeyBar(Widget):
    """The bindings of the screen that are to be shown; a click does what the key does."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[KeyBarItem, ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self.update_items)

    def on_resize(self) -> None:
        self.update_items(self.screen)

    def update_items(self, screen: Screen[Any]) -> None:
        """Draw the bar anew if a key became possible, impossible or another one."""
        items = tuple(fitting(self.shown_bindings(screen), self.size.width))
        if items != self.items:
            self.items = items
            self.refresh()

    def shown_bindings(self, screen: Screen[Any]) -> list[KeyBarItem]:
        """Return one item per action that is to be shown, with its first key.

        What `--readonly` turns off is left out, since it stays off.
        """
        first: dict[str, ActiveBinding] = {}
        for active in screen.active_bindings.values():
            if active.binding.show and reason_disabled(active) != READONLY_REASON:
                first.setdefault(active.binding.action, active)
        return [self.item(active) for active in first.values()]

    def item(self, active: ActiveBinding) -> KeyBarItem:
        binding, declared = active.binding, declaration_of(active)
        return KeyBarItem(
            key=binding.key,
            key_label=self.app.get_key_display(binding),
            description=binding.description,
            enabled=active.enabled,
            always_shown=declared is not None and declared.always_shown,
        )

    def render(self) -> Content:
        return Content("").join(item.content for item in self.items)

    def on_click(self, event: Click) -> None:
        right = 0
        for item in self.items:
            right += item.content.cell_length
            if event.x < right:
                if item.enabled:
                    self.app.simulate_key(item.key)
                return


def fitting(items: list[KeyBarItem], width: int) -> list[KeyBarItem]:
    """Return the items that `width` cells have room for, in their order.

    Of those that are not always shown, the last that cannot work is left out first, then the last.
    """
    shown = list(items)
    while sum(item.content.cell_length for item in shown) > width:
        others = [item for item in shown if not item.always_shown]
        if not others:
            break
        shown.remove(next((item for item in reversed(others) if not item.enabled), others[-1]))
    return shown

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.dialogs.dialog import Dialog

NOTES = (
    ("1 2 3 4 5", "Dashboard, Shards, Samples, Failures, Logs"),
    ("tab, shift+tab", "Next, previous pane"),
    (":, ctrl+p", "Command palette"),
    ("mouse", "Click rows, screens and footer keys"),
    ("shift+mouse", "Select text with the terminal"),
)
FOCUSED, SCREEN, EVERYWHERE, OFF = "Focused pane", "This screen", "Everywhere", "Disabled now"
SCROLLBAR = 2
NOTED = ("switch_mode", "command_palette")


@dataclass(frozen=True)
class Entry:
    section: str
    keys: str
    what: str
    id: str = ""
    """By which config.toml gives it another key."""

    def matches(self, words: str) -> bool:
        said = f"{self.keys} {self.what} {self.id}".lower()
        return all(word in said for word in words.lower().split())

    def line(self, width: int) -> Content:
        said = f"  {self.keys:<22} {self.what}"
        room = width - cell_len(said)
        shown = f"{self.id:>{room}}" if self.id and room > cell_len(self.id) + 1 else ""
        return Content.assemble(said, (shown, "$foreground-muted"))


class Help(Dialog[None]):
    """The keys of the focused pane, of its screen, of the app, and what cannot work now and why."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "close", "Close", id="help.close"),
        Binding("slash", "search", "Search", id="help.search"),
        Binding("j", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="help.up"),
    ]

    def __init__(self, about: Screen[Any], focused: Widget | None) -> None:
        super().__init__()
        self.about = getattr(about, "HELP", "") or ""
        self.entries = list(entries(about, focused))

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = "Help"
            dialog.border_subtitle = "/ searches, esc closes"
            yield Input(placeholder="a key or a word", id="search", compact=True)
            yield Static(id="about", markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        field.display = False
        self.query_one("#about", Static).update(self.about)
        self.call_after_refresh(self.draw, "")

    def action_search(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: what is typed on is no command

    def action_close(self) -> None:
        field = self.query_one(Input)
        if field.display:
            field.display = False
            field.value = ""
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        self.draw(event.value)

    @on(Input.Submitted)
    def submitted(self) -> None:
        self.query_one(VerticalScroll).focus()

    @property
    def width(self) -> int:
        return self.query_one("#keys").content_size.width - SCROLLBAR

    def draw(self, words: str) -> None:
        found = [entry for entry in self.entries if entry.matches(words)]
        lines: list[Content] = []
        for section in (FOCUSED, SCREEN, EVERYWHERE, OFF):
            inside = [entry for entry in found if entry.section == section]
            if inside:
                lines += [Content(""), Content.styled(section, "bold $text-primary")]
                lines += [entry.line(self.width) for entry in inside]
        shown = Content("\n").join(lines or [Content("\nno key or action is called that")])
        self.query_one("#keys", Static).update(shown)


def entries(screen: Screen[Any], focused: Widget | None) -> Iterator[Entry]:
    for same in grouped(screen.active_bindings.values()):
        first = same[0]
        action = first.binding.action.removeprefix("app.").partition("(")[0]
        if action in NOTED or not any(active.binding.id for active in same):
            continue
        keys = ", ".join(screen.app.get_key_display(active.binding) for active in same)
        ours = next(active for active in same if active.binding.id)
        what = ours.tooltip or ours.binding.description
        section = section_of(first, screen)
        yield Entry(section, keys, what, ours.binding.id or "")
        reason = None if first.enabled else why_not(first.node, action)
        if reason:
            yield Entry(OFF, keys, f"{first.binding.description}: {reason}")
    for keys, what in NOTES:
        yield Entry(EVERYWHERE, keys, what)


def why_not(node: DOMNode, action: str) -> str | None:
    for name in ("reason", "why_not"):
        if hasattr(node, name):
            reason: str | None = getattr(node, name)(action)
            return reason
    return None


def section_of(active: ActiveBinding, screen: Screen[Any]) -> str:
    if active.node is screen.app:
        return EVERYWHERE
    return SCREEN if active.node is screen else FOCUSED


def grouped(bindings: Iterable[ActiveBinding]) -> Iterable[list[ActiveBinding]]:
    """Keys that do the same in the same place, together."""
    groups: dict[tuple[int, str], list[ActiveBinding]] = {}
    for active in bindings:
        groups.setdefault((id(active.node), active.binding.action), []).append(active)
    return groups.values()

"""The Help dialog: the keys of the focused pane, of its screen and of the application."""

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
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.dialogs.dialog import Dialog
from tui.keys.action import declaration_of, reason_disabled

NOTES = (
    ("1 2 3 4 5 6", "Dashboard, Shards, Samples, Failures, Logs, Quality"),
    ("tab, shift+tab", "Next, previous pane"),
    (":, ctrl+p", "Find an action by words, such as: export"),
    ("mouse", "Click rows, column titles, screens, footer keys"),
    ("shift+mouse", "Select text with the terminal"),
)
"""Keys that are described together, or are no bindings of ours.

The actions of ours among them say so (`Action.in_help`).
"""
DIALOG_NOTES = tuple(note for note in NOTES if note[0].startswith(("tab", "shift+mouse")))
"""The notes that also hold while a dialog is in front."""
FOCUSED, SCREEN, EVERYWHERE, OFF = "Focused pane", "This screen", "Everywhere", "Disabled now"
"""The sections of the dialog, in order."""
SCROLLBAR = 2
"""Cells left free for the scroll bar."""


@dataclass(frozen=True)
class HelpLine:
    """A line of the dialog: keys and what they do, or why they cannot do it now."""

    section: str
    keys: str
    text: str
    id: str = ""
    """The id by which config.toml gives the action another key."""

    def matches(self, search: str) -> bool:
        """True if the line holds every word of `search`."""
        line = f"{self.keys} {self.text} {self.id}".lower()
        return all(word in line for word in search.lower().split())

    def content(self, width: int) -> Content:
        """Return the line for `width` cells, with the id at the right where there is room."""
        line = f"  {self.keys:<22} {self.text}"
        room = width - cell_len(line)
        shown = f"{self.id:>{room}}" if self.id and room > cell_len(self.id) + 1 else ""
        return Content.assemble(line, (shown, "$foreground-muted"))


class Help(Dialog[None]):
    """All keys by where they work, and why some are disabled now; they can be searched."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "close", "Close", id="help.close"),
        Binding("slash", "search", "Search", id="help.search"),
        Binding("j", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="help.up"),
    ]

    def __init__(self, screen: Screen[Any], focused: Widget | None) -> None:
        super().__init__()
        self.screen_text = getattr(screen, "HELP", "") or ""
        self.help_lines = list(help_lines(screen, focused))

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
        self.query_one("#about", Static).update(self.screen_text)
        self.call_after_refresh(self.draw, "")

    def action_search(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: the next keys belong to the field

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

    def draw(self, search: str) -> None:
        """Show the lines that match `search`, by section."""
        matches = [help_line for help_line in self.help_lines if help_line.matches(search)]
        lines: list[Content] = []
        for section in (FOCUSED, SCREEN, EVERYWHERE, OFF):
            inside = [help_line for help_line in matches if help_line.section == section]
            if inside:
                lines += [Content(""), Content.styled(section, "bold $text-primary")]
                lines += [help_line.content(self.width) for help_line in inside]
        shown = Content("\n").join(lines or [Content("\nno key or action is called that")])
        self.query_one("#keys", Static).update(shown)


def help_lines(screen: Screen[Any], focused: Widget | None) -> Iterator[HelpLine]:
    """Yield a line for each action, one more for each that is disabled, and the notes."""
    for bindings in group_by_action(screen.active_bindings.values()):
        first = bindings[0]
        declared = declaration_of(first)
        if not any(active.binding.id for active in bindings) or (declared and not declared.in_help):
            continue
        keys = ", ".join(screen.app.get_key_display(active.binding) for active in bindings)
        with_id = next(active for active in bindings if active.binding.id)
        text = with_id.tooltip or with_id.binding.description
        section = section_of(first, screen)
        yield HelpLine(section, keys, text, with_id.binding.id or "")
        reason = None if first.enabled else reason_disabled(first)
        if reason:
            yield HelpLine(OFF, keys, f"{first.binding.description}: {reason}")
    for keys, text in DIALOG_NOTES if isinstance(screen, ModalScreen) else NOTES:
        yield HelpLine(EVERYWHERE, keys, text)


def section_of(active: ActiveBinding, screen: Screen[Any]) -> str:
    """Return the section by where the binding is declared."""
    if active.node is screen.app:
        return EVERYWHERE
    return SCREEN if active.node is screen else FOCUSED


def group_by_action(bindings: Iterable[ActiveBinding]) -> Iterable[list[ActiveBinding]]:
    """Return lists of the bindings that run the same action of the same widget."""
    groups: dict[tuple[int, str], list[ActiveBinding]] = {}
    for active in bindings:
        groups.setdefault((id(active.node), active.binding.action), []).append(active)
    return groups.values()

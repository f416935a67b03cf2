"""The keys that move through a log or a table."""

from __future__ import annotations

from textual.binding import Binding, BindingType


def movement_bindings(name: str) -> list[BindingType]:
    """Return bindings of the actions `move(by)`, `page(by)` and `jump(end)`.

    Their ids begin with `name`.
    """
    return [
        Binding("up,k", "move(-1)", "Up", show=False, id=f"{name}.up"),
        Binding("down,j", "move(1)", "Down", show=False, id=f"{name}.down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, id=f"{name}.page_up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, id=f"{name}.page_down"),
        Binding("home,g", "jump(False)", "First", show=False, id=f"{name}.first"),
        Binding("end,G", "jump(True)", "Last", show=False, id=f"{name}.last"),
    ]

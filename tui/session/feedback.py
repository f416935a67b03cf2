"""What the user is told or given beside the screens: notifications, texts for the clipboard."""

from __future__ import annotations

from typing import Any, Literal

from textual.app import App
from textual.widget import Widget

from tui.formatting import text

Severity = Literal["information", "warning", "error"]


def notify(node: App[Any] | Widget, message: str, severity: Severity = "information") -> None:
    """Show a notification whose text may come from outside: it is never read as markup."""
    node.notify(text.visible(message), severity=severity, markup=False)


def copy(app: App[Any], copied_text: str) -> None:
    """Copy a text to the clipboard of the terminal, to tmux and to the last-copy file."""
    app.copy_to_clipboard(copied_text)

    def save_copy() -> None:
        from tui.terminal import clipboard

        app.call_from_thread(notify, app, clipboard.save_copy(copied_text))

    app.run_worker(save_copy, thread=True, group="copy", exit_on_error=False)

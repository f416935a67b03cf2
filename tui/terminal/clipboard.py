"""Keeps a copied text where it can be found if the terminal drops the clipboard escape (OSC 52)."""

from __future__ import annotations

import os
import shutil
import subprocess

from tui.config import user_files
from tui.formatting import text

TMUX_SECONDS = 2.0
"""Seconds that tmux gets to take a text."""


def save_copy(copied_text: str) -> str:
    """Put a text into tmux's buffer and the last-copy file; return a sentence that says so.

    Slow: called in a thread.
    """
    destinations = ["the terminal's clipboard (OSC 52)"]
    if copy_to_tmux(copied_text):
        destinations.append("tmux's buffer")
    file = user_files.last_copy_file()
    try:
        user_files.write_private(file, copied_text)
        destinations.append(str(file))
    except OSError:
        pass
    return f"copied {text.plural(len(copied_text), 'character')} to {', '.join(destinations)}"


def copy_to_tmux(copied_text: str) -> bool:
    """Load a text into tmux's buffer. Returns True if it is there; False outside tmux."""
    tmux = shutil.which("tmux")
    if not os.environ.get("TMUX") or tmux is None:
        return False
    data = copied_text.encode("utf-8", "backslashreplace")
    try:
        # With -w tmux passes the text on to the terminal outside.
        done = subprocess.run(  # noqa: S603 (tmux itself)
            [tmux, "load-buffer", "-w", "-"], input=data, capture_output=True, timeout=TMUX_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

"""Copying where the terminal's own clipboard escape may be dropped on the way."""

from __future__ import annotations

import os
import shutil
import subprocess

from tui.config import user_files
from tui.formatting import text

TMUX_SECONDS = 2.0


def keep(copied: str) -> str:
    """Puts text into tmux's buffer and the last-copy file; says where it is. For a thread."""
    where = ["the terminal's clipboard (OSC 52)"]
    if to_tmux(copied):
        where.append("tmux's buffer")
    file = user_files.last_copy()
    try:
        user_files.write(file, copied)
        where.append(str(file))
    except OSError:
        pass
    return f"copied {text.plural(len(copied), 'character')} to {', '.join(where)}"


def to_tmux(copied: str) -> bool:
    """With -w tmux passes it on to the terminal outside."""
    tmux = shutil.which("tmux")
    if not os.environ.get("TMUX") or tmux is None:
        return False
    data = copied.encode("utf-8", "backslashreplace")
    try:
        done = subprocess.run(  # noqa: S603 (tmux itself)
            [tmux, "load-buffer", "-w", "-"], input=data, capture_output=True, timeout=TMUX_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

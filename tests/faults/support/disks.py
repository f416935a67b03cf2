"""Small disks, mounted where that is allowed."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path


def mount(folder: Path, kilobytes: int) -> bool:
    """A disk of this size in `folder`; False where nobody may mount."""
    folder.mkdir(exist_ok=True)
    size = f"size={kilobytes}k"
    return mounted("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))


def forbid_writing(folder: Path) -> bool:
    return mounted("mount", "-o", "remount,ro", str(folder))


def unmount(folder: Path) -> None:
    mounted("umount", "-l", str(folder))


def mounted(*command: str) -> bool:
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def fill(folder: Path, leave: int = 0) -> Path:
    """Uses up what is free but for `leave` bytes; returns the file to delete."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - leave))
    return filler

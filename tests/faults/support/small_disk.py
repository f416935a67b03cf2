"""Small disks in memory, for processes that may mount."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path


def mount(folder: Path, kilobytes: int) -> bool:
    """Mount a disk of this size at `folder`. Return False if this process may not mount."""
    folder.mkdir(exist_ok=True)
    size = f"size={kilobytes}k"
    return run_mount("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))


def forbid_writing(folder: Path) -> bool:
    """Make the disk at `folder` read-only. Return False if this process may not."""
    return run_mount("mount", "-o", "remount,ro", str(folder))


def forbid_writing_file(file: Path) -> bool:
    """Make one file read-only until `unmount(file)`. Return False if this process may not."""
    name = str(file)
    return run_mount("mount", "--bind", name, name) and run_mount(
        "mount", "-o", "remount,bind,ro", name
    )


def unmount(path: Path) -> None:
    """Take away the disk, or what makes one file read-only, even while files on it are open."""
    run_mount("umount", "-l", str(path))


def run_mount(*command: str) -> bool:
    """Return True if the command succeeds."""
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a disk except for `leave` bytes. Return the file to delete, which makes room again."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - leave))
    return filler

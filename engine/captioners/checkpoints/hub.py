"""What the Hub's names, commands and cache folders look like. Imports no torch.

Nothing is ever fetched from the Hub: a person gets the command that does.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

REPOSITORY = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://)?"
    r"(?P<name>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(?:(?:/(?:tree|resolve|blob)/|@)[\w./-]+)?/?",
    re.ASCII,
)
"""A pattern of whole texts that name a repository: `org/name`, or its address."""
CACHE_PREFIX = "models--"
"""How the name of a model's folder in the Hub's cache begins."""


def repository_name(text: str) -> str | None:
    """Return the name of the repository that a text stands for; None if it stands for none.

    A path whose first folder exists is a path.
    """
    match = REPOSITORY.fullmatch(text)
    if match is None or Path(text.partition("/")[0]).is_dir():
        return None
    return match["name"]


def is_hub_address(text: str) -> bool:
    """Return True if a text is the address of a repository, which no server of models has."""
    return "://" in text and REPOSITORY.fullmatch(text) is not None


def download_command(name: str) -> str:
    """Return the command by which a person gets a repository into a folder."""
    return f"'hf download {name} --local-dir {name.rpartition('/')[2]}'"


def cached_snapshot(name: str) -> Path | None:
    """Return the folder of a repository's files in this user's cache of the Hub, if it is there."""
    from huggingface_hub.constants import HF_HUB_CACHE  # takes some 0.1 s

    return snapshot_of(Path(HF_HUB_CACHE) / f"{CACHE_PREFIX}{name.replace('/', '--')}")


def snapshot_of(cache_folder: Path) -> Path | None:
    """Return the snapshot of a model's folder in the cache that `refs/main` names, else the newest.

    The result is None if there is none.
    """
    with suppress(OSError):
        snapshots = [it for it in (cache_folder / "snapshots").iterdir() if it.is_dir()]
        with suppress(OSError, ValueError):
            named = (cache_folder / "refs/main").read_text().strip()
            snapshots = [it for it in snapshots if it.name == named] or snapshots
        return max(snapshots, key=lambda it: it.stat().st_mtime, default=None)
    return None


def cache_folder_of(folder: Path) -> Path | None:
    """Return the model's folder of the cache that a folder is or lies directly in; else None."""
    inner = ("snapshots", "blobs", "refs")
    candidate = folder.parent if folder.name in inner else folder
    is_cache = all((candidate / name).is_dir() for name in inner[:2])
    return candidate if is_cache or candidate.name.startswith(CACHE_PREFIX) else None

"""The settings hash of a model: a model with another hash has other raw captions.

It is part of the names of folders in a project, so it must never change for the same settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from engine.captioners.model_families import FAMILIES
from engine.captioners.settings import Settings

UNHASHED = ("batch", "auto_batch", "graphs", "overlap")
"""Settings that change the speed only."""
HASHED_BY_CONTENT = ("tokenizer", "vision_tower")
"""Settings that are paths: what lies there counts, not where."""
SMALL_FILE_BYTES = 2**20
"""Size below which the contents of a JSON file count, not only its name and size."""


def settings_hash(family: str, checkpoint: str | None, settings: Settings) -> str:
    """Return 8 hex digits that identify everything that changes the raw captions.

    They are the same wherever the checkpoint lies, and wherever a server listens if
    `served_model` names the model that it is asked for. Settings at their defaults do not count,
    so that a new setting leaves old hashes as they are.
    """
    defaults = {it.name: it.default for it in fields(Settings)}
    hashed = {key: value for key, value in asdict(settings).items() if value != defaults[key]}
    for key in UNHASHED:
        hashed.pop(key, None)
    for key in HASHED_BY_CONTENT:
        if key in hashed:
            hashed[key] = fingerprint(Path(hashed[key]))
    model: Any = None
    if checkpoint and FAMILIES[family].remote:
        model = None if settings.served_model else checkpoint
    elif checkpoint:
        model = fingerprint(Path(checkpoint))
    parts = [family, hashed, model]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def fingerprint(path: Path) -> list[list[Any]]:
    """Return [relative path, bytes, digest or None] for each file of a folder, or for one file.

    Only small JSON files have a digest, the SHA-256 of their contents: hashing the weights would
    take minutes.
    """
    entries: list[list[Any]] = []
    files = [path] if path.is_file() else sorted(it for it in path.rglob("*") if it.is_file())
    for file in files:
        size = file.stat().st_size
        small = file.suffix == ".json" and size < SMALL_FILE_BYTES
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if small else None
        entries.append([str(file.relative_to(path) if file != path else file.name), size, digest])
    return entries

"""The settings hash of a model: a model with another hash has other raw captions.

It is part of the names of folders in a project, so it must never change for the same settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from engine.captioners.model_families import FAMILIES, HF
from engine.captioners.settings import Settings
from engine.captioners.stated_settings import stated_penalty

UNHASHED = ("batch", "auto_batch", "limits", "graphs", "overlap", "interpreter")
"""Settings that change the speed only, what is told of the captions, or where programs lie."""
HASHED_BY_CONTENT = ("tokenizer", "vision_tower", "adapter")
"""Settings that are paths: what lies there counts, not where."""
HASHED_WHOLE = ("adapter",)
"""Those of them whose weights count as well: adapters are small, and those of several trainings
have files of the same size."""
SMALL_FILE_BYTES = 2**20
"""Size below which the contents of a JSON file count, not only its name and size."""


def settings_hash(family: str, checkpoint: str | None, settings: Settings) -> str:
    """Return 8 hex digits that identify everything that changes the raw captions.

    They are the same wherever the checkpoint lies, and wherever a server listens if
    `served_model` names the model that it is asked for. Settings at their defaults do not count,
    so that a new setting leaves old hashes as they are; nor does a repetition penalty that is the
    checkpoint's own, for its file counts.
    """
    if (
        family == HF
        and checkpoint
        and settings.repetition_penalty == stated_penalty(Path(checkpoint))
    ):
        settings = replace(settings, repetition_penalty=None)
    defaults = {it.name: it.default for it in fields(Settings)}
    hashed = {key: value for key, value in asdict(settings).items() if value != defaults[key]}
    for key in UNHASHED:
        hashed.pop(key, None)
    for key in HASHED_BY_CONTENT:
        if key in hashed:
            hashed[key] = fingerprint(Path(hashed[key]), hash_all=key in HASHED_WHOLE)
    model: Any = None
    if checkpoint and FAMILIES[family].remote:
        model = None if settings.served_model else checkpoint
    elif checkpoint:
        model = fingerprint(Path(checkpoint))
    parts = [family, hashed, model]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def fingerprint(path: Path, hash_all: bool = False) -> list[list[Any]]:
    """Return [relative path, bytes, digest or None] for each file of a folder, or for one file.

    Only small JSON files have a digest, the SHA-256 of their contents, unless `hash_all`: hashing
    the weights of a model would take minutes.
    """
    entries: list[list[Any]] = []
    files = [path] if path.is_file() else sorted(it for it in path.rglob("*") if it.is_file())
    for file in files:
        size = file.stat().st_size
        is_small = file.suffix == ".json" and size < SMALL_FILE_BYTES
        digest = sha256(file) if is_small or hash_all else None
        entries.append([str(file.relative_to(path) if file != path else file.name), size, digest])
    return entries


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

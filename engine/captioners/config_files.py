"""Reading the small files of a checkpoint folder (JSON, templates), which may come from anybody.

Links are followed, for a folder of the Hub's cache is made of them, but what they lead to must be a
file: opening a pipe or a device might never end. Imports no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from engine.captioners.address import EXAMPLE
from engine.captioners.errors import CheckpointError
from engine.utils.plain_files import kind_of

MAX_BYTES = 64 * 2**20
"""Most bytes of a JSON file or a template. The largest known are tokenizers of 35 million bytes."""
SMALL_FILES = (
    *("config.json", ".index.json", "tokenizer.json", "vocab.json", "added_tokens.json"),
    *("special_tokens_map.json", "chat_template.json", ".jinja"),
)
"""How the names of the small files end that are read for a model."""
CHOICES = ("attn_implementation", "experts_implementation", "kernel")
"""What is in the name of a key that chooses the code of a layer."""
COUNTS = ("layer", "layers", "depth", "depths", "blocks", "experts")
"""How the names of keys end that say of how many parts a model is made, or which part is meant."""
SIDES = ("height", "width", "image_size")
"""Keys of sides of the image that a model takes, in pixels."""
MAX_NUMBER = 10_000
"""The largest of these numbers. Models have hundreds of layers and take images of some thousand
pixels. To make a billion layers never ends, and an image of a million pixels a side fills any
memory."""

WEIGHT_MAP = "weight_map"
"""The key of an index of weights under which the names of tensors stand, and their files."""

AGAIN = "download it again, all of it from one repository"
"""The end of a sentence about files that do not belong together, or are damaged."""
NAME_ITS_SERVER = f"name its server, --model NAME={EXAMPLE}"
"""The end of a sentence about a model that another program serves."""

Keys = tuple[str, ...]
"""The keys that lead to a value in a config, from the outside in."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises `CheckpointError`, also for a value that `check_value` refuses.
    """
    try:
        value = json.loads(read_text(path), parse_constant=check_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read as JSON ({error}): download it again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds no JSON object: download it again")
    for keys, part in walk(value):
        if keys[0] != WEIGHT_MAP:
            check_value(path, keys, part)
    return value


def walk(config: dict[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """Yield every value of a JSON object by the keys that lead to it, however deep it lies."""
    left: list[tuple[Keys, Any]] = [((), config)]
    while left:
        keys, value = left.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            inner = (*keys, str(key))
            yield inner, part
            if isinstance(part, dict | list):
                left.append((inner, part))


def check_value(file: Path, keys: Keys, value: Any) -> None:
    """Raise `CheckpointError` for a value by which something else would be loaded, or no end be.

    `keys` lead to the value.
    """
    where = f"{file}: {'.'.join(keys)}"
    if any(choice in keys[-1] for choice in CHOICES) and names_repository(value):
        raise CheckpointError(
            f"{where} is {value!r}, a kernel of the Hub, which would be downloaded and run: remove"
            f" the key, or {server_advice()}"
        )
    if keys[-1].startswith("audio_tokenizer") and value:
        raise CheckpointError(
            f"{where} names another model, which is not loaded: remove the key, or"
            f" {server_advice()}"
        )
    if keys[-1] == "transformers_weights" and value:
        raise CheckpointError(
            f"{where} names other weights ({value}): rename them to model.safetensors and remove"
            " the key"
        )
    name = next((key for key in reversed(keys) if not key.isdigit()), "")
    is_limited = name in SIDES or name.endswith(COUNTS)
    if is_limited and isinstance(value, int) and value > MAX_NUMBER:
        raise CheckpointError(f"{where} is {value}, more than any model has: download it again")


def names_repository(value: Any) -> bool:
    """Return True if a text in the value has the form of a repository's name."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return any(names_repository(part) for part in parts)
    return isinstance(value, str) and "/" in value


def server_advice() -> str:
    return f"serve the model and {NAME_ITS_SERVER}"


def check_constant(name: str) -> float:
    """Return the value of `Infinity` and `-Infinity`, which published configs have.

    Raises `ValueError` for `NaN`, by which every feature would become NaN as well.
    """
    if name == "NaN":
        raise ValueError("a value is NaN")
    return float(name)


def read_text(path: Path) -> str:
    """Return the contents of a small file as text. Raises `CheckpointError`."""
    try:
        # Non-blocking, since opening a pipe would wait for its other end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            kind = kind_of(os.fstat(handle).st_mode)
            # Not by the size that is claimed: files of /proc claim none.
            data = b"" if kind else file.read(MAX_BYTES + 1)
        text = data.decode()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.parent} lacks {path.name}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if kind:
        raise_for_kind(path, kind)
    if len(data) > MAX_BYTES:
        raise_for_size(path)
    return text


def check_entries(folder: Path) -> None:
    """Raise `CheckpointError` for an entry whose opening or reading might not end.

    Those of the folder and of its folders are looked at: parts of a model may lie in one.
    """
    for entry in entries(folder):
        try:
            status = entry.stat()
        except OSError:
            continue  # a link that leads nowhere; who needs the file will say that it is missing
        kind = kind_of(status.st_mode)
        if kind:
            raise_for_kind(entry, kind)
        if entry.name.endswith(SMALL_FILES) and status.st_size > MAX_BYTES:
            raise_for_size(entry)


def entries(folder: Path) -> Iterator[Path]:
    """Yield the entries of a folder and of its folders. Raises `CheckpointError`.

    A folder in it that cannot be listed is passed over: no model needs a disk's `lost+found`.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be listed: {error}") from error
    for entry in found:
        yield entry
        with suppress(OSError):
            if entry.is_dir():
                yield from sorted(entry.iterdir())


def raise_for_kind(path: Path, kind: str) -> NoReturn:
    raise CheckpointError(f"{path} is {kind}, not a file: remove it or download it again")


def raise_for_size(path: Path) -> NoReturn:
    raise CheckpointError(
        f"{path} is larger than {MAX_BYTES // 2**20} MiB, too large for such a file:"
        " download it again"
    )

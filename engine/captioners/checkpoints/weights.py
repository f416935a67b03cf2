"""Weight files as mappings from key to tensor: `.safetensors`, `.bin` and `.pth`, sharded or not.

Tensors are memory maps of the files wherever the format allows it: reading a checkpoint costs
nothing until a tensor is used, and on a CPU, in the file's own dtype, it is never copied.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.layouts import LAYOUTS, missing_shards

Weights = dict[str, torch.Tensor]


def read_json(path: Path) -> dict[str, Any]:
    """Raises `CheckpointError`."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.parent} lacks {path.name}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return found


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, shards in order. Raises `CheckpointError`."""
    for single, index in LAYOUTS:
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            lacking = missing_shards(folder, folder / index)
            if lacking:
                raise CheckpointError(f"{folder} lacks {', '.join(lacking)}: download it again")
            names = set(read_json(folder / index)["weight_map"].values())
            return [folder / name for name in sorted(names)]
    raise CheckpointError(f"{folder} holds no model.safetensors and no pytorch_model.bin")


def read_folder(
    folder: Path, report: Callable[[str], None] = lambda _: None, only: str = ""
) -> Weights:
    """Every tensor of the folder whose key starts with `only`. Raises `CheckpointError`."""
    return read_files(weight_files(folder), report, only)


def read_files(
    paths: Iterable[Path], report: Callable[[str], None] = lambda _: None, only: str = ""
) -> Weights:
    found: Weights = {}
    for path in paths:
        report(f"opening {path.name}")
        found |= {key: value for key, value in read_file(path).items() if key.startswith(only)}
    return found


def read_file(path: Path) -> Weights:
    """One file; of `{"model": weights, ...}`, as trainers save it, the weights.

    Raises `CheckpointError` for a damaged file and for one whose pickle would run code.
    """
    try:
        held = load_file(path) if path.suffix == ".safetensors" else load_pickle(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"no such file: {path}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} was not opened: it is damaged, or its pickle holds more than weights and"
            " would run code"
        ) from error
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CheckpointError(
            f"{path} is damaged or cut short ({first_line(error)}): download it again"
        ) from error
    nested = held.get("model") if isinstance(held, dict) else None
    weights = nested if isinstance(nested, dict) else held
    if not isinstance(weights, dict):
        raise CheckpointError(f"{path} holds no weights by name")
    return {str(key): value for key, value in weights.items() if isinstance(value, torch.Tensor)}


def load_pickle(path: Path) -> Any:
    """`torch.load` with weights only; files from before torch 1.6 cannot be memory maps."""
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)


def first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def side(patches: int, patch: int) -> int:
    """Pixels of the square image that gives so many patches."""
    return math.isqrt(patches) * patch


def count_layers(weights: Iterable[str], prefix: str) -> int:
    """One more than the highest N in keys that start with `prefix` and go on with `N.`."""
    numbers = [
        int(number)
        for key in weights
        if key.startswith(prefix) and (number := key[len(prefix) :].split(".", 1)[0]).isdigit()
    ]
    return max(numbers, default=-1) + 1


def shape(weights: Weights, key: str, where: Path) -> torch.Size:
    """Raises `CheckpointError` if the key is not there."""
    try:
        return weights[key].shape
    except KeyError:
        raise CheckpointError(f"{where}: missing keys: {key}") from None


def head_count(width: int, head_width: int) -> int:
    """Heads of an attention whose checkpoint does not say: the official head width.

    Models too narrow for it (drawn for tests and demonstrations) have heads 16 wide.
    """
    return width // head_width if width % head_width == 0 else max(1, width // 16)

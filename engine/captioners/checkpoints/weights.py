"""Reading weight files (`.safetensors`, `.bin`, `.pth`; one or several) as tensors by key.

Tensors are memory maps of the files wherever the format allows it: reading a checkpoint costs
nothing until a tensor is used, and on a CPU, in the file's own dtype, it is never copied.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from engine.captioners.checkpoints.layouts import WEIGHT_FILES, missing_weight_files
from engine.captioners.config_files import read_json
from engine.captioners.errors import CheckpointError, first_line

Weights = dict[str, torch.Tensor]
"""Tensors by the keys of a checkpoint."""
TEST_HEAD_DIM = 16
"""Width of an attention head in the small models that are drawn for tests and demonstrations."""


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files of a folder in the order of their names. Raises `CheckpointError`."""
    for single, index in WEIGHT_FILES:
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            missing = missing_weight_files(folder, folder / index)
            if missing:
                raise CheckpointError(f"{folder} lacks {', '.join(missing)}: download it again")
            names = set(read_json(folder / index)["weight_map"].values())
            return [folder / name for name in sorted(names)]
    raise CheckpointError(f"{folder} holds no model.safetensors and no pytorch_model.bin")


def read_folder(
    folder: Path, report: Callable[[str], None] = lambda _: None, prefix: str = ""
) -> Weights:
    """Return every tensor of the folder whose key starts with `prefix`.

    `report` takes texts of progress. Raises `CheckpointError`.
    """
    return read_files(weight_files(folder), report, prefix)


def read_files(
    paths: Iterable[Path], report: Callable[[str], None] = lambda _: None, prefix: str = ""
) -> Weights:
    """Return the same as `read_folder`, but for these files."""
    weights: Weights = {}
    for path in paths:
        report(f"opening {path.name}")
        weights |= {key: it for key, it in read_file(path).items() if key.startswith(prefix)}
    return weights


def read_file(path: Path) -> Weights:
    """Return the tensors of one file.

    A file may hold `{"model": weights, ...}`, as trainers save it; then these weights count.
    Raises `CheckpointError` for a damaged file and for one whose pickle would run code.
    """
    try:
        contents = load_file(path) if path.suffix == ".safetensors" else load_pickle(path)
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
    nested = contents.get("model") if isinstance(contents, dict) else None
    weights = nested if isinstance(nested, dict) else contents
    if not isinstance(weights, dict):
        raise CheckpointError(f"{path} holds no weights by name")
    return {str(key): value for key, value in weights.items() if isinstance(value, torch.Tensor)}


def load_pickle(path: Path) -> Any:
    """Run `torch.load` for weights only, as memory maps where possible."""
    with path.open("rb") as file:
        # Files of torch before 1.6 are not zip archives and cannot be mapped.
        is_zip = file.read(4) == b"PK\x03\x04"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)


def image_side(patches: int, patch: int) -> int:
    """Return the side of the square image that has so many patches; `patch` is a patch's side.

    Both sides are in pixels.
    """
    return math.isqrt(patches) * patch


def count_layers(weights: Iterable[str], prefix: str) -> int:
    """Return one more than the highest N in keys that start with `prefix` and go on with `N.`."""
    numbers = [
        int(number)
        for key in weights
        if key.startswith(prefix) and (number := key[len(prefix) :].split(".", 1)[0]).isdigit()
    ]
    return max(numbers, default=-1) + 1


def tensor_shape(weights: Weights, key: str, path: Path) -> torch.Size:
    """Return the shape of a tensor. Raises `CheckpointError`, naming `path`, if it is missing."""
    try:
        return weights[key].shape
    except KeyError:
        raise CheckpointError(f"{path}: missing keys: {key}") from None


def head_count(width: int, head_dim: int) -> int:
    """Return the number of attention heads of a model whose checkpoint does not name it.

    `head_dim` is the official width of a head. A model that is no multiple of it has heads of
    `TEST_HEAD_DIM`.
    """
    return width // head_dim if width % head_dim == 0 else max(1, width // TEST_HEAD_DIM)

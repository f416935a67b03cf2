"""Libraries that only some inputs and outputs need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from engine.utils.errors import BadInput


def extra(module: str, name: str, why: str) -> Any:
    """Imports a module of the extra `name`. Raises `BadInput` that says how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise BadInput(
            f"{why}, which needs {package}: python -m pip install 'mllmaug-tui[{name}]'"
        ) from error

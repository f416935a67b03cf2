"""Imports of libraries that only some inputs, outputs and runs need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from engine.utils.errors import BadInput


def import_extra(module: str, name: str, why: str) -> Any:
    """Import a module that the package's extra `name` installs.

    `why` says for the message what needs it. Raises `BadInput` that says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise BadInput(
            f"{why}, which needs {package}: python -m pip install 'mllmaug-tui[{name}]'"
        ) from error

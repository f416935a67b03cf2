"""Imports every screen and dialog once the first screen is open, so that no key waits for it."""

from __future__ import annotations

import gc
import pkgutil
from functools import cache
from importlib import import_module

from tui import dialogs, screens


@cache
def preload() -> None:
    """Import every screen and dialog, once a process. Called in a thread."""
    for package in (screens, dialogs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    # What is in memory now stays there. The garbage collector went through all of it now and then,
    # which stopped the application for nearly a tenth of a second.
    gc.freeze()

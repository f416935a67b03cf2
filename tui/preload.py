"""What is imported once the first screen is there, so that no key waits for it."""

from __future__ import annotations

import gc
import pkgutil
from functools import cache
from importlib import import_module

from tui import dialogs, screens


@cache
def preload() -> None:
    """Imports every screen and dialog, once a process. Called in a thread.

    What is in memory then stays there: the garbage collector went through all of it now and then,
    which stopped everything for nearly a tenth of a second.
    """
    for package in (screens, dialogs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    gc.freeze()

"""All key bindings that the application declares.

The modules with screens, dialogs and widgets are all imported for it: slow, so only on demand.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode

import tui

DECLARING_MODULES = ("tui.app", "tui.screens.", "tui.dialogs.", "tui.widgets.")
"""Names, or beginnings of names, of the modules whose classes declare key bindings."""


def declaring_classes() -> Iterator[type[DOMNode]]:
    """Yield the application and every screen, dialog and widget."""
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.startswith(DECLARING_MODULES):
            for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
                if issubclass(cls, DOMNode) and cls.__module__ == module.name:
                    yield cls


def declared_bindings() -> Iterator[Binding]:
    """Yield each binding once, at the class that declares it."""
    for cls in declaring_classes():
        declared = cls.__dict__.get("BINDINGS", ())
        yield from (binding for binding in declared if isinstance(binding, Binding))


def binding_ids() -> frozenset[str]:
    return frozenset(binding.id for binding in declared_bindings() if binding.id)

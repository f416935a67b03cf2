"""Every key binding that the application declares, by id."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode

import tui

DECLARING = ("tui.app", "tui.screens.", "tui.dialogs.", "tui.widgets.")
"""Modules whose classes declare key bindings."""


def bindings() -> Iterator[Binding]:
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.startswith(DECLARING):
            for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
                if issubclass(kind, DOMNode) and kind.__module__ == module.name:
                    declared = kind.__dict__.get("BINDINGS", ())
                    yield from (each for each in declared if isinstance(each, Binding))


def binding_ids() -> frozenset[str]:
    return frozenset(binding.id for binding in bindings() if binding.id)

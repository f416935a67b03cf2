"""Every key binding and every action that the application declares."""

from __future__ import annotations

from typing import Any

from textual.binding import Binding
from textual.dom import DOMNode

from tui.config.keymap import declaring_classes
from tui.keys.action import Action

BINDINGS: list[tuple[type[DOMNode], Binding]] = [
    (owner, binding)
    for owner in declaring_classes()
    for binding in owner.__dict__.get("BINDINGS", ())
]
"""Each binding with the class that declares it."""
ACTIONS: list[Action[Any]] = [each for _, each in BINDINGS if isinstance(each, Action)]

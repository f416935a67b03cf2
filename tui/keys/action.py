"""The declaration of an action: its key, its texts, what it needs and whether it changes the run.

Textual makes a key binding of it. The key bar, the command palette and Help show that binding, and
an `ActionOwner` tells them whether the action can work now, and why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual.actions import parse
from textual.binding import ActiveBinding, Binding

if TYPE_CHECKING:
    from tui.session.session import Session

State = TypeVar("State")

READONLY_REASON = "opened with --readonly"
"""Why an action that changes the run is off, as the screens show it."""


@dataclass(frozen=True, kw_only=True)
class Action(Binding, Generic[State]):
    """A key binding that says in which states its action can work.

    For an action that always can, Textual's `Binding` is enough.
    """

    changes_run: bool = False
    """True if the action changes the run: it is off with `--readonly`."""
    needs: tuple[Callable[[State], str | None], ...] = ()
    """Conditions: each returns why the action cannot work in a state, None if it can.

    The first reason is the one that is shown.
    """
    has_key: Callable[[State], bool] | None = None
    """True for a state in which the key is for this action; None: in every state.

    Actions that share a key differ in it. Where it is False, the action is not shown.
    """
    always_shown: bool = False
    """True if the key bar leaves out other keys, rather than this one, where it is too short."""
    synonyms: str = ""
    """Other words under which people look for the action in the command palette, with blanks."""
    in_palette: bool = True
    """True if the command palette offers the action."""
    in_help: bool = True
    """True if Help has a line for the action; False if its notes describe it."""

    def why_not(self, state: State, readonly: bool) -> str | None:
        """Return why the action cannot work in `state`, None if it can."""
        if readonly and self.changes_run:
            return READONLY_REASON
        return next((reason for need in self.needs if (reason := need(state))), None)


class ActionOwner:
    """A mixin for whatever has actions: the application, a screen or a dialog.

    It must stand before Textual's class among the bases.
    """

    session: Session

    def action_state(self) -> Any:
        """Return the state that the conditions of these actions look at."""
        return self.session

    def find_action(self, name: str, parameters: tuple[object, ...] = ()) -> Action[Any] | None:
        """Return the declaration of an action, None if a plain binding or Textual declares it."""
        return declared_actions(type(self).__mro__).get((name, parameters))

    def why_not(self, name: str, parameters: tuple[object, ...] = ()) -> str | None:
        """Return why an action cannot work now, None if it can."""
        action = self.find_action(name, parameters)
        if action is None:
            return None
        return action.why_not(self.action_state(), self.session.readonly)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell Textual whether an action can work: None greys its key, False hides it."""
        found = self.find_action(action, parameters)
        if found and found.has_key and not found.has_key(self.action_state()):
            return False
        return None if self.why_not(action, parameters) else True


@cache
def declared_actions(
    classes: tuple[type, ...],
) -> Mapping[tuple[str, tuple[object, ...]], Action[Any]]:
    """Return the actions that a class and its bases (its `__mro__`) declare.

    They are found by name and parameters; those of the class itself go before those of its bases.
    """
    return {parse(action.action)[1:]: action for action in all_declared(classes)}


def all_declared(classes: tuple[type, ...]) -> Iterator[Action[Any]]:
    """Yield the actions that classes declare, those of the last class first."""
    for cls in reversed(classes):
        for binding in cls.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Action):
                yield binding


@cache
def declared_by_id(classes: tuple[type, ...]) -> Mapping[str | None, Action[Any]]:
    """Return the actions that a class and its bases (its `__mro__`) declare, by their ids."""
    return {action.id: action for action in all_declared(classes)}


def declaration_of(active: ActiveBinding) -> Action[Any] | None:
    """Return the declaration that a binding on screen was made from; None for a plain binding."""
    return declared_by_id(type(active.node).__mro__).get(active.binding.id)


def reason_disabled(active: ActiveBinding) -> str | None:
    """Return why the action of a binding on screen cannot work now, None if it can."""
    if not isinstance(active.node, ActionOwner):
        return None
    _, name, parameters = parse(active.binding.action)
    return active.node.why_not(name, parameters)

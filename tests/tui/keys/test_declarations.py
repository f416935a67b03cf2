"""All declared actions: each is whole, and `--readonly` turns off what changes the run."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
from textual.actions import parse
from textual.binding import Binding
from textual.dom import DOMNode

from tests.tui.keys.declared import ACTIONS, BINDINGS
from tui.app import MllmaugApp
from tui.dialog_actions import OPENERS
from tui.dialogs.quit import Leave
from tui.keys.action import READONLY_REASON, Action
from tui.keys.app import APP_ACTIONS
from tui.session.session import Session

WITHOUT_TOOLTIP = {"app.quit_anywhere", "leave.after_shard", "leave.now"}
"""Actions in Help or a dialog whose label says all."""
CHANGES_RUN = {
    "app.start",
    "app.pause",
    "app.resume",
    "app.stop",
    "app.start_on",
    "app.reshear",
    "app.undo",
    "dashboard.retry_failed",
    "dashboard.wake",
    "shards.retry",
    "shards.retry_failed",
    "shards.ask_again",
    "shards.skip",
    "shards.sooner",
    "shards.later",
    "shards.pin",
    "samples.flag",
    "samples.good",
    "samples.bad",
    "pilot.good",
    "pilot.bad",
    "workshop.take",
    "workshop.good",
    "workshop.bad",
    "failures.retry",
    "failures.exclude",
    "models.add",
    "settings.save",
    "leave.after_shard",
    "leave.now",
}
"""The actions that `--readonly` turns off."""


def test_every_binding_has_a_key_a_label_and_an_id_of_its_own() -> None:
    ids = [binding.id for _, binding in BINDINGS]
    assert all(ids)
    assert len(set(ids)) == len(ids) > 130
    assert all(binding.key and binding.description for _, binding in BINDINGS)


def test_every_action_that_help_lists_has_a_tooltip() -> None:
    without = {action.id for action in ACTIONS if action.in_help and not action.tooltip}
    assert without == WITHOUT_TOOLTIP


@pytest.mark.parametrize(("owner", "binding"), BINDINGS, ids=lambda each: getattr(each, "id", ""))
def test_every_binding_has_a_method(owner: type[DOMNode], binding: Binding) -> None:
    namespace, name, parameters = parse(binding.action)
    target = MllmaugApp if namespace == "app" else owner
    method = getattr(target, f"action_{name}")
    inspect.signature(method).bind(None, *parameters)


def test_the_application_opens_every_dialog_that_a_key_names() -> None:
    opened = [parse(action.action)[2][0] for action in APP_ACTIONS if "open(" in action.action]
    assert sorted(opened, key=str) == sorted(OPENERS)


def test_readonly_turns_off_exactly_what_changes_the_run() -> None:
    assert {action.id for action in ACTIONS if action.changes_run} == CHANGES_RUN
    for action in ACTIONS:
        unconditional = replace(action, needs=())
        assert unconditional.why_not(None, readonly=False) is None
        reason = READONLY_REASON if action.id in CHANGES_RUN else None
        assert unconditional.why_not(None, readonly=True) == reason


def test_readonly_is_the_first_reason() -> None:
    start = next(action for action in APP_ACTIONS if action.id == "app.start")
    assert start.why_not(Session(), readonly=False) == "no project is open"
    assert start.why_not(Session(), readonly=True) == READONLY_REASON


def test_detaching_from_a_run_changes_nothing() -> None:
    detach = next(each for each in Leave.BINDINGS if each.id == "leave.detach")
    assert not isinstance(detach, Action)

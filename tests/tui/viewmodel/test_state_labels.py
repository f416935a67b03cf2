"""Labels of states, and what a filter makes of them."""

from __future__ import annotations

from db.task_pages import STATE_ALIASES
from tui.viewmodel.state_labels import TASK_LABELS


def test_a_filter_takes_the_label_of_every_task_state() -> None:
    assert {label.lower(): state for state, label in TASK_LABELS.items()} == STATE_ALIASES

"""The actions of all six screens, by the application's mode that shows the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.keys.action import Action
from tui.keys.dashboard import DASHBOARD_ACTIONS
from tui.keys.failures import FAILURES_ACTIONS
from tui.keys.logs import LOGS_ACTIONS
from tui.keys.quality import QUALITY_ACTIONS
from tui.keys.samples import SAMPLES_ACTIONS
from tui.keys.shards import SHARDS_ACTIONS

ACTIONS_OF_SCREENS: Mapping[str, tuple[str, tuple[Action[Any], ...]]] = {
    "dashboard": ("Dashboard, 1", DASHBOARD_ACTIONS),
    "shards": ("Shards, 2", SHARDS_ACTIONS),
    "samples": ("Samples, 3", SAMPLES_ACTIONS),
    "failures": ("Failures, 4", FAILURES_ACTIONS),
    "logs": ("Logs, 5", LOGS_ACTIONS),
    "quality": ("Quality, 6", QUALITY_ACTIONS),
}
"""The title of a screen with its key, and what it can do."""

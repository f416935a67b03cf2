"""Carries out what a person asked for, in a thread of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.utils.errors import BadInput, RequestRefused
from tui.formatting.text import describe_error
from tui.session.messages import ActionFinished, ActionRequested

if TYPE_CHECKING:
    from engine.project.layout import Project


def outcome_of(request: ActionRequested, project: Project) -> ActionFinished:
    """Carry out a request, and return what to show of its success or failure. Slow."""
    try:
        return ActionFinished(request.action(project), True, request.quit)
    except (BadInput, RequestRefused) as error:
        return ActionFinished(str(error), False)
    except Exception as error:
        return ActionFinished(describe_error(error), False)

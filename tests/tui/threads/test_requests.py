"""What is shown of a request's success or failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.project.layout import Project
from engine.utils.errors import BadInput, RequestRefused
from tui.session.messages import ActionRequested
from tui.threads.requests import outcome_of

PROJECT = Project(Path("/p"))


@pytest.mark.parametrize("quit", [False, True])
def test_success(quit: bool) -> None:
    finished = outcome_of(ActionRequested(lambda project: str(project.folder), quit), PROJECT)
    assert (finished.text, finished.succeeded, finished.quit) == ("/p", True, quit)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BadInput("no device"), "no device"),
        (RequestRefused("not now"), "not now"),
        (OSError("gone\nmore"), "OSError: gone"),
    ],
)
def test_failure_never_quits(error: Exception, text: str) -> None:
    def fail(project: Project) -> str:
        raise error

    finished = outcome_of(ActionRequested(fail, quit=True), PROJECT)
    assert (finished.text, finished.succeeded, finished.quit) == (text, False, False)

"""Why actions cannot work, state by state. No application runs: a condition is a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.tui.keys.declared import ACTIONS
from tests.tui.keys.states import (
    CAUSE,
    IDLE,
    OCCURRENCE,
    RESTING,
    RUN,
    RUNNING,
    TASK,
    session,
    snapshot,
)
from tui.dialogs import model_settings, models
from tui.keys.action import Action
from tui.keys.app import APP_ACTIONS, run_key_action
from tui.keys.dashboard import DASHBOARD_ACTIONS
from tui.keys.failures import FAILURES_ACTIONS, FailuresState
from tui.keys.logs import LOGS_ACTIONS, LogsState
from tui.keys.pilot import PILOT_ACTIONS, PilotState
from tui.keys.quality import QUALITY_ACTIONS, QualityState
from tui.keys.samples import SAMPLES_ACTIONS, SamplesState
from tui.keys.screen import SCREEN_ACTIONS, ScreenState
from tui.keys.shards import SHARDS_ACTIONS, ShardsState
from tui.keys.workshop import WORKSHOP_ACTIONS, WorkshopState
from tui.session.session import Session
from tui.viewmodel.failures_by_image import FailedImage
from tui.viewmodel.snapshot import Snapshot


@dataclass(frozen=True)
class Case:
    """A state, and the actions of a table that cannot work in it, by id."""

    name: str
    table: Sequence[Action[Any]]
    state: object
    off: Mapping[str, str]


def all_of(reason: str, *ids: str) -> dict[str, str]:
    return dict.fromkeys(ids, reason)


SCREENS = ("dashboard", "shards", "samples", "failures", "logs", "quality")
MODES = tuple(f"app.{mode}" for mode in SCREENS)
RUN_KEYS = ("app.start", "app.pause", "app.resume")
SHOWING = (
    "app.export",
    "app.coverage",
    "app.lengths",
    "app.models",
    "app.workshop",
    "app.settings",
    "app.reshear",
    "app.pilot",
    "app.verify",
)
DEVICES_TAKEN = all_of("the run has the devices", "app.start_on", "app.pilot")
NO_RUN = {"app.stop": "nothing is running"}
NOT_WHILE_RUNNING = {"app.reshear": "the project is running: stop it first (K)"}
CHOSEN = (
    *("shards.retry", "shards.retry_failed", "shards.ask_again", "shards.skip"),
    *("shards.all", "shards.sooner"),
)

CASES = (
    Case(
        "no project",
        APP_ACTIONS,
        Session(),
        all_of(
            "no project is open",
            *MODES,
            *RUN_KEYS,
            *SHOWING,
            "app.stop",
            "app.undo",
            "app.start_on",
            "app.refresh",
        ),
    ),
    Case(
        "opening",
        APP_ACTIONS,
        session(),
        all_of(
            "the project is still being opened",
            *RUN_KEYS,
            *SHOWING,
            "app.stop",
            "app.undo",
            "app.start_on",
        ),
    ),
    Case("idle", APP_ACTIONS, IDLE, NO_RUN),
    Case(
        "in a browser",
        APP_ACTIONS,
        session(snapshot(), in_browser=True),
        all_of("this page shows one project: 'mllmaug-tui web' another", "app.new", "app.projects")
        | NO_RUN,
    ),
    Case(
        "no caption",
        APP_ACTIONS,
        session(snapshot(captioned=0)),
        all_of("there is no caption yet", "app.export", "app.lengths") | NO_RUN,
    ),
    Case("running", APP_ACTIONS, RUNNING, DEVICES_TAKEN | NOT_WHILE_RUNNING),
    Case(
        "request pending",
        APP_ACTIONS,
        session(snapshot(), request_pending=True),
        all_of("the run has not answered yet", *RUN_KEYS, "app.undo", "app.start_on") | NO_RUN,
    ),
    Case(
        "finished",
        APP_ACTIONS,
        session(snapshot(pending=0)),
        all_of(
            "everything is captioned; retry shards on the Shards screen",
            *RUN_KEYS,
            "app.start_on",
        )
        | NO_RUN,
    ),
    Case(
        "request pending in a run",
        APP_ACTIONS,
        session(snapshot(supervisor=RUN), request_pending=True),
        all_of("the run has not answered yet", *RUN_KEYS, "app.stop", "app.undo")
        | DEVICES_TAKEN
        | NOT_WHILE_RUNNING,
    ),
    Case(
        "stopping",
        APP_ACTIONS,
        session(snapshot(supervisor=replace(RUN, stopping="now"))),
        all_of("the run is stopping", *RUN_KEYS) | DEVICES_TAKEN | NOT_WHILE_RUNNING,
    ),
    Case(
        "screen", SCREEN_ACTIONS, ScreenState(session=IDLE, has_focus=True, value_to_copy="x"), {}
    ),
    Case(
        "screen without focus",
        SCREEN_ACTIONS,
        ScreenState(session=IDLE),
        {"screen.zoom": "no pane is focused (tab)"}
        | all_of("there is nothing to copy", "screen.copy", "screen.copy_row"),
    ),
    Case(
        "dashboard before the first snapshot",
        DASHBOARD_ACTIONS,
        ScreenState(session=session()),
        {
            "dashboard.retry_failed": "no shard failed; failed records are on Failures (4)",
            "dashboard.wake": "no device rests",
        },
    ),
    Case(
        "dashboard of a run in trouble",
        DASHBOARD_ACTIONS,
        ScreenState(
            session=session(
                snapshot(
                    tasks={"pending": 1, "running": 0, "failed": 2},
                    supervisor=RUN,
                    devices=(RESTING,),
                )
            )
        ),
        {},
    ),
    Case(
        "dashboard after that run",
        DASHBOARD_ACTIONS,
        ScreenState(
            session=session(
                snapshot(tasks={"pending": 1, "running": 0, "failed": 2}, devices=(RESTING,))
            )
        ),
        {"dashboard.wake": "no device rests"},
    ),
    Case(
        "shards: none",
        SHARDS_ACTIONS,
        ShardsState(session=RUNNING),
        all_of("no shard is shown", *CHOSEN, "shards.later", "shards.pin", "shards.show"),
    ),
    Case("shards: a pending one", SHARDS_ACTIONS, ShardsState(session=RUNNING, task=TASK), {}),
    Case(
        "shards: no run",
        SHARDS_ACTIONS,
        ShardsState(session=IDLE, task=TASK),
        {"shards.pin": "nothing is running"},
    ),
    Case(
        "shards: a failed one",
        SHARDS_ACTIONS,
        ShardsState(session=RUNNING, task=replace(TASK, state="failed")),
        all_of("only pending shards have a priority", "shards.sooner", "shards.later"),
    ),
    *(
        Case(
            f"shards: a {state} one",
            SHARDS_ACTIONS,
            ShardsState(session=RUNNING, task=replace(TASK, state=state)),
            all_of("only pending shards have a priority", "shards.sooner", "shards.later")
            | {"shards.skip": "only pending or failed shards can be skipped"},
        )
        for state in ("done", "running")
    ),
    Case(
        "shards: marked ones",
        SHARDS_ACTIONS,
        ShardsState(session=RUNNING, marked=True),
        all_of("no shard is shown", "shards.pin", "shards.show"),
    ),
    Case(
        "samples: none",
        SAMPLES_ACTIONS,
        SamplesState(session=IDLE),
        all_of(
            "there is no caption yet",
            "samples.diff",
            "samples.flag",
            "samples.enlarge",
            "samples.grid",
            "samples.open",
        )
        | all_of("nothing was searched, or found", "samples.next_match", "samples.last_match")
        | {
            "samples.next_flag": "no record is flagged",
        }
        | all_of("no model has captioned the record yet", "samples.good", "samples.bad"),
    ),
    Case(
        "samples: a flagged one",
        SAMPLES_ACTIONS,
        SamplesState(session=IDLE, has_record=True, has_caption=True, flags=1, matches=1),
        {},
    ),
    Case(
        "samples: before the first snapshot",
        SAMPLES_ACTIONS,
        SamplesState(session=session(), has_record=True, has_caption=True, flags=1, matches=1),
        {"samples.random": "the project is still being opened"},
    ),
    Case(
        "failures: none",
        FAILURES_ACTIONS,
        FailuresState(session=IDLE),
        all_of(
            "nothing failed",
            "failures.retry",
            "failures.exclude",
            "failures.show",
            "failures.enlarge",
            "failures.write",
        ),
    ),
    Case(
        "failures: of records",
        FAILURES_ACTIONS,
        FailuresState(session=IDLE, cause=CAUSE, occurrence=FailedImage((OCCURRENCE,))),
        {},
    ),
    Case(
        "failures: of a shard",
        FAILURES_ACTIONS,
        FailuresState(
            session=IDLE,
            cause=replace(CAUSE, scope="shard"),
            occurrence=FailedImage((replace(OCCURRENCE, index=None),)),
        ),
        {
            "failures.exclude": "only records can be excluded; x on Shards skips a shard",
            "failures.show": "no single record is chosen",
            "failures.enlarge": "no single record is chosen",
        },
    ),
    Case(
        "failures: excluded already",
        FAILURES_ACTIONS,
        FailuresState(
            session=IDLE,
            cause=replace(CAUSE, kind="excluded"),
            occurrence=FailedImage((OCCURRENCE,)),
        ),
        {"failures.exclude": "these are not captioned anyway"},
    ),
    Case(
        "failures: sheared to nothing",
        FAILURES_ACTIONS,
        FailuresState(session=IDLE, cause=replace(CAUSE, kind="empty")),
        {
            "failures.exclude": "these are not captioned anyway",
            "failures.retry": "shearing again would give the same",
            "failures.show": "no single record is chosen",
            "failures.enlarge": "no single record is chosen",
        },
    ),
    Case(
        "logs: nothing found",
        LOGS_ACTIONS,
        LogsState(session=IDLE),
        all_of("nothing was searched, or found", "logs.next_match", "logs.last_match"),
    ),
    Case("logs: found", LOGS_ACTIONS, LogsState(session=IDLE, matches=1), {}),
    Case(
        "quality: nothing counted yet",
        QUALITY_ACTIONS,
        QualityState(session=session(), searching=True),
        {
            "quality.count": "the project is still being opened",
            "quality.show": "the worst captions are being searched (esc cancels)",
        },
    ),
    Case(
        "quality: counting, and no caption has the defect",
        QUALITY_ACTIONS,
        QualityState(session=IDLE, counting=True),
        {
            "quality.count": "captions are being counted (esc cancels)",
            "quality.show": "no caption has this defect",
        },
    ),
    Case("quality: counted", QUALITY_ACTIONS, QualityState(session=IDLE, found=3), {}),
    Case("models: idle", (models.ADD,), IDLE, {}),
    Case(
        "models: running",
        (models.ADD,),
        RUNNING,
        {"models.add": "the project is running: stop it first (K)"},
    ),
    Case(
        "pilot: of no project",
        PILOT_ACTIONS,
        PilotState(Session(), has_caption=True, busy=False),
        {"pilot.prompts": "the project is not made yet"},
    ),
    Case(
        "pilot: of a project",
        PILOT_ACTIONS,
        PilotState(IDLE, has_caption=True, busy=False),
        {},
    ),
    Case(
        "pilot: at work",
        PILOT_ACTIONS,
        PilotState(IDLE, has_caption=False, busy=True),
        all_of("there is no caption yet", "pilot.good", "pilot.bad")
        | {"pilot.prompts": "the pilot has the device"},
    ),
    Case(
        "workshop: a new prompt",
        WORKSHOP_ACTIONS,
        WorkshopState(IDLE, tried=True, is_new=True, has_caption=True),
        {},
    ),
    Case(
        "workshop: a new prompt that was not tried",
        WORKSHOP_ACTIONS,
        WorkshopState(IDLE, tried=False, is_new=True, has_caption=False),
        all_of("there is no caption yet", "workshop.good", "workshop.bad")
        | {"workshop.take": "try the prompt first (enter)"},
    ),
    Case(
        "workshop: the model's own prompt",
        WORKSHOP_ACTIONS,
        WorkshopState(IDLE, tried=True, is_new=False, has_caption=True),
        {"workshop.take": "it is the model's own prompt"},
    ),
    Case(
        "workshop: running",
        WORKSHOP_ACTIONS,
        WorkshopState(RUNNING, tried=True, is_new=True, has_caption=True),
        {"workshop.take": "the project is running: stop it first (K)"},
    ),
    Case(
        "settings: changed",
        (model_settings.SAVE,),
        model_settings.FormState(IDLE, changed=True),
        {},
    ),
    Case(
        "settings: unchanged",
        (model_settings.SAVE,),
        model_settings.FormState(IDLE, changed=False),
        {"settings.save": "nothing is changed"},
    ),
    Case(
        "settings: running",
        (model_settings.SAVE,),
        model_settings.FormState(RUNNING, changed=True),
        {"settings.save": "the project is running: stop it first (K)"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_cannot_work_in_a_state_says_why(case: Case) -> None:
    reasons = {action.id: action.why_not(case.state, readonly=False) for action in case.table}
    assert {name: reason for name, reason in reasons.items() if reason} == dict(case.off)


def test_every_condition_is_in_the_table() -> None:
    needs = {need for action in ACTIONS for need in action.needs}
    shown = {
        need
        for case in CASES
        for action in case.table
        for need in action.needs
        if need(case.state) is not None
    }
    assert shown == needs


@pytest.mark.parametrize(
    ("shown", "action"),
    [
        (session(), "start"),
        (IDLE, "start"),
        (RUNNING, "pause"),
        (session(snapshot(project=replace(snapshot().project, paused=True))), "resume"),
        (session(snapshot(pending=0)), "start"),
    ],
)
def test_the_key_p_is_for_one_action(shown: Session, action: str) -> None:
    with_key = [each for each in APP_ACTIONS if each.has_key and each.has_key(shown)]
    assert [each.action for each in with_key] == [action]
    assert with_key[0].key == "p"


@pytest.mark.parametrize(
    ("shown", "action"),
    [
        (snapshot(), "start"),
        (snapshot(supervisor=RUN), "pause"),
        (snapshot(killed_at=1.0), "start"),
        (snapshot(killed_at=1.0, project=replace(snapshot().project, paused=True)), "resume"),
        (snapshot(supervisor=RUN, project=replace(snapshot().project, paused=True)), "resume"),
    ],
)
def test_what_p_is_for(shown: Snapshot, action: str) -> None:
    assert run_key_action(session(shown)) == action

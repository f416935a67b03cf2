"""The actions that work on every screen."""

from __future__ import annotations

from tui.keys import conditions
from tui.keys.action import Action
from tui.session.session import Session
from tui.viewmodel.health import all_stopped

OPENED = (conditions.project, conditions.snapshot)
"""What every action needs that shows something of the project or changes it."""
STARTABLE = (*OPENED, conditions.answer, conditions.open_tasks, conditions.no_stop)


def run_key_action(session: Session) -> str:
    """Return the name of the action that the key p is for now."""
    snapshot = session.snapshot
    state = snapshot.state if snapshot is not None else "idle"
    if state == "idle" and snapshot is not None and all_stopped(snapshot):
        return "resume"
    return {"running": "pause", "paused": "resume"}.get(state, "start")


def screen_action(key: str, mode: str, title: str) -> Action[Session]:
    """Return the action that shows one of the six screens."""
    return Action(
        key,
        f"switch_mode('{mode}')",
        title,
        show=False,
        id=f"app.{mode}",
        needs=(conditions.project,),
        in_help=False,
    )


START = Action[Session](
    "p",
    "start",
    "Run",
    tooltip="Start captioning",
    id="app.start",
    changes_run=True,
    needs=STARTABLE,
    has_key=lambda session: run_key_action(session) == "start",
)

APP_ACTIONS: tuple[Action[Session], ...] = (
    screen_action("1", "dashboard", "Dashboard"),
    screen_action("2", "shards", "Shards"),
    screen_action("3", "samples", "Samples"),
    screen_action("4", "failures", "Failures"),
    screen_action("5", "logs", "Logs"),
    screen_action("6", "quality", "Quality"),
    START,
    Action(
        "p",
        "pause",
        "Pause",
        tooltip="Pause captioning",
        id="app.pause",
        changes_run=True,
        needs=STARTABLE,
        has_key=lambda session: run_key_action(session) == "pause",
    ),
    Action(
        "p",
        "resume",
        "Resume",
        tooltip="Go on captioning",
        id="app.resume",
        changes_run=True,
        needs=STARTABLE,
        has_key=lambda session: run_key_action(session) == "resume",
    ),
    Action(
        "e",
        "open('export')",
        "Export",
        tooltip="Write the merged captions",
        id="app.export",
        needs=(*OPENED, conditions.captions),
    ),
    Action(
        "c",
        "open('coverage')",
        "Coverage",
        show=False,
        tooltip="Shards by models",
        id="app.coverage",
        needs=OPENED,
    ),
    Action(
        "h",
        "open('lengths')",
        "Lengths",
        show=False,
        tooltip="Caption lengths",
        id="app.lengths",
        needs=(*OPENED, conditions.captions),
    ),
    Action("n", "open('wizard')", "New", show=False, tooltip="Make a new project", id="app.new"),
    Action(
        "u",
        "open('devices')",
        "Devices",
        show=False,
        tooltip="Run on devices",
        id="app.start_on",
        changes_run=True,
        needs=(
            *OPENED,
            conditions.free_devices,
            conditions.answer,
            conditions.open_tasks,
            conditions.no_stop,
        ),
    ),
    Action(
        "M",
        "open('models')",
        "Models",
        show=False,
        tooltip="Model settings, add",
        id="app.models",
        needs=OPENED,
    ),
    Action(
        "H",
        "open('reshear')",
        "Shear",
        show=False,
        tooltip="Shear all again",
        id="app.reshear",
        changes_run=True,
        needs=(*OPENED, conditions.no_run),
    ),
    Action(
        "D",
        "open('doctor')",
        "Doctor",
        show=False,
        tooltip="Check this machine",
        id="app.doctor",
    ),
    Action(
        "V",
        "open('verify')",
        "Verify",
        show=False,
        tooltip="Check all files",
        id="app.verify",
        needs=OPENED,
    ),
    Action(
        "T",
        "open('pilot')",
        "Pilot",
        show=False,
        tooltip="Try the first images",
        id="app.pilot",
        needs=(*OPENED, conditions.free_devices),
    ),
    Action("question_mark,f1", "open('help')", "Help", tooltip="What the keys do", id="app.help"),
    Action("q", "quit", "Quit", tooltip="Quit, or stop the run", id="app.quit"),
    Action("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True, id="app.quit_anywhere"),
    Action(
        "colon",
        "command_palette",
        "Commands",
        show=False,
        id="app.commands",
        in_palette=False,
        in_help=False,
    ),
    Action(
        "ctrl+r",
        "refresh",
        "Refresh",
        show=False,
        tooltip="Read again now",
        id="app.refresh",
        needs=(conditions.project,),
    ),
    Action("ctrl+z", "suspend_process", "Suspend", show=False, id="app.suspend"),
)
"""The actions in the order of the key bar, the command palette and Help."""

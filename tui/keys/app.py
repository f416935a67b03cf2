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
    if snapshot is None:
        return "start"
    waits_for_a_person = snapshot.project.paused or all_stopped(snapshot)
    if snapshot.state in ("idle", "killed") and waits_for_a_person:
        return "resume"
    return {"running": "pause", "paused": "resume"}.get(snapshot.state, "start")


def screen_action(key: str, mode: str, title: str, synonyms: str) -> Action[Session]:
    """Return the action that shows one of the six screens."""
    return Action(
        key,
        f"switch_mode('{mode}')",
        title,
        show=False,
        tooltip="Show this screen",
        id=f"app.{mode}",
        synonyms=synonyms,
        needs=(conditions.project,),
        in_help=False,
    )


START = Action[Session](
    "p",
    "start",
    "Run",
    tooltip="Start captioning",
    id="app.start",
    always_shown=True,
    synonyms="begin go caption continue resume launch models",
    changes_run=True,
    needs=STARTABLE,
    has_key=lambda session: run_key_action(session) == "start",
)

APP_ACTIONS: tuple[Action[Session], ...] = (
    screen_action(
        "1",
        "dashboard",
        "Dashboard",
        "home overview progress status speed fast gpu idle devices models eta",
    ),
    screen_action("2", "shards", "Shards", "tasks tars jobs parts list"),
    screen_action(
        "3",
        "samples",
        "Samples",
        "captions images pictures photos thumbnails look see browse compare",
    ),
    screen_action("4", "failures", "Failures", "errors failed problems broken why wrong"),
    screen_action("5", "logs", "Logs", "read log worker messages output trace debug stderr"),
    screen_action(
        "6",
        "quality",
        "Quality",
        "bad captions worst model statistics health loops duplicates refusals hallucination",
    ),
    START,
    Action(
        "p",
        "pause",
        "Pause",
        tooltip="Pause captioning",
        id="app.pause",
        always_shown=True,
        synonyms="hold wait stop interrupt halt",
        changes_run=True,
        needs=STARTABLE,
        has_key=lambda session: run_key_action(session) == "pause",
    ),
    Action(
        "p",
        "resume",
        "Resume",
        tooltip="Resume captioning",
        id="app.resume",
        always_shown=True,
        synonyms="continue unpause start run begin",
        changes_run=True,
        needs=STARTABLE,
        has_key=lambda session: run_key_action(session) == "resume",
    ),
    Action(
        "K",
        "open('stop')",
        "Stop",
        tooltip="Stop the run, now or after its shards",
        id="app.stop",
        synonyms="abort cancel halt kill interrupt finish quit",
        changes_run=True,
        needs=(*OPENED, conditions.a_run, conditions.answer),
    ),
    Action(
        "e",
        "open('export')",
        "Export",
        tooltip="Write the merged captions",
        id="app.export",
        synonyms="save output webdataset parquet json jsonl csv llava download result dataset",
        needs=(*OPENED, conditions.captions),
    ),
    Action(
        "c",
        "open('coverage')",
        "Coverage",
        tooltip="Progress of shards by model",
        id="app.coverage",
        synonyms="matrix table progress overview missing done heatmap",
        needs=OPENED,
    ),
    Action(
        "h",
        "open('lengths')",
        "Lengths",
        show=False,
        tooltip="Caption lengths",
        id="app.lengths",
        synonyms="words histogram statistics distribution length short long",
        needs=(*OPENED, conditions.captions),
    ),
    Action(
        "ctrl+n",
        "open('wizard')",
        "New",
        show=False,
        tooltip="Make a new project",
        id="app.new",
        synonyms="create wizard dataset import begin",
        needs=(conditions.a_terminal,),
    ),
    Action(
        "O",
        "open('projects')",
        "Projects",
        show=False,
        tooltip="Open another project",
        id="app.projects",
        synonyms="switch change recent list folder",
        needs=(conditions.a_terminal,),
    ),
    Action(
        "u",
        "open('devices')",
        "Devices",
        show=False,
        tooltip="Run on devices",
        id="app.start_on",
        synonyms="gpus cuda cpu ray cluster choose start slots",
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
        tooltip="Settings, add a model",
        id="app.models",
        synonyms="configure change edit preset prompt temperature tokens batch checkpoint",
        needs=OPENED,
    ),
    Action(
        "W",
        "open('workshop')",
        "Prompts",
        show=False,
        tooltip="Try prompts of a model",
        id="app.workshop",
        synonyms="prompt workshop edit question instruction compare tune try words ask",
        needs=OPENED,
    ),
    Action(
        "comma",
        "open('settings')",
        "Settings",
        show=False,
        tooltip="All settings, explained",
        id="app.settings",
        synonyms="options preferences configure change edit config default theme shearing",
        needs=OPENED,
    ),
    Action(
        "H",
        "open('reshear')",
        "Shear",
        show=False,
        tooltip="Re-shear all captions",
        id="app.reshear",
        synonyms="first sentence cut method again captions minimum words",
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
        synonyms="diagnose gpu disk memory health install graphics terminal environment",
    ),
    Action(
        "V",
        "open('verify')",
        "Verify",
        show=False,
        tooltip="Check all files",
        id="app.verify",
        synonyms="integrity digest checksum damage corrupt files sound",
        needs=OPENED,
    ),
    Action(
        "T",
        "open('pilot')",
        "Pilot",
        tooltip="Pilot: try a few images",
        id="app.pilot",
        synonyms="trial test preview estimate sample dry run predict time models",
        needs=(*OPENED, conditions.free_devices),
    ),
    Action(
        "U",
        "undo",
        "Undo",
        show=False,
        tooltip="Undo retry, skip, flag, ...",
        id="app.undo",
        synonyms="revert take back mistake oops unskip unflag exclude rating last change",
        changes_run=True,
        needs=(*OPENED, conditions.answer),
    ),
    Action(
        "question_mark,f1",
        "open('help')",
        "Help",
        tooltip="What the keys do",
        id="app.help",
        always_shown=True,
        synonyms="keys shortcuts manual keyboard bindings documentation",
    ),
    Action(
        "colon",
        "command_palette",
        "Actions",
        id="app.commands",
        always_shown=True,
        in_palette=False,
        in_help=False,
    ),
    Action(
        "q",
        "quit",
        "Quit",
        tooltip="Quit, or stop the run",
        id="app.quit",
        always_shown=True,
        synonyms="exit leave close detach end",
    ),
    Action("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True, id="app.quit_anywhere"),
    # Textual binds ctrl+p only for an application that binds no key to its palette.
    Action(
        "ctrl+p",
        "command_palette",
        "Actions",
        show=False,
        priority=True,
        id="app.commands_anywhere",
        in_palette=False,
        in_help=False,
    ),
    Action(
        "ctrl+r",
        "refresh",
        "Refresh",
        show=False,
        tooltip="Refresh now",
        id="app.refresh",
        synonyms="reload update now",
        needs=(conditions.project,),
    ),
    Action(
        "ctrl+z",
        "suspend_process",
        "Suspend",
        show=False,
        tooltip="Suspend; fg resumes",
        id="app.suspend",
        synonyms="shell background terminal",
    ),
)
"""The actions in the order of the key bar, the command palette and Help."""

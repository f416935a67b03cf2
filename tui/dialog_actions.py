"""Opens the dialogs of the application and does what their results ask for.

A dialog is imported when it is opened. One that needs a project is not opened without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import App

from tui.keys.action import declared_actions
from tui.keys.app import START
from tui.session.feedback import notify
from tui.session.messages import ActionRequested
from tui.viewmodel import actions

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from engine.datasets.exports.export import ExportOptions
    from engine.requests.kinds import Request
    from tui.dialogs.model_settings import SettingChanges
    from tui.dialogs.models import ModelsAnswer
    from tui.dialogs.report import ReportProgress
    from tui.session.session import Session
    from tui.viewmodel.settings import SettingRow
    from tui.viewmodel.snapshot import ModelProgress

DEVICES_HINT = "auto (GPUs with free memory), cpu:N, GPUs such as 0,1, or a Ray cluster: ray:auto"
"""How devices are written; shown in the prompt for them."""


def open_help(app: App[Path], session: Session) -> None:
    from tui.dialogs.help import Help

    app.push_screen(Help(app.screen, app.focused))


def open_export(app: App[Path], session: Session) -> None:
    from tui.dialogs.export import Export

    def keep_options(options: ExportOptions) -> None:
        session.export_options = options

    if session.project is not None and session.snapshot is not None:
        app.push_screen(Export(session.project, session.snapshot, session.readonly, keep_options))


def open_coverage(app: App[Path], session: Session) -> None:
    from tui.dialogs.coverage import Coverage

    async def on_close(filter_text: str | None) -> None:
        from tui.screens.shards import Shards

        if filter_text is not None:
            await app.switch_mode("shards")
            if isinstance(app.screen, Shards):
                app.screen.filter_by(filter_text)

    if session.project is not None:
        app.push_screen(Coverage(session.project), on_close)


def open_lengths(app: App[Path], session: Session) -> None:
    from tui.dialogs.lengths import Lengths

    if session.project is not None and session.snapshot is not None:
        app.push_screen(Lengths(session.project, session.snapshot, session.readonly))


def open_wizard(app: App[Path], session: Session) -> None:
    from tui.dialogs.wizard.wizard import Wizard

    def on_close(folder: Path | None) -> None:
        if folder is not None:
            app.exit(folder)

    app.push_screen(Wizard(session.image_support), on_close)


def open_projects(app: App[Path], session: Session) -> None:
    from tui.dialogs.projects import Projects

    def on_close(folder: Path | None) -> None:
        if folder is not None:
            app.exit(folder)

    app.push_screen(Projects(session.project.folder if session.project else None), on_close)


def open_pilot(app: App[Path], session: Session) -> None:
    from engine.operations.pilot import plan_pilot
    from tui.dialogs.pilot import Pilot, PilotOutcome

    project = session.project

    def on_close(outcome: PilotOutcome | None) -> None:
        if outcome is None or not outcome.go:
            return
        # What the pilot has kept may not be answered yet: the start comes behind it.
        reason = START.why_not(replace(session, request_pending=False), session.readonly)
        if reason is None:
            app.post_message(ActionRequested(actions.start))
        else:
            notify(app, reason, "warning")

    def open_prompts_of(name: str) -> None:
        for model in session.snapshot.models if session.snapshot else ():
            if model.row.name == name:
                open_prompts(app, session, model)

    if project is not None:
        pilot = Pilot(lambda: plan_pilot(project), session, open_prompts_of)
        app.push_screen(pilot, on_close)


def quit_or_ask(app: App[Path], session: Session) -> None:
    """End the application; while a run goes on, ask first whether to stop it."""
    from tui.dialogs.quit import Leave, QuitChoice

    def on_close(choice: QuitChoice | None) -> None:
        if choice == "detach":
            app.exit(message=Text("the run goes on; open the project again to watch it"))
        elif choice is not None:
            from engine.requests.kinds import Stop

            notify(app, "asking the run to stop ...")
            send(app, Stop(after_shard=choice == "after_shard"), quit=True)

    snapshot = session.snapshot
    if snapshot is None or snapshot.supervisor is None:
        app.exit()
    elif not isinstance(app.screen, Leave):
        app.push_screen(Leave(session, len(snapshot.workers), snapshot.eta), on_close)


def open_stop(app: App[Path], session: Session) -> None:
    """Ask how the run is to stop; the application stays open."""
    from engine.requests.kinds import Stop
    from tui.dialogs.stop import StopRun

    def on_close(after_shard: bool | None) -> None:
        if after_shard is not None:
            send(app, Stop(after_shard=after_shard))

    app.push_screen(StopRun(), on_close)


def open_models(app: App[Path], session: Session) -> None:
    from tui.dialogs.models import Models

    def on_close(choice: ModelsAnswer | None) -> None:
        if choice is None:
            return
        if choice.model is None:
            open_add_model(app, session)
        elif choice.prompts:
            open_prompts(app, session, choice.model)
        else:
            open_model_settings(app, session, choice.model)

    if session.snapshot is not None:
        app.push_screen(Models(session, session.snapshot.models), on_close)


def open_workshop(app: App[Path], session: Session) -> None:
    """Try prompts of the model that is chosen among several that have one."""
    from engine.operations.prompt_workshop import has_prompt
    from tui.dialogs.models import Models

    def on_close(choice: ModelsAnswer | None) -> None:
        if choice is not None and choice.model is not None:
            open_prompts(app, session, choice.model)

    snapshot = session.snapshot
    if snapshot is None:
        return
    models = [model for model in snapshot.models if has_prompt(model.row)]
    if len(models) == 1:
        open_prompts(app, session, models[0])
    elif models:
        app.push_screen(Models(session, models, for_prompts=True), on_close)
    else:
        notify(app, "no model of the project is asked with a prompt", "warning")


def open_prompts(app: App[Path], session: Session, model: ModelProgress) -> None:
    """Open the prompt workshop of a model."""
    from engine.operations.prompt_workshop import has_prompt
    from tui.dialogs.workshop import Workshop

    if not has_prompt(model.row):
        notify(app, f"{model.row.name} is asked with no prompt", "warning")
    elif session.project is not None:
        workshop = Workshop(session, session.project, model)
        app.push_screen(workshop, partial(configure_model, app, model))


def configure_model(app: App[Path], model: ModelProgress, changes: SettingChanges | None) -> None:
    """Have the settings of a model changed, if a dialog returned changes."""
    from engine.requests.kinds import Configure

    if changes:
        send(app, Configure(model=model.row.name, changes=dict(changes)))


def open_settings(app: App[Path], session: Session) -> None:
    from engine.utils.user_config import config_file
    from tui.dialogs.settings import Settings

    def on_close(row: SettingRow | None) -> None:
        if row is not None:
            open_setting(app, session, row)

    if session.project is not None and session.snapshot is not None:
        screen = Settings(session.project, session.snapshot, session.user_settings, config_file())
        app.push_screen(screen, on_close)


def open_setting(app: App[Path], session: Session, row: SettingRow) -> None:
    """Open the dialog in which a setting is changed, or show why it cannot be changed now."""
    models = session.snapshot.models if session.snapshot is not None else ()
    model = next((model for model in models if model.row.name == row.model), None)
    action = declared_actions(type(app).__mro__).get(("open", (row.opens,)))
    reason = action.why_not(session, session.readonly) if action is not None else None
    if model is not None:
        open_model_settings(app, session, model, row.name)
    elif row.opens == "theme":
        app.action_change_theme()
    elif reason is not None:
        notify(app, f"{row.name}: {reason}", "warning")
    else:
        OPENERS[row.opens](app, session)


def open_model_settings(
    app: App[Path], session: Session, model: ModelProgress, setting: str = ""
) -> None:
    """Open the form of a model's settings, with the cursor on one of them if it is named."""
    from engine.captioners.registry import IMPORTED
    from tui.dialogs.model_settings import ModelSettings

    if model.row.family == IMPORTED:
        notify(app, f"{model.row.name} has no settings: its captions were made elsewhere")
        return

    if session.project is not None:
        settings = ModelSettings(session, session.project, model, setting)
        app.push_screen(settings, partial(configure_model, app, model))


def open_add_model(app: App[Path], session: Session) -> None:
    from tui.dialogs import add_model

    def on_close(choice: ModelChoice | None) -> None:
        if choice is not None:
            from engine.requests.kinds import AddModel

            send(app, AddModel(choice=choice))

    if session.project is not None and session.snapshot is not None:
        existing_names = frozenset(model.row.name for model in session.snapshot.models)
        app.push_screen(add_model.AddModel(session.project, existing_names), on_close)


def open_reshear(app: App[Path], session: Session) -> None:
    from tui.dialogs.reshear import Reshear

    async def on_close(message: str | None) -> None:
        if message is not None:
            notify(app, message)
            await app.run_action("refresh")

    if session.project is not None and session.snapshot is not None:
        app.push_screen(Reshear(session.project, session.snapshot.project), on_close)


def open_doctor(app: App[Path], session: Session) -> None:
    from tui.dialogs.report import Report

    def report_lines(_: ReportProgress) -> list[str]:
        from engine.operations.doctor import examine

        checks = examine(session.project)
        lines = [f"{'ok   ' if each.good else 'CHECK'} {each.text}" for each in checks]
        return [f"ok    {session.image_support}", *lines]

    app.push_screen(Report("Doctor: is this machine fit to run?", report_lines))


def open_verify(app: App[Path], session: Session) -> None:
    from tui.dialogs.report import Report

    project = session.project
    if project is None:
        return

    def report_lines(progress: ReportProgress) -> list[str]:
        from engine.operations.verify import verify

        return list(verify(project.folder, progress, readonly=session.readonly).lines())

    app.push_screen(Report("Verify: are all files as they were recorded?", report_lines))


def open_device_prompt(app: App[Path], session: Session) -> None:
    """Ask for devices and start the run on them."""
    from tui.dialogs.text_prompt import Ask

    def on_close(devices: str | None) -> None:
        if devices is not None:
            app.post_message(ActionRequested(lambda project: actions.start(project, devices)))

    last = session.snapshot.last_devices if session.snapshot else "auto"
    app.push_screen(Ask("Run on devices", DEVICES_HINT, last), on_close)


def send(app: App[Path], request: Request, quit: bool = False) -> None:
    """Send a request to the run; with `quit`, end the application after it succeeded."""
    app.post_message(ActionRequested(lambda project: actions.send_request(project, request), quit))


OPENERS: Mapping[str, Callable[[App[Path], Session], None]] = {
    "help": open_help,
    "stop": open_stop,
    "export": open_export,
    "coverage": open_coverage,
    "lengths": open_lengths,
    "models": open_models,
    "settings": open_settings,
    "workshop": open_workshop,
    "reshear": open_reshear,
    "doctor": open_doctor,
    "verify": open_verify,
    "devices": open_device_prompt,
    "wizard": open_wizard,
    "projects": open_projects,
    "pilot": open_pilot,
}
"""What the action `open(NAME)` of the application opens."""

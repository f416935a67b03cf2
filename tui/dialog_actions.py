"""Opens the dialogs of the application and does what their results ask for.

A dialog is imported when it is opened. One that needs a project is not opened without one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from tui.viewmodel import actions

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from tui.dialogs.model_settings import SettingChanges
    from tui.dialogs.report import ReportProgress
    from tui.session import Session
    from tui.viewmodel.snapshot import ModelProgress

DEVICES_HINT = "auto (GPUs with free memory), cpu:N, GPUs such as 0,1, or a Ray cluster: ray:auto"
"""How devices are written; shown in the prompt for them."""


def open_help(app: Session) -> None:
    from tui.dialogs.help import Help

    app.push_screen(Help(app.screen, app.focused))


def open_export(app: Session) -> None:
    from tui.dialogs.export import Export

    if app.snapshot is not None and app.project is not None:
        app.push_screen(Export(app.project, app.snapshot))


def open_coverage(app: Session) -> None:
    from tui.dialogs.coverage import Coverage

    async def on_close(filter_text: str | None) -> None:
        from tui.screens.shards import Shards

        if filter_text is not None:
            await app.switch_mode("shards")
            if isinstance(app.screen, Shards):
                app.screen.filter_by(filter_text)

    if app.project is not None:
        app.push_screen(Coverage(app.project), on_close)


def open_lengths(app: Session) -> None:
    from tui.dialogs.lengths import Lengths

    if app.project is not None and app.snapshot is not None:
        app.push_screen(Lengths(app.project, app.snapshot))


def open_wizard(app: Session) -> None:
    from tui.dialogs.wizard.wizard import Wizard

    def on_close(folder: Path | None) -> None:
        if folder is not None:
            app.exit(folder)

    app.push_screen(Wizard(), on_close)


def open_pilot(app: Session) -> None:
    from engine.operations.pilot import plan_pilot
    from tui.dialogs.pilot import Pilot, PilotOutcome

    project = app.project

    def on_close(outcome: PilotOutcome | None) -> None:
        if outcome is not None and outcome.go and app.why_not("start") is None:
            app.action_start()

    if project is not None:
        app.push_screen(Pilot(lambda: plan_pilot(project)), on_close)


def quit_or_ask(app: Session) -> None:
    """End the application; while a run goes on, ask first whether to stop it."""
    from tui.dialogs.quit import Leave, QuitChoice

    def on_close(choice: QuitChoice | None) -> None:
        if choice == "detach":
            app.exit(message=Text("the run goes on; open the project again to watch it"))
        elif choice is not None:
            app.notify_plain("asking the run to stop ...")
            app.send_request("stop", quit=True, after_shard=choice == "after_shard")

    if app.snapshot is None or app.snapshot.supervisor is None:
        app.exit()
    elif not isinstance(app.screen, Leave):
        app.push_screen(Leave(len(app.snapshot.workers), app.snapshot.eta), on_close)


def open_models(app: Session) -> None:
    from tui.dialogs.models import Models

    def on_close(choice: ModelProgress | str | None) -> None:
        if choice == "add":
            open_add_model(app)
        elif choice is not None and not isinstance(choice, str):
            open_model_settings(app, choice)

    if app.snapshot is not None:
        app.push_screen(Models(app.snapshot), on_close)


def open_model_settings(app: Session, model: ModelProgress) -> None:
    from tui.dialogs.model_settings import ModelSettings

    def on_close(changes: SettingChanges | None) -> None:
        if changes:
            app.send_request("set", model=model.row.name, changes=dict(changes))

    if app.project is not None:
        app.push_screen(ModelSettings(app.project, model), on_close)


def open_add_model(app: Session) -> None:
    from tui.dialogs.add_model import AddModel

    def on_close(choice: ModelChoice | None) -> None:
        if choice is not None:
            app.send_request("add_model", choice=asdict(choice))

    if app.project is not None and app.snapshot is not None:
        existing_names = frozenset(model.row.name for model in app.snapshot.models)
        app.push_screen(AddModel(app.project, existing_names), on_close)


def open_reshear(app: Session) -> None:
    from tui.dialogs.reshear import Reshear

    def on_close(message: str | None) -> None:
        if message is not None:
            app.notify_plain(message)
            app.action_refresh()

    if app.project is not None and app.snapshot is not None:
        app.push_screen(Reshear(app.project, app.snapshot.project), on_close)


def open_doctor(app: Session) -> None:
    from tui.dialogs.report import Report

    project = app.project

    def report_lines(_: ReportProgress) -> list[str]:
        from engine.operations.doctor import examine

        return [f"{'ok   ' if each.good else 'CHECK'} {each.text}" for each in examine(project)]

    app.push_screen(Report("Doctor: is this machine fit to run?", report_lines))


def open_device_prompt(app: Session) -> None:
    """Ask for devices and start the run on them."""
    from tui.dialogs.text_prompt import Ask

    def on_close(devices: str | None) -> None:
        if devices is not None:
            app.perform(lambda project: actions.start(project, devices))

    last = app.snapshot.last_devices if app.snapshot else "auto"
    app.push_screen(Ask("Run on devices", DEVICES_HINT, last), on_close)

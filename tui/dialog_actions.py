"""The application's dialogs: what is opened, and what is done with the answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from tui.viewmodel import actions

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from tui.dialogs.model_settings import Changes
    from tui.dialogs.report import Progress
    from tui.session import Session
    from tui.viewmodel.snapshot import ModelProgress

DEVICES_HINT = "auto (GPUs with free memory), cpu:N, GPUs such as 0,1, or a Ray cluster: ray:auto"


def help(app: Session) -> None:
    from tui.dialogs.help import Help

    app.push_screen(Help(app.screen, app.focused))


def export(app: Session) -> None:
    from tui.dialogs.export import Export

    if app.snapshot is not None and app.project is not None:
        app.push_screen(Export(app.project, app.snapshot))


def coverage(app: Session) -> None:
    from tui.dialogs.coverage import Coverage

    async def answer(words: str | None) -> None:
        from tui.screens.shards import Shards

        if words is not None:
            await app.switch_mode("shards")
            if isinstance(app.screen, Shards):
                app.screen.filter_by(words)

    if app.project is not None:
        app.push_screen(Coverage(app.project), answer)


def lengths(app: Session) -> None:
    from tui.dialogs.lengths import Lengths

    if app.project is not None and app.snapshot is not None:
        app.push_screen(Lengths(app.project, app.snapshot))


def new(app: Session) -> None:
    from tui.dialogs.wizard.wizard import Wizard

    def answer(folder: Path | None) -> None:
        if folder is not None:
            app.exit(folder)

    app.push_screen(Wizard(), answer)


def pilot(app: Session) -> None:
    from engine.operations.pilot import plan
    from tui.dialogs.pilot import Outcome, Pilot

    project = app.project

    def answer(outcome: Outcome | None) -> None:
        if outcome is not None and outcome.go and app.why_not("start") is None:
            app.action_start()

    if project is not None:
        app.push_screen(Pilot(lambda: plan(project)), answer)


def leave(app: Session) -> None:
    """Ends the application; asks how, where a run goes on."""
    from tui.dialogs.quit import Leave, Way

    def answer(way: Way | None) -> None:
        if way == "detach":
            app.exit(message=Text("the run goes on; open the project again to watch it"))
        elif way is not None:
            app.tell("asking the run to stop ...")
            app.ask("stop", quit=True, after_shard=way == "after_shard")

    if app.snapshot is None or app.snapshot.supervisor is None:
        app.exit()
    elif not isinstance(app.screen, Leave):
        app.push_screen(Leave(len(app.snapshot.workers), app.snapshot.eta), answer)


def models(app: Session) -> None:
    from tui.dialogs.models import Models

    def answer(chosen: ModelProgress | str | None) -> None:
        if chosen == "add":
            add_model(app)
        elif chosen is not None and not isinstance(chosen, str):
            settings(app, chosen)

    if app.snapshot is not None:
        app.push_screen(Models(app.snapshot), answer)


def settings(app: Session, model: ModelProgress) -> None:
    from tui.dialogs.model_settings import ModelSettings

    def answer(changes: Changes | None) -> None:
        if changes:
            app.ask("set", model=model.row.name, changes=dict(changes))

    if app.project is not None:
        app.push_screen(ModelSettings(app.project, model), answer)


def add_model(app: Session) -> None:
    from tui.dialogs.add_model import AddModel

    def answer(choice: ModelChoice | None) -> None:
        if choice is not None:
            app.ask("add_model", choice=asdict(choice))

    if app.project is not None and app.snapshot is not None:
        has = frozenset(model.row.name for model in app.snapshot.models)
        app.push_screen(AddModel(app.project, has), answer)


def reshear(app: Session) -> None:
    from tui.dialogs.reshear import Reshear

    def answer(sentence: str | None) -> None:
        if sentence is not None:
            app.tell(sentence)
            app.action_refresh()

    if app.project is not None and app.snapshot is not None:
        app.push_screen(Reshear(app.project, app.snapshot.project), answer)


def doctor(app: Session) -> None:
    from tui.dialogs.report import Report

    project = app.project

    def examined(_: Progress) -> list[str]:
        from engine.operations.doctor import examine

        return [f"{'ok   ' if each.good else 'CHECK'} {each.text}" for each in examine(project)]

    app.push_screen(Report("Doctor: is this machine fit to run?", examined))


def start_on(app: Session) -> None:
    """Starts the run on chosen devices."""
    from tui.dialogs.text_prompt import Ask

    def answer(devices: str | None) -> None:
        if devices is not None:
            app.call(lambda project: actions.start(project, devices))

    last = app.snapshot.last_devices if app.snapshot else "auto"
    app.push_screen(Ask("Run on devices", DEVICES_HINT, last), answer)

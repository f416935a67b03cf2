"""The dialog that lists the projects that were opened lately, to open another one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.project.layout import Project
from tui.config import user_files
from tui.dialogs.dialog import Dialog
from tui.formatting import content, text
from tui.formatting.text import describe_error
from tui.viewmodel import state_labels
from tui.viewmodel.killed import killed_time

NAME_CELLS = 20
"""Cells of a project's name."""
OTHER = "another folder ..."
"""The last line, which asks for a path."""


class Projects(Dialog[Path | None]):
    """Projects with state and progress, the last opened first; returns the folder to open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="projects.close"),
        Binding("j", "move('down')", "Down", show=False, id="projects.down"),
        Binding("k", "move('up')", "Up", show=False, id="projects.up"),
    ]

    @dataclass
    class ProjectRead(Message):
        """The state of a project, by its place in the list, was read."""

        place: int
        status: Content

    def __init__(self, current: Path | None) -> None:
        super().__init__()
        self.folders = [each for each in user_files.recent_projects() if each != current]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Projects"
            dialog.border_subtitle = "enter opens, esc closes"
            reading = Content("reading ...")
            lines = [Option(project_line(folder, reading)) for folder in self.folders]
            yield OptionList(*lines, Option(OTHER))
            yield Static("A run goes on when you open another project.", classes="muted")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.read_projects()

    @work(thread=True, group="projects", exit_on_error=False)
    def read_projects(self) -> None:
        for place, folder in enumerate(self.folders):
            self.post_message(self.ProjectRead(place, project_status(folder)))

    @on(ProjectRead)
    def project_read(self, event: Projects.ProjectRead) -> None:
        line = project_line(self.folders[event.place], event.status)
        self.query_one(OptionList).replace_option_prompt_at_index(event.place, line)

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self.folders):
            self.dismiss(self.folders[event.option_index])
        else:
            self.ask_for_folder()

    def ask_for_folder(self) -> None:
        from tui.dialogs.text_prompt import Ask

        def answer(folder: str | None) -> None:
            if folder:
                self.open(Path(folder).expanduser())

        self.app.push_screen(Ask("Open", "A project's folder", path=True), answer)

    @work(thread=True, group="open", exit_on_error=False)
    def open(self, folder: Path) -> None:
        """Close with the folder if it has a project, else show why it has none."""
        from tui.session.feedback import notify
        from tui.viewmodel.actions import open_project

        try:
            opened = open_project(folder).folder
        except Exception as error:
            self.app.call_from_thread(notify, self.app, describe_error(error), "error")
        else:
            self.app.call_from_thread(self.dismiss, opened)

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if direction == "down" else options.action_cursor_up()

    def action_close(self) -> None:
        self.dismiss(None)


def project_status(folder: Path) -> Content:
    """Return state, progress and remaining time of a project, or why they cannot be read."""
    from tui.viewmodel.snapshot_reader import read_snapshot

    try:
        snapshot = read_snapshot(Project.at(folder))
    except Exception as error:
        return Content.styled(text.visible(describe_error(error)), "$text-error")
    left = "" if snapshot.eta is None else f"  {text.duration(snapshot.eta)} left"
    label = content.state_label(state_labels.project_label(snapshot))
    when = killed_time(snapshot)
    return Content.assemble(
        label, f" {when}" if when else "", f"  {text.percent(snapshot.share)}{left}"
    )


def project_line(folder: Path, status: Content) -> Content:
    """Return the line of a project: its name, its state and the folder it is in."""
    name = text.fit(text.visible(folder.name), NAME_CELLS)
    parent = text.visible(str(folder.parent))
    return Content.assemble((name, "bold"), " ", status, (f"  in {parent}", "$text-muted"))

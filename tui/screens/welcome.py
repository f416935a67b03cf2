"""The Welcome screen: opens a recent or another project, makes one, or starts the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.config import user_files
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.session.feedback import notify
from tui.viewmodel import actions
from tui.widgets.key_bar import KeyBar

ABOUT = (
    "Captions an image data set with several multimodal LLMs, shears the captions"
    " and merges them for CLIP and BLIP pretraining.\n"
)
COMMANDS = (
    "The same without the application:\n"
    "  mllmaug-tui new my-run captions.json --model llava-1.5=CHECKPOINT\n"
    "  mllmaug-tui my-run       opens it; p starts captioning\n"
    "  mllmaug-tui models       families, and what their checkpoints must hold\n"
    "  mllmaug-tui doctor       devices, checkpoints, images, disk"
)


class Welcome(Screen[None]):
    """The first screen when the application was started without a project."""

    HELP = "Open a project, make one, or try the demonstration."
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "app.open('wizard')", "New", tooltip="Make a project", id="welcome.new"),
        Binding("D", "demo", "Demo", tooltip="Built-in scenes and models", id="welcome.demo"),
        Binding("o", "open_folder", "Open", tooltip="Open a project folder", id="welcome.open"),
        Binding("j", "move('down')", "Down", show=False, id="welcome.down"),
        Binding("k", "move('up')", "Up", show=False, id="welcome.up"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.making_demo = False
        """True while the demonstration project is being made."""
        self.recent: list[Path] = []
        """The folders of recently opened projects, as they are listed."""

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome") as box:
            box.border_title = "mllmaug-tui"
            yield Static(ABOUT, markup=False)
            yield Static("There is no project in this folder.", id="here", markup=False)
            yield OptionList(id="choices")
            yield Static(COMMANDS, classes="muted", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.recent = user_files.recent_projects()
        choices = self.query_one(OptionList)
        choices.add_option(Option("^n  make a new project", id="new"))
        choices.add_option(Option("D   try the demonstration: no GPU, no download", id="demo"))
        choices.add_option(Option("o   open a project folder", id="open"))
        for number, folder in enumerate(self.recent):
            path = text.visible(str(folder))
            choices.add_option(Option(Content(f"    open {path}"), id=f"recent-{number}"))
        choices.highlighted = 0

    @on(OptionList.OptionSelected)
    async def chosen(self, event: OptionList.OptionSelected) -> None:
        choice = event.option.id or ""
        if choice == "new":
            await self.run_action("app.open('wizard')")
        elif choice == "demo":
            self.action_demo()
        elif choice == "open":
            self.action_open_folder()
        else:
            self.app.exit(self.recent[int(choice.removeprefix("recent-"))])

    def action_move(self, direction: str) -> None:
        choices = self.query_one(OptionList)
        choices.action_cursor_down() if direction == "down" else choices.action_cursor_up()

    def action_open_folder(self) -> None:
        from tui.dialogs.text_prompt import Ask

        def answer(folder: str | None) -> None:
            if folder:
                self.open(Path(folder).expanduser())

        self.app.push_screen(Ask("Open", "A project's folder", path=True), answer)

    def action_demo(self) -> None:
        if not self.making_demo:
            self.making_demo = True
            self.show_message("drawing scenes ...")
            self.make_demo()

    @work(thread=True, group="open", exit_on_error=False)
    def open(self, folder: Path) -> None:
        self.open_in_thread(lambda: actions.open_project(folder).folder)

    @work(thread=True, group="open", exit_on_error=False)
    def make_demo(self) -> None:
        self.open_in_thread(lambda: actions.start_demo(Path("demo")))

    def open_in_thread(self, find_folder: Callable[[], Path]) -> None:
        """Exit with the folder that `find_folder` returns, or show its error. Runs in a thread."""
        try:
            folder = find_folder()
        except Exception as error:
            self.app.call_from_thread(self.opening_failed, describe_error(error))
        else:
            self.app.call_from_thread(self.app.exit, folder)

    def opening_failed(self, reason: str) -> None:
        self.making_demo = False
        self.show_message("There is no project in this folder.")
        notify(self, reason, "error")

    def show_message(self, message: str) -> None:
        self.query_one("#here", Static).update(message)

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui.commands import Commands

LINES = (
    ("Try it on built-in scenes and tiny built-in models, no GPU needed:", "mllmaug-tui demo"),
    (
        "Make a project from caption files (JSON, with an image path a record):",
        "mllmaug-tui new my-run captions.json --image-root images --model llava-1.5=CHECKPOINT",
    ),
    ("Open it, and start captioning with p:", "mllmaug-tui my-run"),
    ("Which models there are, and what their checkpoints must hold:", "mllmaug-tui models"),
    ("Whether devices, checkpoints, images and disk are ready:", "mllmaug-tui doctor my-run"),
)


class WelcomeCommands(Commands):
    topic = "welcome"


class Welcome(Screen[None]):
    """Shown when there is no project to open."""

    HELP = "There is no project in this folder. These commands make one."
    CSS_PATH = "welcome.tcss"
    COMMANDS: ClassVar[set[Any]] = {WelcomeCommands}

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome") as box:
            box.border_title = "mllmaug-tui"
            yield Static(
                "Captions an image data set with several multimodal LLMs, shears the captions\n"
                "and merges them for CLIP and BLIP pretraining.\n",
                markup=False,
            )
            for what, command in LINES:
                yield Static(
                    Content.assemble(what, ("\n  $ ", "$foreground-muted"), (command, "bold"), "\n")
                )
            yield Static("There is no project in this folder.", classes="muted", markup=False)
        yield Footer(show_command_palette=False)

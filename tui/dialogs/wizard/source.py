from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from engine.datasets.inputs.skipped import BadRecord
from engine.operations.input_preview import Peek, check_folder_is_free, peek
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import Step
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel import actions
from tui.widgets.checkbox import Tick

SHOWN = 5

Values = tuple[str, str, str, bool]


class Source(Step):
    """Captions, image root and folder, with a look at the first records."""

    NAME = "Source"
    PATHS = ("captions", "root", "folder")
    FOLDERS = ("root", "folder")

    @dataclass
    class Looked(Message):
        values: Values
        peek: Peek | None
        trouble: str | None

    looked: Source.Looked | None = None

    def compose(self) -> ComposeResult:
        yield Label(
            "Captions: JSON, JSON Lines, CSV, TSV, Parquet, a folder, a tar", classes="field"
        )
        yield Input(self.draft.captions, id="captions", compact=True)
        yield Label("Image root", classes="field")
        yield Input(placeholder="the folder of the captions", id="root", compact=True)
        yield Label("Make the project in", classes="field")
        yield Input(self.draft.folder, id="folder", compact=True)
        yield Tick("leave out records that cannot be read", id="skip-bad", compact=True)
        yield Tick("open and decode every image, not a sample", id="check-images", compact=True)
        yield Static(id="source-seen", markup=False, classes="seen")

    @property
    def values(self) -> Values:
        captions, root, folder = (self.query_one(f"#{name}", Input) for name in self.PATHS)
        skip_bad = self.query_one("#skip-bad", Tick).value
        return captions.value.strip(), root.value.strip(), folder.value.strip(), skip_bad

    @on(Input.Changed)
    @on(Tick.Changed)
    def changed(self) -> None:
        self.draft.check_images = self.query_one("#check-images", Tick).value
        self.soon(lambda: self.look(self.values))
        self.post_message(self.Changed())

    @work(thread=True, group="peek", exclusive=True, exit_on_error=False)
    def look(self, values: Values) -> None:
        captions, root, folder, skip_bad = values
        found, trouble = None, None
        try:
            if not captions:
                raise BadInput("name a caption file")
            found = peek(Path(captions), Path(root) if root else None, skip_bad=skip_bad)
            if not folder:
                raise BadInput("name a folder for the project")
            check_folder_is_free(Path(folder))
            if not Path(found.paths.root).is_dir():
                raise BadInput(f"there is no folder {found.paths.root}")
        except BadRecord as error:
            trouble = f"{error}; tick 'leave out' to go on without it"
        except BadInput as error:
            trouble = str(error)
        except Exception as error:
            trouble = describe_error(error)
        self.post_message(self.Looked(values, found, trouble))

    @on(Looked)
    def was_looked(self, event: Source.Looked) -> None:
        if event.values != self.values:
            return
        self.looked = event
        draft = self.draft
        draft.captions, draft.image_root, draft.folder, draft.skip_bad = event.values
        self.draft.peek = event.peek
        self.say("#source-seen", "\n".join(seen(event)), bad=bool(event.trouble))
        self.post_message(self.Changed())

    @property
    def looking(self) -> bool:
        return self.looked is None or self.looked.values != self.values

    def why_not(self) -> str | None:
        if self.looked is None or self.looking:
            return "looking at the files ..."
        if self.looked.trouble is None and self.looked.peek and not self.looked.peek.present:
            return "none of the first images was found: set the image root"
        return self.looked.trouble


def seen(event: Source.Looked) -> list[str]:
    said = [event.trouble] if event.trouble else []
    if event.peek is None:
        return said
    found = f"{event.peek.present} of the first {len(event.peek.records)} images found"
    root = actions.shortened(Path(event.peek.paths.root))
    said.append(f"{event.peek.shown} records; {found} in {root}")
    if event.peek.skipped:
        said.append(f"{text.plural(event.peek.skipped, 'record')} so far cannot be read: left out")
    for record in event.peek.records[:SHOWN]:
        said.append(
            f"  {text.fit(record.image, 28)}  {text.clip(text.visible(record.caption), 40)}"
        )
    return said

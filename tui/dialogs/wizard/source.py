"""The wizard's Source page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from engine.datasets.inputs.input_report import BadRecord
from engine.operations.input_preview import InputPreview, check_folder_is_free, preview_input
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import WizardStep
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel import actions
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.checkbox import BracketCheckbox

RECORDS_SHOWN = 5

SourceFields = tuple[str, str, str, bool]
"""Caption file, image root, project folder, and whether unreadable records are left out."""


class SourceStep(WizardStep):
    """The page for captions, image root and project folder, with a preview of the first records."""

    NAME = "Source"
    PATHS = ("captions", "root", "folder")
    FOLDERS = ("root", "folder")

    @dataclass
    class SourceChecked(Message):
        """The source was read as far as the preview; `error` says what is wrong, if anything is."""

        fields: SourceFields
        preview: InputPreview | None
        error: str | None

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(draft)
        self.last_check: SourceStep.SourceChecked | None = None

    def compose(self) -> ComposeResult:
        yield Label(
            "Captions: JSON, JSON Lines, CSV, TSV, Parquet, a folder, a tar", classes="field"
        )
        yield Input(self.draft.captions, id="captions", compact=True)
        yield Label("Image root", classes="field")
        yield Input(placeholder="the folder of the captions", id="root", compact=True)
        yield Label("Make the project in", classes="field")
        yield Input(self.draft.folder, id="folder", compact=True)
        yield BracketCheckbox("leave out records that cannot be read", id="skip-bad", compact=True)
        yield BracketCheckbox(
            "open and decode every image, not a sample", id="check-images", compact=True
        )
        yield Static(id="source-seen", markup=False, classes="seen")

    @property
    def fields(self) -> SourceFields:
        """The values that are entered now."""
        captions, root, folder = (self.query_one(f"#{name}", Input) for name in self.PATHS)
        skip_bad = self.query_one("#skip-bad", BracketCheckbox).value
        return captions.value.strip(), root.value.strip(), folder.value.strip(), skip_bad

    @on(Input.Changed)
    @on(BracketCheckbox.Changed)
    def changed(self) -> None:
        self.draft.check_images = self.query_one("#check-images", BracketCheckbox).value
        self.check_soon(lambda: self.check_source(self.fields))
        self.post_message(self.Changed())

    @work(thread=True, group="peek", exclusive=True, exit_on_error=False)
    def check_source(self, fields: SourceFields) -> None:
        captions, root, folder, skip_bad = fields
        preview, problem = None, None
        try:
            if not captions:
                raise BadInput("name a caption file")
            preview = preview_input(Path(captions), Path(root) if root else None, skip_bad=skip_bad)
            if not folder:
                raise BadInput("name a folder for the project")
            check_folder_is_free(Path(folder))
            if not Path(preview.paths.root).is_dir():
                raise BadInput(f"there is no folder {preview.paths.root}")
        except BadRecord as error:
            problem = f"{error}; tick 'leave out' to go on without it"
        except BadInput as error:
            problem = str(error)
        except Exception as error:
            problem = describe_error(error)
        self.post_message(self.SourceChecked(fields, preview, problem))

    @on(SourceChecked)
    def source_checked(self, event: SourceStep.SourceChecked) -> None:
        if event.fields != self.fields:
            return
        self.last_check = event
        draft = self.draft
        draft.captions, draft.image_root, draft.folder, draft.skip_bad = event.fields
        self.draft.preview = event.preview
        message = "\n".join(preview_lines(event))
        self.show_message("#source-seen", message, is_error=bool(event.error))
        self.post_message(self.Changed())

    @property
    def checking(self) -> bool:
        return self.last_check is None or self.last_check.fields != self.fields

    def why_not(self) -> str | None:
        check = self.last_check
        if check is None or self.checking:
            return "looking at the files ..."
        if check.error is None and check.preview and not check.preview.images_present:
            return "none of the first images was found: set the image root"
        return check.error


def preview_lines(check: SourceStep.SourceChecked) -> list[str]:
    """Return what is wrong with the source, if anything, and the preview of its records."""
    lines = [check.error] if check.error else []
    preview = check.preview
    if preview is None:
        return lines
    images = f"{preview.images_present} of the first {len(preview.records)} images found"
    root = actions.relative_to_cwd(Path(preview.paths.root))
    lines.append(f"{preview.total_text} records; {images} in {root}")
    if preview.skipped:
        lines.append(f"{text.plural(preview.skipped, 'record')} so far cannot be read: left out")
    if preview.leaving:
        lines.append(
            f"{preview.leaving} of them outside the image root, such as"
            f" {text.fit(preview.leaving_example, 40).rstrip()}: a server gets none of these"
        )
    for record in preview.records[:RECORDS_SHOWN]:
        lines.append(
            f"  {text.fit(record.image, 28)}  {text.clip(text.visible(record.caption), 40)}"
        )
    return lines

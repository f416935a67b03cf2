"""The wizard's Source page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from engine.datasets.inputs.input_report import BadRecord
from engine.datasets.inputs.read_options import ReadOptions
from engine.operations.input_preview import InputPreview, check_folder_is_free, preview_input
from engine.operations.odd_paths import odd_path
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import WizardStep
from tui.formatting import text
from tui.formatting.report_lines import captions_line, missing_captions, passed_over_lines
from tui.formatting.text import describe_error
from tui.viewmodel import actions
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.checkbox import BracketCheckbox

RECORDS_SHOWN = 5

SourceFields = tuple[str, str, str, bool, ReadOptions]
"""Caption file, image root, project folder, whether unreadable records are left out, and how the
captions are read."""


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
        yield Label("Project folder", classes="field")
        yield Input(self.draft.folder, id="folder", compact=True)
        yield BracketCheckbox("Skip invalid records", id="skip-bad", compact=True)
        yield BracketCheckbox("Check every image, not a sample", id="check-images", compact=True)
        yield Static(id="source-seen", markup=False, classes="seen")
        yield Label("Columns of image and caption, if not found by name", classes="field")
        yield Input(placeholder="image, caption", id="keys", compact=True)
        yield BracketCheckbox(
            "CSV and TSV: read quotation marks as text", id="unquoted", compact=True
        )
        yield BracketCheckbox("One record per caption of an image", id="each-caption", compact=True)

    @property
    def fields(self) -> SourceFields:
        """The values that are entered now."""
        captions, root, folder = (self.query_one(f"#{name}", Input) for name in self.PATHS)
        options = ReadOptions(
            **names_of(self.query_one("#keys", Input).value),
            quoting="none" if self.is_ticked("unquoted") else "auto",
            several_captions="each" if self.is_ticked("each-caption") else "first",
        )
        paths = captions.value.strip(), root.value.strip(), folder.value.strip()
        return (*paths, self.is_ticked("skip-bad"), options)

    def is_ticked(self, name: str) -> bool:
        """Return True if the check box with this id is ticked."""
        return self.query_one(f"#{name}", BracketCheckbox).value

    @on(Input.Changed)
    @on(BracketCheckbox.Changed)
    def changed(self) -> None:
        self.draft.check_images = self.is_ticked("check-images")
        self.check_soon(lambda: self.check_source(self.fields))
        self.post_message(self.Changed())

    @work(thread=True, group="peek", exclusive=True, exit_on_error=False)
    def check_source(self, fields: SourceFields) -> None:
        captions, root, folder, skip_bad, options = fields
        preview, problem = None, None
        try:
            if not captions:
                raise BadInput("name a caption file")
            image_root = Path(root) if root else None
            preview = preview_input(Path(captions), image_root, skip_bad=skip_bad, options=options)
            if not folder:
                raise BadInput("name a folder for the project")
            check_folder_is_free(Path(folder))
            if not Path(preview.paths.root).is_dir():
                raise BadInput(f"there is no folder {preview.paths.root}")
        except BadRecord as error:
            problem = f"{error}; tick 'Skip invalid records' to go on without it"
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
        draft.captions, draft.image_root, draft.folder, draft.skip_bad, draft.options = event.fields
        self.draft.preview = event.preview
        message = "\n".join(preview_lines(event)) if draft.captions else ""
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
            first = check.preview.records[0].image if check.preview.records else ""
            advice = (odd_path(first) if first else None) or "set the image root"
            return f"none of the first images was found: {advice}"
        return check.error

    def complaint(self) -> str | None:
        return self.why_not() if self.fields[0] else None  # no error before anything is typed

    def question(self) -> str | None:
        preview = self.draft.preview
        missing = missing_captions(preview.report) if preview else ""
        if not preview or not missing:
            return None
        read = "" if preview.whole else f"in the first {preview.report.records:,} records "
        question = f"{read}{missing}: go on?"
        return question[:1].upper() + question[1:]


def names_of(text: str) -> dict[str, str]:
    """Return the keys of image and caption that are named in a text such as `photo, alt`."""
    image, _, caption = (part.strip() for part in text.partition(","))
    names = {"image_column": image, "caption_column": caption}
    return {option: name for option, name in names.items() if name}


def preview_lines(check: SourceStep.SourceChecked) -> list[str]:
    """Return what is wrong with the source, if anything, and the preview of its records."""
    lines = [check.error] if check.error else []
    preview = check.preview
    if preview is None:
        return lines
    images = f"{preview.images_present} of the first {len(preview.records)} images found"
    root = actions.relative_to_cwd(Path(preview.paths.root))
    records = "record" if preview.total_text == "1" else "records"
    lines.append(f"{preview.total_text} {records}; {images} in {root}")
    if preview.skipped:
        lines.append(f"{text.plural(preview.skipped, 'record')} so far cannot be read: left out")
    so_far = "" if preview.whole else " read so far"
    lines.append(f"{captions_line(preview.report)}{so_far}")
    lines += passed_over_lines(preview.report)
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

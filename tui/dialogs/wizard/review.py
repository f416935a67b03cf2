"""The wizard's Review page, and the commands that make and run the same project."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from db.rows import SHEAR_MODES
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.sharding import DEFAULT_SHARD_SIZE
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import WizardStep
from tui.formatting import text
from tui.viewmodel import actions
from tui.viewmodel.calculated_time import calculated_time
from tui.viewmodel.new_project import (
    BYTES_PER_CAPTION,
    ProjectDraft,
    model_argument,
    parse_imports,
    parse_path_map,
)


class ReviewStep(WizardStep):
    """The page that sums up the draft, with disk space and time, and takes the shard size."""

    NAME = "Review"

    class TimeCalculated(Message):
        """The time that the run takes was calculated; None if it is not known."""

        def __init__(self, line: str | None) -> None:
            super().__init__()
            self.line = line

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(draft)
        self.time_estimate: str | None = None
        """How long the run will take; None until a pilot has measured it."""
        self.calculated: str | None = None
        """How long it takes by calculation; None until that is known."""
        self.wrong: dict[str, str] = {}
        """What is wrong with the fields as they are typed now, by the field's id."""

    def compose(self) -> ComposeResult:
        yield Static(id="summary", markup=False)
        yield Label("Records per shard", classes="field")
        yield Input(id="shard-size", type="integer", compact=True)
        yield Label("Existing captions to import (NAME=FILE, separated by blanks)", classes="field")
        yield Input(placeholder="none, or such as blip=captions.json", id="imports", compact=True)
        yield Label("Rewrite path prefixes (OLD=NEW)", classes="field")
        yield Input(placeholder="none, or such as /theirs/=/ours/", id="path-map", compact=True)
        yield Static(id="command", markup=False, classes="seen muted")

    async def enter(self) -> None:
        proposed = replace(self.draft, shard_size=None).used_shard_size
        self.query_one(
            "#shard-size", Input
        ).placeholder = f"{text.number(proposed)}, as it suits records and devices"
        self.calculated = None
        self.show_summary()
        if self.time_estimate is None:
            self.calculate_time()

    @work(thread=True, group="estimate", exclusive=True, exit_on_error=False)
    def calculate_time(self) -> None:
        """Calculate how long the run takes, until a pilot measures it."""
        self.post_message(self.TimeCalculated(calculated_time(self.draft)))

    @on(TimeCalculated)
    def time_calculated(self, event: TimeCalculated) -> None:
        self.calculated = event.line
        self.show_summary()

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        field = str(event.input.id)
        self.wrong.pop(field, None)
        try:
            self.take(field, event.value.strip())
        except BadInput as error:
            self.wrong[field] = str(error)
        self.show_summary()
        self.post_message(self.Changed())

    def take(self, field: str, value: str) -> None:
        """Put what is typed into the draft. Raises `BadInput`; then the draft has none of it."""
        if field == "imports":
            self.draft.imports = ()
            self.draft.imports = parse_imports(value)
        elif field == "path-map":
            self.draft.path_map = ()
            self.draft.path_map = parse_path_map(value)
        else:
            self.draft.shard_size = int(value) if value.isdecimal() and int(value) else None
            if value and self.draft.shard_size is None:
                raise BadInput("records per shard: write a number, or nothing")

    def why_not(self) -> str | None:
        return next(iter(self.wrong.values()), None)

    def show_summary(self) -> None:
        self.show_message(
            "#summary", "\n".join(summary_lines(self.draft, self.time_estimate or self.calculated))
        )
        commands = f"the same as: {new_command(self.draft)}\nthen: {run_command(self.draft)}"
        self.show_message("#command", commands)


def summary_lines(draft: ProjectDraft, time_estimate: str | None) -> list[str]:
    """Return the draft in lines of text."""
    records = draft.preview.total_text if draft.preview else "?"
    needed = draft.expected_captions * BYTES_PER_CAPTION
    parent = next((p for p in Path(draft.folder).absolute().parents if p.is_dir()), Path("/"))
    free = shutil.disk_usage(parent).free
    left_out = "; those that cannot be read are left out" if draft.skip_bad else ""
    checked = "every one is" if draft.check_images else "a sample of them is"
    limit = f", at most {draft.max_words} words" if draft.max_words else ""
    about = "about " * records.startswith("about")
    time = time_estimate or "the pilot measures it: the first 64 images with every model"
    changed = ", ".join(f"{name} ({', '.join(changes)})" for name, changes in draft.changes.items())
    imported = bool(draft.imports)
    return [
        f"Records   {records} of {draft.captions}{left_out}",
        f"Images    {checked} opened and decoded first",
        f"Models    {', '.join(draft.models)}: {about}{draft.expected_captions:,} captions",
        *([f"Imports   {', '.join(f'{n} from {p.name}' for n, p in draft.imports)}"] * imported),
        *([f"Settings  changed for {changed}"] if changed else []),
        f"Devices   {', '.join(device.id for device in draft.detected_devices) or draft.devices}",
        f"Shearing  {draft.mode}{limit}",
        f"Project   {draft.folder}",
        f"Disk      about {text.size(needed)} of {text.size(free)} free"
        + ("  ! too little" if needed > free else ""),
        f"Time      {time}",
    ]


def new_command(draft: ProjectDraft) -> str:
    """Return the shell command that makes the same project."""
    from shlex import quote

    folder = actions.shell_argument(str(Path(draft.folder).expanduser()))
    captions = actions.shell_argument(str(Path(draft.captions).expanduser()))
    parts = ["mllmaug-tui new", folder, captions]
    if draft.root is not None:
        parts.append(f"--image-root {quote(str(draft.root))}")
    parts += [f"--path-map {quote(f'{old}={new}')}" for old, new in draft.path_map]
    for name, path in draft.models.items():
        parts.append(f"--model {quote(model_argument(name, path))}")
    parts += [f"--import {quote(f'{name}={path}')}" for name, path in draft.imports]
    for name, changes in draft.changes.items():
        parts += [f"--set {quote(f'{name}.{key}={value}')}" for key, value in changes.items()]
    if draft.mode != SHEAR_MODES[0]:
        parts.append(f"--shear-mode {draft.mode}")
    if draft.max_words:
        parts.append(f"--shear-max-words {draft.max_words}")
    if draft.used_shard_size != DEFAULT_SHARD_SIZE:
        parts.append(f"--shard-size {draft.used_shard_size}")
    options = draft.options
    if options.image_column is not None:
        parts.append(f"--image-column {quote(options.image_column)}")
    if options.caption_column is not None:
        parts.append(f"--caption-column {quote(options.caption_column)}")
    if options.quoting != ReadOptions().quoting:
        parts.append(f"--quoting {options.quoting}")
    if options.several_captions != ReadOptions().several_captions:
        parts.append(f"--several-captions {options.several_captions}")
    parts += ["--check-images"] * draft.check_images
    parts += ["--skip-bad"] * draft.skip_bad
    return " ".join(parts)


def run_command(draft: ProjectDraft) -> str:
    """Return the shell command that runs the project on the chosen devices."""
    from shlex import quote

    folder = actions.shell_argument(str(Path(draft.folder).expanduser()))
    devices = f" --devices {quote(draft.devices)}" if draft.devices != "auto" else ""
    return f"mllmaug-tui run {folder}{devices}"

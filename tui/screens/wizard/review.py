from __future__ import annotations

import shutil
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, Static

from tui import text
from tui.draft import BYTES_A_CAPTION, Draft
from tui.screens.wizard.step import Step


class Review(Step):
    """All of it in words, with what it will take."""

    NAME = "Review"
    hours: str | None = None
    """What a pilot said of the time."""

    def compose(self) -> ComposeResult:
        yield Static(id="summary", markup=False)
        yield Label("Records a shard", classes="field")
        yield Input(placeholder="10,000", id="shard-size", type="integer", compact=True)
        yield Static(id="command", markup=False, classes="seen muted")

    def enter(self) -> None:
        self.draw()
        super().enter()

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        value = event.value.strip()
        self.draft.shard_size = int(value) if value.isdecimal() and int(value) else None
        self.draw()

    def draw(self) -> None:
        self.say("#summary", "\n".join(summary(self.draft, self.hours)))
        self.say("#command", f"the same as: {command(self.draft)}")


def summary(draft: Draft, hours: str | None) -> list[str]:
    records = draft.peek.shown if draft.peek else "?"
    need = draft.captions_wanted * BYTES_A_CAPTION
    parent = next((p for p in Path(draft.folder).absolute().parents if p.is_dir()), Path("/"))
    free = shutil.disk_usage(parent).free
    bad = "; those that cannot be read are left out" if draft.skip_bad else ""
    looked = "every one is" if draft.check_images else "a sample of them is"
    limit = f", at most {draft.max_words} words" if draft.max_words else ""
    return [
        f"Records   {records} of {draft.captions}{bad}",
        f"Images    {looked} opened and decoded first",
        f"Models    {', '.join(draft.models)}: {draft.captions_wanted:,} captions",
        f"Devices   {', '.join(device.id for device in draft.found) or draft.devices}",
        f"Shearing  {draft.mode}{limit}",
        f"Project   {draft.folder}",
        f"Disk      about {text.size(need)} of {text.size(free)} free"
        + ("  ! too little" if need > free else ""),
        f"Time      {hours or 'the pilot measures it: the first 64 images with every model'}",
    ]


def command(draft: Draft) -> str:
    """What does the same without the application."""
    from shlex import quote

    parts = ["mllmaug-tui new", quote(draft.folder), quote(draft.captions)]
    if draft.image_root:
        parts += ["--image-root", quote(draft.image_root)]
    for name, path in draft.models.items():
        parts += ["--model", quote(f"{name}={path}" if path else name)]
    if draft.shard_size:
        parts += ["--shard-size", str(draft.shard_size)]
    parts += ["--check-images"] * draft.check_images
    parts += ["--skip-bad"] * draft.skip_bad
    return " ".join(parts)

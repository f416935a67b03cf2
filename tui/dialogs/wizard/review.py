from __future__ import annotations

import shutil
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, Static

from tui.dialogs.wizard.step import Step
from tui.formatting import text
from tui.viewmodel import actions
from tui.viewmodel.new_project import BYTES_A_CAPTION, MODES, Draft


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

    async def enter(self) -> None:
        self.draw()

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        value = event.value.strip()
        self.draft.shard_size = int(value) if value.isdecimal() and int(value) else None
        self.draw()
        self.post_message(self.Changed())

    def why_not(self) -> str | None:
        value = self.query_one("#shard-size", Input).value.strip()
        if value and self.draft.shard_size is None:
            return "how many records a shard? A number, or nothing"
        return None

    def draw(self) -> None:
        self.say("#summary", "\n".join(summary(self.draft, self.hours)))
        self.say("#command", f"the same as: {command(self.draft)}\nthen: {run_command(self.draft)}")


def summary(draft: Draft, hours: str | None) -> list[str]:
    records = draft.peek.shown if draft.peek else "?"
    need = draft.captions_wanted * BYTES_A_CAPTION
    parent = next((p for p in Path(draft.folder).absolute().parents if p.is_dir()), Path("/"))
    free = shutil.disk_usage(parent).free
    bad = "; those that cannot be read are left out" if draft.skip_bad else ""
    looked = "every one is" if draft.check_images else "a sample of them is"
    limit = f", at most {draft.max_words} words" if draft.max_words else ""
    about = "about " * records.startswith("about")
    own = ", ".join(draft.changed_prompts)
    return [
        f"Records   {records} of {draft.captions}{bad}",
        f"Images    {looked} opened and decoded first",
        f"Models    {', '.join(draft.models)}: {about}{draft.captions_wanted:,} captions",
        *([f"Prompts   changed for {own}"] if own else []),
        f"Devices   {', '.join(device.id for device in draft.found) or draft.devices}",
        f"Shearing  {draft.mode}{limit}",
        f"Project   {draft.folder}",
        f"Disk      about {text.size(need)} of {text.size(free)} free"
        + ("  ! too little" if need > free else ""),
        f"Time      {hours or 'the pilot measures it: the first 64 images with every model'}",
    ]


def command(draft: Draft) -> str:
    """What makes the same project without the application."""
    from shlex import quote

    folder = actions.argument(str(Path(draft.folder).expanduser()))
    captions = actions.argument(str(Path(draft.captions).expanduser()))
    parts = ["mllmaug-tui new", folder, captions]
    if draft.root is not None:
        parts.append(f"--image-root {quote(str(draft.root))}")
    for name, path in draft.models.items():
        parts.append(f"--model {quote(f'{name}={path}' if path else name)}")
    for name, prompt in draft.changed_prompts.items():
        parts.append(f"--set {quote(f'{name}.prompt={prompt}')}")
    if draft.mode != MODES[0]:
        parts.append(f"--shear-mode {draft.mode}")
    if draft.max_words:
        parts.append(f"--shear-max-words {draft.max_words}")
    if draft.shard_size:
        parts.append(f"--shard-size {draft.shard_size}")
    parts += ["--check-images"] * draft.check_images
    parts += ["--skip-bad"] * draft.skip_bad
    return " ".join(parts)


def run_command(draft: Draft) -> str:
    """What then runs it on the chosen devices."""
    from shlex import quote

    folder = actions.argument(str(Path(draft.folder).expanduser()))
    devices = f" --devices {quote(draft.devices)}" if draft.devices != "auto" else ""
    return f"mllmaug-tui run {folder}{devices}"

"""A project as the wizard gathers it, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from db.rows import DeviceRow, ShearMode
from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from engine.operations.input_preview import Peek
    from engine.operations.new_project import Created
    from engine.operations.pilot import Plan

MODES: tuple[ShearMode, ...] = get_args(ShearMode)
FOLDER = "my-run"
BYTES_A_CAPTION = 400
"""Of caption log and sheared file together, generously."""


@dataclass
class Draft:
    captions: str = ""
    image_root: str = ""
    folder: str = field(default_factory=lambda: free_name())
    models: dict[str, str] = field(default_factory=dict)
    """The checkpoint of every chosen family, in their order."""
    prompts: dict[str, str] = field(default_factory=dict)
    devices: str = "auto"
    mode: ShearMode = MODES[0]
    max_words: int | None = None
    shard_size: int | None = None
    skip_bad: bool = False
    check_images: bool = False
    peek: Peek | None = None
    found: tuple[DeviceRow, ...] = ()

    @property
    def root(self) -> Path | None:
        return Path(self.image_root).expanduser() if self.image_root else None

    @property
    def changed_prompts(self) -> dict[str, str]:
        """By chosen family, where it is not the preset's."""
        from engine.captioners.registry import FAMILIES, PAPER

        return {
            name: self.prompts[name]
            for name in self.models
            if name in self.prompts and self.prompts[name] != FAMILIES[name].presets[PAPER].prompt
        }

    def choices(self) -> list[ModelChoice]:
        """Raises `BadInput`."""
        from engine.captioners.registry import choose

        named = [f"{name}={path}" if path else name for name, path in self.models.items()]
        prompts = self.changed_prompts
        return [
            choose(text, changes={"prompt": prompts[name]} if name in prompts else None)
            for name, text in zip(self.models, named, strict=True)
        ]

    def plan(self, count: int) -> Plan:
        """The first records through every model. Raises `BadInput`."""
        from engine.operations.pilot import Plan
        from engine.operations.tryout import Job
        from engine.shearing.shear import Shearing

        if self.peek is None or not self.found:
            raise BadInput("the source or the devices are not known yet")
        chosen = self.peek.records[:count]
        places = [(i, record.image) for i, record in enumerate(chosen)]
        jobs = [
            (
                each.name,
                Job(each.family, each.checkpoint, each.settings, places, self.peek.paths, d),
            )
            for each in self.choices()
            for d in self.found[:1]
        ]
        return Plan(
            tuple(jobs),
            tuple((record.image, record.caption) for record in chosen),
            self.peek.total,
            len(self.found),
            Shearing(self.mode, self.max_words),
            estimated=not self.peek.whole,
        )

    @property
    def captions_wanted(self) -> int:
        return self.peek.total * len(self.models) if self.peek else 0


def free_name() -> str:
    """Of a folder that is not here yet."""
    names = chain([FOLDER], (f"{FOLDER}-{number}" for number in count(2)))
    return next(name for name in names if not Path(name).exists())


def create(
    draft: Draft, progress: Callable[[int], None], checking: Callable[[int, int], None]
) -> Created:
    """Makes the project. Raises `BadInput`, or what `progress` or `checking` raise."""
    from engine.operations import new_project as making
    from engine.shearing.shear import Shearing

    wanted = making.NewProject(
        [Path(draft.captions).expanduser()],
        draft.choices(),
        draft.root,
        shard_size=draft.shard_size,
        shearing=Shearing(draft.mode, draft.max_words),
        skip_bad=draft.skip_bad,
        check_images=draft.check_images,
    )
    return making.create(Path(draft.folder).expanduser(), wanted, progress, checking)

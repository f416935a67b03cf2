"""The draft of a project that the wizard fills in, before anything is written."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from db.rows import SHEAR_MODES, DeviceRow, ShearMode
from engine.captioners.address import check_name
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.sharding import suitable_shard_size
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from tui.viewmodel.asked_settings import AskedSettings

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from engine.operations.input_preview import InputPreview
    from engine.operations.new_project import CreatedProject
    from engine.operations.pilot import PilotPlan

DEFAULT_FOLDER = "my-run"
"""The folder that the wizard proposes, with a number behind it if it exists."""
BYTES_PER_CAPTION = 400
"""Bytes that a caption takes in caption log and sheared file together, rounded up."""


@dataclass(kw_only=True)
class ProjectDraft:
    """The entries of the wizard so far, and the results of checking them.

    Paths are as typed; an empty text means that nothing is typed yet.
    """

    captions: str = ""
    image_root: str = ""
    folder: str = field(default_factory=lambda: unused_folder())
    models: dict[str, str] = field(default_factory=dict)
    """The checkpoint of each chosen family, by its name, in the order of the families."""
    asked: dict[str, AskedSettings] = field(default_factory=dict)
    """How each family is asked that was chosen once, by its name."""
    devices: str = "auto"
    mode: ShearMode = SHEAR_MODES[0]
    max_words: int | None = None
    shard_size: int | None = None
    """Records a shard, as typed; None for what suits records and devices."""
    skip_bad: bool = False
    check_images: bool = False
    options: ReadOptions = ReadOptions()  # noqa: RUF009 (frozen)
    """How the captions are read."""
    imports: tuple[tuple[str, Path], ...] = ()
    """Files of captions that exist, each with the name of its model."""
    path_map: tuple[tuple[str, str], ...] = ()
    """(old beginning, new beginning) of image paths, those of `imports` among them."""
    preview: InputPreview | None = None
    """The first records of the captions file; None until it was read."""
    detected_devices: tuple[DeviceRow, ...] = ()
    """The devices that `devices` stands for on this machine."""

    @property
    def root(self) -> Path | None:
        return Path(self.image_root).expanduser() if self.image_root else None

    def asked_of(self, name: str) -> AskedSettings:
        """Return how a chosen family is asked, by its preset as long as nothing was changed."""
        return self.asked.setdefault(name, AskedSettings(family=name))

    @property
    def changes(self) -> dict[str, dict[str, str]]:
        """Preset and settings other than those of the preset `paper`, by chosen family."""
        changes = {name: self.asked_of(name).changes for name in self.models}
        return {name: changed for name, changed in changes.items() if changed}

    @property
    def used_shard_size(self) -> int:
        """Records a shard: as typed, or as it suits records and devices."""
        records = self.preview.total if self.preview else 0
        return self.shard_size or suitable_shard_size(records, len(self.detected_devices))

    def choices(self) -> list[ModelChoice]:
        """Return the chosen models with their settings. Raises `BadInput`."""
        from engine.captioners.registry import choose_all

        models = [model_argument(name, checkpoint) for name, checkpoint in self.models.items()]
        settings = [
            f"{name}.{key}={value}"
            for name, changed in self.changes.items()
            for key, value in changed.items()
        ]
        return choose_all(models, None, settings)

    def plan(self, count: int, first: int = 0) -> PilotPlan:
        """Return the plan to try the models on `count` records from `first` on.

        Raises `BadInput`.
        """
        from engine.captioners.model_families import prompt_keys
        from engine.captioners.record_prompt import texts_of
        from engine.captioners.registry import FAMILIES
        from engine.operations.pilot import PilotPlan
        from engine.operations.tryout import TryoutJob
        from engine.shearing.shear import Shearing

        if self.preview is None or not self.detected_devices:
            raise BadInput("the source or the devices are not known yet")
        records = self.preview.records[first : first + count]
        images = [(i, record.image) for i, record in enumerate(records, first)]
        # Models are tried one after the other, on one device.
        device = self.detected_devices[0]
        jobs = [
            (
                choice.name,
                TryoutJob(
                    name=choice.name,
                    family=choice.family,
                    checkpoint=choice.checkpoint,
                    settings=choice.settings,
                    records=images,
                    texts=[
                        texts_of(
                            jsonlines.loads(record.line),
                            prompt_keys(choice.family, choice.settings),
                        )
                        for record in records
                    ],
                    paths=replace(self.preview.paths, confined=FAMILIES[choice.family].remote),
                    device=device,
                ),
            )
            for choice in self.choices()
        ]
        return PilotPlan(
            jobs=tuple(jobs),
            records=tuple((record.image, record.caption) for record in records),
            total=self.preview.total,
            devices=len(self.detected_devices),
            shearing=Shearing(self.mode, self.max_words),
            estimated=not self.preview.whole,
        )

    @property
    def expected_captions(self) -> int:
        """The captions of the whole project, 0 while the captions file is not read yet."""
        from engine.captioners.model_families import is_scorer

        captioners = {name for name in self.models if not is_scorer(name)}
        models = len({*captioners, *(name for name, _ in self.imports)})
        return self.preview.total * models if self.preview else 0


def model_argument(family: str, checkpoint: str) -> str:
    """Return a chosen family as `--model` takes it."""
    return f"{family}={checkpoint}" if checkpoint else family


def parse_imports(text: str) -> tuple[tuple[str, Path], ...]:
    """Return the files that `NAME=FILE ...` names, each with its model's name, as a shell would.

    Raises `BadInput`.
    """
    pairs = []
    for name, file in split_pairs(text, "NAME=FILE"):
        path = Path(file).expanduser()
        if not file:
            raise BadInput(f"{name}=: write NAME=FILE")
        check_name(name)
        if not path.exists():
            raise BadInput(f"{name}: there is no file {file}")
        pairs.append((name, path))
    return tuple(pairs)


def parse_path_map(text: str) -> tuple[tuple[str, str], ...]:
    """Return the beginnings of image paths that `OLD=NEW ...` replaces. Raises `BadInput`."""
    return tuple(split_pairs(text, "OLD=NEW"))


def split_pairs(text: str, form: str) -> list[tuple[str, str]]:
    """Return what stands before and behind the `=` of each word, which a shell would read so.

    Raises `BadInput` for a word that is not of this form.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput("a quotation mark is not closed") from error
    wrong = next((word for word in words if word.find("=") < 1), None)
    if wrong is not None:
        raise BadInput(f"{wrong}: write {form}")
    return [(word.partition("=")[0], word.partition("=")[2]) for word in words]


def unused_folder() -> str:
    """Return the name of a folder that does not exist yet in the current folder."""
    names = chain([DEFAULT_FOLDER], (f"{DEFAULT_FOLDER}-{number}" for number in count(2)))
    return next(name for name in names if not Path(name).exists())


def create(
    draft: ProjectDraft,
    progress: Callable[[int], None],
    checking: Callable[[int, int], None],
    importing: Callable[[int], None] = lambda captions: None,
) -> CreatedProject:
    """Make the project. Raises `BadInput`, or what the other parameters raise."""
    from engine.operations import new_project as engine_new_project
    from engine.operations.imports.caption_import import ImportProgress, group_imports
    from engine.shearing.shear import Shearing

    new_project = engine_new_project.NewProject(
        captions=[Path(draft.captions).expanduser()],
        models=draft.choices(),
        imports=[replace(each, skip_bad=draft.skip_bad) for each in group_imports(draft.imports)],
        image_root=draft.root,
        path_map=draft.path_map,
        shard_size=draft.used_shard_size,
        shearing=Shearing(draft.mode, draft.max_words),
        skip_bad=draft.skip_bad,
        options=draft.options,
        check_images=draft.check_images,
    )
    folder = Path(draft.folder).expanduser()
    on_import = ImportProgress(importing)
    return engine_new_project.create(folder, new_project, progress, checking, on_import)

"""Importing captions that were made elsewhere, as a model of the project.

Each caption finds its record by the path of its image. What is appended to a caption log is a row
as any other, with `"source": "imported"`. A process that is killed leaves rows that count: the
tracker knows of no task as done to whose log a row may be appended, and the next run, or the next
import, takes over what the logs hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from db.rows import ModelRow
from engine.captioners.address import check_name
from engine.captioners.model_families import is_scorer
from engine.captioners.registry import IMPORTED, ModelChoice
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource
from engine.datasets.inputs.read_options import ReadOptions
from engine.images.image import ImagePaths
from engine.operations.damage import telling_damage
from engine.operations.imports.caption_reader import CaptionReader
from engine.operations.imports.caption_spool import CaptionSpool
from engine.operations.imports.caption_writer import CaptionWriter
from engine.operations.imports.import_result import Counts, ImportResult
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.protected_files import refuse_protected
from engine.requests.models import new_model_row
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.state.reconcile import take_over_running_tasks
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput, RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionImport:
    """Captions to be imported as those of one model."""

    name: str
    """The model's name; the model is added unless the project has it."""
    files: Sequence[Path]
    """Caption files, in any form that `new` reads. Of several captions for one record, that of the
    first file counts, or with `replace` that of the last."""
    choice: ModelChoice | None = None
    """The model with its checkpoint and settings, which a run can go on with; None stands for the
    project's model of that name or, if it has none, for a new one without a family."""
    path_map: tuple[tuple[str, str], ...] = ()
    """(old prefix, new prefix) of the files' image paths; the first old one that fits counts."""
    replace: bool = False
    """True if imported captions take the place of those that are there."""
    which: int = 1
    """The number, from 1, of the caption that is taken where a file has several for one image."""
    options: ReadOptions = ReadOptions(several_captions="each")  # noqa: RUF009 (frozen)
    skip_bad: bool = False
    """True if records of the files that cannot be read are left out; else the first is an error."""
    listing: Path | None = None
    """A file for the list of all that was not taken, one JSON object a line; None writes none."""
    force: bool = False
    """True if that file may replace another."""


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """The callbacks of an import; what they raise ends it."""

    reading: Callable[[int], None] = lambda captions: None
    """Gets the number of captions read."""
    writing: Callable[[int, int], None] = lambda done, total: None
    """Gets the numbers of caption logs written and of all."""


NO_PROGRESS = ImportProgress()
"""Reports nothing."""


def group_imports(pairs: Iterable[tuple[str, Path]]) -> tuple[CaptionImport, ...]:
    """Return the imports of files, each given with the name of its model, in order."""
    files: dict[str, list[Path]] = {}
    for name, path in pairs:
        files.setdefault(name, []).append(path)
    return tuple(CaptionImport(name=name, files=paths) for name, paths in files.items())


def import_captions(
    project: Project, request: CaptionImport, progress: ImportProgress = NO_PROGRESS
) -> ImportResult:
    """Import captions under the project's lock.

    Raises `RequestRefused` while the project runs or another command changes it, `BadInput`, also
    if any file of the project is damaged; if none of the captions has a record, nothing changed.
    """
    try:
        with telling_damage(project), ProjectLock(project.lock):
            project_state = ProjectState.load(project, Policy())
            take_over_running_tasks(project_state)
            paths = image_paths_of(project, project_state.settings)
            result = import_locked(project_state, paths, request, progress)
    except ProjectInUse as holder:
        message = f"the project is in use by {holder}: 'stop' it, import, and 'run' it"
        raise RequestRefused(message) from holder
    except OSError as error:
        message = f"cannot import into {project.folder}: {error.strerror or error}"
        raise BadInput(f"{message}; what was imported so far counts") from error
    return result


def import_locked(
    project_state: ProjectState,
    paths: ImagePaths,
    request: CaptionImport,
    progress: ImportProgress = NO_PROGRESS,
) -> ImportResult:
    """Do as `import_captions` in a process that holds the project's lock.

    `paths` are the rules by which the project finds its images. Raises `DamagedFiles`, `OSError`.
    """
    project = project_state.project
    is_new = check_model(project_state, request)
    with ExitStack() as stack:
        counts = Counts()
        if request.listing is not None:
            refuse_protected(request.listing, request.files, project)
            part = stack.enter_context(atomic_write(request.listing, request.force))
            counts.listing = stack.enter_context(part.open("wb"))
        report = InputReport(skip_bad=request.skip_bad)
        spool = stack.enter_context(CaptionSpool(project.folder))
        reader = CaptionReader(project, list(project_state.shards.values()), paths, counts)
        cut = []
        for path in request.files:
            source = InputSource(path=path, root=Path(paths.root), options=request.options)
            trouble = reader.read(
                source, request.path_map, request.which, spool, report, progress.reading
            )
            cut += [] if trouble is None else [trouble]
        if not reader.has_caption.any():
            named = ", ".join(map(str, request.files))
            raise BadInput(f"nothing to import in {named}: {reader.why_nothing()}")
        model = project_state.model_named(request.name)
        if model is None:
            project_state, model = add_model(project_state, request)
        writer = CaptionWriter(project_state, model, spool, counts, request.replace)
        writer.write_all(progress.writing)
        keep_manifest(project, project_state)  # a process that was killed may not have come to it
        without = reader.count_records_without()
        runs = model.family != IMPORTED
        tasks = [task for task in project_state.ledger.tasks.values() if task.model_id == model.id]
        return ImportResult(
            model=model.name,
            is_new=is_new,
            runs=runs,
            files=len(request.files),
            captions=reader.captions,
            appended=writer.appended,
            replaced=writer.replaced,
            counts=counts,
            without=without,
            missing=sum(task.left if runs else task.failed for task in tasks),
            report=report,
            cut=tuple(cut),
        )


def check_model(project_state: ProjectState, request: CaptionImport) -> bool:
    """Return True if the model is a new one.

    Raises `BadInput` for a name that no model can have, and if the project's model is another one.
    """
    model, choice = project_state.model_named(request.name), request.choice
    if model is None:
        check_name(request.name)
        return True
    if is_scorer(model.family):
        raise BadInput(
            f"{model.name} is a scorer and writes no captions: give the model another name"
        )
    known = (model.family, model.checkpoint, model.settings_hash)
    if choice is not None and (choice.family, choice.checkpoint, choice.settings_hash) != known:
        raise BadInput(
            f"the project has a model {request.name} already: to import into it, give its name"
            " only, or give the new model another name"
        )
    return False


def add_model(project_state: ProjectState, request: CaptionImport) -> tuple[ProjectState, ModelRow]:
    """Add the model with its tasks, and return the project's state with these, and its row."""
    choice = request.choice or imported_choice(request.name)
    model = new_model_row(project_state.models.values(), choice)
    project_state.add_model(model)
    project_state.event("info", "added for imported captions", model=model.name)
    project_state.commit()
    keep_manifest(project_state.project, project_state)
    loaded = ProjectState.load(project_state.project, Policy(), project_state.clock)
    return loaded, loaded.models[model.id]


def imported_choice(name: str) -> ModelChoice:
    """Return the choice of a model whose captions were all made elsewhere. Raises `BadInput`."""
    check_name(name)
    return ModelChoice(
        name=name, family=IMPORTED, checkpoint=None, settings={}, settings_hash=IMPORTED
    )

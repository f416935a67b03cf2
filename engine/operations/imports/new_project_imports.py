"""Captions that a new project begins with: imports before the project is moved into place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from engine.captioners.registry import ModelChoice
from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.input_report import CutShort, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.images.image import ImagePaths
from engine.operations.imports.caption_import import (
    CaptionImport,
    ImportProgress,
    import_locked,
    imported_choice,
)
from engine.operations.imports.image_keys import image_keys
from engine.operations.imports.import_result import ImportResult
from engine.operations.imports.record_index import hash_keys
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.utils import jsonlines
from engine.utils.errors import BadInput


def with_imported(
    models: Sequence[ModelChoice], imports: Iterable[CaptionImport]
) -> list[ModelChoice]:
    """Return the models and, behind them, one for each name of the imports that none has.

    Raises `BadInput` for a name that no model can have.
    """
    choices = {model.name: model for model in models}
    for each in imports:
        if each.name not in choices:
            choices[each.name] = imported_choice(each.name)
    return list(choices.values())


def imported_images(
    imports: Sequence[CaptionImport], paths: ImagePaths, skip_bad: bool
) -> Iterator[RecordBatch]:
    """Yield a record without an original caption for each image of the imports, in their order.

    The files are read twice, so that no path needs to be held in memory. Raises `BadInput`.
    """
    hashes = [hash_keys(image_keys(b.images, paths)) for b in batches(imports, paths, skip_bad)]
    if not hashes:
        raise BadInput("the files to import hold no records")
    # The first position of each image, in the order of the hashes: a mask puts them in file order.
    _, firsts = np.unique(np.concatenate(hashes), return_index=True)
    is_first = np.zeros(sum(map(len, hashes)), bool)
    is_first[firsts] = True
    start = 0
    for batch in batches(imports, paths, skip_bad):
        chosen = np.flatnonzero(is_first[start : start + len(batch)]).tolist()
        start += len(batch)
        if chosen:
            images = [batch.images[n] for n in chosen]
            lines = [jsonlines.dumps({"image": image}) for image in images]
            yield RecordBatch.from_lines(lines, images, [""] * len(images))


def batches(
    imports: Sequence[CaptionImport], paths: ImagePaths, skip_bad: bool
) -> Iterator[RecordBatch]:
    """Yield the records of all files, each file as far as it goes. Raises `BadInput`."""
    report = InputReport(skip_bad=skip_bad)  # the import itself tells what could not be read
    for each in imports:
        for path in each.files:
            source = InputSource(path=path, root=Path(paths.root), options=each.options)
            try:
                yield from read_input(source, report)
            except CutShort:
                continue


def import_all(
    stage: Project,
    imports: Iterable[CaptionImport],
    paths: ImagePaths,
    progress: ImportProgress,
) -> tuple[ImportResult, ...]:
    """Import into a project that nobody else can see yet.

    Raises `BadInput`, `OSError`, and what `progress` raises.
    """
    return tuple(
        import_locked(ProjectState.load(stage, Policy()), paths, each, progress) for each in imports
    )

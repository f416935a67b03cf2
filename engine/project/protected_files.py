"""Files that no command writes its output over: a project's own, and the inputs that it reads."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from PIL import Image, UnidentifiedImageError

from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.plain_files import read_bytes


def save_inputs(project: Project, inputs: Sequence[Path]) -> None:
    """Note the files and folders that a new project was made from. Raises `OSError`."""
    project.inputs.write_text(json.dumps([str(path.absolute()) for path in inputs], indent=1))


def read_inputs(project: Project) -> list[Path] | None:
    """Return the noted inputs; None if the project has no such note or none that makes sense."""
    try:
        noted = msgspec.json.decode(read_bytes(project.inputs), type=list[str])
    except (OSError, ValueError, RecursionError):
        return None
    return [Path(path) for path in noted]


def refuse_protected(
    out: Path, inputs: Iterable[Path] = (), project: Project | None = None
) -> None:
    """Raise `BadInput` if an output called `out` would take the place of what is still needed.

    That is, by whatever name: anything of a project, one of `inputs` or of the inputs of `project`,
    an image, or a tar. Raises `OSError`.
    """
    place, target = Path(os.path.realpath(out.parent), out.name), Path(os.path.realpath(out))
    for path in {place, target}:
        if is_of_a_project(path):
            raise BadInput(f"{out} is among a project's own files: write to another place")
    if not target.is_file():
        return
    if project is not None and is_linked_into(target, project.folder):
        raise BadInput(f"{out} is another name of one of the project's own files: name another")
    noted = read_inputs(project) if project is not None else []
    if noted is None:  # it was made by an older version, or the note was lost
        raise BadInput(
            f"{out} may be an input of the project, which does not say what its inputs are"
            " (inputs.json): name another file, or move that one first"
        )
    for path in (*inputs, *noted):
        if is_or_holds(path, target):
            raise BadInput(f"{out} is an input, {path}: name another file")
    if is_image_or_tar(target):
        raise BadInput(f"{out} is an image or a tar: name another file")


def is_of_a_project(path: Path) -> bool:
    """Return True if the path is a project's folder or among the files that a project has in it."""
    if Project(path).is_there():
        return True
    for folder in path.parents:
        if Project(folder).is_there():
            inner = path.relative_to(folder)
            return len(inner.parts) > 1 or Project.owns_name(inner.name)
    return False


def is_linked_into(file: Path, folder: Path) -> bool:
    """Return True if the file is one of those below the folder, by a hard link."""
    status = file.stat()
    if status.st_nlink < 2 or status.st_dev != folder.stat().st_dev:
        return False
    return any(
        entry.inode() == status.st_ino
        for path, _, _ in os.walk(folder)
        for entry in os.scandir(path)
    )


def is_or_holds(path: Path, file: Path) -> bool:
    """Return True if a path is the file, by whatever name, or a folder that the file is in."""
    try:
        return path.samefile(file) or file.is_relative_to(os.path.realpath(path))
    except OSError:  # it was removed since
        return False


def is_image_or_tar(file: Path) -> bool:
    """Return True if the file is an image or a tar by its content: no output of ours is one."""
    try:
        with Image.open(file):
            return True
    except UnidentifiedImageError:
        return tarfile.is_tarfile(file)
    except Image.DecompressionBombError:
        return True

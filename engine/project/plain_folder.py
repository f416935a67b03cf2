"""A look at a project's own entries when it is opened: no links, pipes or devices among them.

Whatever is opened later is opened without following links (`engine.utils.plain_files`). This look
comes first, so that a person gets one message that says what to do, and nothing is written.
"""

from __future__ import annotations

from db.files import companions
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.plain_files import NotPlain, check_entry, names_in


def refuse_links(project: Project) -> None:
    """Raise `BadInput` if an entry of the project's own is no plain file or folder.

    Shards and caption logs, of which there may be very many, are not looked at here.
    """
    files = (project.manifest, project.lock, project.inputs, project.database)
    folders = (project.shards, project.captions, project.logs)
    try:
        for path in (*files, *companions(project.database), *folders):
            check_entry(path)
            if path.exists() and path.is_dir() != (path in folders):
                raise BadInput(f"{path} is no {'folder' if path in folders else 'file'}: move it")
        for folder in (project.captions, project.logs):
            for name in names_in(folder):
                check_entry(folder / name)
    except NotPlain as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be read: {error.strerror or error}") from error

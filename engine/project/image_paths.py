"""How the images of a project are found."""

from __future__ import annotations

from db.rows import ProjectRow
from engine.images.image import ImagePaths
from engine.project.layout import Project


def image_paths_of(project: Project, settings: ProjectRow) -> ImagePaths:
    """Return the rules that turn the images of a project's records into paths."""
    root = str(project.image_root(settings))
    return ImagePaths(root, settings.path_map, settings.allow_outside)

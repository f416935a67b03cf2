"""Image paths without a suffix, as kohya's metadata has them: which files do they mean?"""

from __future__ import annotations

import os
from pathlib import Path

from engine.datasets.inputs.file_names import is_hidden, suffix_of
from engine.images.formats import image_suffixes

SEVERAL = ""
"""Stands for the name of a file where several images have one stem."""


class ImageStems:
    """Finds the images below a root by their paths without suffix."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.abspath(root)  # noqa: PTH100 (keeps links)
        self.names: dict[str, dict[str, str]] = {}
        """For each folder the names of its images by their stems, or `SEVERAL`."""
        self.unknown = 0
        """The number of paths that fit no image, or several."""
        self.example = ""
        """The first of these."""

    def resolve(self, image: str) -> str:
        """Return the path with the suffix of the one image that it fits, or else as it is."""
        if suffix_of(image) in image_suffixes():
            return image
        folder, stem = os.path.split(image)
        name = self.names_in(folder).get(stem)
        if name:
            return os.path.join(folder, name)  # noqa: PTH118 (text, for millions of names)
        self.unknown += 1
        self.example = self.example or image
        return image

    def names_in(self, folder: str) -> dict[str, str]:
        """Return the names of a folder's images by their stems; none for one outside the root."""
        if folder not in self.names:
            self.names[folder] = self.list_names(folder)
        return self.names[folder]

    def list_names(self, folder: str) -> dict[str, str]:
        """Do as `names_in`, by a look at the disk."""
        path = os.path.abspath(os.path.join(self.root, folder))  # noqa: PTH100, PTH118
        found: dict[str, str] = {}
        try:
            if not Path(path).is_relative_to(self.root):
                return found
            names = os.listdir(path)  # noqa: PTH208 (text, for millions of names)
        except (OSError, ValueError):
            return found
        for name in names:
            suffix = suffix_of(name)
            if suffix in image_suffixes() and not is_hidden(name):
                stem = name[: -len(suffix)]
                found[stem] = SEVERAL if stem in found else name
        return found

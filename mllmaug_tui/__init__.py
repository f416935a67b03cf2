"""What training scripts import: `from mllmaug_tui import JointCaptions`.

Process: training scripts; `python -m mllmaug_tui` and `mllmaug-tui`.
May import: everything, but only when it is first used.
Must never: be imported by another package of ours, or load `engine`, `db` or `tui` by these names,
which may be files of the training script (`own_packages`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mllmaug_tui import own_packages

if TYPE_CHECKING:
    from engine.datasets.joint import JointCaptions, Sample
    from engine.images.image import ImageProblem, open_image
    from engine.utils.errors import BadInput

__all__ = ["BadInput", "ImageProblem", "JointCaptions", "Sample", "open_image"]

MODULES = {
    "BadInput": "engine.utils.errors",
    "ImageProblem": "engine.images.image",
    "JointCaptions": "engine.datasets.joint",
    "Sample": "engine.datasets.joint",
    "open_image": "engine.images.image",
}
"""The module that defines each name, which is loaded when the name is first used."""

own_packages.install_finder()


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)

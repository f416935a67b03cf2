"""Our packages as `mllmaug_tui.engine`, `mllmaug_tui.db` and `mllmaug_tui.tui`.

A training folder may hold an `engine.py`, a `db.py` or a folder `tui/`, which Python finds before
ours: those of DETR and MAE do. Under `mllmaug_tui` the same files are loaded as modules of other
names, beside whatever the script calls `engine`. Their own absolute imports, such as
`from engine.utils.errors import BadInput`, find their neighbours there, since each of these modules
gets an `__import__` of its own: Python takes that function from the builtins of the importing
module (https://docs.python.org/3/library/functions.html#exec). Nothing is compiled anew, the names
hold in other processes, too, and the finder that is added to `sys.meta_path` answers to these names
alone.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

PREFIX = "mllmaug_tui"
"""The package under which ours are found."""
ROOT = str(Path(__file__).parent.parent)
"""The folder that holds our packages, and this one."""
PACKAGES = frozenset({"engine", "db", "tui"})
"""The packages that are found there."""


def import_own(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import as `builtins.__import__` does, but packages of ours under `PREFIX`."""
    package = name.partition(".")[0]
    if level or package not in PACKAGES:
        return builtins.__import__(name, globals, locals, fromlist, level)
    module = builtins.__import__(f"{PREFIX}.{name}", globals, locals, fromlist)
    # A plain `import engine.x` binds the package that comes first in the name.
    own: ModuleType = module if fromlist else getattr(module, package)
    return own


OWN_BUILTINS = {**vars(builtins), "__import__": import_own}
"""The builtins of modules of ours that are loaded under `PREFIX`."""


class OwnLoader(SourceFileLoader):
    """Loads a module of ours whose imports go through `import_own`."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = OWN_BUILTINS
        super().exec_module(module)


class OwnFinder(MetaPathFinder):
    """Finds the modules of our packages under `PREFIX`, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        prefix, _, name = fullname.partition(".")
        if prefix != PREFIX or name.partition(".")[0] not in PACKAGES:
            return None
        folder = path[0] if path and "." in name else ROOT
        return FileFinder(folder, (OwnLoader, SOURCE_SUFFIXES)).find_spec(fullname)


def install_finder() -> None:
    """Have this process find our packages under `PREFIX`.

    The finder comes first: Python's own would load their submodules with its own loader.
    """
    if not any(isinstance(finder, OwnFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, OwnFinder())

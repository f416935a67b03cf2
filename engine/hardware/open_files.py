"""How many files this process and its workers may have open, and whether that is enough for a run.

With too few, a pipe to a worker, the database or an image cannot be opened at some moment that
nobody can foresee, and an image that is there would count as missing.
"""

from __future__ import annotations

import resource

from engine.utils.errors import BadInput
from engine.utils.plurals import plural

RUN_FILES = 32
"""Files that a run has open besides its workers': those of Python, the database, logs. With one
worker, 18 were enough on Linux; a worker that decodes images in threads needs some more."""
WORKER_FILES = 8
"""Files that the run has open for each worker: three pipes, its log, a shard and a caption log."""
AMPLE_FILES = 4096
"""Files that are enough for everything, with a GPU's driver in the workers and hundreds of them."""


def ensure_open_files(workers: int) -> None:
    """Raise the limit of open files as far as this process may. Raises `BadInput` if too low.

    Workers on this machine inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= AMPLE_FILES:
        return
    allowed = AMPLE_FILES if hard == resource.RLIM_INFINITY else min(hard, AMPLE_FILES)
    needed = RUN_FILES + WORKER_FILES * workers
    if allowed < needed:
        raise BadInput(
            f"only {allowed} files may be open at once, and a run on {plural(workers, 'device')}"
            f" needs {needed}: raise the limit ('ulimit -n 1024')"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))

"""A change of a caption log that is made as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from engine.project.caption_log import CaptionLog


@contextmanager
def all_or_nothing(log: CaptionLog) -> Iterator[None]:
    """Close the log when the block ends. If it raises `OSError`, take its rows back before."""
    size_before = log.size
    try:
        yield
    except OSError:
        with suppress(OSError):  # the next run takes over what the log then holds
            log.cut(size_before)
        raise
    finally:
        log.close()

"""Messages about options of `export`, for callers in Python, who write arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from engine.utils.errors import BadInput

OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
"""An option as it is written on a command line."""


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Have a `BadInput` of the block name arguments, `min_agree`, in the place of options."""
    try:
        yield
    except BadInput as error:
        raise BadInput(OPTION.sub(argument_name, str(error))) from error


def argument_name(option: re.Match[str]) -> str:
    """Return the name of the argument that stands for an option."""
    return option[1].replace("-", "_")

"""The exchange between `tests.bench.beside` and a peer's script; it needs nothing but Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

LOADED = "loaded\n"
"""The line that a script writes once it can caption."""

Caption = Callable[[list[str]], list[str]]
"""Captions the images at these paths."""


def serve(load: Callable[[dict[str, Any]], Caption]) -> None:
    """Load a model, wait for a line, caption the images and write the texts.

    The request on stdin is a JSON object with `checkpoint`, `prompt`, `max_new_tokens`, `batch` and
    `images`. `load` imports the engine, too: what libraries print goes to stderr from then on.
    """
    request = json.loads(sys.stdin.readline())
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    caption = load(request)
    replies.write(LOADED)
    replies.flush()
    sys.stdin.readline()
    replies.write(json.dumps(caption(request["images"])) + "\n")
    replies.flush()
    sys.stdin.readline()  # its CPU seconds are read while it and its children live

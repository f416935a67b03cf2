"""A process that calls functions of the modules beside it, one after the other.

It reads JSON lines of {"module", "function", "arguments"} from its standard input and writes JSON
lines of {"value"} or {"error"} to its standard output. What libraries print goes to its standard
error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any


def answer(call: dict[str, Any]) -> dict[str, Any]:
    """Return what a function returns, or the traceback of its error."""
    try:
        module = import_module(f"tests.readers.programs.{call['module']}")
        return {"value": getattr(module, call["function"])(**call["arguments"])}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    """Answer calls until the standard input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()

"""`python -m tests.bench NAME [CASE...]` prints one JSON object a line for every case."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = (
    "jobs",
    "ui",
    "split",
    "merge",
    "import",
    "export",
    "new",
    "tars",
    "status",
    "reshear",
    "sentences",
    "health",
    "wrong-captions",
    "search",
    "score",
    "retrieval",
    "engine",
    "engines",
    "scaling",
    "load",
    "startup",
    "agreement",
    "estimate",
    "scale",
    "cluster",
)
"""The benches, most of them modules of this package."""
MODULES = {"import": "import_captions", "wrong-captions": "wrong_captions"}
"""The modules of benches whose name cannot be that of a module."""


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        sys.exit(f"usage: python -m tests.bench {{{','.join(BENCHES)}}} [CASE...]")
    import_module(f"tests.bench.{MODULES.get(sys.argv[1], sys.argv[1])}").main(sys.argv[2:])


if __name__ == "__main__":
    main()

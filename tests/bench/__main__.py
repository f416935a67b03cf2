"""`python -m tests.bench NAME [CASE...]` prints one JSON object a line for every case."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = (
    "jobs",
    "ui",
    "split",
    "merge",
    "export",
    "new",
    "status",
    "reshear",
    "sentences",
    "engine",
    "scaling",
    "load",
    "startup",
    "agreement",
    "scale",
    "cluster",
)
"""The modules of this package that are benches."""


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        sys.exit(f"usage: python -m tests.bench {{{','.join(BENCHES)}}} [CASE...]")
    import_module(f"tests.bench.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()

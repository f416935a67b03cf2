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
    "gpu-estimate",
    "scale",
    "cluster",
)
"""The benches, most of them modules of this package."""


def module_of(bench: str) -> str:
    """Return the name of a bench's module."""
    return "tests.bench." + ("import_captions" if bench == "import" else bench.replace("-", "_"))


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        sys.exit(f"usage: python -m tests.bench {{{','.join(BENCHES)}}} [CASE...]")
    import_module(module_of(sys.argv[1])).main(sys.argv[2:])


if __name__ == "__main__":
    main()

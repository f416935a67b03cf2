"""A short soak. The environment variables `SOAK_MINUTES` and `SOAK_SEED` change it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.faults.soak import soak


def test_soak(tmp_path: Path) -> None:
    minutes = float(os.environ.get("SOAK_MINUTES", "0.03"))
    seed = int(os.environ.get("SOAK_SEED", time.strftime("%j")))
    problems, report = soak(minutes, seed, tmp_path)
    print(report)
    assert not problems, report

"""A little of the soak; `SOAK_MINUTES` and `SOAK_SEED` ask for more."""

from __future__ import annotations

import os
import time

from tests.faults.soak import soak


def test_soak(tmp_path):
    minutes = float(os.environ.get("SOAK_MINUTES", "0.3"))
    seed = int(os.environ.get("SOAK_SEED", time.strftime("%j")))
    wrong, report = soak(minutes, seed, tmp_path)
    print(report)
    assert not wrong, report

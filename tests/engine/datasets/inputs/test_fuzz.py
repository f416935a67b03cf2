from __future__ import annotations

import pytest

from tests.fuzz import FORMS, fuzz


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_read_or_refused_in_one_line(form):
    if form in ("parquet", "jsonl.zst"):
        pytest.importorskip("pyarrow")
    found = fuzz(form, 200)
    assert found["refused"] > 0
    assert found["read"] + found["refused"] == 200
    assert found["commands"] == 2

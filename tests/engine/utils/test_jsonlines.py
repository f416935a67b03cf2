"""JSON, one value a line, also of values that orjson refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.utils import jsonlines

LONE_SURROGATE = "\udce9"
TEXTS = st.text() | st.just(LONE_SURROGATE)


@pytest.mark.parametrize(
    "value", [{"a": 1}, [None, True, 1.5], "é\u2028\n", LONE_SURROGATE, {"i": LONE_SURROGATE}]
)
def test_a_value_comes_back_from_one_line(value: Any) -> None:
    line = jsonlines.dumps(value)
    assert b"\n" not in line
    assert jsonlines.loads(line) == value


def test_nan_of_other_writers_is_read() -> None:
    assert math.isnan(jsonlines.loads(b"NaN"))


@pytest.mark.parametrize("line", [b"", b"{", b"{'a': 1}", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        jsonlines.loads(line)


@given(st.lists(TEXTS | st.none()))
def test_texts_come_back_from_a_line_each(texts: list[str | None]) -> None:
    data = jsonlines.dumps_lines(texts)
    assert data.count(b"\n") == len(texts)
    assert jsonlines.loads_lines(data) == texts if texts else data == b""

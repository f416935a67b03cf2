"""How the headers of a server's response are read."""

from __future__ import annotations

import time
from email.utils import formatdate

from engine.captioners.remote.client import retry_after


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("7") == 7
    assert retry_after("-3") == 0
    assert 50 < (retry_after(formatdate(time.time() + 60, usegmt=True)) or 0) < 70
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    assert [retry_after(text) for text in (None, "", "soon", "nan")] == [None] * 4

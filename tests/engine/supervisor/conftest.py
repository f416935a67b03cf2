"""The fixtures of this folder."""

from __future__ import annotations

from tests.support.small_project import small, template  # noqa: F401 (pytest finds them by name)

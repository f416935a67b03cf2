"""Rules about how the code is written that neither ruff nor mypy checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_POSITIONAL_FIELDS = 4
"""A dataclass of more fields is made by keyword: two neighbours of one type would be swapped
without anybody noticing."""


def positional_dataclasses(source: str) -> Iterator[str]:
    """Yield the dataclasses of a module that have many fields and are not made by keyword."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        fields = [
            annotation
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
            and "ClassVar" not in (annotation := ast.unparse(statement.annotation))
        ]
        if "KW_ONLY" in fields:  # the rest is given by keyword
            fields = fields[: fields.index("KW_ONLY")]
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        is_dataclass = any(
            text.partition("(")[0].rpartition(".")[2] == "dataclass" for text in decorators
        )
        by_keyword = any("kw_only=True" in text for text in decorators)
        if is_dataclass and len(fields) > MAX_POSITIONAL_FIELDS and not by_keyword:
            yield node.name


@pytest.mark.parametrize("package", ["db", "engine", "tui"])
def test_dataclasses_of_many_fields_are_made_by_keyword(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in positional_dataclasses(path.read_text())
    }
    assert not found, "give them kw_only=True"


FOUR = "a: int\n    b: int\n    c: int\n    d: int = 0\n"
FIVE = f"{FOUR}    e: list[int] = field(default_factory=list)\n"


@pytest.mark.parametrize(
    ("decorator", "fields", "found"),
    [
        ("@dataclass", FIVE, True),
        ("@dataclass(frozen=True, slots=True)", FIVE, True),
        ("@dataclasses.dataclass(kw_only=False)", FIVE, True),
        ("@dataclass(frozen=True, kw_only=True)", FIVE, False),
        ("@dataclass(frozen=True)", FOUR, False),
        ("@dataclass", f"{FOUR}    _: KW_ONLY\n    e: int = 0\n", False),
        ("@dataclass", f"{FIVE}    _: KW_ONLY\n    f: int = 0\n", True),
        ("@dataclass", f"{FOUR}    e: ClassVar[int] = 0\n", False),
        ("@total_ordering", FIVE, False),
    ],
)
def test_a_planted_dataclass_is_found(decorator: str, fields: str, found: bool) -> None:
    source = f"def make():\n  {decorator}\n  class Planted:\n    {fields}"
    assert list(positional_dataclasses(source)) == ["Planted"] * found

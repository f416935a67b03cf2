"""Everything that the pages name exists: modules, files, links, commands, options, keys, ..."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from cogapp import Cog

from engine.captioners.settings import Settings
from engine.datasets.exports.formats import FORMATS
from tests.bench.__main__ import BENCHES
from tui.cli.main import cli
from tui.config.keymap import declared_bindings

ROOT = Path(__file__).parents[1]
BENCH_PAGE = ROOT / "tests/bench/README.md"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), BENCH_PAGE)
REFERENCES = sorted(ROOT.glob("docs/reference/*.md"))
PACKAGES = ("engine", "db", "tui", "tests")

CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`]+)`", re.DOTALL)
MODULE = re.compile(r"(?<![\w-])(?:engine|db|tui|tests)(?!\.py\b)(?:\.\w+)+")
FILE = re.compile(r"\b(?:engine|db|tui|tests|docs)/[\w./-]*")
MEMBER = re.compile(r"\b([A-Z]\w+)\.([a-z]\w+)")
FUNCTION = re.compile(r"[a-z]+(?:_[a-z]+)+")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"mllmaug-tui ([a-z][a-z-]*)(?=\s|$)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z_-]+)")
SETTING = re.compile(r"(?<![\w-])([a-z_]+)=(?:yes|no|int8|fp8|FOLDER|\d+)(?![\w.:])")
VARIABLE = re.compile(r"\b(?:MLLMAUG|SOAK|MISBEHAVIOUR)_[A-Z_]+")
KEY_ROW = re.compile(r"^\| ([^|`]{1,12}) \| [^|]*\|$", re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
"""A bar that Markdown takes for the end of a cell, also within code: `\\|` is none."""

OTHER_PROGRAMS = {
    "--num-gpus",
    *("--dtype", "--max-model-len", "--gpu-memory-utilization", "--key"),
    "--gres",
    "--signal",
    "--temp-dir",
    "--golden",
    "--imitate",
    "--replay",
    "--snapshot-update",
    "--image_folder",
    "--image_size",
    "--input_format",
    "--output_format",
    "--resize_mode",
    "--train-num-samples",
    "--dataset-resampled",
    "--cases",
}
"""Options that stand alone in the pages, of Ray, Slurm, engines, the tests or a trainer."""
KEY_NAMES = {"?": "question_mark", "/": "slash", "+": "plus", "-": "minus", ":": "colon"}


def code_in(text: str) -> str:
    """All inline code and code blocks of a page."""
    return "\n".join(block or inline for block, inline in CODE.findall(text))


def missing_modules(text: str) -> Iterator[str]:
    """Dotted names in code that are neither a module nor an attribute of one."""
    for name in sorted(set(MODULE.findall(code_in(text)))):
        if not (is_module(name) or is_attribute(name)):
            yield name


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def is_attribute(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    return "." in module and is_module(module) and hasattr(import_module(module), attribute)


def missing_files(text: str) -> Iterator[str]:
    """Paths in code that are not in the repository. A path without an ending may be a module."""
    for name in sorted(set(FILE.findall(code_in(text)))):
        path = ROOT / name.rstrip("./")
        if not path.exists() and not path.with_suffix(".py").exists():
            yield name


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Relative links to no file, or to no heading of the file."""
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (heading and heading not in headings(file.read_text())):
            yield target


def headings(text: str) -> set[str]:
    """The anchors that a Markdown page gets from its headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def classes() -> dict[str, set[str]]:
    """The names that stand in the body of each class of ours, by the name of the class."""
    names: dict[str, set[str]] = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    text = ast.unparse(node)
                    names.setdefault(node.name, set()).update(re.findall(r"\w+", text))
    return names


def missing_members(text: str, known: dict[str, set[str]]) -> Iterator[str]:
    """Names such as `TaskRunner.on_rows` whose class is ours and does not hold them."""
    for owner, member in sorted(set(MEMBER.findall(code_in(text)))):
        if owner in known and member not in known[owner]:
            yield f"{owner}.{member}"


def missing_functions(text: str, sources: str) -> Iterator[str]:
    """Names such as `fail_if_poison` in code that are defined nowhere."""
    for name in sorted({code for _, code in CODE.findall(text) if FUNCTION.fullmatch(code)}):
        if not re.search(rf"\b{name}\b", sources):
            yield name


def unknown_commands(text: str) -> Iterator[str]:
    for name in sorted(set(COMMAND.findall(code_in(text)))):
        if name not in cli.commands and name not in ("my-run", "mllmaug-tui"):
            yield name


def our_commands(text: str) -> Iterator[str]:
    """Command lines of `mllmaug-tui` in code, and inline code that is an option or begins so."""
    for block, inline in CODE.findall(text):
        if inline.startswith("--") or inline.partition(" ")[0] in cli.commands:
            yield inline
        code = block.replace("\\\n", " ") or inline.replace("\n", " ")
        for line in code.splitlines():
            yield line.partition("mllmaug-tui ")[2].partition("#")[0]


def unknown_options(text: str) -> Iterator[str]:
    known = OTHER_PROGRAMS | {"--help", "--version", "--readonly"}
    for command in cli.commands.values():
        for parameter in command.params:
            known.update((*parameter.opts, *parameter.secondary_opts))
    yield from sorted(set(OPTION.findall("\n".join(our_commands(text)))) - known)


def unknown_settings(text: str) -> Iterator[str]:
    """Names in inline code such as `batch=16` that are no setting of a model."""
    inline = "\n".join(code for _, code in CODE.findall(text))
    yield from sorted(set(SETTING.findall(inline)) - {field.name for field in fields(Settings)})


def unknown_variables(text: str, sources: str) -> Iterator[str]:
    yield from (name for name in sorted(set(VARIABLE.findall(text))) if name not in sources)


def unknown_keys(text: str) -> Iterator[str]:
    """Keys in the first column of a table of keys that no binding has."""
    bound = {key for binding in declared_bindings() for key in binding.key.split(",")}
    for cell in KEY_ROW.findall(text):
        for key in re.split(r"[ ,]+", cell.strip()):
            if key and KEY_NAMES.get(key, key) not in bound:
                yield key


def key_table(text: str) -> str:
    """The table whose header begins with `| key |`."""
    found = re.search(r"^\| key \|[^\n]*\n\|[-| ]+\|\n((?:\|[^\n]*\n)+)", text, re.MULTILINE)
    return found[1] if found else ""


def split_rows(text: str) -> Iterator[str]:
    """Rows that have more or fewer cells than the first row of their table."""
    for table in TABLE.findall(text):
        rows = table.splitlines()
        cells = [len(BETWEEN_CELLS.findall(row)) for row in rows]
        yield from (row for row, count in zip(rows, cells, strict=True) if count != cells[0])


def bench_options() -> set[str]:
    """The options of the benches."""
    sources = (ROOT / "tests/bench").glob("*.py")
    return {name for file in sources for name in OPTION.findall(file.read_text())}


@cache
def python_sources() -> str:
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return "\n".join(file.read_text() for file in (*files, ROOT / ".ci/run"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    problems: dict[str, Iterable[str]] = {
        "modules": missing_modules(text),
        "members": missing_members(text, classes()),
        "functions": missing_functions(text, python_sources()),
        "files": missing_files(text),
        "links": broken_links(page, text),
        "commands": unknown_commands(text),
        "options": set(unknown_options(text)) - (bench_options() if page == BENCH_PAGE else set()),
        "settings": unknown_settings(text),
        "variables": unknown_variables(text, python_sources()),
        "keys": unknown_keys(key_table(text)),
        "rows": split_rows(text),
    }
    assert {kind: names for kind, found in problems.items() if (names := list(found))} == {}


def test_the_guide_names_every_command_and_has_a_table_of_keys() -> None:
    text = (ROOT / "docs/guide.md").read_text()
    named = {word for line in our_commands(text) for word in re.findall(r"[a-z][a-z-]+", line)}
    assert set(cli.commands) - named == set(), "a command that the page does not name"
    table = text.partition("\n| to | commands |\n")[2].partition("\n\n")[0]
    listed = {code for code in re.findall(r"`([^`]+)`", table) if not code.startswith("-")}
    assert len(listed) > 20
    assert listed - set(cli.commands) == set(), "no such command"
    assert key_table(text).count("\n") > 10


@pytest.mark.parametrize("page", REFERENCES, ids=lambda page: page.name)
def test_references_are_what_the_code_says(page: Path) -> None:
    """`make reference` makes them again."""
    assert Cog().main(["cog", "--check", str(page)]) == 0


def test_a_reference_that_is_old_is_reported(tmp_path: Path) -> None:
    page = shutil.copy(ROOT / "docs/reference/settings.md", tmp_path)
    changed = Path(page).read_text().replace("`max_new_tokens`", "`max_tokens`")
    Path(page).write_text(changed)
    assert Cog().main(["cog", "--check", str(page)]) != 0


def test_every_export_format_has_a_row() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / "docs/formats.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert set(FORMATS) <= named


def test_every_bench_has_a_row() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", BENCH_PAGE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert set(BENCHES) <= named


def test_every_package_is_on_the_architecture_page() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    packages = [
        str(init.parent.relative_to(ROOT))
        for top in ("engine", "tui")
        for init in (ROOT / top).glob("*/__init__.py")
    ]
    assert [name for name in packages if f"{name}/" not in page] == []


def private_words() -> list[str]:
    """What the glossary says that labels, messages and pages do not use."""
    page = (ROOT / "docs/architecture.md").read_text()
    table = page.partition("| not | but |\n|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()]
    return [word.strip() for cell in cells for word in cell.split(",")]


def shown_texts(source: str) -> Iterator[str]:
    """The texts in a module but docstrings."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield str(node.value)


def private_words_in(text: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)]


def test_labels_messages_and_pages_are_in_the_words_of_the_field() -> None:
    words = private_words()
    assert len(words) > 10
    found = {
        f"{file.relative_to(ROOT)}: {text[:60]!r}"
        for package in ("tui", "engine")
        for file in (ROOT / package).rglob("*.py")
        for text in shown_texts(file.read_text())
        if private_words_in(text, words)
    }
    pages = (page for page in PAGES if page.name not in ("architecture.md", "CHANGELOG.md"))
    found |= {
        f"{page.name}: {word}"
        for page in pages
        for word in private_words_in(page.read_text(), words)
    }
    assert found == set()


def test_a_planted_private_word_is_found() -> None:
    source = '"""Nonsense."""\nlabel = "Way of shearing"\n'
    assert [text for text in shown_texts(source) if private_words_in(text, private_words())] == [
        "Way of shearing"
    ]


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.partition("\n## Dependencies\n")[2].partition("\n## ")[0]
    described = set(re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert described == {re.split(r"[<>=]", line)[0] for line in project["dependencies"]}


def test_planted_mistakes_are_reported(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One title\n")
    text = (
        "`engine.books` and `engine/books.py`, `mllmaug-tui retrie my-run --sharde 1`, `set otter"
        " bach=16`, MLLMAUG_NOTHING, [here](nowhere.md), [there](page.md#another-title)"
    )
    assert list(missing_modules(text)) == ["engine.books"]
    assert list(missing_files(text)) == ["engine/books.py"]
    assert list(missing_members("`TaskRunner.bury`", {"TaskRunner": {"run"}})) == [
        "TaskRunner.bury"
    ]
    assert list(missing_functions("`carry_out`", "def dispatch")) == ["carry_out"]
    assert list(unknown_commands(text)) == ["retrie"]
    assert list(unknown_options(text)) == ["--sharde"]
    assert list(unknown_settings(text)) == ["bach"]
    assert list(unknown_variables(text, "MLLMAUG_API_KEY")) == ["MLLMAUG_NOTHING"]
    assert list(broken_links(page, text)) == ["nowhere.md", "page.md#another-title"]
    assert list(unknown_keys("| é, p | what it does |\n")) == ["é"]
    table = "| a | b |\n|---|---|\n| `x|y` | z |\n| `x\\|y` | z |\n"
    assert list(split_rows(table)) == ["| `x|y` | z |"]


def test_names_that_exist_are_not_reported(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One title\n")
    text = (
        "`engine.images.open_image`, `engine/images/image.py`,"
        " `mllmaug-tui retry my-run --shard 1`, `batch=16`, MLLMAUG_API_KEY,"
        " [there](page.md#one-title)"
    )
    assert not [*missing_modules(text), *missing_files(text), *unknown_commands(text)]
    assert not [*unknown_options(text), *unknown_settings(text), *broken_links(page, text)]
    assert list(unknown_keys("| p | runs |\n| ? | helps |\n")) == []

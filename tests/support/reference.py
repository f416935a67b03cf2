"""The reference pages in `docs/reference/`, made from the code (`make reference`).

cog puts what these functions return into the pages. A page that differs fails its test.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

import click
from textual.app import App
from textual.binding import Binding

from engine.captioners import model_families
from engine.captioners.setting_changes import PARSERS
from engine.captioners.settings import Settings
from tui.cli.main import cli
from tui.config.keymap import declaring_classes
from tui.config.settings import UserSettings

WIDTH = 96
"""Columns of the help texts."""
CODE_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "comma": ",",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "space": "space",
}
"""Signs by the names that Textual has for their keys."""


def commands() -> str:
    """Return a section for each command, with its help text."""
    sections = []
    # click keeps the help option of the first context that asks for it, which may be a test's.
    root = click.Context(cli, info_name="mllmaug-tui", **cli.context_settings)
    for name in sorted(cli.commands):
        context = click.Context(
            cli.commands[name], parent=root, info_name=name, max_content_width=WIDTH
        )
        context.terminal_width = WIDTH
        sections.append(f"## {name}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(sections)


def settings() -> str:
    """Return a table of the settings of models."""
    families = [*model_families.FAMILIES.values()]
    docs = field_docs(Settings)
    rows = []
    for name, parse in PARSERS.items():
        having = [family.name for family in families if name in family.setting_names]
        defaults = {
            getattr(family.presets["paper"], name, None)
            for family in families
            if family.name in having
        }
        default = shown_value(next(iter(defaults))) if len(defaults) == 1 else "by family"
        meaning = in_words(docs.get(name, ""))
        whom = names_of(having, [family.name for family in families])
        rows.append((f"`{name}`", one_line(parse.__doc__ or ""), default, meaning, whom))
    header = ("setting", "value", "default", "what it does", "families")
    return table(header, rows)


def presets() -> str:
    """Return a table of what the presets of each family say."""
    rows = []
    for family in model_families.FAMILIES.values():
        for preset, values in family.presets.items():
            changed = [
                f"`{field.name}={shown_value(getattr(values, field.name))}`"
                for field in fields(Settings)
                if field.name in family.setting_names
                and getattr(values, field.name) != field.default
            ]
            rows.append((f"`{family.name}`", f"`{preset}`", ", ".join(changed) or "the defaults"))
    return table(("family", "preset", "settings that are no defaults"), rows)


def keys() -> str:
    """Return a table of key bindings for each screen, dialog and widget that has any."""
    sections = []
    for cls in declaring_classes():
        declared = cls.__dict__.get("BINDINGS", ())
        rows = [
            (shown_keys(it.key), it.tooltip or it.description, f"`{it.id}`" if it.id else "")
            for it in declared
            if isinstance(it, Binding) and (it.tooltip or it.description)
        ]
        if rows:
            about = one_line((inspect.getdoc(cls) or "").partition("\n\n")[0])
            shown = table(("keys", "what they do", "name in `config.toml`"), rows)
            title = "Everywhere" if issubclass(cls, App) else words(cls.__name__)
            sections.append(f"## {title}\n\n{about}\n\n{shown}")
    return "\n".join(sections)


def configuration() -> str:
    """Return a table of what `config.toml` may hold."""
    docs = field_docs(UserSettings)
    rows = [
        (f"`{field.name}`", default_of(field.name), in_words(docs[field.name]))
        for field in fields(UserSettings)
    ]
    return table(("name", "default", "meaning"), rows)


def names_of(some: list[str], every: list[str]) -> str:
    """Return the names of some of all families, in few words."""
    others = [name for name in every if name not in some]
    if not others:
        return "all"
    listed = ", ".join(f"`{name}`" for name in min(some, others, key=len))
    return listed if len(some) <= len(others) else f"all but {listed}"


def in_words(text: str) -> str:
    """Return a docstring in one line, with the values as people write them."""
    written = {"True": "yes", "False": "no", "None": "none"}
    return re.sub(r"\b(True|False|None)\b", lambda found: written[found[0]], one_line(text))


def default_of(name: str) -> str:
    """Return the default of a user's setting, as a page shows it."""
    value = getattr(UserSettings(), name)
    return "empty" if value == {} else shown_value(value)


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstrings of a dataclass's fields, by name."""
    (body,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for node, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            docs[node.target.id] = docstring(following)
    return docs


def docstring(node: ast.stmt) -> str:
    """Return the text of a statement that is a docstring; empty for any other."""
    value = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return str(value.value) if is_text and isinstance(value, ast.Constant) else ""


def shown_value(value: object) -> str:
    """Return a value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("\n", "\\n") or "empty"


def shown_keys(key: str) -> str:
    """Return the keys of a binding, each as code."""
    return " ".join(f"`{CODE_NAMES.get(it, it)}`" for it in key.split(","))


def words(name: str) -> str:
    """Return the words of a class's name."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def one_line(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    return "\n".join(lines(header, rows)) + "\n"


def lines(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"

"""Chat templates, which are programs, rendered in a process with limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from engine.captioners.errors import CheckpointError
from engine.captioners.preprocessing import chat_template
from engine.captioners.preprocessing.chat_template import render

CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Say “it”.\n"}]}
]
USUAL = (
    "{{ bos_token }}{%- for message in messages %}{{ message.role | upper }}: "
    "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}"
    "{{ part.text | trim }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}{{ messages | tojson }}"
)


def test_it_is_the_text_that_transformers_renders() -> None:
    (expected,), _ = render_jinja_template(
        conversations=[CONVERSATION],
        chat_template=USUAL,
        add_generation_prompt=True,
        bos_token="<s>",
    )
    assert render(USUAL, CONVERSATION, {"bos_token": "<s>"}) == expected
    assert expected.startswith("<s>USER: <image>Say “it”. ASSISTANT:")


@pytest.mark.usefixtures("templates_in_this_process")
def test_a_text_ends_with_the_answer_that_is_begun() -> None:
    template = "{% for m in messages %}{{ m.role }} {{ n }}: {{ m.content }}</s>{% endfor %}"
    asked = {"role": "user", "content": "What?"}
    begun = {"role": "assistant", "content": "A dog"}
    assert render(template, [asked, begun], {"n": 1}) == "user 1: What?</s>assistant 1: A dog"
    assert render(template, [asked], {"n": 1}) == "user 1: What?</s>"


LOOPS = "{% for a in range(99999) %}" * 4 + "{% endfor %}" * 4
DOUBLED = (
    "{% set n = namespace(t='x') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}"
)
OPEN_FILE = "{{ cycler.__init__.__globals__.os.open('MARK', 65) }}"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (LOOPS, "it computes for more than"),
        ("{{ 9 ** (9 ** 9) }}", "it computes for more than"),
        ("{{ 'a' * 2 ** 40 }}", "MiB of memory"),
        (DOUBLED, "MiB of memory"),
        (OPEN_FILE, "SecurityError"),
    ],
)
def test_a_template_that_does_harm_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, reason: str
) -> None:
    # On a slow machine the harmless part alone, with what it imports, takes a second.
    monkeypatch.setattr(chat_template, "CPU_SECONDS", 4)
    monkeypatch.setattr(chat_template, "MEMORY_BYTES", 64 * 2**20)
    mark = tmp_path / "it_ran"
    with pytest.raises(CheckpointError, match=reason) as refused:
        render(template.replace("MARK", str(mark)), CONVERSATION, {})
    assert "\n" not in str(refused.value)
    assert not mark.exists()


@pytest.mark.usefixtures("templates_in_this_process")
@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for i in range(99999) %}a long text of a template{% endfor %}", "characters"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ raise_exception('no images') }}", "TemplateError: no images"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ messages[0].content[7].text }}", "UndefinedError"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ messages.append(1) }}", "SecurityError"),
    ],
)
def test_a_template_that_cannot_be_rendered_ends_in_one_sentence(
    template: str, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason) as refused:
        render(template, CONVERSATION, {})
    assert "\n" not in str(refused.value)


def test_a_process_that_does_not_even_begin_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_template.answer.cache_clear()
    script = tmp_path / "script.py"
    monkeypatch.setattr(chat_template, "SCRIPT", script)
    script.write_text("import time; time.sleep(3600)")
    monkeypatch.setattr(chat_template, "WALL_SECONDS", 0.1)
    with pytest.raises(CheckpointError, match="did not end within"):
        render(USUAL, CONVERSATION, {})
    monkeypatch.setattr(chat_template, "WALL_SECONDS", 60.0)
    script.write_text("import nothing_of_this_name")
    with pytest.raises(CheckpointError, match="No module named 'nothing_of_this_name'"):
        render(USUAL, CONVERSATION, {})
    script.write_text("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(CheckpointError, match="its process was killed"):
        render(USUAL, CONVERSATION, {})


def test_nothing_of_the_current_folder_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("transformers", "jinja2", "json", "resource"):
        (tmp_path / f"{name}.py").write_text("open('shadowed', 'w')")
    monkeypatch.chdir(tmp_path)
    chat_template.answer.cache_clear()
    assert render("a", CONVERSATION, {}) == "a"
    assert not (tmp_path / "shadowed").exists()

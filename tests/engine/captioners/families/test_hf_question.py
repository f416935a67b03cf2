"""The text that a processor of the `hf` family gets with every picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers.utils.chat_template_utils import render_jinja_template

from engine.captioners.base import AskedPrompt
from engine.captioners.errors import CheckpointError
from engine.captioners.families.hf import conversation as module
from engine.captioners.families.hf.question import Question, make_question
from engine.captioners.settings import Settings
from engine.images.image import ImageProblem

FOR_LISTS = (
    "{{ bos_token }}{% for m in messages %}{% for part in m.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
FOR_TEXTS = "{% for m in messages %}<image>{{ m.content }}{% endfor %}"
FOR_TEXTS_TRIMMED = "{% for m in messages %}<image>{{ m.content.strip() }}{% endfor %}"
FOR_TEXTS_ALONE = "{% for m in messages %}{{ m.content }}{% endfor %}"
FOR_TEXTS_ALONE_JOINED = "{% for m in messages %}{{ 'user: ' + m.content }}{% endfor %}"
WITH_SYSTEM_ONLY = "{{ raise_exception('a system message is required') }}"


@pytest.fixture(autouse=True)
def rendered_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of these tests need no process of their own."""

    def render(
        template: str, conversation: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]
    ) -> str:
        try:
            continues = conversation[-1]["role"] == "assistant"
            texts, _ = render_jinja_template(
                conversations=[conversation],
                chat_template=template,
                add_generation_prompt=not continues,
                continue_final_message=continues,
                **variables,
            )
        except Exception as error:
            raise CheckpointError(str(error)) from error
        return str(texts[0])

    monkeypatch.setattr(module, "render", render)


def processor(template: Any = None, of_tokenizer: Any = None, token: str = "<image>") -> Any:
    tokenizer = SimpleNamespace(chat_template=of_tokenizer, special_tokens_map={"bos_token": "<s>"})
    return SimpleNamespace(chat_template=template, tokenizer=tokenizer, image_token=token)


def text(
    asked: Any, prompt: str = "What?", kind: str = "new", **settings: str
) -> tuple[str | None, bool]:
    stated = Settings.of(settings)
    question = make_question(asked, {"model_type": kind}, prompt, stated)
    return question.text, question.is_chat


@pytest.mark.parametrize("template", [FOR_TEXTS, FOR_TEXTS_TRIMMED])
def test_a_template_for_texts_gets_a_text(template: str) -> None:
    assert text(processor(template)) == ("<image>What?", True)


def test_a_template_for_lists_gets_image_and_text() -> None:
    assert text(processor(FOR_LISTS)) == ("<s><image>What?", True)
    assert text(processor(None, of_tokenizer=FOR_LISTS)) == ("<s><image>What?", True)
    assert text(processor({"rag": "no", "default": FOR_LISTS})) == ("<s><image>What?", True)


def test_a_person_may_write_the_whole_text() -> None:
    whole = "USER: <image>\nWhat? ASSISTANT:"
    assert text(processor(FOR_TEXTS_ALONE), whole) == (whole, False)
    assert text(processor(), whole) == (whole, False)


PART = "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
ROLES = (
    "{% for m in messages %}[{{ m.role }}]{% for part in m.content %}" + PART + "{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
SYSTEM_AS_TEXT = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ '# ' + m.content + ' ' }}{% else %}"
    "{% for part in m.content %}" + PART + "{% endfor %}{% endif %}{% endfor %}"
)
ALL_AS_TEXT = "{% for m in messages %}({{ m.role[0] }}) <image>{{ m.content + ' ' }}{% endfor %}"
WITHOUT_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + FOR_LISTS
)
USER_ALONE = FOR_LISTS.replace("in messages", "in messages if m.role == 'user'")


@pytest.mark.parametrize(
    ("template", "settings", "expected"),
    [
        (ROLES, {"system": "Be kind."}, "[system]Be kind.[user]<image>What?[assistant]"),
        (ROLES, {"prefill": "A dog"}, "[user]<image>What?[assistant]A dog"),
        (SYSTEM_AS_TEXT, {"system": "Be kind."}, "# Be kind. <image>What?"),
        (ALL_AS_TEXT, {"system": "Be kind."}, "(s) <image>Be kind. (u) <image>What? "),
        (FOR_LISTS, {"template": '{"part": 1}'}, "<s><image>What?"),
    ],
)
def test_what_stands_around_a_question(
    template: str, settings: dict[str, str], expected: str
) -> None:
    assert text(processor(template), **settings) == (expected, True)


@pytest.mark.parametrize(
    ("template", "settings", "way_out"),
    [
        (
            WITHOUT_SYSTEM,
            {"system": "Be kind."},
            r"no place for system: .* prompt \(no system role\)",
        ),
        (USER_ALONE, {"system": "Be kind."}, "no place for system: leave it empty"),
        (USER_ALONE, {"prefill": "A dog"}, "no place for prefill: leave it empty"),
        (FOR_LISTS, {"template": '{"thinking": 1}'}, "no variable 'thinking': set template.thin"),
        (None, {"system": "Be kind."}, "without a chat template, so that system has no place"),
    ],
)
def test_what_a_template_does_not_take_is_refused(
    template: str | None, settings: dict[str, str], way_out: str
) -> None:
    with pytest.raises(CheckpointError, match=way_out):
        text(processor(template), kind="llava", **settings)


def test_keys_survive_the_rendering() -> None:
    found = make_question(processor(FOR_TEXTS_TRIMMED), {}, " As {{a}}, of {alt}: {by} ")
    assert found.keys == ["alt", "by"]
    assert found.text == "<image>As {a}, of \ue000alt\ue001: \ue000by\ue001"
    assert found.filled_text(None) == "<image>As {a}, of alt: by"
    assert make_question(processor(FOR_TEXTS), {}, "As {}").keys == []


@pytest.mark.parametrize(
    ("kind", "prompt", "expected"),
    [
        ("llava", "What?", "USER: <image>\nWhat? ASSISTANT:"),
        ("paligemma", "caption en", "<image>caption en"),
        ("instructblip", "What?", "What?"),
        ("git", "", None),
    ],
)
def test_without_a_template_a_type_is_asked_as_its_documentation_does(
    kind: str, prompt: str, expected: str | None
) -> None:
    assert text(processor(), prompt, kind) == (expected, False)


def test_the_documented_text_has_the_processors_own_mark() -> None:
    own = processor(token="<|picture|>")
    assert text(own, "What?", "llava") == ("USER: <|picture|>\nWhat? ASSISTANT:", False)


@pytest.mark.parametrize(
    ("asked", "way_out"),
    [
        (processor(), r"put the chat_template\.jinja .* or write the whole text yourself, --set"),
        (processor(FOR_TEXTS_ALONE), "no place for an image: write the whole text yourself, --set"),
        (
            processor({"rag": "a", "tools": "b"}),
            r"rag, tools is the default: save the one .*\.jinja",
        ),
        (processor(FOR_TEXTS_ALONE_JOINED), "no place for an image: write the whole text"),
        (processor("{{ messages[9].content }}"), "has no element .*: set what it asks for"),
        (processor(WITH_SYSTEM_ONLY), "is required: set what it asks for .system, template.KEY"),
        (processor(7), r"is not a text: 7; save the one .*\.jinja"),
    ],
)
def test_a_refusal_names_the_way_out(asked: Any, way_out: str) -> None:
    with pytest.raises(CheckpointError, match=way_out):
        text(asked)


def test_a_picture_that_the_processor_refuses_is_the_records_failure() -> None:
    def refuse(**_: Any) -> Any:
        raise ValueError("absolute aspect ratio must be smaller than 200, got 300")

    question = Question(processor=refuse, text=None, is_chat=False)
    with pytest.raises(
        ImageProblem, match="600x2 pixels: absolute aspect ratio must be"
    ) as refused:
        question.inputs_of_record(Image.new("RGB", (600, 2)))
    assert refused.value.kind == "refused"


def test_a_lack_of_memory_is_not_the_records_failure() -> None:
    def refuse(**_: Any) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        Question(processor=refuse, text=None, is_chat=False).inputs_of_record(
            Image.new("RGB", (6, 2))
        )


def test_what_is_shown_of_a_prompt() -> None:
    asked = processor()
    asked.tokenizer.decode = lambda numbers: f"t{numbers[0]}\n"
    question = Question(processor=asked, text="text", is_chat=False)
    ends = (
        " ".join(f"'t{it}\\n'" for it in range(6)),
        " ".join(f"'t{it}\\n'" for it in range(14, 20)),
    )
    long = question.describe({"input_ids": torch.arange(20)[None]})
    assert long.shown == f"asked with 20 tokens: {ends[0]} (8 more) {ends[1]}"
    short = question.describe({"input_ids": torch.arange(7)[None]})
    assert short.shown == f"asked with 7 tokens: {ends[0]} 't6\\n'"
    assert AskedPrompt(text="", tokens=0, first=(), last=()).shown == "asked without a text"

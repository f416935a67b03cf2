"""The conversation in which a checkpoint is asked, rendered by its chat template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.captioners.base import CheckpointError
from engine.captioners.preprocessing.chat_template import render
from engine.captioners.settings import Settings

LIST_AS_TEXT = "[{'type': '"
"""What a template for plain texts makes of a content that is a list."""
IMAGE = {"type": "image", "image": "<Image>"}
"""An image in a content, as a processor shows one of Pillow to a template."""
Content = str | list[dict[str, str]]
"""What a message says: a text, or parts that are texts and images."""
Messages = list[dict[str, Any]]


def render_prompt(
    template: str, prompt: str, token: str, special: Mapping[str, Any], settings: Settings
) -> str:
    """Return the text of a conversation that shows an image and asks a prompt.

    It ends where the model's answer begins, or with `prefill`. A template for plain texts gets one:
    it places the image itself. Raises `CheckpointError`.
    """
    variables = dict(special) | template_variables(template, settings)
    failure: CheckpointError | None = None
    is_for_texts = False
    for messages in conversations(prompt, settings):
        try:
            text = render(template, messages, variables)
        except CheckpointError as error:
            failure = failure or error
            continue
        if LIST_AS_TEXT in text or settings.system.strip() not in text:
            continue
        # Some templates have another mark for an image of a list than the token that it becomes.
        if token and token not in text and not has_parts(messages):
            is_for_texts = True
            continue
        return text
    extras = [name for name in ("system", "prefill") if getattr(settings, name)]
    if extras:
        reason = f" ({failure})" if failure else ""
        raise CheckpointError(
            f"the checkpoint's chat template has no place for {' and '.join(extras)}: leave it"
            f" empty, and write that text into the prompt{reason}"
        )
    whole = f"write the whole text yourself, --set NAME.prompt='{token or '<image>'} ...'"
    if is_for_texts:
        raise CheckpointError(
            f"the checkpoint's chat template is for texts and has no place for an image: {whole}"
        )
    why = failure or "the checkpoint's chat template turns a message into an empty text"
    raise CheckpointError(
        f"{why}: set what it asks for (system, template.KEY), save the chat_template.jinja of its"
        f" repository in the folder, or {whole}"
    )


def conversations(prompt: str, settings: Settings) -> Iterator[Messages]:
    """Yield the forms of a conversation that templates take.

    The usual one comes first: each content is a list of parts. Templates for plain texts take the
    last one.
    """
    asked = [IMAGE, {"type": "text", "text": prompt}]
    system, prefill = settings.system, settings.prefill
    yield conversation(text_parts(system), asked, text_parts(prefill))
    if system:
        yield conversation(system, asked, text_parts(prefill))
    yield conversation(system, prompt, prefill)


def has_parts(messages: Messages) -> bool:
    """Return True if the image is a part of a message."""
    return any(IMAGE in it["content"] for it in messages if isinstance(it["content"], list))


def text_parts(text: str) -> Content:
    """Return a text as the content of a message; empty for an empty one."""
    return [{"type": "text", "text": text}] if text else ""


def conversation(system: Content, asked: Content, answer: Content) -> Messages:
    """Return the messages with these contents, without those whose content is empty."""
    contents = {"system": system, "user": asked, "assistant": answer}
    return [
        {"role": role, "content": content}
        for role, content in contents.items()
        if content or role == "user"
    ]


def template_variables(template: str, settings: Settings) -> dict[str, Any]:
    """Return the variables of the settings. Raises `CheckpointError` for one it does not know."""
    variables = settings.template_variables
    for name in variables:
        if not re.search(rf"\b{name}\b", template):
            raise CheckpointError(
                f"the checkpoint's chat template has no variable {name!r}: set template.{name}=none"
            )
    return variables

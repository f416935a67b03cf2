"""How a picture is asked about: the text for the processor, and the call that its authors make.

Where the folder has a chat template, the call is the processor's own `apply_chat_template`. Only
the template itself, which is a program, is rendered elsewhere (`preprocessing.chat_template`); the
processor then gets a template of ours that holds nothing but the text.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from engine.captioners.base import AskedPrompt, CheckpointError
from engine.captioners.errors import first_line
from engine.captioners.open_models import open_model
from engine.captioners.preprocessing.chat_template import render
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem

ModelInputs = dict[str, Any]
"""What a processor makes of one picture: `pixel_values`, `input_ids` and others, of batch size 1.

Nearly all are tensors; some processors return lists, one entry a picture."""
RENDERED = "{{ rendered_prompt }}"
"""The template that the processor gets."""
LIST_AS_TEXT = "{'type': 'image'"
"""What a template for plain texts makes of a content that is a list."""
ENDS = 6
"""Tokens at the beginning and at the end of a prompt that are shown to people."""


@dataclass(kw_only=True)
class Question:
    """A processor and the text that it gets with every picture."""

    processor: Any
    text: str | None
    """The rendered conversation or the plain text; None if the model is asked without any."""
    is_chat: bool
    """True if the text is a conversation that a chat template rendered."""
    interleaved: bool = False
    """True if the image itself stands in the list of texts, in place of `<image>`."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """A tokenizer cannot serve two threads at once."""

    def inputs(self, image: Image.Image) -> ModelInputs:
        """Return the model inputs of an RGB image. Raises whatever the processor raises."""
        with self.lock:
            return dict(self.ask_chat(image) if self.is_chat else self.ask_plainly(image))

    def ask_chat(self, image: Image.Image) -> Any:
        content = [{"type": "image", "image": image}, {"type": "text", "text": ""}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=RENDERED,
            rendered_prompt=self.text,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"return_tensors": "pt"},
        )

    def ask_plainly(self, image: Image.Image) -> Any:
        if self.text is None:
            return self.processor(images=image, return_tensors="pt")
        if self.interleaved:
            before, _, after = self.text.partition("<image>")
            return self.processor(text=[before, image, after], return_tensors="pt")
        return self.processor(images=image, text=self.text, return_tensors="pt")

    def inputs_of_record(self, image: Image.Image) -> ModelInputs:
        """Return the model inputs of a record's image.

        Raises `ImageProblem` if the processor refuses it, and the error of a lack of memory.
        """
        try:
            return self.inputs(image)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            width, height = image.size
            raise ImageProblem(
                "refused",
                f"the model's own processor refuses an image of {width}x{height} pixels:"
                f" {first_line(error)}",
            ) from error

    def describe(self, inputs: ModelInputs) -> AskedPrompt:
        """Return, for people, what a model is asked with these inputs of one picture."""
        if "input_ids" not in inputs:
            return AskedPrompt(text="", tokens=0, first=(), last=())
        ids = inputs["input_ids"][0].tolist()
        shown = [repr(self.processor.tokenizer.decode([it])) for it in ids]
        return AskedPrompt(
            text=self.text or "",
            tokens=len(ids),
            first=tuple(shown[:ENDS]),
            last=tuple(shown[ENDS:][-ENDS:]),
        )


def make_question(processor: Any, config: Mapping[str, Any], prompt: str) -> Question:
    """Return the question that asks a prompt as the checkpoint's authors do.

    `config` is the contents of config.json. Raises `CheckpointError`.
    """
    known = open_model(config)
    token = image_token(processor)
    template = chat_template(processor)
    if token and token in prompt:  # a person wrote the whole text
        return Question(processor=processor, text=prompt, is_chat=False)
    if template is not None:
        text = render_prompt(template, prompt, token, processor.tokenizer.special_tokens_map)
        return Question(processor=processor, text=text, is_chat=True)
    if known.plain is not None:
        text = known.plain.replace("{}", prompt)
        if token and not known.interleaved:
            text = text.replace("<image>", token)
        return Question(
            processor=processor,
            text=text or None,
            is_chat=False,
            interleaved=known.interleaved,
        )
    raise CheckpointError(
        "the folder has no chat template: put the chat_template.jinja of its repository there, or"
        f" write the whole text yourself, --set NAME.prompt='{token or '<image>'} ...'"
    )


def image_token(processor: Any) -> str:
    """Return the text that stands for the image in a prompt; empty if the processor has none."""
    return str(getattr(processor, "image_token", None) or "")


def chat_template(processor: Any) -> str | None:
    """Return the chat template of a processor, else its tokenizer's; None if neither has one.

    Raises `CheckpointError`.
    """
    template = processor.chat_template or getattr(processor.tokenizer, "chat_template", None)
    if isinstance(template, dict):
        if "default" not in template:
            raise CheckpointError(
                f"no chat template is the default one of {', '.join(template)}: save the one that"
                " is for images as chat_template.jinja in the folder"
            )
        template = template["default"]
    if template and not isinstance(template, str):
        raise CheckpointError(f"the checkpoint's chat template is no text: {template!r}")
    return template or None


def render_prompt(template: str, prompt: str, token: str, special: Mapping[str, Any]) -> str:
    """Return the text of a conversation that shows an image and asks a prompt.

    A template for plain texts gets one: it places the image itself. Raises `CheckpointError`.
    """
    # As a processor shows an image of Pillow to a template.
    content = [{"type": "image", "image": "<Image>"}, {"type": "text", "text": prompt}]
    problem: CheckpointError | None = None
    try:
        text = render(template, [{"role": "user", "content": content}], special)
    except CheckpointError as error:
        problem = error
    else:
        if LIST_AS_TEXT not in text:
            return text
    try:
        text = render(template, [{"role": "user", "content": prompt}], special)
    except CheckpointError as error:
        raise (problem or error) from error
    if token and token not in text:
        raise problem or CheckpointError(
            "the checkpoint's chat template is for texts and has no place for an image: write the"
            f" whole text yourself, --set NAME.prompt='{token} ...'"
        )
    return text

"""How a picture is asked about: the text for the processor, and the call that its authors make.

Where the folder has a chat template, the call is the processor's own `apply_chat_template`. Only
the template itself, which is a program, is rendered elsewhere (`preprocessing.chat_template`); the
processor then gets a template of ours that holds nothing but the text.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from PIL import Image

from engine.captioners.base import AskedPrompt, CheckpointError
from engine.captioners.errors import first_line
from engine.captioners.families.hf.control_tokens import ControlTokens
from engine.captioners.families.hf.conversation import render_prompt
from engine.captioners.open_models import open_model, own_prompt
from engine.captioners.record_prompt import MARK, fill_marks, mark_keys, sample_texts
from engine.captioners.settings import Settings
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem

ModelInputs = dict[str, Any]
"""What a processor makes of one picture: `pixel_values`, `input_ids` and others, of batch size 1.

Nearly all are tensors; some processors return lists, one entry a picture."""
PLAIN = Settings()
"""Settings that add nothing to a prompt."""
RENDERED = "{{ rendered_prompt }}"
"""The template that the processor gets."""
ENDS = 6
"""Tokens at the beginning and at the end of a prompt that are shown to people."""


@dataclass(kw_only=True)
class Question:
    """A processor and the text that it gets with every picture."""

    processor: Any
    text: str | None
    """The rendered conversation or the plain text, with marks in place of texts of the record; None
    if the model is asked without any."""
    is_chat: bool
    """True if the text is a conversation that a chat template rendered."""
    interleaved: bool = False
    """True if the image itself stands in the list of texts, in place of `<image>`."""
    lock: AbstractContextManager[Any] = field(default_factory=threading.Lock)
    """Held while the processor is asked, unless `thread_trial` shows that threads may share it."""

    @cached_property
    def keys(self) -> Sequence[str]:
        """The keys of the texts that the question takes from a record."""
        return list(dict.fromkeys(MARK.findall(self.text or "")))

    @cached_property
    def sample(self) -> str:
        """The text for a picture of no record."""
        return fill_marks(self.text or "", sample_texts(self.keys))

    @cached_property
    def control_tokens(self) -> ControlTokens:
        return ControlTokens(self.processor)

    @cached_property
    def control_ids(self) -> list[int]:
        """The control tokens that are in the text by themselves."""
        return self.control_tokens.ids(self.sample)

    def inputs(self, image: Image.Image, texts: Mapping[str, str] | None = None) -> ModelInputs:
        """Return the model inputs of an RGB image, and of the texts of its record.

        Without a record, texts of our own take their places. Raises `ImageProblem` for a text that
        cannot be asked with, and whatever the processor raises.
        """
        with self.lock:
            text = self.filled_text(texts)
            return dict(
                self.ask_chat(image, text) if self.is_chat else self.ask_plainly(image, text)
            )

    def filled_text(self, texts: Mapping[str, str] | None) -> str | None:
        """Return the text with those of a record. Raises `ImageProblem`."""
        if self.text is None or not self.keys:
            return self.text
        if texts is None:
            return self.sample
        text = fill_marks(self.text, texts, self.control_tokens.taken_apart)
        if self.control_tokens.ids(text) != self.control_ids:
            raise ImageProblem("unusable_text", "its text holds control tokens of the model")
        return text

    def ask_chat(self, image: Image.Image, text: str | None) -> Any:
        content = [{"type": "image", "image": image}, {"type": "text", "text": ""}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=RENDERED,
            rendered_prompt=text,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"return_tensors": "pt"},
        )

    def ask_plainly(self, image: Image.Image, text: str | None) -> Any:
        if text is None:
            return self.processor(images=image, return_tensors="pt")
        if self.interleaved:
            before, _, after = text.partition("<image>")
            return self.processor(text=[before, image, after], return_tensors="pt")
        return self.processor(images=image, text=text, return_tensors="pt")

    def inputs_of_record(
        self, image: Image.Image, texts: Mapping[str, str] | None = None
    ) -> ModelInputs:
        """Return the model inputs of a record's image, and of its texts.

        Raises `ImageProblem` if the processor refuses it, and the error of a lack of memory.
        """
        try:
            return self.inputs(image, texts)
        except ImageProblem:
            raise
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


def make_questions(processor: Any, config: Mapping[str, Any], settings: Settings) -> list[Question]:
    """Return the question for each prompt of the settings. Raises `CheckpointError`."""
    lock = threading.Lock()
    prompts = [own_prompt(config, prompt) for prompt in settings.prompt_choices]
    return [
        replace(make_question(processor, config, prompt, settings), lock=lock) for prompt in prompts
    ]


def make_question(
    processor: Any, config: Mapping[str, Any], prompt: str, settings: Settings = PLAIN
) -> Question:
    """Return the question that asks a prompt as the checkpoint's authors do.

    `config` is the contents of config.json; the settings name system message, template variables
    and the beginning of the answer. Raises `CheckpointError`.
    """
    known = open_model(config)
    token = image_token(processor)
    template = chat_template(processor)
    prompt = mark_keys(prompt)
    if token and token in prompt:  # a person wrote the whole text
        check_plain(settings, "the prompt is the whole text, since it holds the image token")
        return Question(processor=processor, text=prompt + settings.prefill, is_chat=False)
    if template is not None:
        special = processor.tokenizer.special_tokens_map
        text = render_prompt(template, prompt, token, special, settings)
        return Question(processor=processor, text=text, is_chat=True)
    if known.plain is not None:
        check_plain(settings, "the model is asked without a chat template")
        text = known.plain.replace("{}", prompt)
        if token and not known.interleaved:
            text = text.replace("<image>", token)
        return Question(
            processor=processor,
            text=text + settings.prefill or None,
            is_chat=False,
            interleaved=known.interleaved,
        )
    raise CheckpointError(
        "the folder has no chat template: put the chat_template.jinja of its repository there, or"
        f" write the whole text yourself, --set NAME.prompt='{token or '<image>'} ...'"
    )


def check_plain(settings: Settings, why: str) -> None:
    """Raise `CheckpointError` for settings that only a chat template takes."""
    for name in ("system", "template"):
        if getattr(settings, name):
            raise CheckpointError(f"{why}, so that {name} has no place in it: leave {name} empty")


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
                f"none of the chat templates {', '.join(template)} is the default: save the one"
                " for images as chat_template.jinja in the folder"
            )
        template = template["default"]
    if template and not isinstance(template, str):
        raise CheckpointError(
            f"the checkpoint's chat template is not a text: {str(template)[:60]}; save the one"
            " for images as chat_template.jinja in the folder"
        )
    return template or None

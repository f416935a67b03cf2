"""What the authors' own code says of pictures: their processor, their `generate`, one at a time.

Nothing of ours is used. Where torchvision is missing, transformers' loading of a processor gets a
stub for the video processor, and SmolVLM's module one for num2words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.video_processing_auto import AutoVideoProcessor
from transformers.models.smolvlm import processing_smolvlm
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

from tests.engine.captioners.families.hf_truth.making import Tiny

NEW_TOKENS = 8
PROMPT = "Describe in English:"
REASONING_TAGS = ("<think>", "</think>")


class NoVideo:
    """Stands for a video processor, which nothing here uses."""

    num_frames = fps = None
    model_input_names: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        return {}


@contextmanager
def without_torchvision() -> Iterator[None]:
    """Let transformers load processors whose video part needs torchvision, if that is missing."""
    if is_torchvision_available():
        with mock.patch.object(processing_smolvlm, "num2words", str):
            yield
        return
    check = ProcessorMixin.check_argument_for_proper_class

    def lenient(self: Any, name: str, part: Any) -> Any:
        return None if isinstance(part, NoVideo) else check(self, name, part)

    with (
        mock.patch.object(AutoVideoProcessor, "from_pretrained", lambda *_, **__: NoVideo()),
        mock.patch.object(ProcessorMixin, "check_argument_for_proper_class", lenient),
        mock.patch.object(ProcessorMixin, "__repr__", lambda _: "processor"),
        mock.patch.object(processing_smolvlm, "num2words", str),
    ):
        yield


def own_inputs(
    processor: Any, folder: Path, tiny: Tiny, image: Image.Image, prompt: str = PROMPT
) -> Any:
    """Return the model inputs of an image as the documentation of its family makes them."""
    if tiny.for_texts:
        message = {"role": "user", "content": prompt}
        text = processor.apply_chat_template([message], add_generation_prompt=True)
        # As `apply_chat_template` decides it where it is to tokenize as well.
        bare = text.startswith(processor.tokenizer.bos_token)
        return processor(
            text=[text], images=[image], add_special_tokens=not bare, return_tensors="pt"
        )
    if tiny.template is not None:
        content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
        return processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
    if not isinstance(processor, ProcessorMixin):  # a bare tokenizer
        images = AutoImageProcessor.from_pretrained(folder)
        return images(image, return_tensors="pt")
    if tiny.plain is None:
        return processor(images=image, return_tensors="pt")
    if not isinstance(tiny.plain, str):
        before, after = tiny.plain
        return processor(text=[before, image, after], return_tensors="pt")
    return processor(images=image, text=tiny.plain, return_tensors="pt")


def own_texts(folder: Path, tiny: Tiny, images: Sequence[Image.Image]) -> list[str | None]:
    """Return the greedy text of each RGB image; None for one at which processor or model fail."""
    with without_torchvision():
        processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = getattr(processor, "tokenizer", processor)
    texts: list[str | None] = []
    for image in images:
        try:
            inputs = own_inputs(processor, folder, tiny, image).to(torch.float32)
            ids = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, num_beams=1)
        except (ValueError, RuntimeError):
            texts.append(None)
            continue
        prompt = inputs.get("input_ids")
        begins = prompt is not None and torch.equal(ids[:, : prompt.shape[1]], prompt)
        new = ids[0, prompt.shape[1] if begins else 0 :]
        texts.append(plain_text(tokenizer, new.tolist()))
    return texts


def plain_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return a text without special tokens other than the tags of reasoning, which logs keep."""
    pieces: list[list[int]] = [[]]
    for token in ids:
        if tokenizer.convert_ids_to_tokens(token) in REASONING_TAGS:
            pieces += [[token], []]
        else:
            pieces[-1].append(token)
    return "".join(
        tokenizer.decode(piece, skip_special_tokens=number % 2 == 0)
        for number, piece in enumerate(pieces)
    )

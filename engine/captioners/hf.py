"""Any model that transformers' AutoModelForImageTextToText loads, with its processor.

Image processor, tokenizer and chat template come with the checkpoint. Code from the checkpoint is
never run. Torchvision is not needed: video parts, which need it, are left out.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.logging import disable_progress_bar

from engine.captioners.assembly import named
from engine.captioners.base import Caption, Captioner, CheckpointError, Loaded
from engine.captioners.generation import Asked, choose_dtype, generate, to_captions
from engine.captioners.settings import Settings
from engine.captioners.text import one_id
from engine.captioners.weights import first_line, read_json
from engine.images import Picture


class HuggingFace(Captioner):
    """Rows are padded in front: images may take different numbers of tokens."""

    def __init__(
        self, model: Any, loaded: Loaded, processor: Any, settings: Settings, name: str
    ) -> None:
        self.model = model
        self.loaded = loaded
        self.processor = processor
        self.settings = settings
        self.batch = settings.batch
        self.name = name
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"
        eos = model.generation_config.eos_token_id
        self.stop_ids = one_id(self.tokenizer.eos_token_id if eos is None else eos)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(self.stop_ids[0])
        model.generation_config.max_length = None
        # Sampling is the logits processor's; these would only be warned about.
        for key in ("temperature", "top_p", "top_k"):
            setattr(model.generation_config, key, None)
        self.text = prompt_text(processor, settings.prompt)

    def prepare(self, picture: Picture) -> Image.Image:
        """RGB: how many tokens an image takes is known only with its batch."""
        return picture.rgb()

    @torch.inference_mode()
    def caption(self, inputs: Sequence[Image.Image], records: Sequence[int]) -> list[Caption]:
        # One list an image: some processors read a flat list as the images of one text.
        made = self.processor(
            images=[[image] for image in inputs],
            text=[self.text] * len(inputs),
            padding=True,
            return_tensors="pt",
        ).to(self.model.device)
        made = {
            key: value.to(self.model.dtype) if value.is_floating_point() else value
            for key, value in made.items()
        }
        mask = made.pop("attention_mask")
        pad = self.tokenizer.pad_token_id
        asked = Asked(
            self.settings, records, self.name, self.stop_ids, pad, tokenizer=self.tokenizer
        )
        return to_captions(generate(self.model, asked, mask, **made), self.tokenizer, asked)


def prompt_text(processor: Any, prompt: str) -> str:
    """The question in the checkpoint's chat template; without one, behind the image's token."""
    if processor.chat_template or getattr(processor.tokenizer, "chat_template", None):
        template = processor.chat_template or processor.tokenizer.chat_template
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        conversation = [{"role": "user", "content": content}]
        made: str = processor.apply_chat_template(
            conversation, chat_template=template, add_generation_prompt=True, tokenize=False
        )
        return made
    token = str(getattr(processor, "image_token", "") or "")
    # BLIP-2's processors put the image's tokens there themselves.
    if not token or token in prompt or hasattr(processor, "num_query_tokens"):
        return prompt
    return f"{token}\n{prompt}"


def load_processor(folder: Path, tokenizer: Path) -> Any:
    """Raises `CheckpointError`."""
    try:
        if tokenizer == folder:
            try:
                return AutoProcessor.from_pretrained(folder, local_files_only=True)
            except ImportError:
                pass  # a part for videos wants torchvision
        return without_video(folder, tokenizer)
    except Exception as error:
        raise CheckpointError(f"{folder}: no processor: {first_line(error)}") from error


def without_video(folder: Path, tokenizer: Path) -> Any:
    """The checkpoint's processor of its image processor and tokenizer alone."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    kind = PROCESSOR_MAPPING[type(config)]
    module = sys.modules[kind.__module__]
    if getattr(module, "num2words", True) is None:
        module.num2words = str  # type: ignore[attr-defined]  # it counts the frames of videos

    class ImageOnly(kind):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument is not None:
                return super().check_argument_for_proper_class(argument_name, argument)
            return None

    file = folder / "processor_config.json"
    told = read_json(file) if file.is_file() else {}
    wanted = inspect.signature(kind.__init__).parameters
    parts: dict[str, Any] = {key: value for key, value in told.items() if key in wanted}
    parts["tokenizer"] = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    parts["image_processor"] = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    parts["chat_template"] = chat_template(folder, parts["tokenizer"])
    if "video_processor" in wanted:
        parts["video_processor"] = None
    return ImageOnly(**parts)


def chat_template(folder: Path, tokenizer: Any) -> str | None:
    for name in ("chat_template.jinja", "chat_template.json"):
        file = folder / name
        if file.is_file():
            text = file.read_text()
            return text if name.endswith("jinja") else read_json(file)["chat_template"]
    found: str | None = getattr(tokenizer, "chat_template", None)
    return found


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Any, Loaded]:
    """Nothing is left random; keys that the model does not know are passed over and listed.

    Raises `CheckpointError`.
    """
    config = read_json(folder / "config.json")
    if "mm_vision_tower" in config:
        # from_pretrained would read it as a default 7B config and draw the weights at random.
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint: load it with --model llava-1.5"
        )
    report("reading weights")
    disable_progress_bar()
    try:
        # Mismatched sizes are let through to be named below; the error would not name them.
        model, info = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{folder} cannot be loaded as {config.get('model_type')!r}: {first_line(error)}"
        ) from error
    for problem in ("missing_keys", "mismatched_keys"):
        keys = sorted(map(str, info[problem]))
        if keys:
            raise CheckpointError(f"{folder}: {problem.replace('_', ' ')}: {named(keys)}")
    model = model.to(device).eval().requires_grad_(False)
    loaded = Loaded(
        f"Hugging Face, {config.get('model_type')}",
        str(dtype).removeprefix("torch."),
        model.num_parameters(),
        sum(it.numel() * it.element_size() for it in model.parameters()),
        tuple(sorted(map(str, info["unexpected_keys"]))),
    )
    return model, loaded


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> HuggingFace:
    """Raises `CheckpointError`."""
    folder = Path(checkpoint or "")
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    tokenizer = Path(settings.tokenizer) if settings.tokenizer else folder
    processor = load_processor(folder, tokenizer)
    return HuggingFace(model, loaded, processor, settings, "hf")

"""Any model that transformers' AutoModelForImageTextToText loads, with its processor.

Image processor, tokenizer and chat template come with the checkpoint. Code from the checkpoint is
never run. Torchvision is not needed: video parts, which need it, are left out.
"""

from __future__ import annotations

import inspect
import sys
import threading
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

from engine.captioners.base import Caption, Captioner, CheckpointError, Loaded
from engine.captioners.checkpoints.assembly import check_room, named
from engine.captioners.checkpoints.weights import first_line, read_folder, read_json
from engine.captioners.generation.generate import (
    GenerationRequest,
    choose_dtype,
    generate,
    to_captions,
)
from engine.captioners.preprocessing.prompts import one_id
from engine.captioners.settings import Settings
from engine.images.image import Picture

Inputs = dict[str, torch.Tensor]
TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
TRIED = ((28, 28), (640, 480), (300, 700))
"""Pixels, width and height, of the images on which the two ways to preprocess are compared."""


class HuggingFace(Captioner):
    """Rows are padded in front: images may take different numbers of tokens.

    Images are preprocessed one by one ahead of the model where that gives what the checkpoint's
    processor makes of a whole batch, which is tried once; else with their batch.
    """

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
        self.processing = threading.Lock()  # tokenizers cannot be asked by two threads at once
        self.ahead = self.one_by_one_is_the_same()

    def prepare(self, picture: Picture) -> Image.Image | Inputs:
        """RGB, or its inputs."""
        image = picture.rgb()
        return self.process([image]) if self.ahead else image

    def process(self, images: Sequence[Image.Image]) -> Inputs:
        # One list an image: some processors read a flat list as the images of one text.
        with self.processing:
            made = self.processor(
                images=[[image] for image in images],
                text=[self.text] * len(images),
                padding=True,
                return_tensors="pt",
            )
        return dict(made)

    def one_by_one_is_the_same(self) -> bool:
        images = [
            Image.new("RGB", size, (number * 60, 90, 200)) for number, size in enumerate(TRIED)
        ]
        try:
            joined = collate([self.process([it]) for it in images], self.tokenizer.pad_token_id)
            together = self.process(images)
            return joined.keys() == together.keys() and all(
                torch.equal(joined[key], together[key]) for key in joined
            )
        except Exception:
            return False  # what is wrong with the processor its first batch will say

    @torch.inference_mode()
    def caption(self, inputs: Sequence[Any], records: Sequence[int]) -> list[Caption]:
        pad = self.tokenizer.pad_token_id
        made = collate(inputs, pad) if self.ahead else self.process(inputs)
        device, dtype = self.model.device, self.model.dtype
        made = {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in made.items()
        }
        mask = made.pop("attention_mask")
        asked = GenerationRequest(
            self.settings, records, self.name, self.stop_ids, pad, tokenizer=self.tokenizer
        )
        return to_captions(generate(self.model, asked, mask, **made), self.tokenizer, asked)


def collate(rows: Sequence[Inputs], pad: int) -> Inputs:
    """The inputs of single images as those of a batch: tokens are padded in front, images that
    come in several parts behind. Raises `ValueError` and `RuntimeError` for inputs of other forms.
    """
    made: Inputs = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if values[0].dim() > 1:
            longest = max(value.shape[1] for value in values)
            fill = pad if key == "input_ids" else 0
            values = [lengthened(value, longest, fill, key in TOKENS) for value in values]
        made[key] = torch.cat(values)
    return made


def lengthened(value: torch.Tensor, length: int, fill: int, in_front: bool) -> torch.Tensor:
    """(B, n, ...) to (B, length, ...)."""
    more = value.new_full((value.shape[0], length - value.shape[1], *value.shape[2:]), fill)
    return torch.cat([more, value] if in_front else [value, more], dim=1)


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

    Raises `CheckpointError`, and as `check_room` does.
    """
    config = read_json(folder / "config.json")
    if "mm_vision_tower" in config:
        # from_pretrained would read it as a default 7B config and draw the weights at random.
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint: load it with --model llava-1.5"
        )
    # On the way to a GPU the weights lie in this machine's memory, too.
    instead = "a GPU or a larger machine" if device == "cpu" else "a larger machine"
    check_room(read_folder(folder), dtype, folder, instead)
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
    except (torch.OutOfMemoryError, MemoryError):
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
    """Raises `CheckpointError`, and as `check_room` does."""
    folder = Path(checkpoint or "")
    model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
    tokenizer = Path(settings.tokenizer) if settings.tokenizer else folder
    processor = load_processor(folder, tokenizer)
    return HuggingFace(model, loaded, processor, settings, "hf")

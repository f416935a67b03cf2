"""The `hf` family: any model that transformers' AutoModelForImageTextToText loads.

Image processor, tokenizer and chat template come with the checkpoint. Code from the checkpoint is
never run: its configs are looked at first (`checkpoints.foreign_code`), every load says so as well,
and a template is rendered in a process of its own. Torchvision is not needed: video processors,
which need it, are left out.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    dynamic_module_utils,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.logging import disable_progress_bar

from engine.captioners.base import Caption, Captioner, CheckpointError, LoadedCheckpoint
from engine.captioners.checkpoints.assembly import check_host_memory, summarise_keys
from engine.captioners.checkpoints.foreign_code import (
    NativeCode,
    check_folder_runs_no_code,
    code_advice,
)
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.checkpoints.weights import read_folder
from engine.captioners.config_files import read_json, read_text
from engine.captioners.errors import first_line
from engine.captioners.generation.generate import (
    GenerationRequest,
    choose_dtype,
    generate,
    to_captions,
)
from engine.captioners.preprocessing.chat_template import render
from engine.captioners.preprocessing.prompts import as_id_list
from engine.captioners.settings import Settings
from engine.images.image import Picture

ModelInputs = dict[str, torch.Tensor]
"""What a processor makes for a model: `pixel_values`, `input_ids`, `attention_mask` and others."""
TOKEN_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""The model inputs (B, T, ...) that have one entry for each token of the prompt."""
TRIAL_SIZES = ((28, 28), (640, 480), (300, 700))
"""Width and height, in pixels, of the images on which `single_equals_batched` compares."""


class HuggingFaceCaptioner(Captioner):
    """Captions with a model and a processor of transformers.

    Rows are padded in front, because images may take different numbers of tokens. Images are
    preprocessed one by one ahead of the model where that gives the same as the checkpoint's
    processor gives for a whole batch, which is tried once; otherwise they are preprocessed with
    their batch.
    """

    def __init__(
        self,
        model: Any,
        loaded: LoadedCheckpoint,
        processor: Any,
        prompt_text: str,
        settings: Settings,
        name: str,
    ) -> None:
        """Take a loaded model, its processor, and the prompt as `format_prompt` returns it.

        `name` is the family's name, by which the sampler seeds its noise.
        """
        self.model = model
        self.loaded = loaded
        self.processor = processor
        self.settings = settings
        self.batch = settings.batch
        self.name = name
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"
        eos = model.generation_config.eos_token_id
        self.stop_ids = as_id_list(self.tokenizer.eos_token_id if eos is None else eos)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(self.stop_ids[0])
        model.generation_config.max_length = None
        # GumbelSampler does the sampling; transformers would only warn about these.
        for key in ("temperature", "top_p", "top_k"):
            setattr(model.generation_config, key, None)
        self.prompt_text = prompt_text
        self.processor_lock = threading.Lock()  # a tokenizer cannot serve two threads at once
        self.preprocesses_ahead = self.single_equals_batched()
        """True if `prepare` preprocesses; False if `caption` does, with the whole batch."""

    def prepare(self, picture: Picture) -> Image.Image | ModelInputs:
        """Return the image's model inputs, or the image as RGB if its batch is preprocessed."""
        image = picture.rgb()
        return self.preprocess([image]) if self.preprocesses_ahead else image

    def preprocess(self, images: Sequence[Image.Image]) -> ModelInputs:
        """Return the model inputs of the prompt with each of the images."""
        # One list an image: some processors read a flat list as the images of one text.
        with self.processor_lock:
            inputs = self.processor(
                images=[[image] for image in images],
                text=[self.prompt_text] * len(images),
                padding=True,
                return_tensors="pt",
            )
        return dict(inputs)

    def single_equals_batched(self) -> bool:
        """Return True if images preprocessed one by one give the model inputs of a whole batch."""
        images = [
            Image.new("RGB", size, (number * 60, 90, 200))
            for number, size in enumerate(TRIAL_SIZES)
        ]
        try:
            singles = [self.preprocess([it]) for it in images]
            collated = collate(singles, self.tokenizer.pad_token_id)
            batched = self.preprocess(images)
            return collated.keys() == batched.keys() and all(
                torch.equal(collated[key], batched[key]) for key in collated
            )
        except Exception:
            return False  # if the processor is broken, the first batch will raise its error

    @torch.inference_mode()
    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        pad_id = self.tokenizer.pad_token_id
        ahead = self.preprocesses_ahead
        model_inputs = collate(inputs, pad_id) if ahead else self.preprocess(inputs)
        device, dtype = self.model.device, self.model.dtype
        model_inputs = {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in model_inputs.items()
        }
        attention_mask = model_inputs.pop("attention_mask")
        request = GenerationRequest(
            settings=self.settings,
            record_ids=record_ids,
            family_name=self.name,
            stop_ids=self.stop_ids,
            pad_id=pad_id,
            tokenizer=self.tokenizer,
        )
        ids = generate(self.model, request, attention_mask, **model_inputs)
        return to_captions(ids, self.tokenizer, request)


def collate(rows: Sequence[ModelInputs], pad_id: int) -> ModelInputs:
    """Join the model inputs of single images to those of a batch.

    Tokens are padded in front, images that come in several parts are padded behind. Raises
    `ValueError` and `RuntimeError` for inputs of other forms.
    """
    batch: ModelInputs = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if values[0].dim() > 1:
            longest = max(value.shape[1] for value in values)
            fill = pad_id if key == "input_ids" else 0
            values = [pad_to(value, longest, fill, key in TOKEN_KEYS) for value in values]
        batch[key] = torch.cat(values)
    return batch


def pad_to(value: torch.Tensor, length: int, fill: int, in_front: bool) -> torch.Tensor:
    """Pad (B, n, ...) with `fill` to (B, length, ...)."""
    padding = value.new_full((value.shape[0], length - value.shape[1], *value.shape[2:]), fill)
    return torch.cat([padding, value] if in_front else [value, padding], dim=1)


def format_prompt(processor: Any, prompt: str) -> str:
    """Return the prompt in the checkpoint's chat template.

    Without a template, it is the prompt behind the image token. Raises `CheckpointError`.
    """
    template = processor.chat_template or getattr(processor.tokenizer, "chat_template", None)
    if isinstance(template, dict):
        if "default" not in template:
            raise CheckpointError(f"no chat template is the default one of {', '.join(template)}")
        template = template["default"]
    if template:
        if not isinstance(template, str):
            raise CheckpointError(f"the checkpoint's chat template is no text: {template!r}")
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        conversation = [{"role": "user", "content": content}]
        return render(template, conversation, processor.tokenizer.special_tokens_map)
    token = str(getattr(processor, "image_token", "") or "")
    # BLIP-2's processors add the image tokens themselves.
    if not token or token in prompt or hasattr(processor, "num_query_tokens"):
        return prompt
    return f"{token}\n{prompt}"


def load_processor(folder: Path, tokenizer_path: Path) -> Any:
    """Return the checkpoint's processor, without a video processor if that cannot be loaded.

    Raises `CheckpointError`.
    """
    try:
        if tokenizer_path == folder:
            try:
                return AutoProcessor.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
            except ImportError:
                pass  # the video processor needs torchvision
        return image_only_processor(folder, tokenizer_path)
    except Exception as error:
        raise CheckpointError(f"{folder}: no processor: {first_line(error)}") from error


def image_only_processor(folder: Path, tokenizer_path: Path) -> Any:
    """Build the checkpoint's processor from its image processor and a tokenizer alone."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    processor_class = PROCESSOR_MAPPING[type(config)]
    module = sys.modules[processor_class.__module__]
    # Needed for SmolVLMProcessor: in transformers 4.50.0, 5.0.0 and 5.23.0 (the oldest version that
    # pyproject.toml allows) it refuses to be built while its module has None instead of the package
    # num2words. It calls num2words only to spell out the number of a video's frames, so any
    # function will do. Remove this once SmolVLMProcessor can be built without the package.
    if getattr(module, "num2words", True) is None:
        module.num2words = str  # type: ignore[attr-defined]

    class ImageOnlyProcessor(processor_class):  # type: ignore[misc, valid-type]
        """The processor, which also accepts None for a part: for the video processor."""

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            # transformers 5.23.0 raises TypeError for a part that is None.
            if argument is not None:
                return super().check_argument_for_proper_class(argument_name, argument)
            return None

    file = folder / "processor_config.json"
    stored = read_json(file) if file.is_file() else {}
    parameters = inspect.signature(processor_class.__init__).parameters
    arguments: dict[str, Any] = {key: value for key, value in stored.items() if key in parameters}
    arguments["tokenizer"] = AutoTokenizer.from_pretrained(
        tokenizer_path, local_files_only=True, trust_remote_code=False
    )
    arguments["image_processor"] = AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    arguments["chat_template"] = chat_template(folder, arguments["tokenizer"])
    if "video_processor" in parameters:
        arguments["video_processor"] = None
    return ImageOnlyProcessor(**arguments)


def chat_template(folder: Path, tokenizer: Any) -> str | None:
    """Return the chat template of the checkpoint's files, else the tokenizer's; None for none."""
    for name in ("chat_template.jinja", "chat_template.json"):
        file = folder / name
        if file.is_file():
            if name.endswith("jinja"):
                return read_text(file)
            text: str | None = read_json(file).get("chat_template")
            return text
    template: str | None = getattr(tokenizer, "chat_template", None)
    return template


def has_model(model_type: str) -> bool:
    """Return True if transformers itself can caption with this type of model."""
    return (
        model_type in CONFIG_MAPPING
        and CONFIG_MAPPING[model_type] in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    )


def has_class(name: str) -> bool:
    """Return True if transformers has a class of this name, which need not be importable here."""
    return any(hasattr(transformers, it) for it in (name, name.removesuffix("Fast")))


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Any, LoadedCheckpoint]:
    """Return the model of a checkpoint folder.

    No weight is left random; keys that the model does not know are ignored and listed in the
    `LoadedCheckpoint`. Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    config = read_json(folder / "config.json")
    if "mm_vision_tower" in config:
        # from_pretrained would read it as a default 7B config and draw the weights at random.
        raise CheckpointError(
            f"{folder} is an original-layout LLaVA checkpoint: load it with --model llava-1.5"
        )
    # On the way to a GPU the weights lie in this machine's memory, too.
    instead = "a GPU or a larger machine" if device == "cpu" else "a larger machine"
    check_host_memory(read_folder(folder), dtype, folder, instead)
    report("reading weights")
    disable_progress_bar()
    try:
        # Mismatched sizes are let through and named below; transformers' error would not name them.
        model, info = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
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
            raise CheckpointError(f"{folder}: {problem.replace('_', ' ')}: {summarise_keys(keys)}")
    model = model.to(device).eval().requires_grad_(False)
    loaded = LoadedCheckpoint(
        layout=f"Hugging Face, {config.get('model_type')}",
        dtype=str(dtype).removeprefix("torch."),
        parameters=model.num_parameters(),
        bytes=sum(it.numel() * it.element_size() for it in model.parameters()),
        unused_keys=tuple(sorted(map(str, info["unexpected_keys"]))),
    )
    return model, loaded


def load(
    checkpoint: str | None, settings: Settings, device: str, report: Callable[[str], None]
) -> HuggingFaceCaptioner:
    """Return the captioner of a checkpoint folder.

    Raises `CheckpointError`, and whatever `check_host_memory` raises.
    """
    folder = Path(checkpoint or "")
    tokenizer_path = Path(settings.tokenizer) if settings.tokenizer else folder
    # Otherwise transformers would ask on the terminal whether a part's code may run.
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    has_code = check_folder_runs_no_code(folder, NativeCode(has_model, has_class))
    try:
        # The processor comes first, for it is refused in seconds.
        processor = load_processor(folder, tokenizer_path)
        prompt_text = format_prompt(processor, settings.prompt)
        model, loaded = load_model(folder, choose_dtype(settings.dtype, device), device, report)
        if has_code:
            loaded = replace(loaded, layout=f"{loaded.layout} (its own code is left aside)")
        return HuggingFaceCaptioner(model, loaded, processor, prompt_text, settings, "hf")
    except CheckpointError as error:
        if not has_code:
            raise
        advice = code_advice(str(read_config(folder).get("model_type")))
        raise CheckpointError(f"{error}; the folder has code of its own, {advice}") from error

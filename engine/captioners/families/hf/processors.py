"""Loading the processor of a checkpoint: its image processor, its tokenizer, its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import transformers
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.processing_utils import ProcessorMixin
from transformers.tokenization_utils_tokenizers import TokenizersBackend

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.packages import missing_package
from engine.captioners.config_files import AGAIN, read_json
from engine.captioners.errors import first_line

CLASS_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""The files that may name the processor's class, in the order in which transformers looks."""


class MissingPart:
    """Stands for a part that is not loaded, a video processor: each of its settings is None."""

    model_input_names: Sequence[str] = ()

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):
            raise AttributeError(name)


class ImageAndTokenizer:
    """An image processor and a tokenizer that no processor of transformers joins."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.chat_template = None

    def __call__(
        self, images: Image.Image, text: str | None = None, return_tensors: str = "pt"
    ) -> dict[str, Any]:
        """Return the model inputs of one image, and of a text if there is one."""
        inputs = dict(self.image_processor(images, return_tensors=return_tensors))
        if text is not None:
            inputs |= self.tokenizer(text, return_tensors=return_tensors)
        return inputs


def load_processor(folder: Path, tokenizer_path: Path) -> Any:
    """Return the checkpoint's processor, without a video processor if that cannot be loaded.

    It has the attributes `image_processor` and `tokenizer`. Raises `CheckpointError`.
    """
    try:
        if tokenizer_path == folder:
            try:
                processor = AutoProcessor.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
            except (ImportError, OSError, ValueError) as error:
                if not lacks_video_processor(error):
                    raise
            else:
                if isinstance(processor, ProcessorMixin):
                    return with_tokenizer(processor, folder)
        return image_only_processor(folder, tokenizer_path)
    except CheckpointError:
        raise
    except Exception as error:
        if "torchvision" in str(error).lower():
            raise CheckpointError(
                f"{folder}: its image processor needs torchvision, in the build for this torch:"
                " pip install torchvision"
            ) from error
        if isinstance(error, ImportError):
            raise missing_package(folder, error) from error
        has_tokenizer = (tokenizer_path / "tokenizer.json").is_file()
        advice = AGAIN if has_tokenizer else "download tokenizer.json, too"
        raise CheckpointError(
            f"{folder}: its processor cannot be loaded ({first_line(error)}): {advice}"
        ) from error


def lacks_video_processor(error: Exception) -> bool:
    """Return True for what transformers raises where it cannot make a processor's video part.

    It needs torchvision, or has no file. The image's part may need torchvision, too.
    """
    said = str(error).lower()
    return isinstance(error, ImportError) or "torchvision" in said or "video processor" in said


def with_tokenizer(processor: Any, folder: Path) -> Any:
    """Return the processor. Raises `CheckpointError` if it reads images without any tokenizer."""
    if getattr(processor, "tokenizer", None) is None:
        raise CheckpointError(
            f"{folder}: its processor, {type(processor).__name__}, has no tokenizer, so that the"
            " model cannot write captions"
        )
    return processor


def image_only_processor(folder: Path, tokenizer_path: Path) -> Any:
    """Build the checkpoint's processor from its image processor and a tokenizer alone."""
    image_processor = AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    processor_class = find_processor_class(folder)
    if processor_class is None:
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_path, local_files_only=True, trust_remote_code=False
        )
        return ImageAndTokenizer(image_processor, tokenizer)
    module = import_module(processor_class.__module__)
    # Needed for SmolVLMProcessor: in transformers 4.50.0, 5.0.0 and 5.23.0 (the oldest version that
    # pyproject.toml allows) it refuses to be built while its module has None instead of the package
    # num2words. It calls num2words only to spell out the number of a video's frames, so any
    # function will do. Remove this once SmolVLMProcessor can be built without the package.
    if getattr(module, "num2words", True) is None:
        module.num2words = str  # type: ignore[attr-defined]

    class ImageOnlyProcessor(processor_class):  # type: ignore[misc, valid-type]
        """The processor, which also accepts a `MissingPart`: for the video processor."""

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            # transformers 5.23.0 raises TypeError for a part of another class.
            if not isinstance(argument, MissingPart):
                return super().check_argument_for_proper_class(argument_name, argument)
            return None

        def __repr__(self) -> str:  # transformers' own writes the parts as JSON
            return type(self).__name__

    parts: list[Any] = []
    for name in processor_class.get_attributes():
        if "tokenizer" in name:
            parts.append(load_tokenizer(processor_class, name, tokenizer_path))
        else:
            parts.append(image_processor if name == "image_processor" else MissingPart())
    stored, _ = processor_class.get_processor_dict(
        folder, local_files_only=True, trust_remote_code=False
    )
    return with_tokenizer(ImageOnlyProcessor.from_args_and_dict(parts, stored), folder)


def load_tokenizer(processor_class: Any, name: str, path: Path) -> Any:
    """Return the tokenizer for an attribute of a processor, as `ProcessorMixin` loads it."""
    kind = TokenizersBackend if "PixtralProcessor" in processor_class.__name__ else AutoTokenizer
    is_first = name == "tokenizer" or not (path / name).is_dir()
    return kind.from_pretrained(
        path if is_first else path / name, local_files_only=True, trust_remote_code=False
    )


def find_processor_class(folder: Path) -> Any:
    """Return the class of the checkpoint's processor; None if transformers has none for it."""
    for name in CLASS_FILES:
        file = folder / name
        named = read_json(file).get("processor_class") if file.is_file() else None
        if isinstance(named, str):
            found = getattr(transformers, named, None)
            if isinstance(found, type):
                return real_class(found)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    found = PROCESSOR_MAPPING.get(type(config), None)
    return None if found is None else real_class(found)


def real_class(found: type) -> Any:
    """Return a processor's class of transformers; None if it is no processor's.

    Where torchvision is missing, transformers has a class in its place that only raises, also for
    processors that do without. Raises `ImportError`.
    """
    real = getattr(import_module(found.__module__), found.__name__, None)
    return real if isinstance(real, type) and issubclass(real, ProcessorMixin) else None

"""The `hf` family on tiny random models of four architectures, saved as published ones are."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from engine.captioners.base import Caption, Captioner, CheckpointError
from engine.captioners.checkpoints import assembly
from engine.captioners.families.hf import rows
from engine.captioners.families.hf.trial import draw_pictures
from engine.captioners.families.hf.ways import StaticBatch
from engine.captioners.registry import FAMILIES
from engine.hardware.memory import HostMemory
from engine.images.image import open_image

pytestmark = pytest.mark.usefixtures("templates_in_this_process")

SPECIAL = [
    *("<unk>", "<s>", "</s>", "<pad>", "<image>", "<|image_pad|>", "<|video_pad|>"),
    *("<|vision_start|>", "<|vision_end|>", "<fake_token_around_image>", "<global-img>"),
    *("<end_of_utterance>", "<row_1_col_1>"),
]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endfor %} assistant:"
)
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
SPREAD = 0.25
"""Standard deviation of the weights: fresh ones are so small that the image changes no answer."""


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of single characters and the special tokens."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *string.printable, "Ġ"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=SPECIAL[4:],
    )


SmallModel = tuple[Any, dict[str, Any], dict[str, Any], str | None]
"""A model, the configs of its processor and image processor, and the text before a prompt."""


def llava(vocab_size: int) -> SmallModel:
    text = {**TEXT, "model_type": "llama", "vocab_size": vocab_size}
    vision = {**VISION, "model_type": "clip_vision_model"}
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=4)
    processor: dict[str, Any] = {
        "processor_class": "LlavaProcessor",
        "patch_size": 14,
        "image_token": "<image>",
    }
    processor |= {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    images: dict[str, Any] = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 28},
    }
    images["crop_size"] = {"height": 28, "width": 28}
    return LlavaForConditionalGeneration(config), processor, images, "<image>"


def blip2(vocab_size: int) -> SmallModel:
    text = {"model_type": "opt", "vocab_size": vocab_size, "hidden_size": 32, "ffn_dim": 48}
    text |= {"num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 32}
    qformer = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    qformer |= {"num_attention_heads": 2, "encoder_hidden_size": 32}
    config = Blip2Config(
        vision_config=VISION, qformer_config=qformer, text_config=text, num_query_tokens=4
    )
    config.image_token_index = 4
    processor: dict[str, Any] = {"processor_class": "Blip2Processor", "num_query_tokens": 4}
    images: dict[str, Any] = {
        "image_processor_type": "BlipImageProcessor",
        "size": {"height": 28, "width": 28},
    }
    return Blip2ForConditionalGeneration(config), processor, images, None


def qwen(vocab_size: int) -> SmallModel:
    vision: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "depth": 2,
        "num_heads": 2,
    }
    vision |= {"out_hidden_size": 32, "patch_size": 14, "fullatt_block_indexes": [1]}
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    text = {**TEXT, "vocab_size": vocab_size, "rope_parameters": rope}
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=5,
        video_token_id=6,
        vision_start_token_id=7,
        vision_end_token_id=8,
    )
    images: dict[str, Any] = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14}
    images |= {"min_pixels": 28 * 28, "max_pixels": 28 * 28 * 6}
    return (
        Qwen2_5_VLForConditionalGeneration(config),
        {"processor_class": "Qwen2_5_VLProcessor"},
        images,
        "<|vision_start|><|image_pad|><|vision_end|>",
    )


def idefics3(vocab_size: int) -> SmallModel:
    text = {**TEXT, "model_type": "llama", "vocab_size": vocab_size, "pad_token_id": 3}
    config = Idefics3Config(
        text_config=text, vision_config=VISION, image_token_id=4, scale_factor=2, pad_token_id=3
    )
    images: dict[str, Any] = {
        "image_processor_type": "Idefics3ImageProcessor",
        "size": {"longest_edge": 28},
    }
    images |= {"max_image_size": {"longest_edge": 28}, "do_image_splitting": False}
    processor: dict[str, Any] = {"processor_class": "Idefics3Processor", "image_seq_len": 1}
    return Idefics3ForConditionalGeneration(config), processor, images, "<image>"


@pytest.fixture(scope="module", params=[llava, blip2, qwen, idefics3], ids=lambda it: it.__name__)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(request.param, tmp_path_factory.mktemp(request.param.__name__))


def save(make: Callable[..., Any], folder: Path) -> Path:
    """Write the checkpoint of `make` into a folder, with weights large enough to see the image."""
    torch.manual_seed(0)
    text_tokenizer = tokenizer()
    model, processor, images, image = make(len(text_tokenizer))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, SPREAD)
    model.save_pretrained(folder)
    text_tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    if image:
        (folder / "chat_template.jinja").write_text(TEMPLATE.replace("IMAGE", image))
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Pictures of different shapes, to which some models give different numbers of tokens."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number, size in enumerate([(28, 28), (84, 28), (56, 56), (30, 90)]):
        generator = torch.Generator().manual_seed(number)
        pixels = torch.randint(0, 256, (size[1], size[0], 3), generator=generator)
        path = folder / f"{number}.png"
        Image.fromarray(pixels.byte().numpy()).save(path)
        paths.append(str(path))
    return paths


SETTINGS = replace(
    FAMILIES["hf"].presets["paper"], prompt="Say it.", max_new_tokens=6, dtype="float32"
)


def captions(captioner: Captioner, pictures: list[str], batch: int) -> list[Caption]:
    prepared = [captioner.prepare(open_image(path)) for path in pictures]
    results = []
    for start in range(0, len(prepared), batch):
        part = prepared[start : start + batch]
        results += captioner.caption(part, range(start, start + len(part)))
    return results


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_captions_do_not_depend_on_the_batch(
    checkpoint: Path, pictures: list[str], temperature: float
) -> None:
    settings = replace(SETTINGS, temperature=temperature)
    captioner: Any = FAMILIES["hf"].load(str(checkpoint), settings, "cpu")
    together = captions(captioner, pictures, 4)
    assert together == captions(captioner, pictures, 1)
    assert all(caption.tokens <= 6 for caption in together)
    assert len({caption.raw for caption in together}) > 1


def test_pictures_share_a_batch_only_where_that_changes_nothing(
    checkpoint: Path, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Any = FAMILIES["hf"].load(str(checkpoint), SETTINGS, "cpu")
    assert whole.shares_batches
    expected = captions(whole, pictures, 4)
    # Padded behind, where a decoder needs it in front: what follows would follow the padding.
    monkeypatch.setattr(rows, "is_per_token", lambda *_: False)
    captioner: Any = FAMILIES["hf"].load(str(checkpoint), SETTINGS, "cpu")
    inputs = [captioner.questions[0].inputs(it) for it in draw_pictures()]
    same_length = len({it["input_ids"].shape for it in inputs}) == 1
    assert captioner.shares_batches == same_length
    # Our own decode steps pad nothing that the model reads.
    together = same_length or isinstance(captioner.way, StaticBatch)
    assert captioner.loaded.layout.endswith("one by one)") != together
    assert captions(captioner, pictures, 4) == expected


def test_threads_may_prepare_at_once(checkpoint: Path, pictures: list[str]) -> None:
    captioner: Any = FAMILIES["hf"].load(str(checkpoint), SETTINGS, "cpu")
    with ThreadPoolExecutor(8) as pool:
        prepared = list(pool.map(lambda it: captioner.prepare(open_image(it)), 10 * pictures))
    assert captioner.caption(prepared[:4], range(4)) == captions(captioner, pictures, 4)


def test_the_prompt_reaches_the_model(checkpoint: Path, pictures: list[str]) -> None:
    loaded: Any = FAMILIES["hf"].load(str(checkpoint), SETTINGS, "cpu")
    other: Any = FAMILIES["hf"].load(str(checkpoint), replace(SETTINGS, prompt="No: 7?"), "cpu")
    assert captions(loaded, pictures, 4) != captions(other, pictures, 4)
    assert "Say it." in (loaded.questions[0].text or "")


def test_a_missing_weight_is_named(checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(checkpoint / "model.safetensors")
    key = next(key for key in sorted(weights) if "layers.1" in key and key.endswith("weight"))
    del weights[key]
    for path in checkpoint.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "model.safetensors").unlink()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="missing keys"):
        FAMILIES["hf"].load(str(tmp_path), SETTINGS, "cpu")


def load(checkpoint: Path, dtype: str, device: str = "cpu") -> Captioner:
    captioner: Any = FAMILIES["hf"].load(str(checkpoint), replace(SETTINGS, dtype=dtype), device)
    return captioner


def machine(monkeypatch: pytest.MonkeyPatch, free: int, total: int) -> None:
    monkeypatch.setattr(assembly, "host_memory", lambda: HostMemory(free, total))


def test_weights_beyond_the_machine_are_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, 1000, 2000)
    with pytest.raises(CheckpointError, match="dtype=bfloat16 halves that; else take a GPU or"):
        load(checkpoint, "float32")
    with pytest.raises(
        CheckpointError, match=r"in bfloat16 and .*: take a GPU or a larger machine$"
    ):
        load(checkpoint, "bfloat16")
    # Weights for a GPU pass through this machine's memory, which is checked before the GPU is used.
    with pytest.raises(CheckpointError, match=r"in bfloat16 and .*: take a larger machine$"):
        load(checkpoint, "bfloat16", "cuda")


def test_weights_that_do_not_fit_beside_what_runs_now(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor tries again after a while."""
    machine(monkeypatch, 1000, 2**40)
    with pytest.raises(MemoryError, match=r"has 0\.0 GiB free"):
        load(checkpoint, "bfloat16")


def test_weights_of_which_half_fits(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = load(checkpoint, "bfloat16").loaded.bytes
    machine(monkeypatch, needed, needed)
    load(checkpoint, "bfloat16")
    with pytest.raises(CheckpointError):
        load(checkpoint, "float32")


def test_old_pickles_count_alike(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights in a `pytorch_model.bin` are counted like those in safetensors."""
    from safetensors.torch import load_file

    for path in checkpoint.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(load_file(checkpoint / "model.safetensors"), tmp_path / "pytorch_model.bin")
    machine(monkeypatch, 1000, 2000)
    with pytest.raises(CheckpointError, match="take a GPU or a larger machine"):
        load(tmp_path, "bfloat16")

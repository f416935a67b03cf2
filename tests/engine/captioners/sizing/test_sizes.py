"""The size of a model, by the shapes in its files: it agrees with what the loaded model does."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.errors import CheckpointError
from engine.captioners.layer_work import SizingJob
from engine.captioners.model_families import FAMILIES, Family
from engine.captioners.settings import Settings
from engine.captioners.sizing.measure import measure
from engine.captioners.sizing.stacks import read_shape, shape_of
from engine.captioners.sizing.thin_model import thin_config
from engine.images.image import open_image
from tests.bench.roofline import measure_work
from tests.bench.tiny_qwen import LANGUAGE, write_tiny_qwen


def job(family: str, checkpoint: Path, settings: Settings, images: list[Path]) -> SizingJob:
    return SizingJob(
        family=family,
        checkpoint=str(checkpoint),
        settings=asdict(settings),
        device="cpu",
        images=list(map(str, images)),
        timed=False,
    )


def test_the_work_is_that_of_the_loaded_model(
    family: Family, checkpoints: dict[str, Path], pictures: list[Path]
) -> None:
    settings = replace(family.presets["paper"], max_new_tokens=9, temperature=0.0, batch=3)
    size = measure(job(family.name, checkpoints[family.name], settings, pictures))
    captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
    captioner.stop_ids = []
    prepared = [captioner.prepare(open_image(str(path))) for path in pictures[:3]]
    work = measure_work(captioner, prepared)
    # Of attention the counter knows nothing on a CPU. In two layers, what the last one leaves out
    # of a prompt is much.
    if not family.name.startswith("otter"):  # whose blocks read the image, too
        assert size.step_flops * len(prepared) == work.step_flops
        assert abs(size.prompt_tokens - captioner.prompt_tokens) <= 2
        assert 0.75 < size.prefill_flops * len(prepared) / work.prefill_flops < 2
    assert size.step_flops * len(prepared) == pytest.approx(work.step_flops, rel=0.1)
    assert size.weight_bytes == pytest.approx(captioner.loaded.bytes, rel=0.15)


def test_an_open_model_is_timed_with_few_layers(tmp_path: Path, pictures: list[Path]) -> None:
    folder = write_tiny_qwen(tmp_path / "qwen")
    assert thin_config(folder, 2).get_text_config().num_hidden_layers == 2
    assert read_shape(folder).text.layers == LANGUAGE["num_hidden_layers"]
    settings = replace(FAMILIES["hf"].presets["paper"], batch=2, max_new_tokens=2)
    size = measure(replace(job("hf", folder, settings, pictures[:2]), timed=True))
    assert size.caption_seconds and size.caption_seconds > 0
    assert size.prepare_seconds > 0


def layer(prefix: str, **matrices: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{name.replace('__', '.')}.weight": torch.empty(shape, device="meta")
        for name, shape in matrices.items()
    }


def test_a_token_goes_through_some_experts_alone() -> None:
    attention = {"q_proj": (8, 8), "k_proj": (4, 8), "v_proj": (4, 8), "o_proj": (8, 8)}
    apart = {f"mlp__experts__{n}__up": (16, 8) for n in range(4)}
    together = {"mlp__experts__up": (4, 16, 8)}
    for experts in (apart, together):
        tensors = layer("model.layers.0", **attention, **experts)
        tensors |= layer("model.layers.1", **attention, **experts)
        tensors |= layer("visual.blocks.0", qkv=(24, 8))
        shape = shape_of(tensors.items(), experts_of_token=2)
        assert (shape.text.prefix, shape.text.layers) == ("model.layers", 2)
        assert shape.text.key_value_width == 8
        assert shape.text.active == 2 * (64 + 32 + 32 + 64 + 2 * 128)
        assert shape.text.parameters == 2 * (64 + 32 + 32 + 64 + 4 * 128)
        assert [stack.prefix for stack in shape.vision] == ["visual.blocks"]


def test_a_folder_without_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no weights"):
        read_shape(tmp_path)
    with pytest.raises(CheckpointError, match="no layers"):
        shape_of({"bias": torch.empty(3)}.items())

"""Loaders and models compute what the official code computed (see the README of the fixtures)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from engine.captioners.generation.generate import pad_left
from engine.captioners.parity import TOLERANCE, checks
from engine.captioners.preprocessing.pixels import SquarePreprocessor
from tests.golden.cases import Case
from tests.golden.pixels import pixel_values


def test_expected(case: Case, expected_key: str, differences: Callable[[Case], Any]) -> None:
    check = differences(case)[expected_key]
    assert check.good, f"{check.name} is off by {check.worst}, {check.limit} are allowed"


def test_every_expected_tensor_is_compared(case: Case, differences: Callable[[Case], Any]) -> None:
    assert sorted(differences(case)) == case.expected_keys()
    assert "logits" in differences(case)
    assert "generated" in differences(case)


def test_the_comparison_sees_a_small_change(case: Case, model: Callable[[Case], Any]) -> None:
    """The change is a hundredth on one weight of the language model's final norm."""
    changed = copy.deepcopy(model(case))
    norms = {"otter": "lang_encoder.transformer.norm_f", "otter-llama": "lang_encoder.model.norm"}
    norm = changed.get_submodule(norms.get(case.family, "language_model.model.norm"))
    with torch.no_grad():
        norm.weight[0] += 0.01
    found = {check.name: check for check in checks(case.family, changed, case.folder)}
    assert not found["logits"].good


def test_images_of_the_case(case: Case) -> None:
    """Pixel values are equal to the bit.

    LLaVA's `pixel_values` are those of cropped images, as upstream preprocesses them.
    """
    inputs = load_file(case.folder / "inputs.safetensors")
    images = sorted(path for path in case.folder.iterdir() if path.suffix == ".png")
    modes = {"pixel_values": "crop" if case.family == "llava-1.5" else "squash"}
    modes |= {"pixel_values_pad_mode": "pad"} if case.family == "llava-1.5" else {}
    present = [name for name in modes if name in inputs and len(images) == len(inputs[name])]
    if not present:
        pytest.skip("the case has no images")
    for name in present:
        mode = modes[name]
        square = SquarePreprocessor(inputs[name].shape[-1], mode)
        for path, expected in zip(images, inputs[name], strict=True):
            assert torch.equal(pixel_values(square, Image.open(path).convert("RGB")), expected), (
                path.name
            )


def prompts() -> list[tuple[list[int], list[int]]]:
    """Return two prompts of different lengths: token ids before and after the image."""
    vocabulary = 60
    drawn = torch.randint(5, vocabulary, (9,), generator=torch.Generator().manual_seed(3)).tolist()
    return [(drawn[:3], drawn[3:4]), (drawn[4:5], drawn[5:9])]


def test_rows_padded_together_answer_as_alone(case: Case, model: Callable[[Case], Any]) -> None:
    """Padding in front changes nothing: the next token's logits are the same."""
    found = model(case)
    inputs = load_file(case.folder / "inputs.safetensors")
    if case.family in ("otter", "otter-llama"):
        image = json.loads((case.folder / "special_ids.json").read_text())["<image>"]
        found.image_id = image
        pixels = inputs["vision_x"][:1, 0, 0].expand(2, -1, -1, -1)
        rows = [torch.tensor([image, 7, 9, 11, 12]), torch.tensor([image, 30])]

        def answer(chosen: list[int]) -> torch.Tensor:
            ids, mask = pad_left([rows[number] for number in chosen])
            found.set_images(pixels[: len(chosen)])
            return found.lang_encoder(input_ids=ids, attention_mask=mask).logits[:, -1]
    else:
        pixels = inputs["pixel_values"][:1].expand(2, -1, -1, -1)
        texts = prompts()

        def answer(chosen: list[int]) -> torch.Tensor:
            joined, mask = found.embed_prompts(
                pixels[: len(chosen)], [texts[number] for number in chosen]
            )
            made = found.language_model(inputs_embeds=joined, attention_mask=mask)
            return made.logits[:, -1]

    with torch.inference_mode():
        together = answer([0, 1])
        assert torch.allclose(together[:1], answer([0]), rtol=0, atol=TOLERANCE)
        assert torch.allclose(together[1:], answer([1]), rtol=0, atol=TOLERANCE)
        assert not torch.allclose(together[:1], together[1:], rtol=0, atol=0.1)

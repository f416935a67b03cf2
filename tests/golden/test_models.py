"""The loaders and models against what the official code computed (README of the fixtures)."""

from __future__ import annotations

import copy

import torch
from safetensors.torch import load_file

from engine.captioners.generation import Asked, generate
from engine.captioners.parity import checks
from engine.captioners.pixels import Square
from engine.captioners.settings import Settings


def test_expected(case, expected_key, differences):
    check = differences(case)[expected_key]
    assert check.good, f"{check.name} is off by {check.worst}, {check.limit} are allowed"


def test_every_expected_tensor_is_compared(case, differences):
    assert sorted(differences(case)) == case.expected_keys()
    assert "logits" in differences(case)
    assert "generated" in differences(case)


def test_the_comparison_sees_a_small_change(case, model):
    """A hundredth on one norm of the language model."""
    changed = copy.deepcopy(model(case))
    layers = "lang_encoder.transformer.norm_f" if case.family == "otter" else None
    norm = changed.get_submodule(layers or "language_model.model.norm")
    with torch.no_grad():
        norm.weight[0] += 0.01
    found = {check.name: check for check in checks(case.family, changed, case.folder)}
    assert not found["logits"].good


def test_images_of_the_case(case):
    """Pixel values are equal to the bit. `pixel_values` of LLaVA are cropped, as upstream's."""
    inputs = load_file(case.folder / "inputs.safetensors")
    images = sorted(path for path in case.folder.iterdir() if path.suffix == ".png")
    modes = {"pixel_values": "crop" if case.family == "llava-1.5" else "squash"}
    modes |= {"pixel_values_pad_mode": "pad"} if case.family == "llava-1.5" else {}
    from PIL import Image

    for name, mode in modes.items():
        if name not in inputs or len(images) != len(inputs[name]):
            continue
        square = Square(inputs[name].shape[-1], mode)
        for path, expected in zip(images, inputs[name], strict=True):
            assert torch.equal(square(Image.open(path).convert("RGB")), expected), path.name


def prompts(case, model):
    """Two rows of different lengths: the case's prompt with one token more, and with one less."""
    vocabulary = 60
    drawn = torch.randint(5, vocabulary, (9,), generator=torch.Generator().manual_seed(3)).tolist()
    return [(drawn[:3], drawn[3:4]), (drawn[4:5], drawn[5:9])]


def test_rows_padded_together_answer_as_alone(case, model):
    """What is padded in front never matters."""
    found = model(case)
    inputs = load_file(case.folder / "inputs.safetensors")
    settings = Settings(max_new_tokens=8)
    if case.family == "otter":
        image = found.image_id = 91
        pixels = inputs["vision_x"][:1, 0, 0].expand(2, -1, -1, -1)
        rows = [torch.tensor([image, 7, 9, 11, 12]), torch.tensor([image, 30])]
        from engine.captioners.generation import pad_left

        def answer(chosen):
            ids, mask = pad_left([rows[number] for number in chosen])
            found.see(pixels[: len(chosen)])
            asked = Asked(settings, chosen, "otter", [-1], 0)
            return generate(found.lang_encoder, asked, mask, input_ids=ids)
    else:
        pixels = inputs["pixel_values"][:1].expand(2, -1, -1, -1)
        rows = prompts(case, found)

        def answer(chosen):
            joined, mask = found.join(pixels[: len(chosen)], [rows[number] for number in chosen])
            asked = Asked(settings, chosen, case.family, [-1], 0)
            return generate(found.language_model, asked, mask, inputs_embeds=joined)

    with torch.inference_mode():
        together = answer([0, 1])
        assert torch.equal(together[:1], answer([0]))
        assert torch.equal(together[1:], answer([1]))

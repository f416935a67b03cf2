"""The bench's count of what a batch takes, against a count by hand."""

from __future__ import annotations

from dataclasses import replace

from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.bench.roofline import Machine, Work, machine, read_each_step, work


def test_steps_are_counted(family, checkpoints, pictures):
    settings = replace(family.presets["paper"], dtype="float32", max_new_tokens=9, temperature=0.0)
    captioner = family.load(str(checkpoints[family.name]), settings, "cpu")
    captioner.stop_ids = []
    prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
    found = work(captioner, prepared)
    steps = settings.max_new_tokens - 1
    weights = list(read_each_step(captioner))
    if family.name != "otter":  # whose blocks read the image as well
        matrices = sum(it.numel() for it in weights if it.dim() == 2)
        assert found.step_flops == 2 * matrices * len(prepared) * steps
    least = steps * sum(it.numel() * 4 for it in weights)
    assert least < found.step_bytes < 2 * least
    assert found.prefill_flops > found.step_flops


def test_steps_of_eight_bits_are_counted(checkpoints, pictures):
    """As many operations, of half the bytes."""
    family = FAMILIES["llava-1.5"]
    settings = replace(family.presets["paper"], dtype="bfloat16", max_new_tokens=3)
    found = []
    for quantize in ("none", "int8"):
        told = replace(settings, quantize=quantize)
        captioner = family.load(str(checkpoints[family.name]), told, "cpu")
        captioner.stop_ids = []
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures] * 8
        found.append(work(captioner, prepared))
    assert found[1].step_flops == found[0].step_flops
    assert found[1].prefill_flops == found[0].prefill_flops
    assert found[1].step_bytes < found[0].step_bytes


def test_the_slower_of_arithmetic_and_memory_counts():
    assert Work(10, 4, 1).seconds(Machine(2, 1)) == 5 + 2
    assert Work(10, 4, 6).seconds(Machine(2, 1)) == 5 + 6


def test_a_machine_is_measured():
    found = machine("cpu", 256, 2**20)
    assert found.flops > 1e8
    assert found.bytes > 1e8

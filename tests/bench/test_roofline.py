"""The roofline of the benches: its counts agree with counts by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.captioners.model_families import Family
from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.bench.roofline import Machine, Work, measure_machine, measure_work, read_each_step
from tests.support.checkpoints import OTTERS


def test_steps_are_counted(
    family: Family, checkpoints: dict[str, Path], pictures: list[Path]
) -> None:
    settings = replace(family.presets["paper"], dtype="float32", max_new_tokens=9, temperature=0.0)
    captioner: Any = family.load(str(checkpoints[family.name]), settings, "cpu")
    captioner.stop_ids = []
    prepared = [captioner.prepare(open_image(str(path))) for path in pictures]
    work = measure_work(captioner, prepared)
    steps = settings.max_new_tokens - 1
    weights = list(read_each_step(captioner))
    if family.name not in OTTERS:  # Otter's blocks read the image, too
        matrices = sum(weight.numel() for weight in weights if weight.dim() == 2)
        assert work.step_flops == 2 * matrices * len(prepared) * steps
    weight_bytes = steps * sum(weight.numel() * 4 for weight in weights)
    assert weight_bytes < work.step_bytes < 2 * weight_bytes
    assert work.prefill_flops > work.step_flops


def test_steps_of_eight_bits_are_counted(
    checkpoints: dict[str, Path], pictures: list[Path]
) -> None:
    """int8 takes as many operations and reads fewer bytes."""
    family = FAMILIES["llava-1.5"]
    settings = replace(family.presets["paper"], dtype="bfloat16", max_new_tokens=3)
    works = []
    for quantize in ("none", "int8"):
        quantized = replace(settings, quantize=quantize)
        captioner: Any = family.load(str(checkpoints[family.name]), quantized, "cpu")
        captioner.stop_ids = []
        prepared = [captioner.prepare(open_image(str(path))) for path in pictures] * 8
        works.append(measure_work(captioner, prepared))
    plain, int8 = works
    assert int8.step_flops == plain.step_flops
    assert int8.prefill_flops == plain.prefill_flops
    assert int8.step_bytes < plain.step_bytes


def test_the_slower_of_arithmetic_and_memory_counts() -> None:
    assert Work(10, 4, 1).seconds(Machine(2, 1)) == 5 + 2
    assert Work(10, 4, 6).seconds(Machine(2, 1)) == 5 + 6


def test_a_machine_is_measured() -> None:
    machine = measure_machine("cpu", 256, 2**20)
    assert machine.flops > 1e8
    assert machine.bytes > 1e8

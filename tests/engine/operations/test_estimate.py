"""The estimate of a run: from a model's size, from a GPU's published figures, from a pilot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.rows import DeviceRow, ModelRow
from engine.captioners.layer_work import ModelSize
from engine.captioners.registry import ModelChoice
from engine.hardware.gpu_models import GPU_MODELS, gpu_model
from engine.operations import estimate as operation
from engine.operations.estimate import BYTES_PER_CAPTION, SHARE_OF_CORES, Target, estimate
from engine.quality.alarms import HealthRecord, PilotSpeed
from engine.utils.errors import BadInput

SIZE = ModelSize(
    parameters=7 * 10**9,
    prompt_tokens=600,
    prefill_flops=10**13,
    step_flops=4 * 10**11,
    step_bytes=4 * 10**11,
    row_step_bytes=10**10,
    weight_bytes=14 * 10**9,
    row_bytes=4 * 10**8,
    batch=10,
    prepare_seconds=0.01,
    caption_seconds=0.04,
)
CPU = Target(count=1, device=DeviceRow(id="cpu:0", label="CPU"))
CHOICE = ModelChoice(
    name="one", family="llava-1.5", checkpoint="/nowhere", settings={}, settings_hash="x"
)


@pytest.fixture(autouse=True)
def sized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "measure_size", lambda *_: SIZE)


def elsewhere(name: str, count: int = 1) -> Target:
    return Target(count=count, device=DeviceRow(id="cuda:0", label=name), gpu=gpu_model(name))


def test_a_cpu_prepares_and_captions_one_after_the_other() -> None:
    found = estimate(1000, [CHOICE], CPU, ["0.jpg"], price=3.6)
    assert found.models[0].basis == "layers"
    assert found.models[0].images_per_second == pytest.approx(20 * SHARE_OF_CORES)
    assert found.seconds == pytest.approx(50 / SHARE_OF_CORES)
    assert found.money == pytest.approx(0.05 / SHARE_OF_CORES)
    assert found.disk == 1000 * BYTES_PER_CAPTION


def test_a_gpu_is_as_fast_as_its_roofline() -> None:
    gpu = replace(GPU_MODELS["a100-80gb"], flops=2e14, bandwidth=1e12 / 0.6)
    target = Target(count=2, device=DeviceRow(id="cuda:0"), gpu=gpu)
    # The prompt takes 0.1 s, and reading weights and cache 0.04 + 0.01 s.
    found = estimate(100, [CHOICE], target, ["0.jpg"])
    assert found.seconds == pytest.approx(100 * 0.15 / 2)
    assert found.models[0].basis == "roofline"
    memory = found.models[0].memory
    assert memory is not None and 18e9 < memory < 19e9


@pytest.mark.parametrize(
    ("weights", "note"),
    [(6 * 10**9, ""), (14 * 10**9, "halved until it fits"), (16 * 10**9, "quantize=int8")],
)
def test_a_gpu_that_is_too_small_is_named(
    monkeypatch: pytest.MonkeyPatch, weights: int, note: str
) -> None:
    size = replace(SIZE, weight_bytes=weights)
    monkeypatch.setattr(operation, "measure_size", lambda *_: size)
    said = estimate(1, [CHOICE], elsewhere("t4"), ["0.jpg"]).models[0].note
    assert note in said and bool(note) == bool(said)


def test_a_pilot_counts_on_this_machine_alone() -> None:
    record = HealthRecord(speed=PilotSpeed(50.0, load_seconds=6.0, memory=10**9))
    row = ModelRow(
        id=1,
        name="one",
        family="llava-1.5",
        checkpoint="/nowhere",
        settings={},
        settings_hash="x",
        health=record.text,
        position=0,
    )
    found = estimate(1000, [row], CPU, ["0.jpg"])
    assert (found.models[0].basis, found.seconds, found.models[0].memory) == ("pilot", 26, 10**9)
    assert estimate(1000, [row], elsewhere("l4"), ["0.jpg"]).models[0].basis == "roofline"


def test_what_no_file_tells_is_left_out_of_the_sum() -> None:
    served = replace(CHOICE, name="served", family="endpoint", checkpoint="http://localhost/v1")
    scorer = replace(CHOICE, name="clip", family="score")
    found = estimate(1000, [served, CHOICE, scorer], CPU, ["0.jpg"], price=1)
    assert [model.basis for model in found.models] == [None, "layers", None]
    assert found.seconds == pytest.approx(50 / SHARE_OF_CORES)
    assert found.disk == 2 * 1000 * BYTES_PER_CAPTION, "a scorer writes no caption"
    assert estimate(1000, [served], CPU, ["0.jpg"], price=1).money is None


def test_names_of_gpus_are_forgiving_and_unknown_ones_are_refused() -> None:
    assert gpu_model("A100 80GB") is GPU_MODELS["a100-80gb"]
    with pytest.raises(BadInput, match="--gpu abacus: known are t4"):
        gpu_model("abacus")

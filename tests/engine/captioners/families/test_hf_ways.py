"""The ways in which `hf` runs a batch: each says what transformers' own loop says, row by row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.captioners.base import CheckpointError
from engine.captioners.checkpoints.quantization import Int8Linear
from engine.captioners.families.hf import captioner as hf_captioner
from engine.captioners.families.hf import row_loop
from engine.captioners.families.hf.ways import ShrinkingBatch, StaticBatch, Way
from engine.captioners.generation.padded_rows import PaddedDecodeState
from engine.captioners.registry import FAMILIES
from engine.images.image import open_image
from tests.engine.captioners.families.hf_truth import (
    further,
    llava_like,
    other_chat,
    pictures,
    plain_calls,
    qwen_like,
)
from tests.engine.captioners.families.hf_truth.making import Tiny, write
from tests.engine.captioners.families.test_hf import SETTINGS

pytestmark = pytest.mark.usefixtures("templates_in_this_process")

STATIC = {
    "llava": llava_like.llava,
    "positions on three axes, a penalty": qwen_like.qwen2_5_vl,
    "norms of query and key": qwen_like.qwen3_vl,
    "tiles": llava_like.internvl,
    "a window that is never full": llava_like.llava_next,
}
SHRINKING = {
    "encoder and decoder": plain_calls.blip2_t5,
    "linear attention": qwen_like.qwen3_5,
    "sliding windows": other_chat.gemma3,
    "attention to the picture": other_chat.mllama,
    "experts": qwen_like.qwen3_vl_moe,
    "an encoder with sliding windows": further.t5gemma2,
}


def load(make: Any, folder: Path, **changes: Any) -> Any:
    """Return the captioner of a checkpoint whose rows end early, for a token in four ends one."""
    tiny: Tiny = make()
    settings = replace(SETTINGS, max_new_tokens=12, **changes)
    captioner: Any = FAMILIES["hf"].load(str(write(tiny, folder)), settings, "cpu")
    ends = list(range(3, len(captioner.tokenizer), 4))
    captioner.stop_ids = [*captioner.stop_ids, *ends]
    for module in captioner.model.modules():
        if hasattr(module, "generation_config"):
            module.generation_config.eos_token_id = captioner.stop_ids
    return captioner


def say(captioner: Any, folder: Path, size: int = 7) -> list[Any]:
    rows = [captioner.prepare(open_image(str(it))) for it in pictures.draw(folder)[:7]]
    parts = [range(len(rows))[it : it + size] for it in range(0, len(rows), size)]
    return [it for part in parts for it in captioner.caption([rows[n] for n in part], part)]


def by_plain_way(captioner: Any, folder: Path) -> list[Any]:
    """Return what transformers' own loop says of each picture alone."""
    used, captioner.way = captioner.way, Way(captioner.model, captioner.prompt_padding)
    said = say(captioner, folder, size=1)
    captioner.way = used
    return said


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("make", STATIC.values(), ids=STATIC)
def test_decode_steps_of_our_own_say_the_same(
    make: Any, temperature: float, tmp_path: Path
) -> None:
    captioner = load(make, tmp_path / "tiny", temperature=temperature)
    assert isinstance(captioner.way, StaticBatch)
    expected = by_plain_way(captioner, tmp_path)
    assert say(captioner, tmp_path) == expected
    assert say(captioner, tmp_path, size=2) == expected, "tensors that served another batch"
    assert len({caption.tokens for caption in expected}) > 1
    captioner.release()
    assert not captioner.way.decoder.padded_pool.idle


@pytest.mark.parametrize("make", SHRINKING.values(), ids=SHRINKING)
def test_rows_that_have_ended_leave_the_batch(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = load(make, tmp_path / "tiny")
    assert type(captioner.way) is ShrinkingBatch
    expected = by_plain_way(captioner, tmp_path)
    rows = []
    step = row_loop.ModelRows.step

    def counted(self: Any, input_ids: torch.Tensor) -> torch.Tensor:
        rows.append(len(input_ids))
        return step(self, input_ids)

    monkeypatch.setattr(row_loop.ModelRows, "step", counted)
    assert say(captioner, tmp_path) == expected
    assert rows == sorted(rows, reverse=True)
    assert sum(rows) == sum(min(it.tokens, 11) for it in expected), "a row was run after its end"


def test_two_batches_at_a_time_say_the_same(tmp_path: Path) -> None:
    captioner = load(qwen_like.qwen2_5_vl, tmp_path / "tiny", temperature=1.0)
    assert captioner.concurrent_batches
    assert not captioner.fills_cores
    rows = [captioner.prepare(open_image(str(it))) for it in pictures.draw(tmp_path)[:7]]
    expected = [captioner.caption([row], [number])[0] for number, row in enumerate(rows)]
    with ThreadPoolExecutor(2) as pool:
        halves = 4 * [(rows[:4], range(4)), (rows[4:], range(4, 7))]
        said = list(pool.map(lambda it: captioner.caption(*it), halves))
    assert said == 4 * [expected[:4], expected[4:]]


def test_settings_reach_decode_steps_of_our_own(tmp_path: Path) -> None:
    asked = {"no_repeat_ngram": 2, "min_new_tokens": 5, "repetition_penalty": 1.7}
    captioner = load(llava_like.llava, tmp_path / "tiny", stop_at_sentence=True, **asked)
    assert isinstance(captioner.way, StaticBatch)
    said = say(captioner, tmp_path)
    assert said == by_plain_way(captioner, tmp_path)
    assert min(caption.tokens for caption in said) >= 5
    assert said != say(load(llava_like.llava, tmp_path / "again"), tmp_path)


def test_prompts_beyond_the_window_go_through_the_model_itself(tmp_path: Path) -> None:
    captioner = load(other_chat.idefics2, tmp_path / "tiny")
    assert isinstance(captioner.way, StaticBatch)
    rows = [captioner.prepare(open_image(str(it))) for it in pictures.draw(tmp_path)[:7]]
    assert captioner.way.takes(rows, 12)
    expected = by_plain_way(captioner, tmp_path)
    captioner.way.decoder.window = min(it["input_ids"].shape[1] for it in rows) + 11
    assert not captioner.way.takes(rows[:1], 12)
    assert say(captioner, tmp_path) == expected


def test_the_trial_finds_a_wrong_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that are off by one, and rows that do not leave the cache."""
    right = PaddedDecodeState.rotary_at
    monkeypatch.setattr(PaddedDecodeState, "rotary_at", lambda self, it: right(self, it + 1))
    captioner = load(qwen_like.qwen2_vl, tmp_path / "one")
    assert type(captioner.way) is ShrinkingBatch
    assert "rows leave the batch as they end" in captioner.loaded.layout
    monkeypatch.setattr(row_loop, "select_rows", lambda value, *_, **__: value)
    captioner = load(qwen_like.qwen2_vl, tmp_path / "two")
    assert type(captioner.way) is Way
    assert "transformers' own loop" in captioner.loaded.layout


def test_eight_bits(tmp_path: Path) -> None:
    captioner = load(qwen_like.qwen3_vl, tmp_path / "tiny", quantize="int8")
    assert isinstance(captioner.way, StaticBatch)
    assert captioner.loaded.dtype == "float32 and int8"
    said = say(captioner, tmp_path)
    assert said == by_plain_way(captioner, tmp_path)
    assert {type(it.self_attn.q_proj) for it in captioner.way.decoder.model.model.layers} == {
        Int8Linear
    }


def test_eight_bits_are_for_known_language_models(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"quantize=int8 works for .*: set quantize=none"):
        load(other_chat.gemma3, tmp_path / "tiny", quantize="int8")


def test_a_trial_that_cannot_be_made_refuses_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hf_captioner, "TEXT", "")
    captioner = load(llava_like.llava, tmp_path / "tiny")
    assert type(captioner.way) is Way
    assert say(captioner, tmp_path) == by_plain_way(captioner, tmp_path)


def test_steps_that_are_recorded_say_the_same(tmp_path: Path) -> None:
    """As on a GPU, where a step reads its inputs from the same tensors each time."""
    captioner = load(qwen_like.qwen2_vl, tmp_path / "tiny")
    expected = by_plain_way(captioner, tmp_path)

    def record(step: Any, input_ids: torch.Tensor, position: torch.Tensor) -> Any:
        logits = step(input_ids, position)
        return lambda: logits.copy_(step(input_ids, position)), logits

    captioner.way = StaticBatch(captioner.model, captioner.prompt_padding, record)
    assert say(captioner, tmp_path) == expected
    assert captioner.way.decoder.padded_pool.idle[0].graphs is not None, (
        "the recording was given up"
    )

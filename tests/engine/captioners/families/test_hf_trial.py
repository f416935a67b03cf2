"""The trial of a checkpoint at load, and what of it ends in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.captioners.base import CheckpointError
from engine.captioners.families.hf import trial, ways
from engine.captioners.families.hf.rows import collate
from engine.captioners.registry import FAMILIES
from tests.engine.captioners.families.hf_truth import llava_like, other_chat, pictures, qwen_like
from tests.engine.captioners.families.hf_truth.making import write
from tests.engine.captioners.families.hf_truth.test_truth import say
from tests.engine.captioners.families.test_hf import SETTINGS

pytestmark = pytest.mark.usefixtures("templates_in_this_process")


class FakeModel:
    """Returns the logits that a function makes of the inputs."""

    config = SimpleNamespace(model_type="fake")
    device = torch.device("cpu")

    def __init__(self, answer: Any, dtype: torch.dtype = torch.float32) -> None:
        self.answer = answer
        self.dtype = dtype

    def modules(self) -> list[Any]:
        return []

    def generate(self, input_ids: torch.Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=[self.answer(input_ids)])


ROWS = [{"input_ids": torch.tensor([[7, 8, 9]])}, {"input_ids": torch.tensor([[5]])}]


def last_token(ids: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(ids[:, -1], 10).float()


def sum_of_tokens(ids: torch.Tensor) -> torch.Tensor:
    """Something that the padding changes."""
    return torch.nn.functional.one_hot(ids.sum(1) % 10, 10).float()


def test_pictures_share_a_batch_if_the_padding_changes_nothing() -> None:
    assert trial.try_model(FakeModel(last_token), ROWS, pad_id=1)
    assert not trial.try_model(FakeModel(sum_of_tokens), ROWS, pad_id=1)


def test_rounding_in_bfloat16_is_no_difference() -> None:
    def rounded(ids: torch.Tensor) -> torch.Tensor:
        return last_token(ids) + (0.004 if len(ids) == 2 else 0) * torch.arange(10)

    assert not trial.try_model(FakeModel(rounded), ROWS, pad_id=1)
    assert trial.try_model(FakeModel(rounded, torch.bfloat16), ROWS, pad_id=1)


def test_a_model_that_fails_at_both_together_gets_them_one_by_one() -> None:
    def singles_only(ids: torch.Tensor) -> torch.Tensor:
        if len(ids) > 1:
            raise RuntimeError("one at a time")
        return last_token(ids)

    assert not trial.try_model(FakeModel(singles_only), ROWS, pad_id=1)


def test_a_model_that_does_not_see_the_picture_is_refused() -> None:
    with pytest.raises(CheckpointError, match="gives the same answer to two different pictures"):
        trial.try_model(FakeModel(lambda ids: torch.ones(len(ids), 10)), ROWS, pad_id=1)


def test_a_model_that_answers_no_number_is_refused() -> None:
    """As weights do that overflow in float16; NaN is unequal to all, so it seems to see."""
    nothing = FakeModel(lambda ids: last_token(ids) * float("nan"), torch.float16)
    with pytest.raises(CheckpointError, match=r"NaN\) in float16: set dtype=float32"):
        trial.try_model(nothing, ROWS, pad_id=1)


@pytest.mark.parametrize("error", [RuntimeError("shapes\ndiffer"), KeyError("x"), AssertionError()])
def test_what_a_model_raises_is_one_sentence(error: Exception) -> None:
    def fail(_: torch.Tensor) -> Any:
        raise error

    with pytest.raises(CheckpointError, match="it fails at a test picture") as refused:
        trial.try_model(FakeModel(fail), ROWS, pad_id=1)
    assert "\n" not in str(refused.value)


def test_a_lack_of_memory_stays_one() -> None:
    def fail(_: torch.Tensor) -> Any:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(torch.OutOfMemoryError):
        trial.try_model(FakeModel(fail), ROWS, pad_id=1)


def test_prompts_are_padded_in_front_with_a_token_that_they_have() -> None:
    joined = collate(ROWS, None)
    assert joined["input_ids"].tolist() == [[7, 8, 9], [5, 5, 5]]
    assert collate(ROWS, 1)["input_ids"].tolist() == [[7, 8, 9], [1, 1, 5]]


def test_what_is_no_token_is_padded_behind() -> None:
    rows = [
        {"input_ids": torch.ones(1, 3, dtype=torch.long), "patches": torch.ones(1, 2, 4)},
        {"input_ids": torch.ones(1, 2, dtype=torch.long), "patches": torch.ones(1, 1, 3)},
    ]
    patches = collate(rows, 0)["patches"]
    assert patches[1].tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]
    marked = [row | {"marks": 1 - row["input_ids"]} for row in rows]
    assert collate([it | {"marks": it["marks"] + 1} for it in marked], 0)["marks"].tolist() == [
        [1, 1, 1],
        [0, 1, 1],
    ]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(llava_like.llava(), tmp_path_factory.mktemp("trial") / "llava")


def changed(healthy: Path, folder: Path, name: str, **keys: Any) -> Path:
    """Return a copy of a checkpoint with other values in one of its files."""
    folder.mkdir()
    for path in healthy.iterdir():
        (folder / path.name).symlink_to(path)
    stated = json.loads((healthy / name).read_text())
    (folder / name).unlink()
    (folder / name).write_text(json.dumps(stated | keys))
    return folder


@pytest.mark.parametrize(
    ("name", "keys", "why"),
    [
        (
            "config.json",
            {"image_token_index": 400},
            "fails at a test .* download it again",
        ),
        ("processor_config.json", {"patch_size": 28}, "do not match.* download it again"),
        ("processor_config.json", {"image_token": "<none>"}, "test picture"),
        ("generation_config.json", {"eos_token_id": "</s>"}, "which is no token's number"),
        ("config.json", {"model_type": "llama"}, "writes text and takes no image"),
        (
            "config.json",
            {"model_type": "clip"},
            "compares images with texts and writes no captions",
        ),
        ("config.json", {"model_type": "got_ocr2"}, r"reads the text of a page \(OCR\)"),
        ("config.json", {"model_type": "kimi_vl"}, "no model of the type 'kimi_vl': take a copy"),
        ("config.json", {"model_type": None}, "names no model_type: download it again"),
        (
            "config.json",
            {"architectures": ["LlavaModel"]},
            "those of LlavaModel, which is not a cap",
        ),
        ("config.json", {"quantization_config": {"quant_method": "fp8"}}, r"quantized \(fp8\)"),
    ],
)
def test_a_sick_checkpoint_is_refused_at_load(
    healthy: Path, tmp_path: Path, name: str, keys: dict[str, Any], why: str
) -> None:
    folder = changed(healthy, tmp_path / "sick", name, **keys)
    with pytest.raises(CheckpointError, match=why) as refused:
        FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")
    assert str(refused.value).startswith(str(folder)) and "\n" not in str(refused.value)


def test_a_generation_config_that_asks_for_more_than_the_tokens(
    healthy: Path, tmp_path: Path
) -> None:
    asks = {"return_dict_in_generate": True, "output_scores": True}
    folder = changed(healthy, tmp_path / "scores", "generation_config.json", **asks)
    paths = pictures.draw(tmp_path)[:2]
    said = [
        say(FAMILIES["hf"].load(str(it), SETTINGS, "cpu"), paths, 2) for it in (healthy, folder)
    ]
    assert said[0] == said[1]


@pytest.mark.parametrize("stored_in", ["preprocessor_config.json", "processor_config.json"])
def test_a_video_processor_that_cannot_be_made_is_left_out(stored_in: str, tmp_path: Path) -> None:
    """By the name of a newer copy's image processor, or by files of transformers 5."""
    folder = write(qwen_like.qwen2_5_vl(), tmp_path / "qwen")
    images = folder / "preprocessor_config.json"
    stated = json.loads(images.read_text())
    images.unlink()
    kind = {"image_processor_type": "Qwen2VLImageProcessorFast"}
    named = {"processor_class": stated["processor_class"]}
    parted = stated | kind if stored_in == images.name else {"image_processor": stated} | named
    (folder / stored_in).write_text(json.dumps(parted))
    captioner: Any = FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")
    assert captioner.processor.image_processor.patch_size == 14


def test_weights_in_the_layout_of_mlx(healthy: Path, tmp_path: Path) -> None:
    folder = changed(healthy, tmp_path / "mlx", "config.json")
    (folder / "model.safetensors").unlink()
    weights = load_file(healthy / "model.safetensors")
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    with pytest.raises(CheckpointError, match=r"converted for MLX.* name its server"):
        FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")


def test_sampling_reaches_a_model_whose_generate_loses_it(tmp_path: Path) -> None:
    """Janus' own `generate` hands no logits processor on: seeds would change nothing."""
    folder = write(other_chat.janus(), tmp_path / "janus")
    paths = pictures.draw(tmp_path)[:2]
    said = []
    for seed in (1, 2):
        sampled = replace(SETTINGS, temperature=5.0, seed=seed)
        said.append(say(FAMILIES["hf"].load(str(folder), sampled, "cpu"), paths, 2))
    assert said[0] != said[1]


def test_a_model_that_takes_no_sampling_is_refused_at_load(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_processors(model: Any) -> Any:
        def deaf(logits_processor: Any = None, **options: Any) -> Any:
            return model.generate(**options)

        return deaf

    monkeypatch.setattr(ways, "own_generate", without_processors)
    FAMILIES["hf"].load(str(healthy), SETTINGS, "cpu")
    with pytest.raises(CheckpointError, match="set temperature=0 and stop_at_sentence=no"):
        FAMILIES["hf"].load(str(healthy), replace(SETTINGS, temperature=1.0), "cpu")

"""Choosing a scorer: by folder, by another model of the project, and what is said of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.captioners.registry import choose_all
from engine.captioners.settings import Settings
from engine.demo import checkpoint
from engine.utils.errors import BadInput
from tui.dialogs.wizard.models import checkpoint_problem

LLAVA, OTTER = checkpoint("llava-1.5"), checkpoint("otter")
COMPLETE = ("tokenizer.json", "preprocessor_config.json", "model.safetensors")


def folder_of(kind: str | None, *others: str) -> Callable[[Path], None]:
    """Return what writes a folder with a config.json of a type, and further files."""

    def write(folder: Path) -> None:
        config = {} if kind is None else {"model_type": kind}
        (folder / "config.json").write_text(json.dumps(config))
        for name in (*COMPLETE, *others):
            (folder / name).write_text("{}")

    return write


def openclip_alone(folder: Path) -> None:
    (folder / "open_clip_config.json").write_text("{}")
    (folder / "open_clip_pytorch_model.bin").write_text("{}")


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_a_clip_is_a_scorer(kind: str, tmp_path: Path) -> None:
    folder_of(kind, "open_clip_config.json")(tmp_path)
    (choice,) = choose_all([f"mine=score:{tmp_path}"], None, [])
    assert (choice.name, choice.family, choice.checkpoint) == ("mine", "score", str(tmp_path))


@pytest.mark.parametrize(
    ("family", "write", "said"),
    [
        ("score", folder_of("llava"), "--model NAME=score-vqa:"),
        ("score", folder_of("clip_vision_model"), "does not compare images with texts"),
        ("score", folder_of("bert"), "does not compare images with texts"),
        ("score", folder_of(None), "names no model_type"),
        ("score", openclip_alone, "in its own layout: take the copy in transformers' layout"),
        ("score", lambda _: None, "it must be a folder of a CLIP or SigLIP"),
        ("score-vqa", folder_of("clip"), "--model NAME=score:"),
        ("score-vqa", folder_of("blip"), "cannot answer questions"),
        ("score-vqa", lambda _: None, "it must be a folder of llava-1.5 or hf"),
        ("hf", folder_of("siglip"), "let it score captions, --model NAME=score:"),
        ("llava-1.5", folder_of("clip"), "let it score captions, --model NAME=score:"),
    ],
)
def test_another_folder_is_refused_with_a_way_out(
    family: str, write: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write(tmp_path)
    with pytest.raises(BadInput) as refused:
        choose_all([f"mine={family}:{tmp_path}"], None, [])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_scorer_asks_a_model_of_the_project(tmp_path: Path) -> None:
    """It takes how that one is loaded, and may stand before it; its own settings come first."""
    models = ["yes=score-vqa:@pair", f"pair=llava-1.5:{LLAVA}", "no=score-vqa:@pair"]
    settings = ["pair.quantize=int8", "pair.temperature=0.7", "no.quantize=none"]
    yes, pair, no = choose_all(models, None, settings)
    assert [it.name for it in (yes, pair, no)] == ["yes", "pair", "no"]
    assert yes.checkpoint == no.checkpoint == pair.checkpoint
    assert [Settings.of(it.settings).quantize for it in (yes, pair, no)] == ["int8", "int8", "none"]
    assert Settings.of(yes.settings).temperature == 0
    assert len({it.settings_hash for it in (yes, pair, no)}) == 3


@pytest.mark.parametrize(
    ("models", "settings", "said"),
    [
        (["yes=score-vqa:@pair"], [], "there is no model 'pair' to ask (no model can be asked)"),
        (["yes=score-vqa:@"], [], "there is no model ''"),
        (["yes=score-vqa:@pear", f"pair=llava-1.5:{LLAVA}"], [], "(there is pair)"),
        (["yes=score-vqa:@otter", f"otter={OTTER}"], [], "only those of llava-1.5 and hf can"),
        (["a=score-vqa:@b", "b=score-vqa:@a"], [], "there is no model 'b' to ask"),
        ([f"yes=score-vqa:{LLAVA}"], ["yes.prompt=Is it?"], "must hold {caption} once"),
        ([f"yes=score-vqa:{LLAVA}"], ["yes.prompt={caption} {alt}"], "must hold {caption} once"),
        ([f"yes=score-vqa:{LLAVA}"], ["yes.temperature=1"], "has no setting 'temperature'"),
    ],
)
def test_what_cannot_be_asked_is_refused(models: list[str], settings: list[str], said: str) -> None:
    with pytest.raises(BadInput) as refused:
        choose_all(models, None, settings)
    assert said in str(refused.value)


def test_only_a_llava_is_quantized(tmp_path: Path) -> None:
    folder_of("qwen2_vl")(tmp_path)
    with pytest.raises(BadInput, match="can be quantized when it is loaded"):
        choose_all([f"yes=score-vqa:{tmp_path}"], None, ["yes.quantize=int8"])


def test_the_wizard_takes_a_model_of_the_project() -> None:
    captioners = {"llava-1.5": str(LLAVA), "otter": str(OTTER)}

    def problem(asked: str) -> str | None:
        return checkpoint_problem("score-vqa", {**captioners, "score-vqa": asked})

    assert problem("@llava-1.5") is None
    assert "cannot be asked about captions" in (problem("@otter") or "")
    assert "there is no model 'hf' to ask" in (problem("@hf") or "")

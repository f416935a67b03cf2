"""Choosing a model: what `--model` and `--set` mean, and the hash of what shapes captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.captioners.model_choice import choose, choose_all, complete_prompt, parse_model
from engine.captioners.model_families import FAMILIES
from engine.captioners.setting_changes import apply_changes, parse_assignment
from engine.captioners.settings import Settings
from engine.captioners.settings_hash import fingerprint, settings_hash
from engine.utils.errors import BadInput


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("dry-run", ("dry-run", "dry-run", "")),
        ("llava-1.5=/c", ("llava-1.5", "llava-1.5", "/c")),
        ("mine=hf:/c", ("mine", "hf", "/c")),
        ("mine=hf:", ("mine", "hf", "")),
        ("mine=dry-run", ("mine", "dry-run", "")),
        ("mine=http://h/v1", ("mine", "endpoint", "http://h/v1")),
        ("mine=/c", ("mine", "mine", "/c")),
        ("mine=x:/c", ("mine", "mine", "x:/c")),
        ("hf=dry-run", ("hf", "hf", "dry-run")),
    ],
)
def test_the_parts_of_a_model(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_model(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=/c", "unknown model 'x': one of llava-1.5, .*--model x=hf:FOLDER"),
        ("=hf:/c", "'' cannot name a model"),
        ("s2=scor:/x", "unknown family 'scor' of 's2': .*did you mean --model s2=score:/x?"),
        ("s2=elephant:/x", "unknown family 'elephant' of 's2': one of llava-1.5,.*dry-run$"),
        ("otter=hf:/c", "otter is itself a family"),
        ("dry-run=/c", "dry-run takes no checkpoint"),
        ("otter", "otter needs a checkpoint: --model otter=FOLDER, "),
        ("mine=hf:", "mine needs a checkpoint: --model mine=hf:FOLDER, "),
        ("llava-1.5=/nowhere/at/all", "no such checkpoint folder: /nowhere/at/all"),
    ],
)
def test_a_model_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        choose(text)


def test_settings_are_given_to_the_model_that_they_name() -> None:
    models = ["a.b=http://h/v1", "c=http://h/v1"]
    first, second = choose_all(models, None, ["a.b.seed=3", "c.prompt=x=y", "c.seed=4"])
    assert (first.settings["seed"], second.settings["seed"]) == (3, 4)
    assert second.settings["prompt"] == "x=y"
    for text in ("d.seed=1", "seed=1"):
        with pytest.raises(BadInput, match=r"write MODEL.KEY=VALUE .*\(a.b, c\)"):
            choose_all(models, None, [text])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "-1"}, "seed must be a whole number from 0 to"),
        ({"temperature": "nan"}, r"temperature must be a number from 0 up \(0 is greedy\), not"),
        ({"top_p": "0"}, "top_p must be a number above 0 and up to 1, or none"),
        ({"dtype": "int3"}, "dtype must be one of auto"),
        ({"graphs": "true"}, "graphs must be yes or no, not 'true'"),
        ({"tokenizer": "/nowhere/at/all"}, "tokenizer must be an existing folder or file"),
        ({"tokenizer": ""}, "tokenizer must be an existing folder or file, or none, not ''"),
        ({"batch": "0"}, "batch must be a whole number from 1 to 65536, or auto"),
        ({"limits": "loops=2"}, "'2' is neither a share from 0 to 1 nor off"),
        ({"limits": "bogus=0.1"}, "'bogus=0.1': write .* with one of loops"),
        ({"limits": "loops=0.5/0.1"}, "'loops=0.5/0.1': the model would be stopped before"),
        ({"served_model": ""}, "served_model must be the id of a model"),
        ({"min_new_tokens": "9", "max_new_tokens": "8"}, "min_new_tokens 9 is above"),
    ],
)
def test_settings_that_cannot_be(changes: Mapping[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        apply_changes(Settings(), changes)


@pytest.mark.parametrize(
    ("text", "batch", "auto"), [("auto", Settings().batch, True), ("7", 7, False)]
)
def test_the_batch_is_a_number_or_grows(text: str, batch: int, auto: bool) -> None:
    settings = apply_changes(Settings(), {"batch": text})
    assert (settings.batch, settings.auto_batch) == (batch, auto)


def test_settings_of_a_later_version_are_left_out() -> None:
    assert Settings.of({"seed": 5, "of_a_later_version": 1}) == replace(Settings(), seed=5)


@pytest.mark.parametrize("text", ["", "seed", "=3"])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(BadInput, match="write KEY=VALUE"):
        parse_assignment(text)


@pytest.mark.parametrize("name", [name for name, it in FAMILIES.items() if it.placeholder])
def test_a_prompt_without_the_place_of_the_image_gets_the_conversation(name: str) -> None:
    family = FAMILIES[name]
    whole = complete_prompt(family, replace(Settings(), prompt="What is it?"))
    assert whole.prompt.count(family.placeholder) == 1
    assert "What is it?" in whole.prompt
    assert complete_prompt(family, whole) == whole
    with pytest.raises(BadInput, match=r"must hold .* once"):
        complete_prompt(family, replace(Settings(), prompt=family.placeholder * 2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds what a fingerprint looks at; no family could load it."""
    path = tmp_path / "checkpoint"
    (path / "inner").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "inner" / "model.bin").write_bytes(b"12")
    return path


def test_the_hash_of_old_projects() -> None:
    """Folders of projects have these names: the hash of the same settings must never change."""
    assert settings_hash("dry-run", None, Settings()) == "0cb986a3"
    changed = replace(Settings(), prompt="What?", seed=5, max_new_tokens=12, quantize="int8")
    assert settings_hash("llava-1.5", None, changed) == "ebd6a195"


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"batch": 1, "auto_batch": False, "graphs": False, "overlap": True}, True),
        ({"seed": 1}, False),
        ({"prompt": "What?"}, False),
        ({"stop_at_sentence": True}, False),
    ],
)
def test_only_what_shapes_captions_is_hashed(
    folder: Path, values: dict[str, object], same: bool
) -> None:
    plain = settings_hash("otter", str(folder), Settings())
    assert (settings_hash("otter", str(folder), Settings.of(values)) == plain) == same


def test_a_checkpoint_may_lie_elsewhere_but_not_change(folder: Path) -> None:
    before = settings_hash("otter", str(folder), Settings())
    moved = folder.rename(folder.with_name("moved"))
    assert settings_hash("otter", str(moved), Settings()) == before
    (moved / "inner" / "model.bin").write_bytes(b"34")
    assert settings_hash("otter", str(moved), Settings()) == before, "weights count by their size"
    (moved / "config.json").write_text("[]")
    assert settings_hash("otter", str(moved), Settings()) != before


def test_a_tokenizer_counts_by_its_content(folder: Path, tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text("{}")
    assert fingerprint(tmp_path / "one.json")[0][1:] == fingerprint(tmp_path / "two.json")[0][1:]
    plain = settings_hash("otter", str(folder), Settings())
    other = Settings.of({"tokenizer": str(tmp_path / "one.json")})
    assert settings_hash("otter", str(folder), other) != plain

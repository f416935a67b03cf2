"""A tokenizer of `vocab.json` and `merges.txt`, as older repositories have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.base import CheckpointError
from engine.captioners.registry import FAMILIES
from tests.engine.captioners.families.hf_truth import pictures, qwen_like
from tests.engine.captioners.families.hf_truth.making import write
from tests.engine.captioners.families.hf_truth.test_truth import SETTINGS, say


def split_tokenizer(folder: Path, name: str) -> None:
    """Put `vocab.json` and `merges.txt` in place of `tokenizer.json`; `name` is the class."""
    file = folder / "tokenizer.json"
    whole = json.loads(file.read_text())
    file.unlink()
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in whole["model"]["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    stated = json.loads((folder / "tokenizer_config.json").read_text())
    stated["tokenizer_class"] = name
    stated["added_tokens_decoder"] = {it.pop("id"): it for it in whole["added_tokens"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))


def load(folder: Path) -> Any:
    return FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")


def test_it_says_what_it_says_with_tokenizer_json(tmp_path: Path) -> None:
    folder = write(qwen_like.qwen2_5_vl(), tmp_path / "qwen")
    paths = pictures.draw(tmp_path)[:4]
    own = say(load(folder), paths, 4)
    split_tokenizer(folder, "Qwen2Tokenizer")
    assert say(load(folder), paths, 4) == own


def test_a_class_that_needs_tokenizer_json_says_so(tmp_path: Path) -> None:
    folder = write(qwen_like.qwen2_5_vl(), tmp_path / "qwen")
    split_tokenizer(folder, "PreTrainedTokenizerFast")
    with pytest.raises(CheckpointError, match=r"download tokenizer\.json, too") as refused:
        load(folder)
    assert "\n" not in str(refused.value)

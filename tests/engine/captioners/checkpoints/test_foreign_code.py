"""Folders that name code of their own, looked at before transformers sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.checkpoints.foreign_code import NativeCode, check_folder_runs_no_code
from engine.captioners.errors import CheckpointError

CODE = {"auto_map": {"AutoModel": "modeling_own.Own", "AutoTokenizer": ["org/x--tok.Tok", None]}}
NATIVE = NativeCode(
    has_model=lambda model_type: model_type == "llava",
    has_class=lambda name: name in ("LlavaProcessor", "LlamaTokenizer"),
)
Configs = dict[str, dict[str, Any]]
"""The contents of the configs of a folder by their names."""


def make(folder: Path, configs: Configs) -> Path:
    for name, config in configs.items():
        (folder / name).write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("configs", "where"),
    [
        ({"config.json": {"model_type": "internvl_chat", **CODE}}, "config.json: auto_map"),
        ({"config.json": CODE}, "config.json: auto_map"),
        ({"config.json": {"model_type": ["llava"], **CODE}}, "config.json: auto_map"),
        ({"config.json": {"auto_map": "AutoModel"}}, "config.json: auto_map"),
        ({"config.json": {"text_config": CODE}}, "config.json: text_config.auto_map"),
        ({"config.json": {"parts": [{"a": CODE}]}}, "config.json: parts.0.a.auto_map"),
        *(
            ({"config.json": {}, name: CODE}, f"{name}: auto_map")
            for name in (
                "tokenizer_config.json",
                "processor_config.json",
                "preprocessor_config.json",
                "video_preprocessor_config.json",
                "generation_config.json",
            )
        ),
        # The model is native, but a class beside it is not.
        (
            {
                "config.json": {"model_type": "llava"},
                "tokenizer_config.json": {"tokenizer_class": "OwnTokenizer", **CODE},
            },
            "tokenizer_config.json: auto_map",
        ),
    ],
)
def test_code_that_would_have_to_run_is_refused_with_a_way_out(
    tmp_path: Path, configs: Configs, where: str
) -> None:
    with pytest.raises(CheckpointError) as refused:
        check_folder_runs_no_code(make(tmp_path, configs), NATIVE)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}/{where} names code of the checkpoint")
    assert "never run" in message and "-hf" in message and "--model NAME=http://" in message


def test_the_way_out_names_a_copy_that_is_known(tmp_path: Path) -> None:
    config = {"model_type": "internvl_chat", **CODE}
    with pytest.raises(CheckpointError, match="such as OpenGVLab/InternVL3-1B-hf"):
        check_folder_runs_no_code(make(tmp_path, {"config.json": config}), NATIVE)


def test_code_beside_a_native_model_is_left_aside(tmp_path: Path) -> None:
    make(tmp_path, {"config.json": {"model_type": "llava", "text_config": {"hidden_size": 8}}})
    assert not check_folder_runs_no_code(tmp_path, NATIVE)
    make(tmp_path, {"processor_config.json": {"processor_class": "LlavaProcessor", **CODE}})
    assert check_folder_runs_no_code(tmp_path, NATIVE)

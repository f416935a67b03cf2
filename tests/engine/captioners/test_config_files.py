"""The small files of a checkpoint folder, which may be anything that a file system has."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.config_files import (
    MAX_BYTES,
    MAX_NUMBER,
    check_entries,
    read_json,
    read_text,
)
from engine.captioners.errors import CheckpointError


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def link_to_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    # Relative, since the path of a socket may have some hundred letters only.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)


NO_FILES = [make_pipe, link_to_pipe, link_to_endless_device, make_socket]
"""Each puts something that is no file at a path."""


@pytest.mark.parametrize("make", [*NO_FILES, make_huge])
def test_what_is_no_small_file_is_refused_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        read_text(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="download it again"):
        check_entries(tmp_path)


@pytest.mark.parametrize("make", NO_FILES)
def test_a_folder_of_the_checkpoint_is_looked_into(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "vicuna").mkdir()
    make(tmp_path / "vicuna/weights.bin")
    with pytest.raises(CheckpointError, match=r"vicuna/.* not a file"):
        check_entries(tmp_path)


def test_links_to_files_are_files_as_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/0a").write_text('{"a": 1}')
    snapshot = tmp_path / "snapshots/f00"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/0a")
    (snapshot / "gone.json").symlink_to("../../blobs/0b")
    check_entries(snapshot)
    assert read_json(snapshot / "config.json") == {"a": 1}
    with pytest.raises(CheckpointError, match=r"lacks gone\.json"):
        read_json(snapshot / "gone.json")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read as JSON"),
        (b"root:x:0:0", "cannot be read as JSON"),
        (b"[1]", "holds no JSON object"),
        (b'"text"', "holds no JSON object"),
        (b"\xff\xfe{", "cannot be read"),
        (b'{"eps": NaN}', "a value is NaN"),
        (b'{"n": ' + b"1" * 5000 + b"}", "cannot be read as JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "recursion depth"),
    ],
)
def test_what_is_no_config_is_refused_in_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(CheckpointError, match=reason) as refused:
        read_json(tmp_path / "config.json")
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "config.json") in str(refused.value)


def test_published_configs_have_infinity(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"time_step_limit": [0.0, Infinity]}')
    assert read_json(tmp_path / "config.json") == {"time_step_limit": [0.0, inf]}


KERNEL = "a kernel of the Hub"


@pytest.mark.parametrize(
    ("config", "key", "reason"),
    [
        ({"attn_implementation": "org/kernel"}, "attn_implementation", KERNEL),
        ({"_attn_implementation": "org/kernel@v1:fn"}, "_attn_implementation", KERNEL),
        ({"attn_implementation": {"text": "org/kernel"}}, "attn_implementation", KERNEL),
        ({"text_config": {"_attn_implementation": "paged|org/kernel"}}, "text_config._", KERNEL),
        ({"parts": [{"experts_implementation": "org/k"}]}, "parts.0.experts_impl", KERNEL),
        ({"kernel_config": {"mapping": ["org/k"]}}, "kernel_config", KERNEL),
        ({"audio_tokenizer": {"audio_tokenizer_class": "X"}}, "audio_token", "another model"),
        ({"audio_tokenizer_name_or_path": "org/x"}, "audio_tokenizer_name", "another model"),
        ({"transformers_weights": "other.safetensors"}, "transformers_weights", "other weights"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers", "more than any model has"),
        ({"vision_config": {"depths": [2, 10**9]}}, "vision_config.depths.1", "more than any"),
        ({"size": {"height": 10**6}}, "size.height", "more than any model has"),
        ({"mm_vision_select_layer": 10**9}, "mm_vision_select_layer", "more than any model"),
    ],
)
def test_values_that_would_load_something_else_or_never_end(
    tmp_path: Path, config: dict[str, Any], key: str, reason: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=reason) as refused:
        read_json(tmp_path / "config.json")
    assert f"config.json: {key}" in str(refused.value)


def test_ordinary_values_are_let_through(tmp_path: Path) -> None:
    config = {
        "attn_implementation": "sdpa",
        "_attn_implementation": {"": "eager"},
        "kernel_size": [3, 3],
        "use_mamba_kernels": True,
        "num_hidden_layers": 80,
        "vision_feature_layer": -2,
        "layers": MAX_NUMBER,
        "vocab_size": 256_000,
        "size": {"longest_edge": 12_845_056, "height": 448},
        "audio_tokenizer": None,
        "_name_or_path": "org/name",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_json(tmp_path / "config.json") == config


def test_a_folder_beside_the_model_that_cannot_be_listed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lost+found").mkdir()
    list_folder = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(folder))
        return list_folder(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    check_entries(tmp_path)
    make_pipe(tmp_path / "z.jinja")
    with pytest.raises(CheckpointError, match=r"z\.jinja"):
        check_entries(tmp_path)


def test_names_of_tensors_are_no_settings(tmp_path: Path) -> None:
    """An index maps the names of tensors to files, which may lie in a folder."""
    path = tmp_path / "model.safetensors.index.json"
    names = {"audio_tokenizer.weight": "a.safetensors", "conv.kernel": "parts/a.safetensors"}
    path.write_text(json.dumps({"weight_map": names}))
    assert read_json(path)["weight_map"] == names

"""Checkpoints of the `hf` family that bring code along, or ask for something to be fetched.

Each is a tiny real one, changed in one way, loaded as a worker loads it. Meanwhile nobody may be
asked, nothing may be looked for outside this machine, and no file of the folder may be run.
"""

from __future__ import annotations

import builtins
import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.base import CheckpointError
from engine.captioners.registry import FAMILIES
from tests.engine.captioners.families.test_hf import SETTINGS, llava, save

CONFIGS = (
    *("config.json", "generation_config.json", "processor_config.json", "tokenizer_config.json"),
    *("preprocessor_config.json", "video_preprocessor_config.json"),
)
AUTO_CLASSES = (
    *("AutoConfig", "AutoModel", "AutoModelForImageTextToText", "AutoModelForCausalLM"),
    *("AutoProcessor", "AutoTokenizer", "AutoImageProcessor", "AutoVideoProcessor"),
)
OWN: dict[str, Any] = {"auto_map": dict.fromkeys(AUTO_CLASSES, "own.Own")}
HUB: dict[str, Any] = {"auto_map": dict.fromkeys(AUTO_CLASSES, "org/repository--own.Own")}
LISTED: dict[str, Any] = {"auto_map": {name: ["own.Own", "own.Own"] for name in AUTO_CLASSES}}


def split(pattern: str) -> dict[str, Any]:
    """Return a part of a tokenizer that cuts texts where a regular expression matches."""
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(llava, tmp_path_factory.mktemp("llava"))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that exists once code of the checkpoint has run."""
    return tmp_path / "it_ran"


@pytest.fixture
def folder(
    original: Path, tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A copy of the checkpoint with code in it, in a process that asks and fetches nothing."""
    copy = shutil.copytree(original, tmp_path / "checkpoint")
    (copy / "custom_generate").mkdir()
    for name in ("own.py", "modeling_llava.py", "custom_generate/generate.py"):
        (copy / name).write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")

    def refuse(*arguments: Any, **options: Any) -> Any:
        done.append(arguments)
        raise OSError("not here")

    done: list[tuple[Any, ...]] = []
    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield copy
    assert done == []
    assert not mark.exists()


def change(file: Path, changes: dict[str, Any]) -> None:
    """Set keys of a JSON file; `a.b` is the key b of the object a."""
    config = json.loads(file.read_text()) if file.exists() else {}
    for key, value in changes.items():
        *outer, last = key.split(".")
        part = config
        for name in outer:
            part = part[name]
        part[last] = value
    file.write_text(json.dumps(config))


def load(folder: Path) -> Any:
    return FAMILIES["hf"].load(str(folder), SETTINGS, "cpu")


@pytest.mark.parametrize("code", [OWN, HUB, LISTED], ids=["own", "hub", "listed"])
def test_the_native_class_is_used_where_there_is_one(folder: Path, code: dict[str, Any]) -> None:
    for name in CONFIGS:
        change(folder / name, code)
    for part in ("text_config", "vision_config"):
        change(folder / "config.json", {f"{part}.auto_map": code["auto_map"]})
    change(folder / "config.json", {"custom_pipelines": {"x": {"impl": "own.Own"}}})
    captioner = load(folder)
    parts = (captioner.model, captioner.tokenizer, captioner.processor.image_processor)
    assert all(type(part).__module__.startswith("transformers.") for part in parts)
    assert "its own code is not used" in captioner.loaded.layout


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "config.json"])
def test_code_beside_a_model_that_is_not_native(folder: Path, name: str) -> None:
    change(folder / "config.json", {"model_type": "minicpmv"})
    change(folder / name, OWN)
    with pytest.raises(CheckpointError, match=rf"{name}: auto_map names code of the checkpoint"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("config.json", {"model_type": "internvl_chat", **OWN}),
        ("config.json", {"vision_config": {"model_type": "own_vit", **OWN}}),
        ("config.json", {"auto_map": "AutoConfig"}),
        ("config.json", {"attn_implementation": "org/kernel"}),
        ("config.json", {"text_config._attn_implementation": "org/kernel"}),
        ("config.json", {"transformers_weights": "../other.safetensors"}),
        ("config.json", {"quantization_config": {"quant_method": "awq", "bits": 4}}),
        ("config.json", {"quantization_config": 7}),
        ("config.json", {"vision_config": 7}),
        ("config.json", {"text_config.hidden_size": -5}),
        ("config.json", {"text_config.num_hidden_layers": 10**9}),
        ("config.json", {"torch_dtype": "load", "dtype": "load"}),
        ("tokenizer_config.json", {"tokenizer_class": "OwnTokenizer", **OWN}),
        ("processor_config.json", {"processor_class": "OwnProcessor", **OWN}),
        ("preprocessor_config.json", {"size": {"height": 10**6, "width": 10**6}}),
        ("preprocessor_config.json", {"image_processor_type": "OwnImages", **OWN}),
        ("audio_tokenizer_config.json", {"audio_tokenizer_name_or_path": "org/x"}),
        ("adapter_config.json", {"base_model_name_or_path": "org/base", "peft_type": "LORA"}),
        ("generation_config.json", {"eos_token_id": "abc"}),
        ("generation_config.json", {"eos_token_id": [[2]]}),
        ("chat_template.json", {"chat_template": 7}),
    ],
)
def test_one_sentence_says_what_is_wrong(folder: Path, name: str, changes: dict[str, Any]) -> None:
    if name == "chat_template.json":
        (folder / "chat_template.jinja").unlink()
    change(folder / name, changes)
    with pytest.raises(CheckpointError) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_names_of_the_hub_are_no_addresses(folder: Path) -> None:
    names: dict[str, Any] = {"_name_or_path": "org/model", "_commit_hash": "0" * 40}
    names |= {"text_config._name_or_path": "org/text", "architectures": ["os.system"]}
    change(folder / "config.json", names)
    assert "its own code" not in load(folder).loaded.layout


def test_templates_run_elsewhere(folder: Path, mark: Path) -> None:
    reach = "{{ cycler.__init__.__globals__.os.mkdir('%s') }}" % mark  # noqa: UP031
    (folder / "chat_template.jinja").write_text(reach)
    with pytest.raises(CheckpointError, match="chat template cannot be rendered: SecurityError"):
        load(folder)


class Trap:
    """An object whose pickle makes a folder when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_weights_are_read_as_weights_only(folder: Path, mark: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Trap(mark)}))
    with pytest.raises(CheckpointError, match="would run code"):
        load(folder)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a/../../b.safetensors"])
def test_an_index_names_files_of_its_folder_only(folder: Path, name: str) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "outside.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"which model\.safetensors\.index\.json wants from"):
        load(folder)


TERABYTES = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
"""The header of a file of four of them."""


@pytest.mark.parametrize("header", [b"{}", TERABYTES])
@pytest.mark.parametrize("length", [None, 2**60, 2**63 - 1])
def test_a_header_that_lies(folder: Path, header: bytes, length: int | None) -> None:
    size = (length or len(header)).to_bytes(8, "little")
    (folder / "model.safetensors").write_bytes(size + header)
    with pytest.raises(CheckpointError):
        load(folder)


@pytest.mark.parametrize("name", ["generation_config.json", "own.bin", "special_tokens_map.json"])
def test_a_pipe_in_the_folder_is_never_opened(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(CheckpointError, match=f"{name} is a pipe"):
        load(folder)


@pytest.mark.parametrize(
    "part",
    [
        {"pre_tokenizer": split("(a*)*$|(.*.*)*x|((a+)+)+b")},
        {"pre_tokenizer": split("(")},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"model": {"type": "WordLevel", "vocab": {"<unk>": -1}, "unk_token": "<unk>"}},
        {"added_tokens": [7]},
    ],
)
def test_a_tokenizer_at_which_rust_panics(folder: Path, part: dict[str, Any]) -> None:
    change(folder / "tokenizer.json", part)
    with pytest.raises(CheckpointError) as refused:
        load(folder)
    assert "\n" not in str(refused.value)

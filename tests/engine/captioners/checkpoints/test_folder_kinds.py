"""What is named in place of a checkpoint folder, kind by kind: one sentence with the way out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.checkpoints import hub
from engine.captioners.errors import CheckpointError
from engine.captioners.registry import FAMILIES, Settings, choose
from engine.operations.checkpoint_check import Finding, check_model
from engine.utils.errors import BadInput

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 5\n"
WHOLE = {
    "config.json": {"model_type": "llava"},
    "tokenizer.json": {},
    "preprocessor_config.json": {},
    "model.safetensors": "weights",
}
"""The files of a complete folder."""
WITHOUT_WEIGHTS = {name: text for name, text in WHOLE.items() if name != "model.safetensors"}
Files = Mapping[str, Any]
"""The contents of files by their names: a text, or what is written as JSON."""


def make(folder: Path, files: Files) -> Path:
    for name, contents in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(contents if isinstance(contents, str) else json.dumps(contents))
    return folder


def refusal(checkpoint: Path | str, family: str = "hf") -> str:
    """Return the sentence that `new`, the wizard, `doctor` and a worker all give."""
    with pytest.raises(BadInput) as refused:
        choose(f"m={family}:{checkpoint}")
    text = str(refused.value)
    assert list(check_model(f"m={family}:{checkpoint}", [])) == [Finding(False, text)]
    if Path(checkpoint).is_absolute():
        with pytest.raises(CheckpointError) as blocked:
            FAMILIES[family].load(str(checkpoint), Settings(), "cpu")
        assert str(blocked.value) == text
    assert "\n" not in text
    return text


def config(**changes: Any) -> Files:
    """Return a complete folder with another config.json."""
    return {**WHOLE, "config.json": {"model_type": "llava", **changes}}


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        # Weights of other programs.
        ({"m-Q4_K_M.gguf": "", "README.md": ""}, r"m-Q4_K_M.gguf: GGUF.*llama-server.*name its se"),
        ({**WITHOUT_WEIGHTS, "onnx/model.onnx": ""}, r"ONNX.* with model\.safetensors, or serve"),
        ({**WITHOUT_WEIGHTS, "openvino_model.bin": ""}, "OpenVINO"),
        ({**WITHOUT_WEIGHTS, "tf_model.h5": ""}, "TensorFlow"),
        (config(quantization={"bits": 4, "group_size": 64}), "MLX.* serve them with mlx_vlm"),
        ({"manifests/a": "", "blobs/b": ""}, "start 'ollama serve' and name its server"),
        # Original layouts.
        ({"consolidated.00.pth": "", "params.json": ""}, r"authors \(consolid.*NAME-hf, or serve"),
        ({"consolidated.safetensors": "", "params.json": ""}, "of Mistral .*mistral-community/"),
        ({**WITHOUT_WEIGHTS, "consolidated.safetensors": ""}, "original layout of Mistral"),
        (
            config(mm_vision_tower="clip", mm_projector_type="mlp2x_gelu"),
            "original-layout LLaVA checkpoint: load it with --model llava-1.5",
        ),
        (
            config(mm_vision_tower="clip", image_aspect_ratio="anyres"),
            "such as llava-hf/llava-v1.6-vicuna-7b-hf, or serve",
        ),
        (
            config(mm_vision_tower="clip", model_type="llava_qwen"),
            "such as llava-hf/llava-onevision-qwen2-7b-ov-hf, or serve",
        ),
        ({"prerained_minigpt4_7b.pth": ""}, "of MiniGPT-4: load it with --model minigpt-4"),
        (
            config(model_type="internvl_chat"),
            "never run: take a copy .*such as OpenGVLab/",
        ),
        (config(model_type="multi_modality"), "such as deepseek-community/Janus-Pro-1B"),
        (
            {"config.json": {"model_type": "mplug_owl2", "auto_map": {"AutoModel": "own.X"}}}
            | {"tokenizer.json": {}, "model.safetensors": "weights"},
            "names code of the checkpoint, which is never run: take a copy",
        ),
        (config(model_type="qwen", visual={}), "of qwen-vl: load it with --model qwen-vl"),
        (
            config(model_type="qwen", visual={}, _name_or_path="Qwen/Qwen-VL-Chat"),
            "load it with --model qwen-vl-chat",
        ),
        (
            config(model_type="otter", text_config={"model_type": "llama"}),
            "load it with --model otter-llama",
        ),
        # No captioners.
        ({"model_base_caption.pth": ""}, r"its authors \(model_base_caption\.pth\)"),
        ({"pytorch_lora_weights.safetensors": ""}, "an adapter of diffusers"),
        ({"model_index.json": "", "unet/config.json": ""}, "pipeline of diffusers, which draws"),
        ({**WHOLE, "modules.json": "[]"}, "sentence-transformers, which writes vectors"),
        ({"open_clip_config.json": "", "a.safetensors": ""}, "OpenCLIP, which only compares"),
        (config(model_type="got_ocr2"), r"reads the text of a page \(OCR\).*take one that"),
        (
            {
                "config.json": {"model_type": "llama"},
                "tokenizer.json": {},
                "model.safetensors": "weights",
            },
            "'llama' that read text only: take a model",
        ),
        # Downloads that went wrong.
        ({**WHOLE, "model.safetensors": POINTER}, r"model.safetensors is a pointer.*git lfs pull"),
        ({**WHOLE, "tokenizer.json": POINTER}, r"tokenizer\.json is a pointer of Git LFS"),
        ({**WHOLE, "config.json": "<!DOCTYPE html>"}, "config.json is a web page.*hf auth login"),
        ({**WHOLE, "model.safetensors": ""}, "model.safetensors is empty: download it again"),
        (
            {**WITHOUT_WEIGHTS, ".cache/huggingface/download/a.b.incomplete": ""},
            r"\(a\.b\.incomplete is there\): run the same download again",
        ),
        ({**WITHOUT_WEIGHTS, "model.safetensors.part": ""}, "not downloaded completely"),
        (
            {**WITHOUT_WEIGHTS, "model-00001-of-00002.safetensors": ""},
            r"without model\.safetensors\.index\.json: download that file",
        ),
        (
            {
                **WITHOUT_WEIGHTS,
                "model-1.safetensors": "weights",
                "model.safetensors.index.json": {
                    "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}
                },
            },
            r"lacks model-2\.safetensors;",
        ),
        (
            {**WITHOUT_WEIGHTS, "model.fp16.safetensors": ""},
            "rename the file to model.safetensors if",
        ),
        # Other folders than the model's.
        (
            {"checkpoint-1/config.json": {}, "checkpoint-2/config.json": {}},
            "folder in it .*ckpoint",
        ),
        ({"zero_to_fp32.py": "", "global_step9/a": "", **WITHOUT_WEIGHTS}, "save_pretrained"),
        ({"tekken.json": "", **WHOLE, "tokenizer.json": POINTER}, "is a pointer of Git LFS"),
        (
            {"tekken.json": "", **{k: v for k, v in WHOLE.items() if k != "tokenizer.json"}},
            "--set NAME.tokenizer=FOLDER, or serve",
        ),
        ({}, "lacks config.json, tokenizer.json .*, preprocessor_config.json, model.safetensors"),
    ],
)
def test_a_folder_of_another_kind_is_refused_with_a_way_out(
    tmp_path: Path, files: Files, advice: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    text = refusal(make(folder, files))
    assert str(folder) in text
    assert re.search(advice, text), text


@pytest.mark.parametrize("name", ["trainer_state.json", "a.bin", "README.txt", "onnx/a.onnx"])
def test_a_pointer_that_nothing_reads_is_let_through(tmp_path: Path, name: str) -> None:
    """As after a `git lfs pull` of the files that are needed."""
    folder = make(tmp_path, {**WHOLE, name: POINTER})
    assert choose(f"m=hf:{folder}").checkpoint == str(folder)


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """As in a snapshot of the Hub's cache that was copied without the blobs."""
    folder = make(tmp_path, WITHOUT_WEIGHTS)
    (folder / "model.safetensors").symlink_to("../../blobs/0a")
    assert "(1, the first is model.safetensors): copy the folder with" in refusal(folder)
    (tmp_path / "link").symlink_to("nowhere")
    assert "link is a broken link" in refusal(tmp_path / "link")


@pytest.mark.parametrize("inner", ["", "snapshots", "refs", "blobs"])
def test_a_folder_of_the_hubs_cache_names_its_snapshot(tmp_path: Path, inner: str) -> None:
    root = tmp_path / "models--org--model"
    make(root, {"snapshots/new/a": "", "snapshots/old/a": "", "blobs/0a": "", "refs/main": "old\n"})
    assert refusal(root / inner).endswith(f"name {root}/snapshots/old")
    (root / "refs/main").unlink()
    os.utime(root / "snapshots/old", (1, 1))
    assert refusal(root / inner).endswith(f"name {root}/snapshots/new")
    assert refusal(tmp_path).endswith(f"name {root}/snapshots/new")


def test_a_cache_without_a_snapshot_names_the_command(tmp_path: Path) -> None:
    make(tmp_path, {"models--org--model/blobs/0a": ""})
    assert "'hf download org/model --local-dir model'" in refusal(tmp_path / "models--org--model")


@pytest.mark.parametrize(
    "text",
    [
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct",
        "https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct/tree/main",
        "hf://Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen2.5-VL-7B-Instruct@main",
    ],
)
def test_a_name_of_the_hub_is_answered_by_the_command(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    advice = refusal(text)
    command = "'hf download Qwen/Qwen2.5-VL-7B-Instruct --local-dir Qwen2.5-VL-7B-Instruct'"
    assert command in advice and "nothing is downloaded" in advice
    if text.startswith("http"):
        with pytest.raises(BadInput, match=r"hf download .*--model NAME=hf:FOLDER"):
            choose(f"m={text}")
    make(tmp_path, {"models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/0a/a": ""})
    assert refusal(text).endswith("Qwen2.5-VL-7B-Instruct/snapshots/0a")


@pytest.mark.parametrize("text", ["/models/x", "a/b/c", "./org/name", "org/na me", "org/;rm", "x"])
def test_a_path_is_no_name_of_the_hub(text: str) -> None:
    assert hub.repository_name(text) is None
    assert "no such checkpoint folder" in refusal(text)


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A project is written as UTF-8, and could not name it again."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    assert r"\udcff' is not UTF-8: rename" in refusal(folder)


def test_an_address_is_no_folder() -> None:
    assert "s3://bucket/model is an address, and nothing is downloaded" in refusal(
        "s3://bucket/model"
    )


def test_a_path_whose_first_folder_is_there_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert "no such checkpoint folder" in refusal("models/llava")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("m.gguf", "GGUF"),
        ("m.tar", "is an archive: unpack it"),
        ("model.safetensors", "is a file: name the folder"),
    ],
)
def test_a_file_is_no_folder(tmp_path: Path, name: str, advice: str) -> None:
    assert advice in refusal(make(tmp_path, {name: ""}) / name)


def test_a_part_of_a_model_names_the_whole(tmp_path: Path) -> None:
    folder = make(tmp_path, {**WHOLE, "original/consolidated.00.pth": ""})
    assert refusal(folder / "original").endswith(f"is a part of a model: name {folder}")


ADAPTER = {"adapter_config.json": {"peft_type": "LORA"}, "adapter_model.safetensors": "weights"}


def test_an_adapter_names_its_base_and_the_setting(tmp_path: Path) -> None:
    adapter = make(tmp_path / "adapter", ADAPTER)
    setting = f"--set NAME.adapter={adapter}"
    assert refusal(adapter).endswith(f"--model NAME=hf:FOLDER {setting}")
    make(adapter, {"adapter_config.json": {"base_model_name_or_path": "org/base\n\x1b[31m"}})
    assert f"{adapter} is an adapter, not a model" in refusal(adapter)
    base = make(tmp_path / "base", WHOLE)
    for name, model in (("org/base", "FOLDER"), (str(base), str(base))):
        make(adapter, {"adapter_config.json": {"base_model_name_or_path": name}})
        text = refusal(adapter)
        assert f"is an adapter of {name}, not a model" in text
        assert text.endswith(f"--model NAME=hf:{model} {setting}")
        assert ("'hf download org/base --local-dir base'" in text) == (name == "org/base")


def test_an_adapter_beside_weights_is_not_left_out_in_silence(tmp_path: Path) -> None:
    folder = make(tmp_path, {**WHOLE, **ADAPTER})
    assert "move the adapter's files to another folder" in refusal(folder)
    assert "models of this family cannot use" in refusal(folder, "llava-1.5")
    make(folder, {"non_lora_trainables.bin": ""})
    assert "scripts/merge_lora_weights.py" in refusal(folder)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, r"lacks adapter_config\.json: name the folder that peft wrote"),
        ({"adapter_config.json": {}}, r"lacks adapter_model\.safetensors: download it again"),
        ({**ADAPTER, "adapter_model.safetensors": POINTER}, "pointer of Git LFS"),
        ({**ADAPTER, "adapter_model.safetensors": ""}, "is empty"),
    ],
)
def test_an_adapter_that_is_none(tmp_path: Path, files: Files, why: str) -> None:
    base = make(tmp_path / "base", WHOLE)
    (tmp_path / "adapter").mkdir()
    adapter = make(tmp_path / "adapter", files)
    with pytest.raises(BadInput, match=why):
        choose(f"m=hf:{base}", changes={"adapter": str(adapter)})


def test_the_weights_of_an_adapter_are_in_the_settings_hash(tmp_path: Path) -> None:
    base = make(tmp_path / "base", WHOLE)
    adapter = make(tmp_path / "adapter", ADAPTER)
    changes = {"adapter": str(adapter)}
    first = choose(f"m=hf:{base}", changes=changes)
    assert first.settings_hash != choose(f"m=hf:{base}").settings_hash
    make(adapter, {"adapter_model.safetensors": "WEIGHTS"})
    assert choose(f"m=hf:{base}", changes=changes).settings_hash != first.settings_hash
    make(adapter, ADAPTER)
    assert choose(f"m=hf:{base}", changes=changes).settings_hash == first.settings_hash
    moved = adapter.rename(tmp_path / "moved")
    assert choose(f"m=hf:{base}", changes={"adapter": str(moved)}).settings_hash == (
        first.settings_hash
    )


def test_other_families_are_advised_as_well(tmp_path: Path) -> None:
    folder = make(tmp_path, {**WHOLE, "model.safetensors": POINTER})
    assert "git lfs pull" in refusal(folder, "llava-1.5")
    part = make(tmp_path / "m", {"vicuna/config.json": {"model_type": "llama"}})
    assert "not a checkpoint itself" not in refusal(part, "minigpt-4")


@pytest.mark.parametrize(
    "tokenizer", [{"vocab.json": {}, "merges.txt": ""}, {"vocab.txt": ""}, {"spiece.model": ""}]
)
def test_a_tokenizer_may_have_another_form(tmp_path: Path, tokenizer: Files) -> None:
    whole = {name: text for name, text in WHOLE.items() if name != "tokenizer.json"}
    folder = make(tmp_path, {**whole, **tokenizer})
    assert choose(f"m=hf:{folder}").checkpoint == str(folder)
    make(folder, {"vocab.json": ""})
    (folder / next(iter(tokenizer))).unlink()
    assert "lacks tokenizer.json (or" in refusal(folder)

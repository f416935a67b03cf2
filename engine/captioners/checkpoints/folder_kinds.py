"""Advice for what is named in place of a checkpoint folder, by its kind: one sentence each.

A sentence says what was named and what to name, do or download instead. Only files and their names
are looked at: what config.json says is in `config_kinds`. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from engine.captioners.checkpoints.hub import (
    CACHE_PREFIX,
    cache_folder_of,
    cached_snapshot,
    download_command,
    repository_name,
    snapshot_of,
)
from engine.captioners.checkpoints.layouts import (
    find_projection_file,
    missing_weights,
    weight_names,
)
from engine.captioners.checkpoints.weight_size import SUFFIXES
from engine.captioners.config_files import NAME_ITS_SERVER, SMALL_FILES, entries, server_advice

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".zst")
"""Endings of files that hold a folder."""
FORMATS = {
    ".gguf": "GGUF, for llama.cpp",
    ".onnx": "ONNX",
    ".h5": "Keras (TensorFlow)",
    ".msgpack": "Flax (JAX)",
    ".npz": "NumPy (JAX)",
    ".nemo": "NeMo",
    ".mlpackage": "Core ML",
    ".tflite": "LiteRT",
    ".task": "LiteRT",
    ".litertlm": "LiteRT",
    ".pte": "ExecuTorch",
    ".engine": "TensorRT",
    ".pdparams": "PaddlePaddle",
    ".ckpt": "Lightning",
}
"""Endings of weights in formats of other programs, and what people call the formats."""
OPENVINO = "openvino_model"
"""How the names of OpenVINO's files begin."""
SHARD = re.compile(r"(?P<stem>model|pytorch_model)-\d+-of-\d+(?P<suffix>\.safetensors|\.bin)")
CONFIGS = ("config.json", "adapter_config.json")
"""A folder with one of these is a model or an adapter."""
NO_CAPTIONERS = {
    "model_index.json": "a pipeline of diffusers, which draws images and describes none",
    "modules.json": "a model of sentence-transformers, which writes vectors and no text",
    "diffusion_pytorch_model.safetensors": "a part of a pipeline of diffusers, which draws images",
    "pytorch_lora_weights.safetensors": "an adapter of diffusers, for models that draw images",
    "open_clip_config.json": "a model of OpenCLIP, which only compares images with texts",
}
"""What a folder is that has an entry of this name."""
UNFINISHED = (".incomplete", ".part", ".crdownload", ".aria2")
"""Endings of files that a program still downloads or has given up."""
TRAINING = ("global_step*", "zero_to_fp32.py", "mp_rank_*", "pytorch_model_fsdp_*", "*.distcp")
"""Patterns of names in folders that a program for training on many GPUs writes."""
ORIGINAL_FILES = ("consolidated*", "params.json", "*.pth", "*.pt")
"""Patterns of the names of weights in an original layout."""
MISTRAL_FILES = ("tekken.json", "consolidated.safetensors")
"""Files that only Mistral's own layout has."""
MISTRAL_COPY = "such as mistral-community/pixtral-12b"
OTHER_COPY = "often published as NAME-hf"
"""Which copies there are of models in their original layout."""
READ_ENDS = (*SMALL_FILES, ".model", ".tiktoken", "merges.txt", "vocab.txt")
"""How the names of the files beside the weights end that are read for a model."""
POINTER = b"version https://git-lfs.github.com/"
"""How a file of Git LFS begins that stands for another one."""
WEB_PAGES = (b"<!doctype html", b"<html")
"""How web pages begin, in lower case."""

Kind = Callable[[Path], str | None]
"""Returns the sentence for a folder of its kind, and None for others."""


def advice_for_no_folder(text: str) -> str:
    """Return what to do where a text that should name a folder names none."""
    path = Path(text).expanduser().absolute()
    repository = repository_name(text)
    if path.is_file():
        if path.suffix == ".gguf":
            return other_format(path, path.parent)
        if path.suffix in ARCHIVES:
            return f"{path} is an archive: unpack it and name the folder"
        return f"{path} is a file: name the folder that holds all files of the model"
    if path.is_symlink():
        return f"{path} is a broken link: name the folder itself"
    if repository is None and "://" in text:
        return f"{text} is an address, and nothing is downloaded: name a folder on this machine"
    if repository is None:
        return (
            f"no such checkpoint folder: {path} (nothing is downloaded: name a folder on this"
            " machine)"
        )
    cached = cached_snapshot(repository)
    if cached is not None:
        return f"there is no folder {text}: name the copy in the Hub's cache, {cached}"
    return (
        f"there is no folder {text}, and nothing is downloaded from the Hub here: run"
        f" {download_command(repository)}, then name the folder that it makes"
    )


def cache_of_the_hub(folder: Path) -> str | None:
    own = cache_folder_of(folder)
    roots = sorted(folder.glob(f"{CACHE_PREFIX}*")) if own is None else [own]
    if not roots:
        return None
    root = next((it for it in roots if snapshot_of(it) is not None), roots[0])
    snapshot = snapshot_of(root)
    what = f"{folder} belongs to the Hub's cache, which keeps the files of a model in its snapshots"
    if snapshot is not None:
        return f"{what}: name {snapshot}"
    name = root.name.removeprefix(CACHE_PREFIX).replace("--", "/")
    return (
        f"{what}, and there is no snapshot of this model: run {download_command(name)} and name its"
        " folder"
    )


def unfinished_download(folder: Path) -> str | None:
    places = [folder, folder / ".cache/huggingface/download"]  # as `hf download --local-dir` does
    if folder.parent.name == "snapshots":
        places.append(folder.parent.parent / "blobs")
    found = (it for place in places for it in place.glob("*") if it.suffix in UNFINISHED)
    first = next(found, None)
    if first is None:
        return None
    return (
        f"{folder} is not downloaded completely ({first.name} is there): run the same download"
        " again, which continues where it stopped"
    )


def dead_links(folder: Path) -> str | None:
    dead = [it.name for it in sorted(folder.iterdir()) if it.is_symlink() and not it.exists()]
    if not dead:
        return None
    return (
        f"{folder} has broken links ({len(dead)}, the first is {dead[0]}): copy the folder"
        " with the files that they point to (cp -rL), or download it again"
    )


def no_captioner(folder: Path) -> str | None:
    what = next((what for name, what in NO_CAPTIONERS.items() if (folder / name).exists()), None)
    if what is None:
        return None
    return f"{folder} is {what}: take a model that 'mllmaug-tui models' lists as tried"


def ollama_store(folder: Path) -> str | None:
    if not all((folder / name).is_dir() for name in ("manifests", "blobs")):
        return None
    return f"{folder} is Ollama's store of models: start 'ollama serve' and {NAME_ITS_SERVER}"


def minigpt_4(folder: Path) -> str | None:
    if find_projection_file(folder) is None:
        return None
    return f"{folder} has the official layout of MiniGPT-4: load it with --model minigpt-4"


def original_layout(folder: Path) -> str | None:
    found = (it for pattern in ORIGINAL_FILES for it in sorted(folder.glob(pattern)))
    first = next(found, None)
    if first is None or not missing_weights(folder):
        return None
    is_mistral = any((folder / name).is_file() for name in MISTRAL_FILES)
    maker, copy = ("Mistral", MISTRAL_COPY) if is_mistral else ("its authors", OTHER_COPY)
    return (
        f"{folder} has the original layout of {maker} ({first.name}): take a copy in transformers'"
        f" own layout, with config.json and model.safetensors, {copy}, or {server_advice()}"
    )


def weights_of_another_format(folder: Path) -> str | None:
    if not missing_weights(folder) or any(map(SHARD.fullmatch, names(folder))):
        return None
    found = (it for it in entries(folder) if it.suffix in FORMATS or it.name.startswith(OPENVINO))
    first = next(found, None)
    return None if first is None else other_format(first, folder)


def other_format(file: Path, folder: Path) -> str:
    """Return the sentence for a folder whose weights are in a format of another program."""
    name = FORMATS.get(file.suffix, "OpenVINO")
    program = ", such as llama.cpp's llama-server," if file.suffix == ".gguf" else ""
    return (
        f"{folder} holds weights for another program only ({file.name}: {name}): take the"
        f" repository that they were made from, with model.safetensors, or serve them with that"
        f" program{program} and {NAME_ITS_SERVER}"
    )


def training_checkpoint(folder: Path) -> str | None:
    first = next((it for pattern in TRAINING for it in sorted(folder.glob(pattern))), None)
    if first is None or not missing_weights(folder):
        return None
    return (
        f"{folder} is a checkpoint of a training on several devices ({first.name}): join its parts"
        " with the program that wrote them, and save the model with save_pretrained"
    )


def shards_without_index(folder: Path) -> str | None:
    match = next(filter(None, map(SHARD.fullmatch, names(folder))), None)
    if match is None:
        return None
    index = f"{match['stem']}{match['suffix']}.index.json"
    if (folder / index).is_file():
        return None
    return (
        f"{folder} has shards of weights ({match[0]} and others) without {index}: download that"
        " file of the same repository, too"
    )


def weights_of_another_name(folder: Path) -> str | None:
    found = [it for it in names(folder) if it.endswith(".safetensors") and not SHARD.fullmatch(it)]
    if not found or weight_names(folder) or not missing_weights(folder):
        return None
    return (
        f"{folder} has no model.safetensors, but {', '.join(found[:3])}: rename the"
        " file to model.safetensors if it holds all weights, else download that of the repository"
    )


def part_of_a_model(folder: Path) -> str | None:
    whole = folder.parent
    if (folder / "config.json").is_file() or not (whole / "config.json").is_file():
        return None
    return None if missing_weights(whole) else f"{folder} is a part of a model: name {whole}"


def folder_of_models(folder: Path) -> str | None:
    if (folder / "config.json").is_file():
        return None
    inner = sorted({it.parent for name in CONFIGS for it in folder.glob(f"*/{name}")})
    if not inner:
        return None
    count = f" ({len(inner)} are in it)" if len(inner) > 1 else ""
    return f"{folder} is not a checkpoint itself: name a folder in it{count}, such as {inner[-1]}"


def mistral_tokenizer(folder: Path) -> str | None:
    if not (folder / "tekken.json").is_file() or (folder / "tokenizer.json").is_file():
        return None
    return (
        f"{folder} has its tokenizer in Mistral's own form only (tekken.json): put the"
        " tokenizer.json of a copy in transformers' own layout there, or name that copy's folder,"
        f" --set NAME.tokenizer=FOLDER, or {server_advice()}"
    )


def names(folder: Path) -> list[str]:
    """Return the names of the entries of a folder, in order."""
    return sorted(it.name for it in folder.iterdir())


KINDS: tuple[Kind, ...] = (
    cache_of_the_hub,
    dead_links,
    unfinished_download,
    ollama_store,
    no_captioner,
    weights_of_another_format,
)
"""The kinds that an incomplete folder may be of, for any family, in the order of trial."""
HF_KINDS: tuple[Kind, ...] = (
    *KINDS,
    part_of_a_model,
    minigpt_4,
    training_checkpoint,
    original_layout,
    shards_without_index,
    weights_of_another_name,
    folder_of_models,
    mistral_tokenizer,
)
"""The same for models in the Hugging Face layout."""


def stand_in(folder: Path) -> str | None:
    """Return the advice for a folder of which a file only stands for the real one."""
    parts = (it.parent for it in sorted(folder.glob("*/config.json")))
    found = (why for part in (folder, *parts) for file in read_files(part) if (why := fake(file)))
    return next(found, None)


def read_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are read for a model."""
    weights = weight_names(folder)
    return [
        it
        for it in sorted(folder.iterdir())
        if it.is_file()
        and (
            it.name.endswith(READ_ENDS)
            or (it.name in weights if weights else it.suffix in SUFFIXES)
        )
    ]


def fake(file: Path) -> str | None:
    """Return the advice for a file that only stands for the real one; None if it is real."""
    try:
        with file.open("rb") as opened:
            head = opened.read(64)
    except OSError:
        return None  # who needs the file will say so
    if head.startswith(POINTER):
        return (
            f"{file} is a pointer of Git LFS, not the file itself: run 'git lfs pull' in the"
            " folder, or 'hf download' with the repository's name"
        )
    if head.lower().lstrip().startswith(WEB_PAGES):
        return (
            f"{file} is a web page, not the file itself: download it with 'hf download', after"
            " 'hf auth login' if the repository requires that"
        )
    if not head and file.suffix in SUFFIXES:
        return f"{file} is empty: download it again"
    return None

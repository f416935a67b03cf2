"""Small checkpoints in the official layouts, with tokenizers: the golden ones, words added."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from engine.captioners.families.qwen_tokenizer import SPECIAL
from engine.captioners.preprocessing.prompts import load_tokenizer

GOLDEN = Path(__file__).parents[1] / "golden"
LLAMA = GOLDEN / "llama_tok/tok"


def grow(weights: dict[str, torch.Tensor], words: int, *keys: str) -> None:
    """Embeddings of more words, drawn as those that are there."""
    generator = torch.Generator().manual_seed(4)
    for key in keys:
        table = weights[key]
        more = torch.randn(words - len(table), table.shape[1], generator=generator)
        weights[key] = torch.cat([table, more * table.std()])


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def copy(family: str, folder: Path) -> Path:
    """The weights and configs of a golden case, nothing that is compared."""
    unwanted = ("*.safetensors", "*.png", "provenance.json", "hf", "hf_blip2", "special_ids.json")
    shutil.copytree(GOLDEN / family / "A", folder, ignore=shutil.ignore_patterns(*unwanted))
    return folder


def reword(path: Path, words: int, *keys: str) -> None:
    weights = torch.load(path, weights_only=True)
    grow(weights, words, *keys)
    torch.save(weights, path)


def llava(folder: Path) -> Path:
    copy("llava", folder)
    shutil.copytree(LLAMA, folder, dirs_exist_ok=True)
    words = len(load_tokenizer(LLAMA))
    reword(folder / "pytorch_model.bin", words, "model.embed_tokens.weight", "lm_head.weight")
    change_json(folder / "config.json", vocab_size=words)
    return folder


def minigpt4(folder: Path) -> Path:
    copy("minigpt4", folder)
    shutil.copytree(LLAMA, folder / "vicuna", dirs_exist_ok=True)
    words = len(load_tokenizer(LLAMA))
    vicuna = folder / "vicuna"
    reword(vicuna / "pytorch_model.bin", words, "model.embed_tokens.weight", "lm_head.weight")
    change_json(vicuna / "config.json", vocab_size=words)
    return folder


def byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made)


def otter(folder: Path) -> Path:
    copy("otter", folder)
    byte_tokenizer().save_pretrained(folder)
    reword(folder / "pytorch_model.bin", 260, "lang_encoder.transformer.wte.weight")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_seq_len"] = 256
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def qwen_vl(folder: Path) -> Path:
    copy("qwen_vl", folder)
    ranks = [b"%s %d\n" % (base64.b64encode(bytes([number])), number) for number in range(256)]
    (folder / "qwen.tiktoken").write_bytes(b"".join(ranks))
    words = 256 + len(SPECIAL)
    reword(folder / "pytorch_model.bin", words, "transformer.wte.weight", "lm_head.weight")
    config = json.loads((folder / "config.json").read_text())
    config["visual"]["image_start_id"] = 256 + SPECIAL.index("<img>")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


CHECKPOINTS: dict[str, Callable[[Path], Path]] = {
    "llava-1.5": llava,
    "minigpt-4": minigpt4,
    "otter": otter,
    "qwen-vl": qwen_vl,
}


def weight_paths(folder: Path) -> list[Path]:
    return sorted([*folder.rglob("*.bin"), *folder.rglob("*.pth")])


def to_safetensors(folder: Path) -> None:
    """The one `pytorch_model.bin` as two shards in safetensors."""
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    names = sorted(weights)
    where = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name].contiguous() for name in part}, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (folder / "pytorch_model.bin").unlink()

"""Small checkpoints in the official layouts: those of the golden tests, with tokenizers added.

Their vocabularies are grown to fit the tokenizers.
"""

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

from engine.captioners.families.qwen_tokenizer import SPECIAL_TOKENS
from engine.captioners.preprocessing.prompts import load_tokenizer

GOLDEN = Path(__file__).parents[1] / "golden"
"""The folder of the golden fixtures."""
LLAMA_TOKENIZER = GOLDEN / "llama_tok/tok"
"""The folder of Llama's tokenizer."""


def grow_tables(weights: dict[str, torch.Tensor], tokens: int, *keys: str) -> None:
    """Grow the embeddings of these keys to so many tokens, with the same standard deviation."""
    generator = torch.Generator().manual_seed(4)
    for key in keys:
        table = weights[key]
        more = torch.randn(tokens - len(table), table.shape[1], generator=generator)
        weights[key] = torch.cat([table, more * table.std()])


def change_json(path: Path, **values: object) -> None:
    """Set these keys in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def copy_golden(family: str, folder: Path) -> Path:
    """Copy the weights and configs of a golden case, but nothing that is compared."""
    left_out = ("*.safetensors", "*.png", "provenance.json", "hf", "hf_blip2", "special_ids.json")
    shutil.copytree(GOLDEN / family / "A", folder, ignore=shutil.ignore_patterns(*left_out))
    return folder


def grow_file(path: Path, tokens: int, *keys: str) -> None:
    """Grow the embeddings of these keys in a weight file."""
    weights = torch.load(path, weights_only=True)
    grow_tables(weights, tokens, *keys)
    torch.save(weights, path)


def llava(folder: Path) -> Path:
    copy_golden("llava", folder)
    add_llama_tokenizer(folder)
    return folder


def minigpt4(folder: Path) -> Path:
    copy_golden("minigpt4", folder)
    add_llama_tokenizer(folder / "vicuna")
    return folder


def minigpt4_llama2(folder: Path) -> Path:
    copy_golden("minigpt4_llama2", folder)
    add_llama_tokenizer(folder / "llama-2-7b-chat-hf")
    return folder


def add_llama_tokenizer(folder: Path) -> None:
    """Put Llama's tokenizer into the folder of a language model, and grow that to its size."""
    shutil.copytree(LLAMA_TOKENIZER, folder, dirs_exist_ok=True)
    tokens = len(load_tokenizer(LLAMA_TOKENIZER))
    grow_file(folder / "pytorch_model.bin", tokens, "model.embed_tokens.weight", "lm_head.weight")
    change_json(folder / "config.json", vocab_size=tokens)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that has one token for each byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def otter(folder: Path) -> Path:
    copy_golden("otter", folder)
    byte_tokenizer().save_pretrained(folder)
    grow_file(folder / "pytorch_model.bin", 260, "lang_encoder.transformer.wte.weight")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_seq_len"] = 256
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def otter_llama(folder: Path) -> Path:
    copy_golden("otter_llama", folder)
    shutil.copytree(LLAMA_TOKENIZER, folder, dirs_exist_ok=True)
    tables = ("lang_encoder.model.embed_tokens.weight", "lang_encoder.lm_head.weight")
    tokens = len(load_tokenizer(LLAMA_TOKENIZER)) + 4
    grow_file(folder / "pytorch_model.bin", tokens, *tables)
    return folder


def qwen_vl(folder: Path) -> Path:
    copy_golden("qwen_vl", folder)
    ranks = [b"%s %d\n" % (base64.b64encode(bytes([number])), number) for number in range(256)]
    (folder / "qwen.tiktoken").write_bytes(b"".join(ranks))
    tokens = 256 + len(SPECIAL_TOKENS)
    grow_file(folder / "pytorch_model.bin", tokens, "transformer.wte.weight", "lm_head.weight")
    config = json.loads((folder / "config.json").read_text())
    config["visual"]["image_start_id"] = 256 + SPECIAL_TOKENS.index("<img>")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


OTTERS = ("otter", "otter-llama")
"""The families whose images enter by cross-attention, and whose prompts are token ids."""
CHECKPOINTS: dict[str, Callable[[Path], Path]] = {
    "llava-1.5": llava,
    "minigpt-4": minigpt4,
    "minigpt-4-llama2": minigpt4_llama2,
    "otter": otter,
    "otter-llama": otter_llama,
    "qwen-vl": qwen_vl,
}
"""For each family the function that makes its small checkpoint in a folder."""


def weight_paths(folder: Path) -> list[Path]:
    """Return the weight files of a checkpoint of any family."""
    return sorted([*folder.rglob("*.bin"), *folder.rglob("*.pth")])


def to_safetensors(folder: Path) -> None:
    """Replace the one `pytorch_model.bin` by two safetensors files with an index."""
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    names = sorted(weights)
    file_of_key: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name].contiguous() for name in part}, folder / file)
        file_of_key |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": file_of_key}))
    (folder / "pytorch_model.bin").unlink()

"""Random checkpoints in the official layouts, written file by file: none is ever held in memory.

Keys are those that the families' recipes read, and with them what the official files hold beside.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import nn

from engine.captioners.checkpoints.assembly import Recipe, by_rules, state
from engine.captioners.checkpoints.modules import LLAMA_KEYS
from engine.captioners.checkpoints.weights import count_layers
from engine.captioners.families.llava import HF_TOWER, ORIGINAL_TOWER, recognise
from engine.captioners.families.minigpt4 import BLIP2, EVA, official_recipe
from engine.captioners.families.otter import MPT_KEYS, TOWER
from engine.captioners.families.qwen_vl import recipe as qwen_recipe
from engine.captioners.parity import LOADERS
from tests.bench.layouts import FAMILY, SHARD_BYTES
from tests.bench.random_models import BUILDERS
from tests.support.checkpoints import CHECKPOINTS, GOLDEN, change_json, weight_paths

Shapes = dict[str, tuple[int, ...]]
DRAWN = 2**22
"""Random numbers, which every tensor repeats."""
OF_VIT = ("cls_token", "pos_embed", "patch_embed.", "blocks.")
OF_BLIP2 = ("query_tokens", "ln_vision.", "Qformer.")
QWEN_LENGTH = 2048


class Files(NamedTuple):
    """Weights that are published together, as they lie on the disk."""

    path: str
    """In the checkpoint's folder; of shards the name without their numbers."""
    shapes: Shapes
    dtype: torch.dtype
    sharded: bool = False
    nested: bool = False
    """Under the key `model`, as trainers save them."""


def make(layout: str, size: str, folder: Path) -> Path:
    """`size` is `7b`, or `small`: that of the golden checkpoints."""
    family = FAMILY[layout]
    CHECKPOINTS[family](folder)
    small = size == "small"
    torch.serialization.set_crc32_options(False)  # which takes longer than the rest
    model: Any = LOADERS[family](folder, torch.float32)[0] if small else BUILDERS[family]()
    for path in weight_paths(folder):
        path.unlink()
    for files in LAYOUTS[layout](folder, model):
        write(folder / files.path, files, SHARD_BYTES[size])
    return folder


def official(model: nn.Module, recipe: Callable[[str], Recipe]) -> Shapes:
    """The shapes of the keys that the model is made of."""
    found: Shapes = {}
    for name, tensor in state(model).items():
        keys = recipe(name).keys
        for key in keys:
            # EVA's two biases make a third of the model's each; Qwen's matrix holds three of it.
            rows = tensor.shape[0] // 3 if len(keys) == 2 else tensor.shape[0]
            rows += found[key][0] if key in found else 0
            found[key] = (rows, *tensor.shape[1:])
    return found


def those(shapes: Shapes, *prefixes: str) -> Shapes:
    return {key: shape for key, shape in shapes.items() if key.startswith(prefixes)}


def one_more(shapes: Shapes, layers: str) -> Shapes:
    """A layer that the official files hold and the model does not read."""
    count = count_layers(shapes, layers)
    last = f"{layers}{count - 1}."
    more = {key.replace(last, f"{layers}{count}."): it for key, it in those(shapes, last).items()}
    return shapes | more


def whole_tower(shapes: Shapes, prefix: str, width: int, unread: bool) -> Shapes:
    """CLIP's ViT with the final norm, and the last layer, which LLaVA leaves out."""
    found = one_more(shapes, f"{prefix}encoder.layers.") if unread else shapes
    return found | {f"{prefix}post_layernorm.{kind}": (width,) for kind in ("weight", "bias")}


def rotary(shapes: Shapes, head: int) -> Shapes:
    layers = range(count_layers(shapes, "model.layers."))
    return shapes | {
        f"model.layers.{number}.self_attn.rotary_emb.inv_freq": (head // 2,) for number in layers
    }


def llama_sizes(model: Any) -> dict[str, Any]:
    return {key: getattr(model.config, key) for key in LLAMA_KEYS}


def clip_sizes(model: Any, unread: int) -> dict[str, Any]:
    keys = ("hidden_size", "intermediate_size", "num_attention_heads", "image_size", "patch_size")
    sizes = {key: getattr(model.config, key) for key in keys}
    return sizes | {"num_hidden_layers": model.config.num_hidden_layers + unread}


def llava_hf(folder: Path, model: Any) -> Iterator[Files]:
    config = folder / "config.json"
    shutil.copy(GOLDEN / "llava/A/hf/config.json", config)
    text = {"model_type": "llama"} | llama_sizes(model.language_model)
    change_json(config, text_config=text, vision_config=clip_sizes(model.vision_tower, 1))
    layout = recognise(folder, json.loads(config.read_text()))
    shapes = official(model, by_rules(layout.rules))
    width = model.vision_tower.config.hidden_size
    shapes = whole_tower(shapes, HF_TOWER, width, unread=True)
    yield Files("model.safetensors", shapes, torch.float16, sharded=True)


def llava_original(folder: Path, model: Any) -> Iterator[Files]:
    config, clip = folder / "config.json", folder / "clip"
    change_json(config, **llama_sizes(model.language_model))
    clip.mkdir()
    told = {"model_type": "clip", "vision_config": clip_sizes(model.vision_tower, 1)}
    (clip / "config.json").write_text(json.dumps(told))
    layout = recognise(folder, json.loads(config.read_text()))
    shapes = official(model, by_rules(layout.rules))
    tower = {
        key.replace(ORIGINAL_TOWER, "vision_model."): shape
        for key, shape in those(shapes, ORIGINAL_TOWER).items()
    }
    rest = {key: shape for key, shape in shapes.items() if not key.startswith(ORIGINAL_TOWER)}
    rest = rotary(rest, model.language_model.config.head_dim)
    width = model.vision_tower.config.hidden_size
    tower = whole_tower(tower, "vision_model.", width, unread=True)
    yield Files("clip/pytorch_model.bin", tower, torch.float32)
    yield Files("pytorch_model.bin", rest, torch.float16, sharded=True)


def minigpt4(folder: Path, model: Any) -> Iterator[Files]:
    (folder / "config.json").unlink()  # not one of the official files
    sizes = llama_sizes(model.language_model)
    change_json(folder / "vicuna/config.json", **sizes)
    shapes = official(model, official_recipe)
    vicuna = rotary(those(shapes, "model.", "lm_head."), sizes["head_dim"])
    yield Files(EVA, one_more(those(shapes, *OF_VIT), "blocks."), torch.float16)
    yield Files(BLIP2, those(shapes, *OF_BLIP2), torch.float32, nested=True)
    projection = those(shapes, "llama_proj.")
    yield Files("prerained_minigpt4_7b.pth", projection, torch.float32, nested=True)
    yield Files("vicuna/pytorch_model.bin", vicuna, torch.float16, sharded=True)


def otter(folder: Path, model: Any) -> Iterator[Files]:
    language = model.lang_encoder
    gates = sum(it.gated_cross_attn_layer is not None for it in language.transformer.blocks)
    config = json.loads((folder / "config.json").read_text())
    config["cross_attn_every_n_layers"] = language.config.n_layers // gates
    config["text_config"] |= {key: getattr(language.config, key) for key in MPT_KEYS}
    config["vision_config"] |= clip_sizes(model.vision_encoder, 0)
    (folder / "config.json").write_text(json.dumps(config))
    shapes = official(model, by_rules([(r"vision_encoder\.", TOWER)]))
    width = model.vision_encoder.config.hidden_size
    shapes = whole_tower(shapes, TOWER, width, unread=False)
    yield Files("pytorch_model.bin", shapes, torch.bfloat16, sharded=True)


def qwen_vl(folder: Path, model: Any) -> Iterator[Files]:
    told, blocks = model.language_model.config, model.visual.transformer["resblocks"]
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "vocab_size": told.vocab_size,
        "hidden_size": told.hidden_size,
        "intermediate_size": 2 * told.intermediate_size,
        "num_hidden_layers": told.num_hidden_layers,
        "num_attention_heads": told.num_attention_heads,
        "seq_length": min(told.max_position_embeddings, QWEN_LENGTH),
    }
    config["visual"] |= {
        "heads": blocks[0].attn.heads,
        "layers": len(blocks),
        "image_size": model.image_size,
    }
    (folder / "config.json").write_text(json.dumps(config))
    shapes = official(model, qwen_recipe)
    yield Files("pytorch_model.bin", shapes, torch.bfloat16, sharded=True)


LAYOUTS: dict[str, Callable[[Path, Any], Iterator[Files]]] = {
    "llava-1.5 llava-hf": llava_hf,
    "llava-1.5 original": llava_original,
    "minigpt-4": minigpt4,
    "otter": otter,
    "qwen-vl": qwen_vl,
}


def write(path: Path, files: Files, limit: int) -> None:
    if not files.sharded:
        save(path, files.shapes, files)
        return
    parts = list(shards(files, limit))
    where: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        name = f"{path.stem}-{number:05}-of-{len(parts):05}{path.suffix}"
        save(path.with_name(name), part, files)
        where |= dict.fromkeys(part, name)
    path.with_name(f"{path.name}.index.json").write_text(json.dumps({"weight_map": where}))


def shards(files: Files, limit: int) -> Iterator[Shapes]:
    part: Shapes = {}
    held = 0
    for key, shape in files.shapes.items():
        size = torch.Size(shape).numel() * files.dtype.itemsize
        if part and held + size > limit:
            yield part
            part, held = {}, 0
        part[key] = shape
        held += size
    yield part


def save(path: Path, shapes: Shapes, files: Files) -> None:
    numbers = drawn(files.dtype, max(torch.Size(shape).numel() for shape in shapes.values()))
    weights = {key: of(numbers, shape, files.dtype) for key, shape in shapes.items()}
    if path.suffix == ".safetensors":
        save_file({key: it.clone() for key, it in weights.items()}, path, {"format": "pt"})
    else:
        torch.save({"model": weights} if files.nested else weights, path)


@lru_cache(maxsize=1)
def drawn(dtype: torch.dtype, count: int) -> Any:
    """The bytes of so many numbers."""
    block = (torch.randn(DRAWN, generator=torch.Generator().manual_seed(5)) * 0.02).to(dtype)
    return block.repeat(-(-count // DRAWN)).view(torch.uint8).numpy()


def of(numbers: Any, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """The first of the numbers, where they lie: to `torch.save` each tensor is one by itself."""
    return torch.frombuffer(numbers, dtype=dtype, count=torch.Size(shape).numel()).view(shape)

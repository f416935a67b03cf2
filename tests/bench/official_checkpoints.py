"""Writing random checkpoints in the official layouts, file by file, to save memory.

The keys are those that the families' recipes read, and those that the official files hold beside
them.
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

from engine.captioners.checkpoints.assembly import Recipe, named_tensors, recipe_by_rules
from engine.captioners.checkpoints.modules import LLAMA_KEYS
from engine.captioners.checkpoints.weights import count_layers
from engine.captioners.families.llava import HF_TOWER, ORIGINAL_TOWER, recognise_layout
from engine.captioners.families.minigpt4 import BLIP2, EVA, official_recipe
from engine.captioners.families.otter import MPT_KEYS, TOWER
from engine.captioners.families.qwen_vl import recipe as qwen_recipe
from engine.captioners.parity import LOADERS
from tests.bench.checkpoint_layouts import FAMILY, SHARD_BYTES
from tests.bench.random_models import BUILDERS
from tests.support.checkpoints import CHECKPOINTS, GOLDEN, change_json, weight_paths

Shapes = dict[str, tuple[int, ...]]
"""Shapes of weights, by key."""
RANDOM_COUNT = 2**22
"""How many random numbers are generated; every tensor repeats them."""
SAFETENSORS_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
VIT_PREFIXES = ("cls_token", "pos_embed", "patch_embed.", "blocks.")
BLIP2_PREFIXES = ("query_tokens", "ln_vision.", "Qformer.")
QWEN_LENGTH = 2048
"""The longest sequence that Qwen-VL's config names, in tokens."""


class WeightFile(NamedTuple):
    """A weight file of a checkpoint, or the shards of one."""

    path: str
    """The path in the checkpoint's folder, without the numbers of shards."""
    shapes: Shapes
    dtype: torch.dtype
    sharded: bool = False
    nested: bool = False
    """True if the weights lie under the key `model`, as trainers save them."""


def make_checkpoint(layout: str, size: str, folder: Path, hollow: bool = False) -> Path:
    """Write a checkpoint of the size `7b`, or `small`, which is that of the golden checkpoints.

    `hollow` is True if only names and shapes count: the files have holes in the place of numbers.
    """
    family = FAMILY[layout]
    CHECKPOINTS[family](folder)
    small = size == "small"
    torch.serialization.set_crc32_options(False)  # computing it takes longer than the rest
    model: Any = LOADERS[family](folder, torch.float32)[0] if small else BUILDERS[family]()
    for path in weight_paths(folder):
        path.unlink()
    for weight_file in LAYOUTS[layout](folder, model):
        write(folder / weight_file.path, weight_file, SHARD_BYTES[size], hollow)
    return folder


def official_shapes(model: nn.Module, recipe: Callable[[str], Recipe]) -> Shapes:
    """Return the shapes of the official keys from which the model is made."""
    shapes: Shapes = {}
    for name, tensor in named_tensors(model).items():
        keys = recipe(name).keys
        for key in keys:
            # EVA has two biases, each a third of the model's; Qwen's one matrix holds three of it.
            rows = tensor.shape[0] // 3 if len(keys) == 2 else tensor.shape[0]
            rows += shapes[key][0] if key in shapes else 0
            shapes[key] = (rows, *tensor.shape[1:])
    return shapes


def with_prefixes(shapes: Shapes, *prefixes: str) -> Shapes:
    """Return the shapes whose keys begin with one of the prefixes."""
    return {key: shape for key, shape in shapes.items() if key.startswith(prefixes)}


def with_unread_layer(shapes: Shapes, layers: str) -> Shapes:
    """Return the shapes with one more layer, which the model does not read."""
    count = count_layers(shapes, layers)
    last = f"{layers}{count - 1}."
    unread = {
        key.replace(last, f"{layers}{count}."): shape
        for key, shape in with_prefixes(shapes, last).items()
    }
    return shapes | unread


def whole_tower(shapes: Shapes, prefix: str, width: int, unread: bool) -> Shapes:
    """Return the shapes with the final norm of CLIP's ViT, which no family reads.

    With `unread` they have its last layer, too, which LLaVA does not read.
    """
    tower = with_unread_layer(shapes, f"{prefix}encoder.layers.") if unread else shapes
    norm = {f"{prefix}post_layernorm.{name}": (width,) for name in ("weight", "bias")}
    return tower | norm


def with_rotary(shapes: Shapes, head: int) -> Shapes:
    """Return the shapes with the rotary frequencies that old Llama checkpoints hold."""
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


def llava_hf(folder: Path, model: Any) -> Iterator[WeightFile]:
    config = folder / "config.json"
    shutil.copy(GOLDEN / "llava/A/hf/config.json", config)
    text = {"model_type": "llama"} | llama_sizes(model.language_model)
    change_json(config, text_config=text, vision_config=clip_sizes(model.vision_tower, 1))
    layout = recognise_layout(folder, json.loads(config.read_text()))
    shapes = official_shapes(model, recipe_by_rules(layout.rules))
    width = model.vision_tower.config.hidden_size
    shapes = whole_tower(shapes, HF_TOWER, width, unread=True)
    yield WeightFile("model.safetensors", shapes, torch.float16, sharded=True)


def llava_original(folder: Path, model: Any) -> Iterator[WeightFile]:
    config, clip = folder / "config.json", folder / "clip"
    change_json(config, **llama_sizes(model.language_model))
    clip.mkdir()
    clip_config = {"model_type": "clip", "vision_config": clip_sizes(model.vision_tower, 1)}
    (clip / "config.json").write_text(json.dumps(clip_config))
    layout = recognise_layout(folder, json.loads(config.read_text()))
    shapes = official_shapes(model, recipe_by_rules(layout.rules))
    tower = {
        key.replace(ORIGINAL_TOWER, "vision_model."): shape
        for key, shape in with_prefixes(shapes, ORIGINAL_TOWER).items()
    }
    rest = {key: shape for key, shape in shapes.items() if not key.startswith(ORIGINAL_TOWER)}
    rest = with_rotary(rest, model.language_model.config.head_dim)
    width = model.vision_tower.config.hidden_size
    tower = whole_tower(tower, "vision_model.", width, unread=True)
    yield WeightFile("clip/pytorch_model.bin", tower, torch.float32)
    yield WeightFile("pytorch_model.bin", rest, torch.float16, sharded=True)


def minigpt4(folder: Path, model: Any) -> Iterator[WeightFile]:
    (folder / "config.json").unlink()  # not one of the official files
    sizes = llama_sizes(model.language_model)
    change_json(folder / "vicuna/config.json", **sizes)
    shapes = official_shapes(model, official_recipe)
    vicuna = with_rotary(with_prefixes(shapes, "model.", "lm_head."), sizes["head_dim"])
    yield WeightFile(
        EVA, with_unread_layer(with_prefixes(shapes, *VIT_PREFIXES), "blocks."), torch.float16
    )
    yield WeightFile(BLIP2, with_prefixes(shapes, *BLIP2_PREFIXES), torch.float32, nested=True)
    projection = with_prefixes(shapes, "llama_proj.")
    yield WeightFile("prerained_minigpt4_7b.pth", projection, torch.float32, nested=True)
    yield WeightFile("vicuna/pytorch_model.bin", vicuna, torch.float16, sharded=True)


def otter(folder: Path, model: Any) -> Iterator[WeightFile]:
    language = model.lang_encoder
    blocks = language.transformer.blocks
    gates = sum(block.gated_cross_attn_layer is not None for block in blocks)
    config = json.loads((folder / "config.json").read_text())
    config["cross_attn_every_n_layers"] = language.config.n_layers // gates
    config["text_config"] |= {key: getattr(language.config, key) for key in MPT_KEYS}
    config["vision_config"] |= clip_sizes(model.vision_encoder, 0)
    (folder / "config.json").write_text(json.dumps(config))
    shapes = official_shapes(model, recipe_by_rules([(r"vision_encoder\.", TOWER)]))
    width = model.vision_encoder.config.hidden_size
    shapes = whole_tower(shapes, TOWER, width, unread=False)
    yield WeightFile("pytorch_model.bin", shapes, torch.bfloat16, sharded=True)


def qwen_vl(folder: Path, model: Any) -> Iterator[WeightFile]:
    language, blocks = model.language_model.config, model.visual.transformer["resblocks"]
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "vocab_size": language.vocab_size,
        "hidden_size": language.hidden_size,
        "intermediate_size": 2 * language.intermediate_size,
        "num_hidden_layers": language.num_hidden_layers,
        "num_attention_heads": language.num_attention_heads,
        "seq_length": min(language.max_position_embeddings, QWEN_LENGTH),
    }
    config["visual"] |= {
        "heads": blocks[0].attn.heads,
        "layers": len(blocks),
        "image_size": model.image_size,
    }
    (folder / "config.json").write_text(json.dumps(config))
    shapes = official_shapes(model, qwen_recipe)
    yield WeightFile("pytorch_model.bin", shapes, torch.bfloat16, sharded=True)


LAYOUTS: dict[str, Callable[[Path, Any], Iterator[WeightFile]]] = {
    "llava-1.5 llava-hf": llava_hf,
    "llava-1.5 original": llava_original,
    "minigpt-4": minigpt4,
    "otter": otter,
    "qwen-vl": qwen_vl,
}


def write(path: Path, weight_file: WeightFile, limit: int, hollow: bool) -> None:
    """Write a weight file, or shards of at most `limit` bytes with their index."""
    save_file_of = save_hollow if hollow else save
    if not weight_file.sharded:
        save_file_of(path, weight_file.shapes, weight_file)
        return
    parts = list(split_shapes(weight_file, limit))
    weight_map: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        name = f"{path.stem}-{number:05}-of-{len(parts):05}{path.suffix}"
        save_file_of(path.with_name(name), part, weight_file)
        weight_map |= dict.fromkeys(part, name)
    path.with_name(f"{path.name}.index.json").write_text(json.dumps({"weight_map": weight_map}))


def split_shapes(weight_file: WeightFile, limit: int) -> Iterator[Shapes]:
    """Yield the shapes of each shard, of at most `limit` bytes."""
    part: Shapes = {}
    part_bytes = 0
    for key, shape in weight_file.shapes.items():
        size = torch.Size(shape).numel() * weight_file.dtype.itemsize
        if part and part_bytes + size > limit:
            yield part
            part, part_bytes = {}, 0
        part[key] = shape
        part_bytes += size
    yield part


def save(path: Path, shapes: Shapes, weight_file: WeightFile) -> None:
    """Write random weights of these shapes to one file."""
    longest = max(torch.Size(shape).numel() for shape in shapes.values())
    numbers = random_bytes(weight_file.dtype, longest)
    weights = {key: as_tensor(numbers, shape, weight_file.dtype) for key, shape in shapes.items()}
    if path.suffix == ".safetensors":
        save_file({key: weight.clone() for key, weight in weights.items()}, path, {"format": "pt"})
    else:
        torch.save({"model": weights} if weight_file.nested else weights, path)


def save_hollow(path: Path, shapes: Shapes, weight_file: WeightFile) -> None:
    """Write a file with weights of these shapes and holes in the place of their numbers."""
    if path.suffix != ".safetensors":
        weights = {
            key: torch.empty(shape, dtype=weight_file.dtype) for key, shape in shapes.items()
        }
        with torch.serialization.skip_data():
            torch.save({"model": weights} if weight_file.nested else weights, path)
        return
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for key, shape in shapes.items():
        begin, end = end, end + torch.Size(shape).numel() * weight_file.dtype.itemsize
        dtype = SAFETENSORS_DTYPES[weight_file.dtype]
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(file.tell() + end)


@lru_cache(maxsize=1)
def random_bytes(dtype: torch.dtype, count: int) -> Any:
    """Return the bytes of at least so many random numbers."""
    block = (torch.randn(RANDOM_COUNT, generator=torch.Generator().manual_seed(5)) * 0.02).to(dtype)
    return block.repeat(-(-count // RANDOM_COUNT)).view(torch.uint8).numpy()


def as_tensor(numbers: Any, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return the first of the numbers as a tensor, without a copy.

    `torch.save` writes each such tensor by itself, although all share their memory.
    """
    return torch.frombuffer(numbers, dtype=dtype, count=torch.Size(shape).numel()).view(shape)

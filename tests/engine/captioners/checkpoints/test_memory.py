"""Loading makes no second copy of the weights; each load runs and is measured in a new process.

A small program forks these processes, so that torch is imported once for all of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import change_json

WIDTH, INNER, LAYERS, TOKENS = 768, 2048, 8, 12_000
"""Sizes of the language model."""


MEASURE = """
import json, os, re, sys
from dataclasses import replace
from pathlib import Path
import torch
from engine.captioners.registry import FAMILIES

def now(key):
    return int(re.search(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def load(folder, dtype):
    settings = replace(FAMILIES["llava-1.5"].presets["paper"], dtype=dtype)
    return FAMILIES["llava-1.5"].load(folder, settings, "cpu")

small, large, *dtypes = sys.argv[1:]
torch.set_num_threads(1)  # no thread of it lives on in a fork
load(small, "float32")
for dtype in dtypes:
    if os.fork():
        code = os.waitstatus_to_exitcode(os.wait()[1])
        if code:
            sys.exit(f"{dtype}: {code}")
        continue
    load(small, "float32")  # for the pages of libraries that a fork only maps at their first use
    resident = now("VmRSS")
    captioner = load(large, dtype)
    for weight in captioner.model.parameters():
        weight.sum()  # a memory map counts when it is read
    measured = {"bytes": captioner.loaded.bytes, "peak": now("VmHWM") - resident}
    print(json.dumps(measured), flush=True)
    sys.exit()
"""
"""A program for a new process: what this one had in memory at its peak would count in a fork.

What the program itself had at its peak counts, too, but it loads only a small checkpoint.
"""
DTYPES = {"float16": 1.1, "bfloat16": 1.6}
"""How many copies of the weights may be in memory, by the dtype that a checkpoint is loaded in."""


@pytest.fixture(scope="module")
def large(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA with 75 million parameters of Vicuna and a small tower, in four float16 files."""
    folder = tmp_path_factory.mktemp("large")
    source = checkpoints["llava-1.5"]
    small = torch.load(source / "pytorch_model.bin", weights_only=True)
    weights = {key: value for key, value in small.items() if "vision_tower" in key}
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens": (TOKENS, WIDTH),
        "lm_head": (TOKENS, WIDTH),
    }
    shapes |= {"model.mm_projector.0": (WIDTH, 32), "model.mm_projector.2": (WIDTH, WIDTH)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{it}_proj": (WIDTH, WIDTH) for it in "qkvo"}
        shapes |= {f"{at}.mlp.{it}_proj": (INNER, WIDTH) for it in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj": (WIDTH, INNER)}
        shapes |= {f"{at}.{it}_layernorm": (WIDTH,) for it in ("input", "post_attention")}
    shapes["model.norm"] = (WIDTH,)
    weights |= {f"{key}.weight": torch.randn(shape) for key, shape in shapes.items()}
    weights |= {f"model.mm_projector.{it}.bias": torch.zeros(WIDTH) for it in (0, 2)}
    names = list(weights)
    file_of_key: dict[str, str] = {}
    for number in range(4):
        file = f"pytorch_model-0000{number + 1}-of-00004.bin"
        part = names[number::4] if number else names[::4]
        torch.save({name: weights[name].half().clone() for name in part}, folder / file)
        file_of_key |= dict.fromkeys(part, file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": file_of_key}))
    for path in (*source.glob("*.json"), source / "tokenizer.model"):
        shutil.copy(path, folder)
    sizes = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS}
    change_json(folder / "config.json", **sizes, vocab_size=TOKENS)
    return folder


@pytest.fixture(scope="module")
def measured(large: Path, checkpoints: dict[str, Path]) -> dict[str, dict[str, int]]:
    """The bytes of the weights, and the peak of memory, by the dtype of a load."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, checkpoints["llava-1.5"], large, *DTYPES],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(DTYPES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("dtype", "copies"), list(DTYPES.items()))
def test_peak_memory(measured: dict[str, dict[str, int]], dtype: str, copies: float) -> None:
    """In the dtype of the files the weights are the maps of the files, and so in memory once.

    In another dtype of the same size memory holds the weights and the maps, which the system takes
    back when memory is short.
    """
    found = measured[dtype]
    assert found["bytes"] > 100e6
    assert found["peak"] < copies * found["bytes"], found

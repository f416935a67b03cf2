"""What the bench of the engine is made of: the ceiling, the medium model and other engines."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.captioners.checkpoints.cpu_products import int8_product, pack, pack_int8, product
from engine.captioners.registry import FAMILIES
from tests.bench import beside, medium_model
from tests.bench.beside import PeerMissing, PeerRun, run_peer
from tests.bench.ceiling import MatrixProducts, Operand, product_seconds
from tests.bench.engine import DEMO

REQUEST = {"checkpoint": "c", "prompt": "p", "max_new_tokens": 3, "batch": 2, "images": ["a", "b"]}
PEER = """
import sys
from protocol import serve
def load(request):
    print("a library that prints")
    {load}
    return lambda images: [f"{{request['prompt']}} {{image}}" for image in images]
serve(load)
"""


@torch.inference_mode()
def test_the_products_of_linear_layers_are_counted_by_their_operands() -> None:
    linear = torch.nn.Linear(8, 16)
    with MatrixProducts() as products:
        for _ in range(3):
            linear(torch.ones(2, 5, 8))
        torch.mm(torch.ones(5, 8), linear.weight.t())
        torch.ones(4) * torch.ones(4)
    assert sorted(products.counts.values()) == [1, 3]
    shapes = [[operand.size for operand in operands] for _, operands in products.counts]
    assert [(2, 5, 8), (16, 8), (16,)] in shapes and [(5, 8), (8, 16)] in shapes
    assert products.seconds() > 0


@torch.inference_mode()
def test_packed_weights_are_measured_packed() -> None:
    rows, weight, scale = torch.ones(5, 64), torch.ones(32, 64), torch.ones(32)
    with MatrixProducts() as products:
        product(rows, pack(weight))
        int8_product(rows.to(torch.int8), pack_int8(weight.to(torch.int8)), scale)
    assert sum(products.counts.values()) == 2
    for _, arguments in products.counts:
        packed = [it for it in arguments if isinstance(it, Operand) and it.is_packed]
        assert [it.size for it in packed] == [(32, 64)]
        assert packed[0].make().is_mkldnn
    assert products.seconds() > 0


def test_an_expanded_operand_is_made_expanded() -> None:
    made = Operand((3, 5, 8), (0, 8, 1), torch.float32).make()
    assert made.shape == (3, 5, 8) and torch.equal(made[0], made[2])
    assert made.untyped_storage().nbytes() == 5 * 8 * 4


@torch.inference_mode()
def test_products_of_eight_bits_are_measured_with_the_strides_they_had() -> None:
    operands = (
        Operand((32, 64), (64, 1), torch.int8),
        Operand((64, 32), (1, 64), torch.int8),
    )
    assert operands[1].make().t().is_contiguous()
    assert product_seconds(torch.ops.aten._int_mm.default, operands) > 0


def test_the_medium_model_is_a_llava_whose_tokens_all_have_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written here with layers of the size of a test."""
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    monkeypatch.setattr(
        medium_model,
        "LANGUAGE",
        medium_model.LANGUAGE
        | small
        | {"num_key_value_heads": 4, "head_dim": 16, "vocab_size": 400},
    )
    monkeypatch.setattr(medium_model, "VISION", medium_model.VISION | small)
    folder = medium_model.write_medium(DEMO / "llava-1.5", tmp_path / "medium")
    family = FAMILIES["llava-1.5"]
    settings = replace(family.presets["paper"], max_new_tokens=4, temperature=0.0)
    captioner: Any = family.load(str(folder), settings, "cpu")
    assert captioner.model.image_tokens == 441
    (caption,) = captioner.caption([np.zeros((336, 336, 3), np.uint8)], [0])
    assert caption.tokens == 4 and caption.raw
    texts = {captioner.tokenizer.decode([token]) for token in range(341, 400)}
    assert len(texts) == 400 - 341


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script of a peer, which a test is to write."""
    shutil.copy(beside.SCRIPTS / "protocol.py", tmp_path)
    monkeypatch.setattr(beside, "SCRIPTS", tmp_path)
    return tmp_path / "vllm_peer.py"


def test_a_peer_captions_the_images(peer: Path) -> None:
    peer.write_text(PEER.format(load=""))
    run = run_peer("vllm", sys.executable, REQUEST, peer.parent)
    assert isinstance(run, PeerRun)
    assert run.texts == ["p a", "p b"]
    assert run.start_up > 0


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (PEER.format(load="import engine_that_is_not_there"), "No module named 'engine_that"),
        (PEER.format(load="return lambda images: 1 / 0"), "ZeroDivisionError"),
        ("import engine_that_is_not_there", "No module named 'engine_that_is_not_there'"),
    ],
    ids=["loading", "captioning", "importing"],
)
def test_a_peer_that_fails_says_why(peer: Path, script: str, reason: str) -> None:
    peer.write_text(script)
    run = run_peer("vllm", sys.executable, REQUEST, peer.parent)
    assert isinstance(run, PeerMissing) and reason in run.reason


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    run = run_peer("vllm", str(tmp_path / "python"), REQUEST, tmp_path)
    assert run == PeerMissing(f"{tmp_path / 'python'}: No such file or directory")

"""The size of a checkpoint's weights, by its files."""

from __future__ import annotations

from pathlib import Path

from engine.captioners.checkpoints.weight_size import weight_bytes


def test_weights_are_counted_once_and_in_every_folder(tmp_path: Path) -> None:
    (tmp_path / "inner" / "deeper").mkdir(parents=True)
    for name, size in (
        ("model-1.safetensors", 100),
        ("model-2.safetensors", 10),
        ("pytorch_model.bin", 110),
        ("tokenizer.json", 5_000),
        ("inner/part.pth", 7),
        ("inner/other.bin", 1),
        ("inner/deeper/of-another-model.safetensors", 900),
    ):
        (tmp_path / name).write_bytes(b"x" * size)
    assert weight_bytes(str(tmp_path)) == 118
    assert weight_bytes(str(tmp_path / "tokenizer.json")) is None
    assert weight_bytes("http://server:8000/v1") is None
    assert weight_bytes(None) is None

"""What must be installed beside the project for a checkpoint, and what does not fit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.checkpoints import packages
from engine.captioners.errors import CheckpointError
from engine.captioners.registry import FAMILIES, Settings
from engine.demo import checkpoint


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The versions of the packages that are installed, for a test to fill."""
    versions: dict[str, str] = {}
    monkeypatch.setattr(packages, "installed", versions.get)
    return versions


def quantized(method: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": method}}


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        (quantized("bitsandbytes"), "pip install bitsandbytes accelerate, or take the repository"),
        ({"quantization_config": {"load_in_4bit": True}}, "pip install bitsandbytes accelerate"),
        (quantized("gptq"), "pip install gptqmodel optimum accelerate"),
        (quantized("awq"), "pip install gptqmodel accelerate"),
        (quantized("compressed-tensors"), "pip install compressed-tensors accelerate"),
        ({"text_config": quantized("torchao")}, "pip install torchao accelerate"),
        (quantized("fp8"), r"\(fp8\), which is not loaded here: take the repository"),
        (quantized("mxfp4"), r"\(mxfp4\), which is not loaded here"),
        (quantized("modelopt"), r"\(modelopt\), which is not loaded here"),
        (quantized(None), r"\(None\), which is not loaded here"),
        ({"quantization_config": 7}, r"\(7\), which is not loaded here"),
    ],
)
def test_quantized_weights_say_what_to_install(
    installed: dict[str, str], config: dict[str, Any], advice: str
) -> None:
    with pytest.raises(CheckpointError, match=advice) as refused:
        packages.check_quantizer(Path("/m"), config)
    assert "name its server" in str(refused.value)


def test_what_is_installed_already_is_not_named(installed: dict[str, str]) -> None:
    installed["accelerate"] = "1"
    with pytest.raises(CheckpointError, match="pip install bitsandbytes, or"):
        packages.check_quantizer(Path("/m"), quantized("bitsandbytes"))
    installed["bitsandbytes"] = "1"
    assert packages.check_quantizer(Path("/m"), quantized("bitsandbytes")) == "bitsandbytes"


@pytest.mark.parametrize("name", packages.OLD_FORMS)
def test_old_forms_of_quantized_weights(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(CheckpointError, match=rf"quantized \({name}\), which is not loaded here"):
        packages.check_quantizer(tmp_path, {})


@pytest.mark.parametrize("config", [{}, {"quantization_config": None}, {"text_config": "llama"}])
def test_weights_that_are_not_quantized(config: dict[str, Any]) -> None:
    assert packages.check_quantizer(Path("/m"), config) is None


def test_a_torchvision_of_another_torch(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it ends where both were installed from different indexes."""
    (tmp_path / "torchvision").mkdir()
    error = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision/__init__.py").write_text(error)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    installed |= {"torchvision": "0.20.0", "torch": "2.13.0"}
    for family in ("hf", "llava-1.5"):
        with pytest.raises(CheckpointError, match=r"torchvision 0\.20\.0 does not fit torch 2\.13"):
            FAMILIES[family].load(str(checkpoint("llava-1.5")), Settings(), "cpu")

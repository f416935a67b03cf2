"""Packages that a checkpoint needs beside those of the project, and what to install.

What is missing here may be there on another machine: so this is looked at where a model is loaded.
Imports no torch by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.captioners.config_files import server_advice
from engine.captioners.errors import CheckpointError, first_line

QUANTIZERS = {
    "aqlm": ("aqlm",),
    "auto-round": ("auto-round",),
    "awq": ("gptqmodel",),
    "bitnet": (),
    "bitsandbytes": ("bitsandbytes",),
    "compressed-tensors": ("compressed-tensors",),
    "gptq": ("gptqmodel", "optimum"),
    "hqq": ("hqq",),
    "quanto": ("optimum-quanto",),
    "quark": ("amd-quark",),
    "torchao": ("torchao",),
    "vptq": ("vptq",),
}
"""The packages that transformers loads quantized weights with, by `quant_method`; `PLACER` comes
with each. Others are not here: their kernels would be fetched from the Hub and run (fp8, mxfp4,
eetq), or transformers knows nothing of them (exl2, modelopt)."""
PLACER = "accelerate"
"""The package by which transformers loads weights onto a device from the beginning."""
OLD_FORMS = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
"""Files by which quantizers said what they did before config.json did: of AutoGPTQ, AutoAWQ and
NVIDIA's ModelOpt. transformers does not read them."""
UNQUANTIZED = "take the repository that it was made from, whose weights are not quantized"


def check_torchvision() -> None:
    """Raise `CheckpointError` if torchvision is installed and was built for another torch.

    transformers imports it wherever it is installed, and would fail with whatever it meets first.
    """
    if find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except Exception as error:
        raise CheckpointError(
            f"torchvision {installed('torchvision')} does not fit torch {installed('torch')}"
            f" ({first_line(error)}): install the build for this torch, or remove torchvision,"
            " which most models do not need: pip uninstall torchvision"
        ) from error


def check_quantizer(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return the method by which a checkpoint is quantized; None if it is not.

    `config` is the contents of its config.json. Raises `CheckpointError` if transformers cannot
    load such weights here, with what to install.
    """
    old = next((name for name in OLD_FORMS if (folder / name).is_file()), None)
    method = quantization_method(config) or old
    if method is None:
        return None
    what = f"{folder} is quantized ({method})"
    if method not in QUANTIZERS:
        raise CheckpointError(
            f"{what}, which is not loaded here: {UNQUANTIZED}, or {server_advice()}"
        )
    needed = (*QUANTIZERS[method], PLACER)
    missing = [name for name in needed if installed(name) is None]
    if missing:
        raise CheckpointError(
            f"{what}, which needs further packages: pip install {' '.join(missing)}, or"
            f" {UNQUANTIZED}, or {server_advice()}"
        )
    return method


def quantization_method(config: Mapping[str, Any]) -> str | None:
    """Return what a config.json says of how the weights are quantized; None if they are not."""
    parts = (config, config.get("text_config"))
    stated = [it.get("quantization_config") for it in parts if isinstance(it, Mapping)]
    found = next(filter(None, stated), None)
    if found is None:
        return None
    if not isinstance(found, Mapping):
        return repr(found)
    if found.get("load_in_8bit") or found.get("load_in_4bit"):
        return "bitsandbytes"
    return str(found.get("quant_method"))


def missing_package(folder: Path, error: ImportError) -> CheckpointError:
    """Return the error of a checkpoint whose parts transformers loads with a package that is not
    here, which its own error names."""
    what = first_line(error).partition(" Please note")[0]
    return CheckpointError(f"{folder} needs a package that is not installed: {what}")


def installed(package: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None

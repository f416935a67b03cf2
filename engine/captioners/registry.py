"""The model families: names, presets, what a checkpoint folder must hold. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.captioners.base import Captioner


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is asked. Everything here but `batch` shapes the raw text."""

    prompt: str = ""
    max_new_tokens: int = 30
    min_new_tokens: int = 0
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float | None = None
    no_repeat_ngram: int = 0
    dtype: str = "auto"
    """auto is bfloat16 on a GPU and float32 elsewhere."""
    seed: int = 0
    batch: int = 32

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    summary: str
    module: str
    """Holds `load(checkpoint, settings, device, report) -> Captioner`."""
    presets: dict[str, Settings] = field(hash=False)
    checkpoint: str | None = None
    """In words, what a checkpoint folder must be; None for a family that needs none."""
    missing: Callable[[Path], list[str]] = lambda _: []
    """The files that a folder lacks, in words."""

    def load(
        self,
        checkpoint: str | None,
        settings: Settings,
        device: str,
        report: Callable[[str], None] = lambda _: None,
    ) -> Captioner:
        """Loads the model; imports its stack. Raises `CheckpointError`."""
        captioner: Captioner = import_module(self.module).load(checkpoint, settings, device, report)
        return captioner


def lacks_hf_files(folder: Path) -> list[str]:
    """What a folder in the Hugging Face layout misses."""
    lacking = [name for name in ("config.json",) if not (folder / name).is_file()]
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer.model").is_file():
        lacking.append("tokenizer.json or tokenizer.model")
    if not (folder / "preprocessor_config.json").is_file():
        lacking.append("preprocessor_config.json")
    return lacking + lacks_weights(folder)


def lacks_weights(folder: Path) -> list[str]:
    """Missing weights, down to the shard that an index names."""
    for single, index in (
        ("model.safetensors", "model.safetensors.index.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json"),
    ):
        if (folder / single).is_file():
            return []
        if (folder / index).is_file():
            return missing_shards(folder, folder / index)
    return ["model.safetensors or pytorch_model.bin (or their .index.json and shards)"]


def missing_shards(folder: Path, index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, AttributeError, OSError):
        return [f"a readable {index.name}"]
    return sorted(name for name in names if not (folder / name).is_file())


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "llava-1.5",
            "LLaVA-1.5: CLIP ViT-L/14-336 and Vicuna v1.5",
            "engine.captioners.llava",
            {
                "paper": Settings(prompt="Describe <image> in English:", temperature=0.2, batch=48),
            },
            "a folder in the llava-hf layout (llava-hf/llava-1.5-7b-hf)",
            lacks_hf_files,
        ),
        Family(
            "dry-run",
            "opens and decodes every image and answers without a model",
            "engine.captioners.dry_run",
            {"paper": Settings(batch=256)},
        ),
    )
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as `new` takes it: checked, nothing loaded."""

    name: str
    family: str
    checkpoint: str | None
    settings: dict[str, Any] = field(hash=False)
    settings_hash: str


def choose(text: str, preset: str = "paper") -> ModelChoice:
    """Reads `NAME` or `NAME=CHECKPOINT`. Raises `BadInput`."""
    name, _, checkpoint = text.partition("=")
    family = FAMILIES.get(name)
    if family is None:
        raise BadInput(f"unknown model {name!r}: one of {', '.join(FAMILIES)}")
    settings = family.presets[preset]
    if family.checkpoint is None:
        if checkpoint:
            raise BadInput(f"{name} takes no checkpoint: write --model {name}")
        return ModelChoice(name, name, None, asdict(settings), settings_hash(name, None, settings))
    if not checkpoint:
        raise BadInput(f"{name} needs a checkpoint: --model {name}=FOLDER, {family.checkpoint}")
    folder = Path(checkpoint).expanduser().absolute()
    check_folder(family, folder)
    return ModelChoice(
        name, name, str(folder), asdict(settings), settings_hash(name, folder, settings)
    )


def check_folder(family: Family, folder: Path) -> None:
    """Raises `BadInput` that names what a checkpoint folder lacks."""
    if not folder.is_dir():
        raise BadInput(f"{family.name}: no such checkpoint folder: {folder}")
    lacking = family.missing(folder)
    if lacking:
        raise BadInput(
            f"{family.name}: {folder} lacks {', '.join(lacking)}; it must be {family.checkpoint}"
        )


def settings_hash(family: str, checkpoint: Path | None, settings: Settings) -> str:
    """8 hex digits of what shapes the raw text; the same wherever the checkpoint lies."""
    shaping = asdict(settings)
    del shaping["batch"]
    parts = [family, shaping, fingerprint(checkpoint) if checkpoint else None]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def fingerprint(folder: Path) -> list[list[Any]]:
    """Names and sizes of a checkpoint's files, and the contents of its small JSON files."""
    found: list[list[Any]] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        small = path.suffix == ".json" and size < 2**20
        content = hashlib.sha256(path.read_bytes()).hexdigest() if small else None
        found.append([str(path.relative_to(folder)), size, content])
    return found

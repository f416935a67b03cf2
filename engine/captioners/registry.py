"""The model families: names, presets, what a checkpoint folder must hold. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.captioners.address import EXAMPLE, check_name, is_address, read_address
from engine.captioners.checkpoints import layouts
from engine.captioners.settings import PARSERS, Settings, changed, pair
from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from engine.captioners.base import Captioner

__all__ = [
    "FAMILIES",
    "Family",
    "ModelChoice",
    "Settings",
    "change",
    "check_checkpoint",
    "check_folder",
    "choose",
    "choose_all",
]

LLAVA_V1 = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives"
    " helpful, detailed, and polite answers to the user's questions. USER: <image>\n{} ASSISTANT:"
)
MINIGPT4 = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I"
    " provide it to you. Please answer my questions.###Human: <Img><ImageHere></Img> {}"
    "###Assistant: "
)
USUAL = tuple(key for key in PARSERS if key not in ("vision_tower", "served_model"))
OTTER = "<image>User: {} GPT:<answer>"
QWEN_VL = "<img></img>{}"


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    summary: str
    module: str
    """Holds `load(checkpoint, settings, device, report) -> Captioner`."""
    presets: dict[str, Settings] = field(hash=False)
    checkpoint: str | None = None
    """In words, what a checkpoint must be; None for a family that needs none."""
    missing: Callable[[Path, Path | None], list[str]] = lambda _folder, _tokenizer: []
    """The files that a folder lacks, in words; the second argument is the tokenizer's path."""
    placeholder: str = ""
    """Where the image goes in a prompt; it must be there once."""
    settings: tuple[str, ...] = USUAL
    """Names of those that mean something to this family."""
    conversation: str = "{}"
    """What a prompt without the placeholder is put into: the model's own conversation."""
    remote: bool = False
    """Whether the checkpoint is a server's address rather than a folder."""

    def load(
        self,
        checkpoint: str | None,
        settings: Settings,
        device: str,
        report: Callable[[str], None] = lambda _: None,
    ) -> Captioner:
        """Loads the model; imports its stack. Raises `CheckpointError`, and `Unavailable` where
        it is a server's."""
        from engine.captioners.base import CheckpointError

        if self.checkpoint is not None:
            try:
                check_checkpoint(self, checkpoint or "", settings)
            except BadInput as error:
                raise CheckpointError(str(error)) from error
        if settings.quantize != "none":
            from engine.captioners.checkpoints.quantization import check

            check(settings.quantize, device)
        captioner: Captioner = import_module(self.module).load(checkpoint, settings, device, report)
        return captioner


PAPER = "paper"
OFFICIAL = "official"
ENDPOINT = "endpoint"

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "llava-1.5",
            "LLaVA-1.5: CLIP ViT-L/14-336 and Vicuna v1.5",
            "engine.captioners.families.llava",
            {
                PAPER: Settings(
                    prompt="Describe <image> in English:",
                    preprocess="crop",
                    temperature=0.2,
                    batch=48,
                ),
                OFFICIAL: Settings(
                    prompt=LLAVA_V1.format("Describe in English:"),
                    preprocess="pad",
                    temperature=0.2,
                    batch=48,
                ),
            },
            "a folder in the llava-hf layout (llava-hf/llava-1.5-7b-hf) or the original one"
            " (liuhaotian/llava-v1.5-7b, CLIP in clip/ or named by vision_tower)",
            layouts.lacks_llava,
            "<image>",
            (*USUAL, "vision_tower"),
            LLAVA_V1,
        ),
        Family(
            "minigpt-4",
            "MiniGPT-4: EVA ViT-g, BLIP-2's Q-Former and Vicuna v0",
            "engine.captioners.families.minigpt4",
            {
                PAPER: Settings(
                    prompt=MINIGPT4.format("Describe in English:"),
                    preprocess="squash",
                    temperature=1.0,
                    top_p=0.9,
                    batch=96,
                ),
                OFFICIAL: Settings(
                    prompt=MINIGPT4.format("Describe in English:"),
                    preprocess="squash",
                    batch=96,
                ),
            },
            "a folder with prerained_minigpt4_7b.pth, vicuna/, and eva_vit_g.pth with"
            " blip2_pretrained_flant5xxl.pth or a folder of Salesforce/blip2-flan-t5-xxl",
            layouts.lacks_minigpt4,
            "<ImageHere>",
            conversation=MINIGPT4,
        ),
        Family(
            "otter",
            "Otter: CLIP ViT-L/14, perceiver resampler and MPT-7B",
            "engine.captioners.families.otter",
            {
                PAPER: Settings(
                    prompt="<image> User: Describe in English: GPT: <answer>",
                    preprocess="crop",
                    no_repeat_ngram=3,
                    batch=48,
                ),
                OFFICIAL: Settings(
                    prompt=OTTER.format("Describe in English:"),
                    preprocess="crop",
                    no_repeat_ngram=3,
                    batch=48,
                ),
            },
            "a folder of luodian/OTTER-Image-MPT7B with its tokenizer",
            layouts.lacks_otter,
            "<image>",
            conversation=OTTER,
        ),
        Family(
            "qwen-vl",
            "Qwen-VL: ViT-bigG and Qwen-7B",
            "engine.captioners.families.qwen_vl",
            {
                PAPER: Settings(
                    prompt=QWEN_VL.format("Express emotional or artistic response:"),
                    preprocess="squash",
                    min_new_tokens=8,
                    batch=64,
                ),
                OFFICIAL: Settings(
                    prompt=QWEN_VL.format("Describe the image in English:"),
                    preprocess="squash",
                    min_new_tokens=8,
                    batch=64,
                ),
            },
            "a folder of the original Qwen/Qwen-VL, not of Qwen-VL-Chat",
            layouts.lacks_qwen_vl,
            "<img></img>",
            conversation=QWEN_VL,
        ),
        Family(
            "hf",
            "any model that transformers' AutoModelForImageTextToText loads",
            "engine.captioners.families.hf",
            {
                PAPER: Settings(prompt="Describe in English:", batch=16),
                OFFICIAL: Settings(prompt="Describe in English:", batch=16),
            },
            "a folder in the Hugging Face layout: weights, config, tokenizer, image processor",
            layouts.lacks_hf,
            settings=tuple(
                key
                for key in USUAL
                if key not in ("preprocess", "fast_decode", "graphs", "overlap", "quantize")
            ),
        ),
        Family(
            ENDPOINT,
            "any OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve",
            "engine.captioners.remote.captioner",
            {
                name: Settings(prompt="Describe in English:", batch=64, auto_batch=False)
                for name in (PAPER, OFFICIAL)
            },
            f"the address of a server that runs, as far as /v1 ({EXAMPLE})",
            settings=(
                *("prompt", "max_new_tokens", "temperature", "top_p", "seed"),
                *("served_model", "batch"),
            ),
            remote=True,
        ),
        Family(
            "dry-run",
            "opens and decodes every image and answers without a model",
            "engine.captioners.families.dry_run",
            {name: Settings(batch=256, auto_batch=False) for name in (PAPER, OFFICIAL)},
            settings=("batch",),
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


def parted(text: str) -> tuple[str, str, str]:
    """Name, family and checkpoint of `FAMILY[=CHECKPOINT]` or, with any name,
    `NAME=FAMILY[:CHECKPOINT]` or `NAME=http://...`."""
    name, _, rest = text.partition("=")
    head, colon, checkpoint = rest.partition(":")
    if colon and head in FAMILIES:
        return name, head, checkpoint
    if rest in FAMILIES and name not in FAMILIES:
        return name, rest, ""
    return name, ENDPOINT if is_address(rest) else name, rest


def choose(
    text: str, preset: str | None = None, changes: Mapping[str, str] | None = None
) -> ModelChoice:
    """Reads what `parted` does. Raises `BadInput`."""
    name, family_name, checkpoint = parted(text)
    family = FAMILIES.get(family_name)
    if family is None:
        raise BadInput(
            f"unknown model {name!r}: one of {', '.join(FAMILIES)}, or any name with a family and"
            f" its checkpoint, --model {name or 'NAME'}=hf:FOLDER, or with a server's address,"
            f" --model {name or 'NAME'}={EXAMPLE}"
        )
    if name != family.name:
        check_name(name)
        if name in FAMILIES and not family.remote:
            raise BadInput(f"{name} is itself a family: give the model another name")
    if family.checkpoint is None and checkpoint:
        raise BadInput(f"{family.name} takes no checkpoint: write --model {family.name}")
    if family.checkpoint is not None and not checkpoint:
        what = EXAMPLE if family.remote else "FOLDER"
        what = what if name == family.name or family.remote else f"{family.name}:{what}"
        raise BadInput(f"{name} needs a checkpoint: --model {name}={what}, {family.checkpoint}")
    settings = of_preset(family, preset or PAPER)
    return change(name, family.name, checkpoint or None, settings, changes or {})


def choose_all(
    models: Sequence[str], preset: str | None, settings: Sequence[str]
) -> list[ModelChoice]:
    """Reads what `parted` does, with the `MODEL.KEY=VALUE`s for them. Raises `BadInput`."""
    changes: dict[str, dict[str, str]] = {text.partition("=")[0]: {} for text in models}
    for text in settings:
        key, value = pair(text)
        name, dot, key = key.rpartition(".")
        if not dot or name not in changes:
            raise BadInput(
                f"{text!r}: write MODEL.KEY=VALUE with a model that --model names"
                f" ({', '.join(changes) or 'none'})"
            )
        changes[name][key] = value
    return [choose(text, preset, changes[text.partition("=")[0]]) for text in models]


def of_preset(family: Family, preset: str) -> Settings:
    if preset not in family.presets:
        raise BadInput(
            f"{family.name} has no preset {preset!r}: one of {', '.join(family.presets)}"
        )
    return family.presets[preset]


def change(
    name: str,
    family_name: str,
    checkpoint: str | None,
    settings: Settings,
    changes: Mapping[str, str],
) -> ModelChoice:
    """A model with other settings; `preset` and `checkpoint` are keys, too. Raises `BadInput`."""
    family = FAMILIES[family_name]
    rest = dict(changes)
    if "checkpoint" in rest:
        if family.checkpoint is None:
            raise BadInput(f"{name} takes no checkpoint")
        checkpoint = rest.pop("checkpoint")
    if "preset" in rest:
        settings = of_preset(family, rest.pop("preset"))
    unknown = next((key for key in rest if key not in family.settings), None)
    if unknown is not None:
        raise BadInput(
            f"{family.name} has no setting {unknown!r}: it has"
            f" {', '.join((*family.settings, 'preset', *checkpoint_key(family)))}"
        )
    settings = whole_prompt(family, changed(settings, rest))
    if checkpoint is None:
        return ModelChoice(
            name, family.name, None, asdict(settings), settings_hash(family.name, None, settings)
        )
    found = check_checkpoint(family, checkpoint, settings)
    digest = settings_hash(family.name, found, settings)
    return ModelChoice(name, family.name, found, asdict(settings), digest)


def checkpoint_key(family: Family) -> tuple[str, ...]:
    return ("checkpoint",) if family.checkpoint is not None else ()


def whole_prompt(family: Family, settings: Settings) -> Settings:
    """A prompt that does not say where the image goes is put into the model's conversation."""
    prompt = settings.prompt
    if not family.placeholder or prompt.count(family.placeholder) == 1:
        return settings
    if family.placeholder in prompt:
        raise BadInput(f"the prompt must hold {family.placeholder} once: {prompt!r}")
    return replace(settings, prompt=family.conversation.replace("{}", prompt))


def check_checkpoint(family: Family, checkpoint: str, settings: Settings | None = None) -> str:
    """As it is stored: an absolute path, or an address. Raises `BadInput`."""
    if family.remote:
        return read_address(checkpoint)
    folder = Path(checkpoint).expanduser().absolute()
    check_folder(family, folder, settings)
    return str(folder)


def check_folder(family: Family, folder: Path, settings: Settings | None = None) -> None:
    """Raises `BadInput` that names what a checkpoint folder lacks."""
    if not folder.is_dir():
        raise BadInput(f"{family.name}: no such checkpoint folder: {folder}")
    tokenizer = settings.tokenizer if settings else None
    lacking = family.missing(folder, Path(tokenizer) if tokenizer else None)
    if lacking:
        raise BadInput(
            f"{family.name}: {folder} lacks {', '.join(lacking)}; it must be {family.checkpoint}"
        )


def settings_hash(family: str, checkpoint: str | None, settings: Settings) -> str:
    """8 hex digits of what shapes the raw text; the same wherever the checkpoint lies, and
    wherever a server listens, if the model that it is asked for is named.

    Settings at their defaults do not count, so that a new kind of setting keeps old hashes.
    """
    usual = {it.name: it.default for it in fields(Settings)}
    shaping = {key: value for key, value in asdict(settings).items() if value != usual[key]}
    for key in ("batch", "auto_batch", "graphs", "overlap"):
        shaping.pop(key, None)
    for key in ("tokenizer", "vision_tower"):
        if key in shaping:
            shaping[key] = fingerprint(Path(shaping[key]))
    model: Any = None
    if checkpoint and FAMILIES[family].remote:
        model = None if settings.served_model else checkpoint
    elif checkpoint:
        model = fingerprint(Path(checkpoint))
    parts = [family, shaping, model]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def fingerprint(path: Path) -> list[list[Any]]:
    """Names and sizes of a folder's files (or of one file), and contents of small JSON files."""
    found: list[list[Any]] = []
    files = [path] if path.is_file() else sorted(it for it in path.rglob("*") if it.is_file())
    for file in files:
        size = file.stat().st_size
        small = file.suffix == ".json" and size < 2**20
        content = hashlib.sha256(file.read_bytes()).hexdigest() if small else None
        found.append([str(file.relative_to(path) if file != path else file.name), size, content])
    return found

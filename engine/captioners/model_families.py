"""The model families: what a family is, the table of all, and the check of a checkpoint.

A family's code is imported only when one of its models is loaded, so that this module imports no
torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.captioners import presets
from engine.captioners.address import EXAMPLE, read_address
from engine.captioners.api_keys import NO_KEY, KeySource
from engine.captioners.checkpoints import layouts
from engine.captioners.checkpoints.advice import advice_for_folder
from engine.captioners.checkpoints.folder_kinds import advice_for_no_folder
from engine.captioners.checkpoints.hub import is_hub_address
from engine.captioners.checkpoints.packages import check_torchvision
from engine.captioners.checkpoints.scorer_kinds import (
    advice_for_asked,
    advice_for_contrastive,
    is_asked_as_llava,
    missing_vqa_files,
)
from engine.captioners.config_files import AGAIN, check_entries
from engine.captioners.errors import CheckpointError, first_line
from engine.captioners.record_prompt import keys_of_settings
from engine.captioners.setting_changes import PARSERS
from engine.captioners.settings import Settings
from engine.hardware.memory import is_out_of_memory
from engine.utils.errors import BadInput

if TYPE_CHECKING:
    from engine.captioners.base import LoadedModel

ASKING_SETTINGS = (
    *("prompts", "system", "prefill", "keep_prefill", "template", "strip"),
    *("min_pixels", "max_pixels", "repetition_penalty"),
)
"""Names of the settings of open models, here and on a server."""
SERVER_SETTINGS = (
    *("prompt", *ASKING_SETTINGS, "max_new_tokens", "temperature", "top_p", "seed"),
    *("served_model", "thinking", "max_tokens_name"),
    *("alpha", "exif", "jpeg_end", "batch", "limits"),
)
"""Names of the settings of models on a server."""
ENGINE_SETTINGS = ("backend", "interpreter", "arguments")
"""Names of the settings that say what serves a checkpoint."""
SPECIAL_SETTINGS = (
    *(*ASKING_SETTINGS, *ENGINE_SETTINGS),
    *("max_tiles", "vision_tower", "adapter", "served_model", "thinking", "max_tokens_name"),
)
"""Names of the settings that only some families have."""
COMMON_SETTINGS = tuple(key for key in PARSERS if key not in SPECIAL_SETTINGS)
"""Names of the settings that every family of local models has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of model: how it is loaded, which checkpoint it needs, which settings it has."""

    name: str
    summary: str
    """One line for people: the parts of the model."""
    module: str
    """The module that has `load(checkpoint, settings, device, report) -> LoadedModel`; that of a
    family that asks a server takes a `KeySource` as well."""
    presets: dict[str, Settings] = field(hash=False)
    """Settings by the name of the preset."""
    checkpoint_form: str | None = None
    """Description, for people, of a checkpoint; None for a family that needs none."""
    missing_files: Callable[[Path, Path | None], list[str]] = lambda _folder, _tokenizer: []
    """Returns what a checkpoint folder lacks, for people; the second argument is the tokenizer's
    path if the settings name one."""
    placeholder: str = ""
    """Text that stands once in every prompt, where the image goes; empty for families that place it
    themselves."""
    setting_names: tuple[str, ...] = COMMON_SETTINGS
    """Names of the settings that have a meaning for this family."""
    conversation: str = "{}"
    """The model's own conversation, into which a prompt without placeholder is put for `{}`."""
    remote: bool = False
    """True if a checkpoint is the address of a server, not a folder."""
    serves: bool = False
    """True if the worker starts a server for the checkpoint."""
    scores: bool = False
    """True if its models score captions that others made, and write none."""
    fills_prompts: bool = False
    """True if a prompt may hold keys, which each record's own texts take the place of."""

    @property
    def asks_server(self) -> bool:
        """True if its models are asked through a server, whoever started that."""
        return self.remote or self.serves

    def load(
        self,
        checkpoint: str | None,
        settings: Settings,
        device: str,
        report: Callable[[str], None] = lambda _: None,
        key: KeySource = NO_KEY,
    ) -> LoadedModel:
        """Load a model, for which the family's libraries are imported.

        `report` takes texts of progress; `key` is for a server that runs. Raises `CheckpointError`,
        and `ServerUnavailable` if the family is remote.
        """
        if self.checkpoint_form is not None:
            try:
                check_checkpoint(self, checkpoint or "", settings)
            except BadInput as error:
                raise CheckpointError(str(error)) from error
        if not self.remote:
            parts = (settings.tokenizer, settings.vision_tower, settings.adapter)
            for folder in (checkpoint, *parts):
                if folder and Path(folder).is_dir():
                    check_entries(Path(folder))
        if settings.quantize != "none":
            from engine.captioners.checkpoints.quantization import check_quantization

            check_quantization(settings.quantize, device)
        if self.checkpoint_form is not None and not self.asks_server:
            check_torchvision()
        module = import_module(self.module)
        captioner: LoadedModel
        if self.asks_server:
            captioner = module.load(checkpoint, settings, device, report, key)
            return captioner
        try:
            captioner = module.load(checkpoint, settings, device, report)
        except BaseException as error:
            if not is_fault_of_files(error, device):
                raise
            what = f"{type(error).__name__}: {first_line(error)}"
            where = checkpoint or self.name
            raise CheckpointError(f"{where} cannot be loaded: {what}; {AGAIN}") from error
        return captioner


def is_fault_of_files(error: BaseException, device: str) -> bool:
    """Return True for an error that a load ends with where files hold what they should not.

    Errors of the system, of memory and of a GPU are none; a GPU's may be plain `RuntimeError`s.
    """
    if not isinstance(error, Exception):
        # So does Rust code end, that of tokenizers for one, where it did not expect an input.
        return type(error).__name__ == "PanicException"
    if isinstance(error, CheckpointError | OSError | ImportError | MemoryError):
        return False
    return not isinstance(error, RuntimeError) or (device == "cpu" and not is_out_of_memory(error))


ENDPOINT = "endpoint"
"""Name of the family of all servers that run already."""
SERVER = "server"
"""Name of the family of checkpoints that an engine serves, which the worker starts."""
HF = "hf"
"""Name of the family of all open models in the Hugging Face layout."""
SCORE = "score"
"""Name of the family of models that compare images with texts."""
SCORE_VQA = "score-vqa"
"""Name of the family of captioners that are asked whether captions are true."""
IMPORTED = "imported"
"""Name of the family of models whose captions were all made elsewhere and imported. It has no code,
no checkpoint and no settings, so that it is none of `FAMILIES` and no run works on its tasks."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="llava-1.5",
            summary="LLaVA-1.5: CLIP ViT-L/14-336 and Vicuna v1.5",
            module="engine.captioners.families.llava",
            presets=presets.LLAVA,
            checkpoint_form="a folder in the llava-hf layout (llava-hf/llava-1.5-7b-hf) or the"
            " original one (liuhaotian/llava-v1.5-7b, CLIP in clip/ or named by vision_tower)",
            missing_files=layouts.missing_llava_files,
            placeholder="<image>",
            setting_names=(*COMMON_SETTINGS, "vision_tower"),
            conversation=presets.LLAVA_CONVERSATION,
        ),
        Family(
            name="minigpt-4",
            summary="MiniGPT-4: EVA ViT-g, BLIP-2's Q-Former and Vicuna v0",
            module="engine.captioners.families.minigpt4",
            presets=presets.MINIGPT4,
            checkpoint_form="a folder with prerained_minigpt4_7b.pth, vicuna/, and eva_vit_g.pth"
            " with blip2_pretrained_flant5xxl.pth or a folder of Salesforce/blip2-flan-t5-xxl",
            missing_files=layouts.missing_minigpt4_files,
            placeholder="<ImageHere>",
            conversation=presets.MINIGPT4_CONVERSATION,
        ),
        Family(
            name="minigpt-4-llama2",
            summary="MiniGPT-4 with Llama-2-Chat: EVA ViT-g and no Q-Former",
            module="engine.captioners.families.minigpt4_llama2",
            presets=presets.MINIGPT4_LLAMA2,
            checkpoint_form="a folder with pretrained_minigpt4_llama2_7b.pth, eva_vit_g.pth and"
            " llama-2-7b-chat-hf/",
            missing_files=layouts.missing_minigpt4_llama2_files,
            placeholder="<ImageHere>",
            conversation=presets.MINIGPT4_LLAMA2_CONVERSATION,
        ),
        Family(
            name="otter",
            summary="Otter: CLIP ViT-L/14, perceiver resampler and MPT-7B",
            module="engine.captioners.families.otter",
            presets=presets.OTTER,
            checkpoint_form="a folder of luodian/OTTER-Image-MPT7B with its tokenizer",
            missing_files=layouts.missing_otter_files,
            placeholder="<image>",
            conversation=presets.OTTER_CONVERSATION,
        ),
        Family(
            name="otter-llama",
            summary="Otter on LLaMA: CLIP ViT-L/14, perceiver resampler and LLaMA-7B",
            module="engine.captioners.families.otter_llama",
            presets=presets.OTTER,
            checkpoint_form="a folder of luodian/OTTER-Image-LLaMA7B-LA-InContext with LLaMA-7B's"
            " tokenizer",
            missing_files=layouts.missing_otter_llama_files,
            placeholder="<image>",
            conversation=presets.OTTER_CONVERSATION,
        ),
        Family(
            name="qwen-vl",
            summary="Qwen-VL: ViT-bigG and Qwen-7B",
            module="engine.captioners.families.qwen_vl",
            presets=presets.QWEN_VL,
            checkpoint_form="a folder of the original Qwen/Qwen-VL, not of Qwen-VL-Chat",
            missing_files=layouts.missing_qwen_vl_files,
            placeholder="<img></img>",
            conversation=presets.QWEN_VL_CONVERSATION,
        ),
        Family(
            name="qwen-vl-chat",
            summary="Qwen-VL-Chat: Qwen-VL tuned to answer in ChatML",
            module="engine.captioners.families.qwen_vl_chat",
            presets=presets.QWEN_VL_CHAT,
            checkpoint_form="a folder of the original Qwen/Qwen-VL-Chat",
            missing_files=layouts.missing_qwen_vl_files,
            placeholder="<img></img>",
            conversation=presets.QWEN_VL_CHAT_CONVERSATION,
        ),
        Family(
            name=HF,
            summary="any model that transformers' AutoModelForImageTextToText loads",
            module="engine.captioners.families.hf.captioner",
            presets=presets.HF,
            checkpoint_form="a folder in the Hugging Face layout: weights, config, tokenizer, image"
            " processor",
            missing_files=layouts.missing_hf_files,
            setting_names=tuple(
                key
                for key in PARSERS
                if key in (*COMMON_SETTINGS, *ASKING_SETTINGS, "max_tiles", "adapter")
                and key not in ("preprocess", "fast_decode")
            ),
            fills_prompts=True,
        ),
        Family(
            name=ENDPOINT,
            summary="any OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve",
            module="engine.captioners.remote.captioner",
            presets=presets.ENDPOINT,
            checkpoint_form=f"the address of a running server, up to /v1 ({EXAMPLE})",
            setting_names=SERVER_SETTINGS,
            remote=True,
            fills_prompts=True,
        ),
        Family(
            name=SERVER,
            summary="any model, by an engine that the worker starts: vLLM, SGLang, llama.cpp, ...",
            module="engine.captioners.remote.engines.captioner",
            presets=presets.SERVER,
            checkpoint_form="a folder that the engine serves: in the Hugging Face layout, or with"
            " GGUF files",
            missing_files=layouts.missing_served_files,
            setting_names=(*ENGINE_SETTINGS, *SERVER_SETTINGS),
            serves=True,
            fills_prompts=True,
        ),
        Family(
            name=SCORE,
            summary="a CLIP or SigLIP that scores captions",
            module="engine.captioners.scorers.contrastive",
            presets=presets.SCORE,
            checkpoint_form="a folder of a CLIP or SigLIP in the Hugging Face layout: weights,"
            " config, tokenizer, image processor",
            missing_files=layouts.missing_hf_files,
            setting_names=("dtype", "alpha", "exif", "jpeg_end", "batch"),
            scores=True,
        ),
        Family(
            name=SCORE_VQA,
            summary="asks a llava-1.5 or hf whether captions are true",
            module="engine.captioners.scorers.vqa",
            presets=presets.SCORE_VQA,
            checkpoint_form="a folder of llava-1.5 or hf, or @NAME for such a model of the project",
            missing_files=missing_vqa_files,
            setting_names=(
                *("prompt", "system", "template", "preprocess"),
                *("min_pixels", "max_pixels", "max_tiles", "dtype", "quantize"),
                *("tokenizer", "vision_tower", "adapter", "alpha", "exif", "jpeg_end", "batch"),
            ),
            scores=True,
        ),
        Family(
            name="dry-run",
            summary="opens and decodes every image and answers without a model",
            module="engine.captioners.families.dry_run",
            presets=presets.DRY_RUN,
            setting_names=("alpha", "exif", "jpeg_end", "batch", "limits"),
        ),
    )
}
"""All families that caption or score by name, in the order in which people see them."""


def is_scorer(family_name: str) -> bool:
    """Return True if the models of a family score captions, and write none."""
    family = FAMILIES.get(family_name)
    return family is not None and family.scores


def prompt_keys(family_name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of records for which the prompts of a model ask.

    `settings` are the fields of `Settings` that a project keeps.
    """
    family = FAMILIES.get(family_name)
    if family is None or not family.fills_prompts:
        return ()
    return keys_of_settings(Settings.of(settings))


def check_checkpoint(family: Family, checkpoint: str, settings: Settings | None = None) -> str:
    """Return a checkpoint as it is stored: an absolute path, or an address.

    Raises `BadInput` if the address is none or the folder lacks something.
    """
    if family.remote:
        if is_hub_address(checkpoint):
            raise BadInput(f"{advice_for_no_folder(checkpoint)}, --model NAME={HF}:FOLDER")
        return read_address(checkpoint)
    folder = Path(checkpoint).expanduser().absolute()
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise BadInput(
            f"{family.name}: the path {str(folder)!a} is not UTF-8: rename the folder, or name a"
            " link to it"
        ) from None
    try:
        if not folder.is_dir():
            raise BadInput(f"{family.name}: {advice_for_no_folder(checkpoint)}")
        check_folder(family, folder, settings or Settings())
    except OSError as error:
        raise BadInput(f"{family.name}: {folder} cannot be read: {error}") from error
    return str(folder)


def check_folder(family: Family, folder: Path, settings: Settings) -> None:
    """Raise `BadInput` if a checkpoint folder is incomplete or of another kind than the family's.

    It says what to do instead, or what is missing. Raises `OSError`.
    """
    tokenizer = Path(settings.tokenizer) if settings.tokenizer else None
    adapter = Path(settings.adapter) if settings.adapter else None
    missing = family.missing_files(folder, tokenizer)
    advice: str | None = None
    if family.name == SCORE:
        advice = advice_for_contrastive(folder, missing)
    elif not family.serves:
        asked_as_llava = is_asked_as_llava(folder, settings.quantize)
        is_hf = family.name == HF or (family.name == SCORE_VQA and not asked_as_llava)
        advice = advice_for_folder(folder, missing, is_hf, adapter)
    if family.name == SCORE_VQA and advice is None:
        advice = advice_for_asked(folder, settings.quantize)
    if advice is not None:
        raise BadInput(advice)
    if missing:
        raise BadInput(
            f"{family.name}: {folder} lacks {', '.join(missing)}; it must be"
            f" {family.checkpoint_form}"
        )

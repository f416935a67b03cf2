"""The settings of a model, of which some are JSON in a text. This module imports no torch."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from msgspec import Meta

from engine.utils.errors import BadInput

DTYPES = ("auto", "float32", "bfloat16", "float16")
"""Values of `dtype`."""
QUANTIZATIONS = ("none", "int8", "fp8")
"""Values of `quantize`."""
PREPROCESSING = ("crop", "pad", "squash")
"""Values of `preprocess`: the keys of `preprocessing.pixels.RESIZERS`."""
ALPHAS = ("drop", "white")
"""Values of `alpha`."""
EXIFS = ("stored", "upright")
"""Values of `exif`."""
JPEG_ENDS = ("required", "optional")
"""Values of `jpeg_end`."""
MAX_TOKENS_NAMES = ("max_tokens", "max_completion_tokens")
"""Values of `max_tokens_name`."""
ENGINES = ("vllm", "sglang", "lmdeploy", "llama.cpp", "transformers")
"""Values of `backend`, besides a command."""
PORT_PLACEHOLDER = "{port}"
"""What stands in a command of `backend` for the port on which its server is to listen."""
UNSENDABLE = ("max_new_tokens", "temperature", "seed")
"""Settings that a server need not be sent, by the value `none`."""
MAX_SEED = 2**63 - 1
"""The largest seed: that of a signed 64-bit integer."""
MAX_NEW_TOKENS = 4096
"""The largest `max_new_tokens`: far above any caption, within the context of every family."""
MAX_NGRAM = 64
"""The largest `no_repeat_ngram`."""
MAX_BATCH = 65536
"""The largest `batch`."""
MAX_PIXELS = 2**26
"""The largest `max_pixels` and `min_pixels`: far above what any processor keeps of a picture."""
MAX_TILES = 1024
"""The largest `max_tiles`."""
MAX_PENALTY = 10.0
"""The largest `repetition_penalty`. Useful ones are just above 1."""
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""What the name of a template variable looks like."""
RESERVED_VARIABLES = (
    *("messages", "tools", "documents", "conversations", "chat_template"),
    *("add_generation_prompt", "continue_final_message", "return_assistant_tokens_mask"),
)
"""Names that a chat template is given by transformers itself."""


def any_of(values: Sequence[str], empty: bool = False) -> Meta:
    """Return the constraint that a text is one of `values`, or with `empty` empty."""
    return Meta(pattern=f"^({'|'.join(values)}){'?' if empty else ''}\\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is loaded and asked. `msgspec.convert` checks types and ranges.

    All but `batch`, `auto_batch`, `limits`, `graphs`, `overlap` and `interpreter` change the raw
    captions, and therefore the settings hash.
    """

    prompt: str = ""
    """The whole prompt, with the family's placeholder where the image goes."""
    prompts: str = ""
    """A JSON list of prompts, of which each record gets one instead of `prompt`; empty for none."""
    system: str = ""
    """The system message, for models that are asked by a chat template or on a server."""
    prefill: str = ""
    """The beginning of the model's answer, which it continues."""
    keep_prefill: bool = True
    """True if the caption begins with `prefill`, False if it is what comes after."""
    template: str = ""
    """A JSON object of variables for the chat template, keys in order; empty for none."""
    strip: str = ""
    """A JSON list of texts that are cut from captions, as `answer_text.stripped` says; empty for
    none."""
    preprocess: Annotated[str, any_of(PREPROCESSING, empty=True)] = ""
    """How an image becomes the square that the model takes: `crop` (resize the shortest edge, cut
    out the centre), `pad` (first pad to a square with the mean colour) or `squash` (lose the aspect
    ratio). It is empty where the checkpoint's own processor decides."""
    min_pixels: Annotated[int, Meta(ge=1, le=MAX_PIXELS)] | None = None
    """The pixels to which the model's own processor enlarges smaller pictures; None is the value of
    its file."""
    max_pixels: Annotated[int, Meta(ge=1, le=MAX_PIXELS)] | None = None
    """The pixels to which the model's own processor reduces larger pictures; None is the value of
    its file."""
    max_tiles: Annotated[int, Meta(ge=1, le=MAX_TILES)] | None = None
    """The most tiles into which the model's own processor cuts a picture; None is the value of
    its file."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=MAX_NEW_TOKENS)] = 30
    """The cap on the new tokens of a caption."""
    min_new_tokens: Annotated[int, Meta(ge=0, le=MAX_NEW_TOKENS)] = 0
    """The number of new tokens before which a caption may not end."""
    temperature: Annotated[float, Meta(ge=0, le=sys.float_info.max)] = 0.0
    """The temperature of sampling; 0 means greedy decoding."""
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    """The probability mass that nucleus sampling keeps; None keeps all tokens."""
    no_repeat_ngram: Annotated[int, Meta(ge=0, le=MAX_NGRAM)] = 0
    """Length of the n-grams that may not occur twice in a caption; 0 allows all."""
    repetition_penalty: Annotated[float, Meta(gt=0, le=MAX_PENALTY)] | None = None
    """The number by which the logits of earlier tokens are divided; None is the value of the
    checkpoint's generation_config.json, or of the server."""
    dtype: Annotated[str, any_of(DTYPES)] = "auto"
    """Floating-point type of the weights; `auto` is bfloat16 on a GPU and float32 elsewhere."""
    quantize: Annotated[str, any_of(QUANTIZATIONS)] = "none"
    """Type of eight bits for the matrices of language model and vision tower (of `hf`: of the
    language model): `int8`, or `fp8` on a GPU that can multiply it. It halves their memory and
    changes captions a little."""
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] = 0
    """Seed of sampling. Each record draws its own noise from it."""
    tokenizer: str | None = None
    """Folder or file of the tokenizer; None if it is in the checkpoint's folder."""
    vision_tower: str | None = None
    """Folder of the CLIP model, for an original LLaVA checkpoint that does not contain it."""
    adapter: str | None = None
    """Folder of an adapter (LoRA) that is merged into the weights; None for none."""
    served_model: str | None = None
    """Id of the model to ask a server for; None if it serves only one."""
    backend: str = ""
    """The engine that serves the checkpoint, or a JSON list of the arguments of a command that
    does; empty for models that are not served."""
    interpreter: str | None = None
    """The program that runs the engine: the Python of its environment, or llama.cpp's
    `llama-server`; None for our own Python, and for the `llama-server` in the path."""
    arguments: str = ""
    """A JSON list of further arguments for the engine; empty for none."""
    thinking: bool = True
    """True if a server may have the model reason before it answers; False to ask it not to."""
    max_tokens_name: Annotated[str, any_of(MAX_TOKENS_NAMES)] = "max_tokens"
    """The name that a server has for the token cap."""
    unsent: Annotated[str, Meta(pattern=f"^({'|'.join(UNSENDABLE)}|,)*\\Z")] = ""
    """Names of settings that a server is not sent, with commas between."""
    alpha: Annotated[str, any_of(ALPHAS)] = "drop"
    """What becomes of transparency, as in `PixelRules`."""
    exif: Annotated[str, any_of(EXIFS)] = "stored"
    """Whether pictures are turned as their EXIF tag says, as in `PixelRules`."""
    jpeg_end: Annotated[str, any_of(JPEG_ENDS)] = "required"
    """Whether a JPEG may lack its end marker, as in `PixelRules`."""
    fast_decode: bool = False
    """True to decode large JPEGs at a fraction of their size, but at least twice the size of the
    model's square. This is faster, and the pixels differ a little from upstream's."""
    stop_at_sentence: bool = False
    """True to end a caption when its first sentence is complete: fewer tokens and the same sheared
    caption, but the rest of the answer is not there to look at."""
    batch: Annotated[int, Meta(ge=1, le=MAX_BATCH)] = 32
    """Images per batch; for a server, the most requests at a time."""
    auto_batch: bool = True
    """True to double the batch while that is faster, beginning with `batch`."""
    limits: str = ""
    """Shares of bad captions above which a run warns of the model and stops it, if they are not the
    defaults: `loops=0.05/0.5`, with commas between, as `engine.quality.alarms.parse_limits` reads
    it."""
    graphs: bool = True
    """True to capture decode steps as CUDA graphs and replay them, instead of launching each
    operation."""
    overlap: bool = False
    """True to run the prefill of one batch on a GPU while the batch before is in its decode steps.
    This takes more memory."""

    @property
    def unsent_names(self) -> list[str]:
        """Names of settings that a server is not sent."""
        return [name for name in self.unsent.split(",") if name]

    @property
    def prompt_choices(self) -> list[str]:
        """The prompts of which each record gets one."""
        return json.loads(self.prompts) if self.prompts else [self.prompt]

    @property
    def template_variables(self) -> dict[str, Any]:
        """The variables for the chat template, by name."""
        return json.loads(self.template) if self.template else {}

    @property
    def strip_texts(self) -> list[str]:
        """The texts that are cut from captions."""
        return json.loads(self.strip) if self.strip else []

    @property
    def backend_command(self) -> list[str] | None:
        """The arguments of the command that serves the checkpoint; None for an engine by name."""
        is_command = self.backend and self.backend not in ENGINES
        return json.loads(self.backend) if is_command else None

    @property
    def engine_arguments(self) -> list[str]:
        """The further arguments of the engine."""
        return json.loads(self.arguments) if self.arguments else []

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Return settings with these values; names that this version does not know are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def check_settings(settings: Settings) -> None:
    """Raise `BadInput` for settings that do not fit together, or are not as they are stored."""
    limits = (("min_new_tokens", "max_new_tokens"), ("min_pixels", "max_pixels"))
    for low, high in limits:
        least, most = getattr(settings, low), getattr(settings, high)
        if least is not None and most is not None and least > most:
            raise BadInput(f"{low} {least} is above {high} {most}")
    for name, stored in (
        *(("prompts", json_texts), ("strip", json_texts), ("template", json_object)),
        *(("arguments", json_texts), ("backend", stored_backend)),
    ):
        text = getattr(settings, name)
        try:
            is_stored = not text or text == stored(text)
        except BadInput as error:
            raise BadInput(f"{name}: {error}") from error
        if not is_stored:
            raise BadInput(f"{name} is not written as it is stored: {text[:200]!r}")


def json_texts(text: str) -> str:
    """Return a JSON list of one text or more as it is stored. Raises `BadInput`."""
    value = parse_json(text)
    if not isinstance(value, list) or not value:
        raise BadInput(f"{text[:200]!r} is not a JSON list of texts")
    if not all(isinstance(it, str) and it for it in value):
        raise BadInput(f"{text[:200]!r} holds something that is not a text")
    return stored_json(value)


def stored_backend(text: str) -> str:
    """Return an engine's name, or the JSON list of a command, as stored. Raises `BadInput`."""
    if text in ENGINES:
        return text
    stored = json_texts(text)
    if not any(PORT_PLACEHOLDER in argument for argument in json.loads(stored)):
        raise BadInput(f"a command must say with {PORT_PLACEHOLDER} where its server is to listen")
    return stored


def json_object(text: str) -> str:
    """Return a JSON object of template variables as it is stored. Raises `BadInput`."""
    value = parse_json(text)
    if not isinstance(value, dict) or not value:
        raise BadInput(f"{text[:200]!r} is not a JSON object")
    for name in value:
        if not VARIABLE.fullmatch(name) or name in RESERVED_VARIABLES:
            raise BadInput(f"a setting cannot give the variable {name[:200]!r} to a chat template")
    return stored_json(value)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text. Raises `BadInput`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{text[:200]!r} is not JSON: {error}") from error


def stored_json(value: Any) -> str:
    """Return a value as JSON, keys in order. Raises `BadInput` for what JSON cannot hold."""
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
        text.encode()  # a database takes no lone surrogates
    except (ValueError, RecursionError) as error:
        raise BadInput(f"a value cannot be written as JSON: {error}") from error
    return text

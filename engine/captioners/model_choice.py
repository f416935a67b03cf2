"""Choosing a model: from `--model` and `--set` on the command line, or by changing another choice.

A choice is checked, but nothing is loaded for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from db.rows import ModelRow
from engine.captioners.address import EXAMPLE, check_name, is_address
from engine.captioners.checkpoints.layouts import read_config
from engine.captioners.model_families import (
    ENDPOINT,
    FAMILIES,
    HF,
    SCORE_VQA,
    Family,
    check_checkpoint,
)
from engine.captioners.open_models import general_prompt, own_prompt
from engine.captioners.presets import PAPER
from engine.captioners.record_prompt import CAPTION_KEY, keys_of
from engine.captioners.setting_changes import TEMPLATE_PREFIX, apply_changes, parse_assignment
from engine.captioners.settings import Settings
from engine.captioners.settings_hash import settings_hash
from engine.captioners.stated_settings import begun, reopened, with_penalty
from engine.utils.errors import BadInput

ASKED_AGAIN_SETTINGS = (
    *("prompt", "seed", "temperature", "top_p", "max_new_tokens", "repetition_penalty"),
    "no_repeat_ngram",
)
"""Settings with which single records can be asked again without loading the model anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model for a project: its family, checkpoint and settings, all of them checked."""

    name: str
    family: str
    checkpoint: str | None
    """An absolute path or an address; None for a family that needs no checkpoint."""
    settings: dict[str, Any] = field(hash=False)
    """The fields of `Settings`."""
    settings_hash: str


FAMILY_NAME = re.compile(r"[a-z0-9.-]+")
"""What the name of a family looks like."""
ASKED = "@"
"""The beginning of the name of a model that a scorer asks, in place of its checkpoint."""
ASKED_FAMILIES = ("llava-1.5", HF)
"""The families whose models can be asked whether a caption is true."""


def parse_model(text: str) -> tuple[str, str, str]:
    """Return name, family and checkpoint of a `--model`, unchecked; the last may be empty.

    The text has the form `FAMILY[=CHECKPOINT]` or, with any name, `NAME=FAMILY[:CHECKPOINT]` or
    `NAME=http://...`.
    """
    name, _, rest = text.partition("=")
    head, colon, checkpoint = rest.partition(":")
    if colon and head in FAMILIES:
        return name, head, checkpoint
    if rest in FAMILIES and name not in FAMILIES:
        return name, rest, ""
    return name, ENDPOINT if is_address(rest) else name, rest


def choose(
    text: str,
    preset: str | None = None,
    changes: Mapping[str, str] | None = None,
    others: Collection[ModelChoice | ModelRow] = (),
) -> ModelChoice:
    """Return the choice that a `--model` stands for (see `parse_model`).

    Without `preset` it begins with the preset `paper`; `changes` are settings as text. `others` are
    the models of the project, which a scorer may ask. Raises `BadInput`.
    """
    name, family_name, checkpoint = parse_model(text)
    family = FAMILIES.get(family_name)
    if family is None:
        refuse_unknown_family(text)
        raise BadInput(
            f"unknown model {name!r}: one of {', '.join(FAMILIES)}, or any name with a family and"
            f" its checkpoint, --model {name or 'NAME'}=hf:FOLDER, or with a server's address,"
            f" --model {name or 'NAME'}={EXAMPLE}"
        )
    if name != family.name:
        check_name(name)
        if name in FAMILIES and not family.remote:
            raise BadInput(f"{name} is itself a family: give the model another name")
    if family.checkpoint_form is None and checkpoint:
        raise BadInput(f"{family.name} takes no checkpoint: write --model {family.name}")
    if family.checkpoint_form is not None and not checkpoint:
        example = EXAMPLE if family.remote else "FOLDER"
        example = example if name == family.name or family.remote else f"{family.name}:{example}"
        raise BadInput(
            f"{name} needs a checkpoint: --model {name}={example}, {family.checkpoint_form}"
        )
    changes = {"preset": preset or PAPER} | dict(changes or {})
    if is_asked_model(family.name, checkpoint):
        return ask_model(name, checkpoint.removeprefix(ASKED), changes, others)
    return change_model(name, family.name, checkpoint or None, Settings(), changes)


def refuse_unknown_family(text: str) -> None:
    """Raise `BadInput` if a `NAME=FAMILY:CHECKPOINT` has an unknown family."""
    name, _, rest = text.partition("=")
    family, colon, checkpoint = rest.partition(":")
    if colon and FAMILY_NAME.fullmatch(family):
        near = get_close_matches(family, FAMILIES, 1)
        meant = f"; did you mean --model {name}={near[0]}:{checkpoint}?" if near else ""
        raise BadInput(
            f"unknown family {family!r} of {name!r}: one of {', '.join(FAMILIES)}{meant}"
        )


def is_asked_model(family: str, checkpoint: str) -> bool:
    """Return True if a checkpoint is the name of another model of the project, `@NAME`."""
    return family == SCORE_VQA and checkpoint.startswith(ASKED)


def ask_model(
    name: str, asked: str, changes: Mapping[str, str], others: Collection[ModelChoice | ModelRow]
) -> ModelChoice:
    """Return the choice of a scorer that asks another model of the project.

    It begins with that one's checkpoint, and with those of its settings that say how a checkpoint
    is loaded. Raises `BadInput`.
    """
    model = next((it for it in others if it.name == asked), None)
    if model is None:
        names = [it.name for it in others if it.family in ASKED_FAMILIES]
        raise BadInput(
            f"{name}: there is no model {asked!r} to ask"
            f" ({'there is ' + ', '.join(names) if names else 'no model can be asked'}): name one"
            f" of the project, or a folder, --model {name}={SCORE_VQA}:FOLDER"
        )
    if model.family not in ASKED_FAMILIES:
        raise BadInput(
            f"{name}: {asked} is a model of {model.family}, which cannot be asked about captions:"
            f" only those of {' and '.join(ASKED_FAMILIES)} can"
        )
    own, plain = Settings.of(model.settings), Settings()
    taken = {
        key: getattr(own, key)
        for key in FAMILIES[SCORE_VQA].setting_names
        if key not in ("prompt", "system", "batch") and getattr(own, key) != getattr(plain, key)
    }
    rest = dict(changes)
    settings = replace(preset_settings(FAMILIES[SCORE_VQA], rest.pop("preset")), **taken)
    return change_model(name, SCORE_VQA, model.checkpoint, settings, rest)


def choose_all(
    models: Sequence[str], preset: str | None, settings: Sequence[str]
) -> list[ModelChoice]:
    """Return the choices that the `--model`s stand for, with the `MODEL.KEY=VALUE`s of `--set`.

    Raises `BadInput`.
    """
    changes: dict[str, dict[str, str]] = {text.partition("=")[0]: {} for text in models}
    for text in settings:
        key, value = parse_assignment(text)
        # The longest name first, for names and keys may have dots.
        names = sorted(changes, key=len, reverse=True)
        name = next((it for it in names if key.startswith(f"{it}.")), None)
        if name is None:
            raise BadInput(
                f"{text!r}: write MODEL.KEY=VALUE with a model of --model"
                f" ({', '.join(changes) or 'none'})"
            )
        changes[name][key.removeprefix(f"{name}.")] = value
    # A scorer that asks another model may stand before it.
    asks = [parse_model(text)[2].startswith(ASKED) for text in models]
    chosen: dict[str, ModelChoice] = {}
    for text in sorted(models, key=dict(zip(models, asks, strict=True)).__getitem__):
        chosen[text] = choose(text, preset, changes[text.partition("=")[0]], chosen.values())
    return [chosen[text] for text in models]


def setting_name(key: str) -> str:
    """Return the setting that a change of this key changes."""
    return "template" if key.startswith(TEMPLATE_PREFIX) else key


def preset_settings(family: Family, preset: str) -> Settings:
    """Return the settings of a family's preset. Raises `BadInput` for an unknown one."""
    if preset not in family.presets:
        raise BadInput(
            f"{family.name} has no preset {preset!r}: one of {', '.join(family.presets)}"
        )
    return family.presets[preset]


def change_model(
    name: str,
    family_name: str,
    checkpoint: str | None,
    settings: Settings,
    changes: Mapping[str, str],
) -> ModelChoice:
    """Return the choice of this model with other settings, given as text.

    `preset` and `checkpoint` are keys of `changes`, too. Raises `BadInput`.
    """
    family = FAMILIES[family_name]
    rest = dict(changes)
    begins = "checkpoint" in rest or "preset" in rest
    if family.name == HF and checkpoint is not None and "checkpoint" in rest:
        # What the checkpoint before states says nothing to one of another type.
        config = read_config(Path(checkpoint))
        settings = replace(settings, prompt=general_prompt(config, settings.prompt))
        settings = reopened(Path(checkpoint), settings)
    if "checkpoint" in rest:
        if family.checkpoint_form is None:
            raise BadInput(f"{name} takes no checkpoint")
        checkpoint = rest.pop("checkpoint")
    if "preset" in rest:
        settings = preset_settings(family, rest.pop("preset"))
    if family.name in (HF, SCORE_VQA) and checkpoint is not None and begins:
        settings = begun(Path(checkpoint).expanduser(), settings, family.setting_names)
    unknown = next((key for key in rest if setting_name(key) not in family.setting_names), None)
    if unknown is not None:
        checkpoint_key = ("checkpoint",) if family.checkpoint_form is not None else ()
        raise BadInput(
            f"{family.name} has no setting {unknown!r}: it has"
            f" {', '.join((*family.setting_names, 'preset', *checkpoint_key))}"
        )
    settings = complete_prompt(family, apply_changes(settings, rest))
    if "prompt" in rest:
        check_prompt_keys(family, settings.prompt)
    for key in rest.keys() & {"system", "prefill"}:
        refuse_keys(key, getattr(settings, key))
    if settings.unsent and not family.asks_server:
        raise BadInput(
            f"{settings.unsent_names[0]} must have a value: it may be none only for a server"
        )
    if checkpoint is not None:
        checkpoint = check_checkpoint(family, checkpoint, settings)
        if family.name == HF:
            config = read_config(Path(checkpoint))
            settings = replace(settings, prompt=own_prompt(config, settings.prompt))
            settings = with_penalty(Path(checkpoint), settings)
    digest = settings_hash(family.name, checkpoint, settings)
    return ModelChoice(
        name=name,
        family=family.name,
        checkpoint=checkpoint,
        settings=asdict(settings),
        settings_hash=digest,
    )


def changed_settings(
    family_name: str, settings: Mapping[str, Any], changes: Mapping[str, str]
) -> Settings:
    """Return the settings with which single records are asked again, by a model that is loaded.

    `settings` are the fields of `Settings` that a project keeps. Raises `BadInput` for changes of
    what only a load can change.
    """
    family = FAMILIES[family_name]
    unknown = [key for key in changes if key not in ASKED_AGAIN_SETTINGS]
    unknown += [key for key in changes if key not in (*unknown, *family.setting_names)]
    if unknown:
        known = [key for key in ASKED_AGAIN_SETTINGS if key in family.setting_names]
        raise BadInput(
            f"a record cannot be asked again with another {unknown[0]}: {family_name} takes"
            f" {', '.join(known)}"
        )
    before = Settings.of(settings)
    changed = apply_changes(before, changes)
    if "prompt" in changes:
        check_prompt_keys(family, changed.prompt)
        if family.name == HF and keys_of(changed.prompt) and not keys_of(before.prompt):
            raise BadInput(f"{family_name} was loaded for prompts without texts of the record")
        changed = complete_prompt(family, replace(changed, prompts=""))
    return changed


def check_prompt_keys(family: Family, prompt: str) -> None:
    """Raise `BadInput` for a prompt with keys of records that the family does not fill in."""
    keys = () if family.fills_prompts else keys_of(prompt)
    if family.name == SCORE_VQA:
        if keys != (CAPTION_KEY,) or prompt.count(f"{{{CAPTION_KEY}}}") != 1:
            raise BadInput(f"the prompt must hold {{{CAPTION_KEY}}} once and no other key")
        return
    if keys:
        others = [it.name for it in FAMILIES.values() if it.fills_prompts]
        raise BadInput(
            f"{family.name} cannot put {{{keys[0]}}} of a record into its prompt: only models of"
            f" the families {', '.join(others[:-1])} and {others[-1]} can"
        )


def refuse_keys(setting: str, text: str) -> None:
    """Raise `BadInput` for a text with keys of records where none are filled in."""
    keys = keys_of(text)
    if keys:
        raise BadInput(
            f"{setting} holds {{{keys[0]}}}, and texts of records are put into prompts alone: move"
            f" it to the prompt, or write {{ {keys[0]} }} for the characters themselves"
        )


def complete_prompt(family: Family, settings: Settings) -> Settings:
    """Put a prompt that does not say where the image goes into the model's own conversation.

    Raises `BadInput` if the placeholder of the image is in the prompt more than once.
    """
    prompt = settings.prompt
    if not family.placeholder or prompt.count(family.placeholder) == 1:
        return settings
    if family.placeholder in prompt:
        raise BadInput(f"the prompt must hold {family.placeholder} once: {prompt!r}")
    return replace(settings, prompt=family.conversation.replace("{}", prompt))

"""The one sentence about a checkpoint folder with which no model can be loaded, and the way out.

Here is the order in which the kinds of folders are tried. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.captioners.checkpoints.adapters import adapter_in_place_of_model, incomplete_adapter
from engine.captioners.checkpoints.config_kinds import advice_for_config, text_model
from engine.captioners.checkpoints.folder_kinds import HF_KINDS, KINDS, no_captioner, stand_in
from engine.captioners.checkpoints.layouts import NO_IMAGE_PROCESSOR, read_config
from engine.captioners.checkpoints.scorer_kinds import contrastive


def advice_for_folder(
    folder: Path, missing: Sequence[str], is_hf: bool, adapter: Path | None
) -> str | None:
    """Return what a folder is in place of a checkpoint, and what to do; None if nothing is known.

    `missing` says what the model's family lacks in it, `is_hf` whether that is the one of all open
    models, and `adapter` is the folder of the setting. Raises `OSError`.
    """
    return next(filter(None, sentences(folder, missing, is_hf, adapter)), None)


def sentences(
    folder: Path, missing: Sequence[str], is_hf: bool, adapter: Path | None
) -> Iterator[str | None]:
    """Yield the sentence of each kind that the folder is of, and None for others."""
    yield adapter_in_place_of_model(folder, takes_adapters=is_hf)
    if adapter is not None:
        yield incomplete_adapter(adapter)
    if missing:
        yield from (kind(folder) for kind in (HF_KINDS if is_hf else KINDS))
    yield stand_in(folder)
    config = read_config(folder)
    yield contrastive(folder, config)
    if is_hf:
        yield no_captioner(folder)
        yield advice_for_config(folder, config)
        if missing == [NO_IMAGE_PROCESSOR]:
            yield text_model(folder, config)

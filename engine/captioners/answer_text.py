"""What becomes of a model's answer before it is a raw caption. Imports no torch."""

from __future__ import annotations

from engine.captioners.settings import Settings

UP_TO = "..."
"""What stands before a text of `strip` with which everything before it is cut as well."""


def stripped(text: str, settings: Settings) -> str:
    """Return a text without what the setting `strip` names, in its order.

    A text of it is cut from the beginning, with the white space around it; `...TEXT` cuts
    everything up to the last TEXT, such as the reasoning that ends with `</think>`. What is not
    there changes nothing.
    """
    for cut in settings.strip_texts:
        before, _, mark = cut.partition(UP_TO)
        if not before and mark:
            _, found, rest = text.rpartition(mark)
            text = rest.lstrip() if found else text
        elif text.lstrip().startswith(cut):
            text = text.lstrip().removeprefix(cut).lstrip()
    return text


def with_prefill(text: str, settings: Settings) -> str:
    """Return a text that continues `prefill` with it in front, where the caption is to have it."""
    prefill = settings.prefill
    return text if text.startswith(prefill) else prefill + text

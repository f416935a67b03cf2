"""What a run would say of the health of a single caption, for those that make one to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.captioners.registry import Settings
from engine.project.task_health import texts_of_prompts
from engine.quality.alarms import Figures, bad_news, limits_of
from engine.quality.caption_check import CaptionCheck, names_of
from engine.shearing.shear import Shearing


def bad_news_of_caption(
    family: str, settings: Mapping[str, Any], raw: str, finish: str, shearing: Shearing
) -> list[str]:
    """Return a line for each defect of a raw caption that a run would warn of."""
    check = CaptionCheck(family, shearing, texts_of_prompts(settings))
    figures = Figures()
    figures.add(names_of(check.defects_of(raw, finish)))
    limits = limits_of(Settings.of(settings).limits, Figures())
    return bad_news(figures, limits, least=1)

"""When the health of a model's captions is worth an alarm, and what to look at then.

Pure: counts in, alarms out. A defect is told once it is in more than a share of the captions that
were looked at, and stops the model above a higher share. Both shares are judgements: those of the
defects that spoil a caption are low, those of what shearing cuts away are high, and the cap on new
tokens, which ends most captions as the paper made them, gives no alarm by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from engine.quality.defect_names import DEFECT_NAMES
from engine.utils.errors import BadInput

NO_CAPTION = "no_caption"
"""The name of answers without a caption, which are failed records and none of `DEFECT_NAMES`."""
DUPLICATES = "duplicates"
"""The name of captions with the same sheared text as an earlier one of those judged together."""
NAMES = (*DEFECT_NAMES, DUPLICATES, NO_CAPTION)
"""What may give an alarm."""
LEAST_CAPTIONS = 5
"""Captions with a defect below which there is no alarm, whatever their share: chance."""
PILOT_FACTOR = 2.0
"""How many times the share in its pilot moves a default up for a model, if that is more: a person
saw that share and went on."""
OFF = "off"
"""Stands for a share at which nothing happens."""


class Limit(NamedTuple):
    """The shares of captions with a defect, 0 to 1, above which something happens, if any does."""

    warn: float | None
    stop: float | None


LIMITS: dict[str, Limit] = {
    "loops": Limit(0.03, 0.3),
    "empty": Limit(0.02, 0.3),
    "truncated": Limit(None, None),
    "refusals": Limit(0.02, 0.3),
    "leaks": Limit(0.05, 0.5),
    "reasoning": Limit(0.05, 0.9),
    "lead_ins": Limit(0.3, None),
    "other_script": Limit(0.05, None),  # a run does not know which language was asked for
    "beyond_clip": Limit(0.3, None),
    DUPLICATES: Limit(0.1, 0.5),
    NO_CAPTION: Limit(0.02, 0.5),
}
"""The limits of a model for which nobody says otherwise."""
SAID: dict[str, str] = {
    "loops": "loop",
    "empty": "are empty",
    "truncated": "are cut",
    "refusals": "are refusals",
    "leaks": "have leaks",
    "reasoning": "hold reasoning",
    "lead_ins": "begin with a lead-in",
    "other_script": "are in another language",
    "beyond_clip": "are too long for CLIP",
    DUPLICATES: "repeat an earlier one",
    NO_CAPTION: "hold no caption",
}
"""What captions do that have a defect, behind "82 of 596 captions", or answers behind "answers"."""
LOOK_AT: dict[str, str] = {
    "loops": "dtype (float16 and eight bits may overflow), repetition_penalty, template, prompt",
    "empty": "prompt, template, whether the image reaches the model",
    "truncated": "max_new_tokens",
    "refusals": "prompt, system message, the server's rules",
    "leaks": "template (another model's?), prompt, strip",
    "reasoning": "template.enable_thinking, thinking, max_new_tokens",
    "lead_ins": "prompt, prefill, shearing by sentence",
    "other_script": "prompt, template, dtype; if the prompt asks for it, set limits to"
    " other_script=off",
    "beyond_clip": "prompt, max_new_tokens, stop_at_sentence",
    DUPLICATES: "whether the image reaches the model, whether images repeat, prompt, dtype",
    NO_CAPTION: "template.enable_thinking, thinking, max_new_tokens",
}
"""What to look at, by defect."""

State = Literal["warned", "stopped", "let"]
"""What was done about a defect: told, the model stopped for it, or a person let it go on."""


class Figures(msgspec.Struct):
    """Counts of answers that were looked at: captions, and answers without a caption."""

    captions: int = 0
    """The number of all answers. The name is that under which the database keeps it."""
    counts: dict[str, int] = {}
    """How many have each defect, by name."""

    def add(self, names: Sequence[str], captions: int = 1) -> None:
        """Count captions, each of them with these defects."""
        self.captions += captions
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + captions

    def take_out(self, names: Sequence[str]) -> None:
        """Count a caption with these defects no more, as far as it was counted."""
        self.captions = max(0, self.captions - 1)
        for name in names:
            self.counts[name] = max(0, self.counts.get(name, 0) - 1)

    def total(self, name: str) -> int:
        """Return among how many a defect is counted: captions, or all answers for `NO_CAPTION`."""
        without = 0 if name == NO_CAPTION else self.counts.get(NO_CAPTION, 0)
        return max(0, self.captions - without)

    def share(self, name: str) -> float:
        """Return the share of captions with a defect, 0 to 1."""
        total = self.total(name)
        return self.counts.get(name, 0) / total if total else 0.0

    def says(self, name: str, whose: str = "") -> str:
        """Return how many captions have a defect, as a text such as "82 of 596 captions loop".

        `whose` stands behind "captions".
        """
        counted = "answers" if name == NO_CAPTION else "captions"
        return f"{self.counts.get(name, 0):,} of {self.total(name):,} {counted}{whose} {SAID[name]}"


class PilotSpeed(msgspec.Struct):
    """How fast a model was in its last pilot."""

    images_per_second: float
    """On one device, 0 excluded."""
    load_seconds: float = 0.0
    memory: int | None = None
    """The most memory of the device that it had, in bytes."""


class HealthRecord(msgspec.Struct):
    """What is kept of the health of one model's captions, and of its last pilot."""

    figures: Figures = msgspec.field(default_factory=Figures)
    """Of all captions that were looked at in runs with these settings."""
    pilot: Figures = msgspec.field(default_factory=Figures)
    """Of the last pilot."""
    states: dict[str, State] = {}
    """What was done about defects, by name."""
    speed: PilotSpeed | None = None
    """In the last pilot."""

    @classmethod
    def of(cls, text: str) -> HealthRecord:
        """Return the record in a text; one of nothing if it holds none."""
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except (msgspec.MsgspecError, RecursionError):
            return cls()

    @property
    def text(self) -> str:
        """The record as the database keeps it."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A defect that too many captions have."""

    name: str
    state: Literal["warned", "stopped"]
    figures: str
    """How many captions have it, such as "82 of 596 captions loop"."""

    @property
    def text(self) -> str:
        """The figures, and what to look at."""
        return f"{self.figures}: look at {LOOK_AT[self.name]}"


def parse_limits(text: str) -> dict[str, Limit]:
    """Return the limits in a text such as `loops=0.05/0.5,truncated=off`, by name of the defect.

    A share alone is that of the warning, and leaves the model running. Raises `BadInput`.
    """
    found: dict[str, Limit] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, shares = part.partition("=")
        if name not in NAMES or not equals:
            raise BadInput(f"{part!r}: write NAME=SHARE/SHARE with one of {', '.join(NAMES)}")
        warn, _, stop = shares.partition("/")
        limit = Limit(parse_share(warn), parse_share(stop or OFF))
        if limit.warn is not None and limit.stop is not None and limit.stop < limit.warn:
            raise BadInput(f"{part!r}: the model would be stopped before there is a warning")
        found[name] = limit
    return found


def parse_share(text: str) -> float | None:
    """Return the share that a text stands for; None for `off`. Raises `BadInput`."""
    if text.strip() == OFF:
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadInput(f"{text!r} is neither a share from 0 to 1 nor {OFF}")
    return share


def limits_of(set_limits: str, pilot: Figures) -> dict[str, Limit]:
    """Return the limits of a model: those that a person set, else defaults moved by its pilot."""
    try:
        own = parse_limits(set_limits)
    except BadInput:  # written by nobody who asked us
        own = {}
    moved = {name: moved_limit(LIMITS[name], pilot.share(name)) for name in NAMES}
    return moved | own


def moved_limit(limit: Limit, pilot_share: float) -> Limit:
    """Return a default limit, moved up where the pilot's share would come near it."""
    low = PILOT_FACTOR * pilot_share
    return Limit(
        None if limit.warn is None else max(limit.warn, min(1.0, low)),
        None
        if limit.stop is None
        else max(limit.stop, min(1.0, low + (limit.stop - (limit.warn or 0)))),
    )


def too_many(
    figures: Figures, limits: Mapping[str, Limit], least: int = LEAST_CAPTIONS
) -> dict[str, Literal["warned", "stopped"]]:
    """Return the defects that too many captions have, and what is to be done, the worst first.

    `least` is the number of captions below which there is none.
    """
    found: dict[str, Literal["warned", "stopped"]] = {}
    for name, count in Counter(figures.counts).most_common():
        limit = limits.get(name, Limit(None, None))
        if count < least:
            continue
        total = figures.total(name)
        if limit.stop is not None and count > limit.stop * total:
            found[name] = "stopped"
        elif limit.warn is not None and count > limit.warn * total:
            found[name] = "warned"
    return found


def new_alarms(
    figures: Figures, limits: Mapping[str, Limit], states: Mapping[str, State], may_stop: bool
) -> list[Alarm]:
    """Return what is to be told of these figures that was not told before.

    `states` are what was done before. With `may_stop` False, or where a person let the model go on,
    a defect that would stop the model is told, at most.
    """
    alarms = []
    for name, level in too_many(figures, limits).items():
        before = states.get(name)
        state: Literal["warned", "stopped"] = level if may_stop else "warned"
        if before in ("stopped", "let") or before == state:
            continue
        alarms.append(Alarm(name, state, figures.says(name)))
    return alarms


def least_of_few(captions: int) -> int:
    """Return how many captions must have a defect, where only a few captions were made to look."""
    return min(LEAST_CAPTIONS, max(1, captions // 10))


def bad_news(
    figures: Figures, limits: Mapping[str, Limit], least: int = LEAST_CAPTIONS
) -> list[str]:
    """Return a line for each defect that too many captions have."""
    return [
        f"{figures.says(name)}: look at {LOOK_AT[name]}"
        for name in too_many(figures, limits, least)
    ]

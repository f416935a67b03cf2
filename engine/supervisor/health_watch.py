"""Watching the health of the captions that come in, model by model, and stopping sick models.

A model's first captions are judged together, and then those of each minute. Of more captions than
can be looked at without holding up the run, the first of each minute are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from db.rows import ModelRow
from engine.captioners.model_families import is_scorer
from engine.captioners.settings import Settings
from engine.project.task_health import prompt_texts
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row
from engine.quality.alarms import (
    NO_CAPTION,
    Alarm,
    Figures,
    HealthRecord,
    limits_of,
    new_alarms,
)
from engine.quality.caption_check import CaptionCheck, SeriesCheck
from engine.state.policy import Policy
from engine.state.project_state import ProjectState

EXAMPLES = 3
"""Captions that an alarm quotes."""
EXAMPLE_CHARACTERS = 80
"""Characters of each."""


@dataclass(slots=True, kw_only=True)
class ModelWatch:
    """The captions of one model that came since they were last judged."""

    check: CaptionCheck
    series: SeriesCheck
    settings_hash: str
    began: float
    """When the first of them came, on the monotonic clock."""
    waiting: deque[tuple[int, Row]] = field(default_factory=deque)
    """(shard number, row) of those that were not looked at yet."""
    taken: int = 0
    """How many came and are, or will be, looked at."""
    figures: Figures = field(default_factory=Figures)
    examples: dict[str, list[str]] = field(default_factory=dict)
    """The first few captions with each defect."""
    first: bool = True
    """True until the first captions were judged."""


class HealthWatch:
    """Watches the captions of all models of a run."""

    def __init__(
        self, project_state: ProjectState, policy: Policy, stop: Callable[[int, str], None]
    ) -> None:
        """`stop` takes the tasks of a model back from the workers: its id, and a reason."""
        self.project_state = project_state
        self.policy = policy
        self.stop = stop
        self.watches: dict[int, ModelWatch] = {}

    def on_rows(self, model: ModelRow, shard: int, rows: Iterable[Row]) -> None:
        """Take note of rows that came of a model, without looking at them yet."""
        if is_scorer(model.family):
            return
        watch = self.watch_of(model)
        for row in rows:
            is_answer = isinstance(row, CaptionRow) or (
                isinstance(row, ErrorRow) and row.error == NO_CAPTION
            )
            if is_answer and watch.taken < self.policy.health_most:
                watch.taken += 1
                watch.waiting.append((shard, row))

    def count_out(self, model_id: int, replaced: list[tuple[str, ...]]) -> None:
        """Count captions no more that better ones replaced, and empty the list of their defects."""
        if not replaced:
            return
        model = self.project_state.models[model_id]
        record = HealthRecord.of(model.health)
        for names in replaced:
            record.figures.take_out(names)
        replaced.clear()
        self.project_state.save_model(replace(model, health=record.text))

    def watch_of(self, model: ModelRow) -> ModelWatch:
        """Return the watch of a model with the settings that it has now."""
        watch = self.watches.get(model.id)
        if watch is None or watch.settings_hash != model.settings_hash:
            check = CaptionCheck(model.family, self.project_state.shearing, prompt_texts(model))
            watch = ModelWatch(
                check=check,
                series=SeriesCheck(check),
                settings_hash=model.settings_hash,
                began=self.project_state.clock.monotonic(),
            )
            self.watches[model.id] = watch
        return watch

    def turn(self) -> None:
        """Look at some captions, and judge the models whose time has come."""
        for model_id, watch in self.watches.items():
            for _ in range(min(len(watch.waiting), self.policy.health_a_turn)):
                self.look_at(watch, *watch.waiting.popleft())
            now = self.project_state.clock.monotonic()
            if is_due(watch, now, self.policy):
                self.judge(model_id, watch)
                watch.first, watch.taken, watch.began = False, len(watch.waiting), now
                watch.figures, watch.examples = Figures(), {}
                watch.series = SeriesCheck(watch.check)

    def finish(self) -> None:
        """Look at all that is left, and tell what is wrong, as the run ends."""
        for model_id, watch in self.watches.items():
            while watch.waiting:
                self.look_at(watch, *watch.waiting.popleft())
            if watch.figures.captions:
                self.judge(model_id, watch, may_stop=False)
                watch.taken, watch.figures, watch.examples = 0, Figures(), {}

    def look_at(self, watch: ModelWatch, shard: int, row: Row) -> None:
        """Count the defects of one caption."""
        names: tuple[str, ...] = (NO_CAPTION,)
        text = row.detail if isinstance(row, ErrorRow) else ""
        if isinstance(row, CaptionRow):
            names = watch.series.names_of(row.raw, row.finish)
            text = row.raw
        watch.figures.add(names)
        for name in names:
            quoted = watch.examples.setdefault(name, [])
            if len(quoted) < EXAMPLES:
                quoted.append(f"{shard}:{row.i} {text[:EXAMPLE_CHARACTERS]!r}")

    def judge(self, model_id: int, watch: ModelWatch, may_stop: bool = True) -> None:
        """Keep what was counted of a model, and tell what is wrong for the first time.

        With `may_stop` False the model is not stopped.
        """
        model = self.project_state.models[model_id]
        record = HealthRecord.of(model.health)
        record.figures.captions += watch.figures.captions
        for name, count in watch.figures.counts.items():
            record.figures.counts[name] = record.figures.counts.get(name, 0) + count
        may_stop = may_stop and self.policy.health_stop
        limits = limits_of(Settings.of(model.settings).limits, record.pilot)
        alarms = new_alarms(watch.figures, limits, record.states, may_stop)
        record.states |= {alarm.name: alarm.state for alarm in alarms}
        self.project_state.save_model(replace(model, health=record.text))
        for alarm in alarms:
            self.tell(model, watch, alarm)

    def tell(self, model: ModelRow, watch: ModelWatch, alarm: Alarm) -> None:
        """Raise an alarm, and stop the model if it says so."""
        examples = "; ".join(watch.examples.get(alarm.name, ()))
        text = f"{alarm.text}. Examples: {examples}"
        stops = alarm.state == "stopped" and not self.project_state.models[model.id].health_stop
        if stops:
            text = f"stopped, since {text}"
        self.project_state.event("warn", text, model=model.name)
        told = f"stopped, since {alarm.text}" if stops else alarm.text  # without the captions
        self.project_state.tell("health_alarm", told, model.name, alarm.state)
        if stops:
            now = self.project_state.models[model.id]
            self.project_state.save_model(replace(now, health_stop=alarm.figures))
            self.stop(model.id, alarm.figures)


def is_due(watch: ModelWatch, now: float, policy: Policy) -> bool:
    """Return True if what was counted of a model is to be judged now."""
    captions = watch.figures.captions
    if watch.first and captions >= policy.health_captions:
        return True
    return captions >= policy.health_least and now - watch.began >= policy.health_every

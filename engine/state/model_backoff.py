"""Models whose server does not answer wait, longer each time, while other models go on.

Nothing fails meanwhile: the tasks of such a model stay pending. People wake a waiting model by
`resume` or by a retry of one of its tasks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from db.rows import ModelRow, UnavailableCause
from engine.state.policy import Policy
from engine.state.project_state import ProjectState


class ModelBackoff:
    """Delays models whose server is unavailable. Times are seconds since the epoch."""

    def __init__(self, project_state: ProjectState, policy: Policy) -> None:
        self.project_state = project_state
        self.policy = policy
        self.outages: Counter[int] = Counter()
        """Outages of a model's server in a row, by model id: the next wait depends on them."""

    def may_ask(self, model: ModelRow) -> bool:
        """Return True if the model's wait is over, or it has none."""
        # A not-before beyond any wait means that the clock was set back.
        now = self.project_state.clock.time()
        return not now < model.not_before <= now + self.policy.longest_wait

    def on_unavailable(
        self, model_id: int, device: str, cause: UnavailableCause, text: str, seconds: float
    ) -> None:
        """Have the model wait for its server; `seconds` is what the server asked for, at least."""
        model = self.project_state.models[model_id]
        if not self.may_ask(model):
            return  # another worker has reported the same outage
        if not model.not_before:
            self.outages.pop(model_id, None)
        self.outages[model_id] += 1
        delay = max(self.policy.delay(self.outages[model_id]), seconds)
        delay = min(delay, self.policy.longest_wait)
        model = replace(
            model,
            unavailable=text,
            unavailable_cause=cause,
            not_before=self.project_state.clock.time() + delay,
        )
        self.project_state.save_model(model)
        self.project_state.event("warn", f"waits {delay:.0f} s: {text}", device, model.name)

    def on_answer(self, model_id: int) -> None:
        """Note that the model captions, which ends its outage."""
        model = self.project_state.models[model_id]
        if model.unavailable is not None:
            self.project_state.save_model(
                replace(model, unavailable=None, unavailable_cause=None, not_before=0.0)
            )
            self.project_state.event("info", "captions again", model=model.name)


def wake_models(project_state: ProjectState) -> list[str]:
    """End the wait of every model at once. Returns the names of those that waited."""
    waiting = [model for model in project_state.models.values() if model.not_before]
    for model in waiting:
        project_state.save_model(replace(model, not_before=0.0))
    return [model.name for model in waiting]

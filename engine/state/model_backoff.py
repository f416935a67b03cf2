"""Models whose server does not caption for now: they wait, longer each time; others go on.

Nothing fails meanwhile: the tasks stay pending. People wake such a model by resume or retry.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

from db.rows import ModelRow
from engine.state.policy import Policy
from engine.state.project_state import ProjectState


class ModelBackoff:
    def __init__(self, project_state: ProjectState, policy: Policy) -> None:
        self.project_state = project_state
        self.policy = policy
        self.tries: Counter[int] = Counter()
        """Times in a row that a model was found unavailable."""

    def over(self, model: ModelRow) -> bool:
        """Whether the model may be asked now."""
        # A not-before beyond any wait means that the clock was set back.
        now = time.time()
        return not now < model.not_before <= now + self.policy.longest_wait

    def unavailable(self, model_id: int, device: str, text: str, seconds: float) -> None:
        model = self.project_state.models[model_id]
        if not self.over(model):
            return  # another worker has said so
        if not model.not_before:
            self.tries.pop(model_id, None)
        self.tries[model_id] += 1
        delay = max(self.policy.delay(self.tries[model_id]), seconds)
        delay = min(delay, self.policy.longest_wait)
        model = replace(model, unavailable=text, not_before=time.time() + delay)
        self.project_state.save_model(model)
        self.project_state.event("warn", f"waits {delay:.0f} s: {text}", device, model.name)

    def answered(self, model_id: int) -> None:
        model = self.project_state.models[model_id]
        if model.unavailable is not None:
            self.project_state.save_model(replace(model, unavailable=None, not_before=0.0))
            self.project_state.event("info", "captions again", model=model.name)


def wake(project_state: ProjectState) -> list[str]:
    """Lets every model be asked at once; names of those that waited."""
    waiting = [model for model in project_state.models.values() if model.not_before]
    for model in waiting:
        project_state.save_model(replace(model, not_before=0.0))
    return [model.name for model in waiting]

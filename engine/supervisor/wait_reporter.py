"""Telling people, by an event, that pending tasks have begun to wait for something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.waiting import ModelWork, Obstacle, WaitFacts, find_waits
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.worker_state import WorkerState

NOT_TOLD: frozenset[Obstacle] = frozenset(
    {"captions", "server", "strike", "resting", "load", "pinned_busy"}
)
"""Obstacles that pass by themselves and have an event of their own when they arise, or that are as
a person asked."""


class WaitReporter:
    """Logs an event for each model whose tasks begin to wait, or wait for something else."""

    def __init__(
        self,
        workers: Mapping[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        policy: Policy,
    ) -> None:
        self.workers = workers
        """The supervisor's live workers by worker id, shared with it."""
        self.project_state = project_state
        self.device_pool = device_pool
        self.policy = policy
        self.told: dict[int, frozenset[Obstacle]] = {}
        """The obstacles that were told last, by the id of the model that waits."""

    def tell(self, stopping: bool) -> None:
        """Log what is new. A run that is paused or `stopping` starts nothing for other reasons."""
        if self.project_state.settings.paused or stopping:
            return
        waits = {wait.model.id: wait for wait in find_waits(self.wait_facts(), self.policy)}
        self.told = {model_id: told for model_id, told in self.told.items() if model_id in waits}
        for model_id, wait in waits.items():
            if wait.obstacles <= NOT_TOLD or self.told.get(model_id) == wait.obstacles:
                continue
            self.told[model_id] = wait.obstacles
            self.project_state.event("warn", wait.short_text, model=wait.model.name)

    def wait_facts(self) -> WaitFacts:
        """Return what is known of the run now."""
        state, clock = self.project_state, self.project_state.clock
        running = Counter(w.attempt.model.id for w in self.workers.values() if w.attempt)
        now, monotonic = clock.time(), clock.monotonic()
        waiting = {id_: state.ledger.waiting_for_captions(id_) for id_ in state.ledger.scorers}
        load_at = self.device_pool.load_not_before
        return WaitFacts(
            now=now,
            folder=state.project.folder,
            work=[
                ModelWork(
                    model=model,
                    pending=state.ledger.pending[model.id],
                    waiting_for_captions=waiting.get(model.id, 0),
                    running=running[model.id],
                )
                for model in state.models.values()
            ],
            devices=list(self.device_pool.devices.values()),
            load_at={key: now + at - monotonic for key, at in load_at.items() if at > monotonic},
            slotless={w.device for w in self.workers.values() if w.waits_for_slot},
        )

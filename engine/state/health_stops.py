"""Models that were stopped for the health of their captions: their tasks wait for a person."""

from __future__ import annotations

from dataclasses import replace

from engine.quality.alarms import HealthRecord
from engine.state.project_state import ProjectState


def all_stopped_by_health(project_state: ProjectState) -> bool:
    """Return True if tasks wait, none runs, and all that wait are of models that were stopped.

    Tasks of scorers that wait for captions of these models are passed over.
    """
    stopped = any(model.health_stop for model in project_state.models.values())
    if not stopped or project_state.ledger.states["running"]:
        return False
    waiting = [model for id_, model in project_state.models.items() if waits(project_state, id_)]
    return bool(waiting) and all(model.health_stop for model in waiting)


def waits(project_state: ProjectState, model_id: int) -> bool:
    """Return True if a model has pending tasks that do not wait for captions."""
    ledger = project_state.ledger
    return ledger.pending[model_id] > ledger.waiting_for_captions(model_id)


def let_models_go_on(project_state: ProjectState) -> list[str]:
    """Let stopped models go on, and stop them for the same no more; return their names."""
    stopped = [model for model in project_state.models.values() if model.health_stop]
    for model in stopped:
        record = HealthRecord.of(model.health)
        record.states |= {
            name: "let" for name, state in record.states.items() if state == "stopped"
        }
        project_state.save_model(replace(model, health=record.text, health_stop=None))
    return [model.name for model in stopped]

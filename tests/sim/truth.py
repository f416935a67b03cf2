"""What really happened in a simulation, as those know it who made it happen.

The checker holds what the product did against this, and not against what the product believes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from db.rows import ModelRow, TaskRow
from engine.supervisor.poison import CRASH_WEIGHT
from tests.sim.naming import RecordName, TaskName, captions_ever

POISON_EVIDENCE = 2 * CRASH_WEIGHT
"""Evidence with which a record may be failed (docs/architecture.md, "Poison")."""
POISON_OUTAGES = 3
"""Outages with the record alone after which it may be failed."""


@dataclass
class Truth:
    """What happened to one project in one schedule."""

    names: dict[int, TaskName] = field(default_factory=dict)
    """Model and shard of every task by its id, which a rebuilt database may give anew."""
    evidence: Counter[RecordName] = field(default_factory=Counter)
    """Ends of a worker with one record alone in this run: 2 for each, 1 for a kill from outside."""
    outages: Counter[RecordName] = field(default_factory=Counter)
    """Times in this run that a server went away with one record alone."""
    guilty: set[RecordName] = field(default_factory=set)
    """Records against which there was enough evidence in one run."""
    unkeepable: set[RecordName] = field(default_factory=set)
    """Records for which a worker sent a row that cannot be kept."""
    excluded: set[TaskName] = field(default_factory=set)
    """Tasks of which a person wanted to exclude records, or to take some back."""
    redone: set[TaskName] = field(default_factory=set)
    """Tasks that a person had done again: only their records may be captioned twice."""
    wordings: Counter[TaskName] = field(default_factory=Counter)
    """How often a person had each task captioned again: the model uses other words then."""
    prompts: defaultdict[TaskName, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The prompts with which a person had captions of each task asked again."""
    ends: Counter[TaskName] = field(default_factory=Counter)
    """Ends of a worker that had the task."""
    load_failures: Counter[str] = field(default_factory=Counter)
    """Loads that failed, by the model's name."""
    touched_shards: set[int] = field(default_factory=set)
    """Shards whose file was written to, removed or could not be read at some time."""
    damaged: set[Path] = field(default_factory=set)
    """Caption logs that lost something that had been written, or got something foreign."""
    sent: dict[int, tuple[int, set[int]]] = field(default_factory=dict)
    """Number of the newest attempt and the indexes that were sent in it, by task id, in this
    run."""
    answers: Counter[int] = field(default_factory=Counter)
    """How often each request was answered, durably, by its id."""
    asked: set[int] = field(default_factory=set)
    """Ids of the requests that were put into the database."""
    breaches: list[str] = field(default_factory=list)
    """What the supervisor did that no worker or device must see."""

    def learn_tasks(self, tasks: list[TaskRow], models: dict[int, ModelRow]) -> None:
        """Take over which task id stands for what."""
        self.names = {task.id: (models[task.model_id].name, task.shard) for task in tasks}

    def begin_run(self) -> None:
        """Forget what the supervisor forgets with a run."""
        self.evidence.clear()
        self.outages.clear()
        self.sent.clear()

    def captions_ever(self, model: str, shard: int, image: str) -> list[str]:
        """Return all that a model may have said of an image so far."""
        name = model, shard
        return captions_ever(model, image, self.wordings[name], self.prompts[name])

    def record(self, task_id: int, i: int) -> RecordName:
        return (*self.names[task_id], i)

    def on_end_alone(self, task_id: int, i: int, weight: int, shown: bool) -> None:
        """Note that a worker ended while it had this record alone, as it had reported.

        `shown` is True if the record may be failed for it: its device has captioned something with
        the model, or a read did not end.
        """
        name = self.record(task_id, i)
        self.evidence[name] += weight
        if shown and self.evidence[name] >= POISON_EVIDENCE:
            self.guilty.add(name)

    def on_outage_alone(self, task_id: int, i: int) -> None:
        """Note that a server went away while it had this record alone."""
        name = self.record(task_id, i)
        self.outages[name] += 1
        if self.outages[name] >= POISON_OUTAGES:
            self.guilty.add(name)

    def on_sent(self, task_id: int, attempt: int, indexes: set[int]) -> None:
        """Note that records were sent to a worker: none is to be sent twice in one attempt."""
        number, known = self.sent.get(task_id, (attempt, set()))
        if number == attempt and (twice := sorted(known & indexes)):
            self.breaches.append(f"records of task {task_id} were sent twice: {twice}")
        self.sent[task_id] = (attempt, known | indexes if number == attempt else indexes)

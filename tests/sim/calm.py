"""The calm after the storm: without faults everything gets done, and the export is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from db import projects
from db.connection import reading, writing
from engine.datasets.exports.export import export
from engine.project.layout import Project
from engine.requests.kinds import Exclude, Resume, Retry, Skip
from engine.shearing.shear import Shearing
from tests.sim.log_reading import expected_end
from tests.sim.project import base_folder, check_outside
from tests.sim.scores import is_scorer

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

CALM_TURNS = 4_000
"""Turns of the loop after which a run without faults counts as endless."""
CALM_RUNS = 8
"""Runs without faults within which everything must be done."""


def calm_down(simulation: Simulation) -> None:
    """Without faults, undo what people did and run until everything is done."""
    simulation.faults.calm = True
    simulation.damage.mend_shards()
    tasks = tuple(simulation.tasks)
    everything = tuple((task, None) for task in tasks)
    for number in range(CALM_RUNS):
        with writing(simulation.project.database) as connection:
            connection.execute(text("UPDATE device SET pinned_model_id = NULL"))
        sheared = simulation.commands.shear(Shearing())
        simulation.commands.carry_out(Resume())
        simulation.commands.carry_out(Skip(tasks=tasks, skip=False))
        simulation.commands.carry_out(
            Exclude(records=everything, failed_as="excluded", exclude=False)
        )
        if failed := failed_tasks(simulation.project):
            simulation.commands.carry_out(Retry(tasks=failed))
        simulation.commands.carry_out(Retry(tasks=tasks, failed_items=True))
        simulation.checker.where = f"calm {number}"
        outcome = simulation.run_once(CALM_TURNS)
        simulation.note(f"calm {number}: {outcome}")
        simulation.after_process(f"calm {number}", simulation.saved)
        if simulation.checker.violations:
            return
        # The first run may carry out what the storm has left, the second redo a whole shard:
        # only after that a retry asks for the records that failed in it.
        undisturbed = number > 1 or not simulation.checker.unlike_undisturbed()
        if outcome == "finished" and sheared and undisturbed:
            break
    simulation.checker.check_end()
    check_export(simulation)
    for violation in check_outside():
        simulation.checker.violate(violation)


def failed_tasks(project: Project) -> tuple[int, ...]:
    with reading(project.database) as connection:
        return tuple(t.id for t in projects.tasks(connection) if t.state == "failed")


def check_export(simulation: Simulation) -> None:
    """The export is that of a run that nothing befell, byte for byte.

    Where a model was asked again, it has the words that the log has last.
    """
    out = base_folder() / "exports" / "out.json"
    out.unlink(missing_ok=True)
    try:
        export(simulation.project, out)
    except Exception as error:
        simulation.checker.violate(f"the export ended with {type(error).__name__}: {error}")
        return
    with reading(simulation.project.database) as connection:
        tasks = projects.tasks(connection)
    captions = simulation.checker.present_captions(tasks, simulation.models)
    expected = [
        json.dumps({"image": image, "caption": captions.get((model.name, image), "").rstrip(".")})
        for image in simulation.template.images
        for model in simulation.models.values()
        if not is_scorer(model.family) and expected_end(model, image) == "caption"
    ]
    if out.read_bytes() != ("[\n" + ",\n".join(expected) + "\n]\n").encode():
        simulation.checker.violate("the export is not that of a run that nothing befell")

"""The request that comes from whoever found damage: files are compared with what is recorded.

They are read once more here, where nobody else writes to them: who reads a project while it runs
may take a change for damage.
"""

from __future__ import annotations

from engine.project.shard_file import ShardDamage, inspect_shard
from engine.project.sheared_file import read_sheared, sheared_path
from engine.requests.kinds import Recheck
from engine.requests.named_tasks import known_tasks
from engine.state.completion import IncompleteLog, complete_log
from engine.state.damaged_log import check_log
from engine.state.project_state import ProjectState
from engine.state.reconcile import file_size, log_path
from engine.utils.errors import RequestRefused
from engine.utils.plurals import plural


def recheck(project_state: ProjectState, request: Recheck) -> str:
    """Make good what is damaged of the files of tasks. Raises `RequestRefused`.

    A task whose finished log is damaged begins anew; a damaged sheared file is made again; a task
    whose shard is damaged fails. Tasks that are running are left alone: their logs grow, and their
    shards were looked at when they started.
    """
    damaged = 0
    for task_id in known_tasks(project_state, request.tasks):
        if project_state.ledger[task_id].state == "running":
            continue
        try:
            good = (
                is_log_sound(project_state, task_id),
                is_sheared_file_sound(project_state, task_id),
                is_shard_sound(project_state, task_id),
            )
        except OSError as error:
            raise RequestRefused(f"the damage cannot be repaired: {error}") from error
        damaged += not all(good)
    return f"damaged: {plural(damaged, 'task')}" if damaged else "nothing is damaged"


def is_log_sound(project_state: ProjectState, task_id: int) -> bool:
    """Return False if the task's log was damaged, and the task begins anew. Raises `OSError`."""
    task = project_state.ledger[task_id]
    if task.digest is None:
        return True
    log = log_path(project_state, task)
    grown = task.state == "done" and file_size(log) > task.log_bytes
    checked = check_log(project_state, task, log, project_state.clock.time())
    return checked.digest is not None and not grown


def is_sheared_file_sound(project_state: ProjectState, task_id: int) -> bool:
    """Return False if the task's sheared file was damaged, and is made again. Raises `OSError`."""
    task = project_state.ledger[task_id]
    if task.state != "done" or task.digest is None:
        return True
    log, shearing = log_path(project_state, task), project_state.shearing
    try:
        if read_sheared(sheared_path(log, shearing, task.digest), task.count) is not None:
            return True
    except FileNotFoundError:
        return True  # the next export makes it
    try:
        complete_log(log, task.count, project_state.models[task.model_id].family, shearing)
    except IncompleteLog:  # it was damaged after it was found sound
        is_log_sound(project_state, task_id)
    return False


def is_shard_sound(project_state: ProjectState, task_id: int) -> bool:
    """Return False if the task's shard file is damaged, and the task failed for it."""
    task = project_state.ledger[task_id]
    shard = project_state.shards[task.shard]
    inspection = inspect_shard(project_state.project.shard_file(shard.number), shard.digest)
    if not isinstance(inspection, ShardDamage):
        return True
    if task.state != "skipped":
        model = project_state.models[task.model_id]
        project_state.event("fail", inspection.text, model=model.name, shard=shard.number)
        now = project_state.clock.time()
        project_state.ledger.fail(task_id, now, inspection.text, inspection.cause)
    return False

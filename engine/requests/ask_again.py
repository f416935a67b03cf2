"""The request to ask again for captions that have a defect, with another seed or prompt.

The caption log says so (`log_rows`). What was there counts until a better caption comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.captioners.model_choice import changed_settings
from engine.captioners.model_families import IMPORTED, is_scorer
from engine.captioners.settings import Settings
from engine.project.caption_log import CaptionLog
from engine.protocol.caption_row import ASKED_AGAIN, AskedAgainRow
from engine.quality.caption_check import names_of
from engine.quality.defects import DEFECT_NAMES
from engine.quality.languages import LANGUAGES
from engine.requests.all_or_nothing import all_or_nothing
from engine.requests.exclude import describe_trouble
from engine.requests.kinds import AskAgain
from engine.requests.named_tasks import known_tasks
from engine.state.damaged_log import check_log
from engine.state.project_state import ProjectState
from engine.state.reconcile import log_path
from engine.utils.errors import BadInput, RequestRefused
from engine.utils.plurals import plural


def ask_again(project_state: ProjectState, request: AskAgain) -> str:
    """Have captions asked for again; return the answer as text. Raises `RequestRefused`.

    Tasks that are running, failed or skipped are left alone. The first task whose log cannot be
    written ends it, and the answer says why.
    """
    known_tasks(project_state, (task_id for task_id, _ in request.records))
    unknown = [name for name in request.bad if name not in DEFECT_NAMES]
    if unknown or request.language not in LANGUAGES:
        raise RequestRefused(f"no defect or language is called {[*unknown, request.language][0]!r}")
    for model_id in {project_state.ledger[task_id].model_id for task_id, _ in request.records}:
        check_changes(project_state, model_id, request)
    count, changed, left, trouble = 0, 0, 0, ""
    models = set()
    for task_id, found in request.records:
        task = project_state.ledger[task_id]
        if task.state not in ("done", "pending"):
            left += 1
            continue
        try:
            asked, waited = ask_in_task(project_state, task_id, found, request)
        except OSError as error:
            trouble = describe_trouble(task.shard, error)
            break
        count += asked
        changed += waited
        models |= {task.model_id} if asked else set()
    what = f"{plural(count, 'caption')} of {plural(len(models), 'model')}"
    text = (
        f"{what} {'is' if count == 1 else 'are'} asked again" if count else "nothing to ask again"
    )
    if changed:
        text += f" ({changed:,} of them waited to be asked with other settings, which are replaced)"
    if count:
        changes = ", ".join(f"{key} {value}" for key, value in request.changes.items())
        project_state.event("info", f"{text} for {', '.join(request.bad)}, with {changes}"[:300])
    if left:
        text += f"; {plural(left, 'task')} left as they are (running, failed or skipped)"
    return f"{text}; {trouble}" if trouble else text


def check_changes(project_state: ProjectState, model_id: int, request: AskAgain) -> None:
    """Raise `RequestRefused` unless a model can be asked so, with a chance of another text."""
    model = project_state.models[model_id]
    if model.family == IMPORTED:
        raise RequestRefused(f"{model.name}: a run cannot make imported captions: 'import' others")
    if is_scorer(model.family):
        raise RequestRefused(f"{model.name} is a scorer and writes no captions")
    try:
        changed = changed_settings(model.family, model.settings, request.changes)
    except BadInput as error:
        raise RequestRefused(f"{model.name}: {error}") from error
    before = Settings.of(model.settings)
    if changed == before:
        raise RequestRefused(
            f"{model.name} was asked with these settings before: give another seed or prompt"
        )
    is_greedy = changed.temperature == 0 and len(before.prompt_choices) == 1
    if is_greedy and set(request.changes) == {"seed"}:
        raise RequestRefused(
            f"{model.name} takes the most likely word each time (temperature=0), so that another"
            " seed changes nothing: give --prompt, or --set temperature=0.7 with the seed"
        )


def ask_in_task(
    project_state: ProjectState,
    task_id: int,
    found: Sequence[tuple[int, int]],
    request: AskAgain,
) -> tuple[int, int]:
    """Do what `ask_again` does for one task that is not running.

    Returns the number of captions, and how many of these waited to be asked with other settings.
    Raises `OSError`, and then the log is as it was.
    """
    now = project_state.clock.time()
    path = log_path(project_state, project_state.ledger[task_id])
    task = check_log(project_state, project_state.ledger[task_id], path, now)
    if not task.captioned:
        return 0, 0
    log = CaptionLog(path, task.count, task.redo, task.redo_from)
    left = log.left
    with all_or_nothing(log):
        asked = log.ask_again(row_of(i, defects, request) for i, defects in found)
        log.sync()
    new = log.left - left
    if asked:
        project_state.ledger.ask_again(task_id, now, new)
        project_state.ledger.set_counts(task_id, log.counts, now)
    return asked, asked - new


def row_of(i: int, defects: int, request: AskAgain) -> AskedAgainRow:
    """Return the row that has a caption with these defects asked for again."""
    had = names_of(defects)
    bad = tuple(name for name in request.bad if name in had)
    return AskedAgainRow(
        i, ASKED_AGAIN, ", ".join(bad), bad, had, dict(request.changes), request.language
    )

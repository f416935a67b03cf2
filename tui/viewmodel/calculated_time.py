"""What the wizard says of the time that a run takes, before a pilot has measured it."""

from __future__ import annotations

from contextlib import suppress

from engine.images.image import ImageProblem
from engine.utils.errors import BadInput
from tui.formatting import text
from tui.viewmodel.new_project import ProjectDraft


def calculated_time(draft: ProjectDraft) -> str | None:
    """Return the calculated duration of a run and the memory that it takes, in one line.

    None if it is not known of every model. It takes some seconds: a process looks at each model.
    """
    from engine.operations.estimate import IMAGES_LOOKED_AT, estimate, this_machine

    if draft.preview is None or not draft.detected_devices:
        return None
    samples = []
    for record in draft.preview.records[:IMAGES_LOOKED_AT]:
        with suppress(ImageProblem):
            samples.append(draft.preview.paths.resolve(record.image))
    try:
        models = draft.choices()
        found = estimate(draft.preview.total, models, this_machine(draft.detected_devices), samples)
    except BadInput:
        return None
    memory = [model.memory for model in found.models if model.memory is not None]
    if found.seconds is None or len(memory) < len(models):
        return None
    return (
        f"about {text.duration(found.seconds)}, up to {text.size(max(memory))} of memory,"
        " calculated; the pilot measures it"
    )

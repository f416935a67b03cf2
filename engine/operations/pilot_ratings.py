"""The ratings of a pilot that ran before its project was made."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice

from db import projects
from db.connection import reading
from db.rows import Rating, RecordKey
from engine.operations import run_control
from engine.operations.pilot import PilotFindings, PilotPlan
from engine.project.layout import Project
from engine.project.shard_file import read_shard
from engine.requests.kinds import Rate


def ratings_for(plan: PilotPlan, before: PilotFindings | None) -> dict[tuple[str, int], Rating]:
    """Return the ratings of an earlier pilot that hold for a new one, as `PilotPlan.ratings`.

    They hold where the same model with the same settings captions the same image.
    """
    if before is None:
        return {}
    tried = dict(before.plan.jobs)
    same = {
        name
        for name, job in plan.jobs
        if name in tried
        and (job.checkpoint, job.settings) == (tried[name].checkpoint, tried[name].settings)
    }
    images = dict(enumerate(image for image, _ in plan.records))
    known = before.plan.records
    return {
        (name, i): rating
        for (name, i), rating in before.ratings.items()
        if name in same and images.get(i) == known[i][0]
    }


def keep_ratings(project: Project, findings: PilotFindings) -> int:
    """Give a new project the ratings of the pilot before it; return how many do not fit.

    Those fit whose model has the same settings, and whose image is at the same place. Raises
    `BadInput`, `RequestRefused`.
    """
    if not findings.ratings:
        return 0
    with reading(project.database) as connection:
        models = {model.name: model for model in projects.models(connection)}
        shards = projects.shards(connection)
    places = (
        ((shard.number, i), record["image"])
        for shard in shards
        for i, record in read_shard(project.shard_file(shard.number))
    )
    first = list(islice(places, len(findings.plan.records)))
    jobs = dict(findings.plan.jobs)
    rated: dict[tuple[str, Rating], list[RecordKey]] = defaultdict(list)
    for (name, i), rating in findings.ratings.items():
        model, job = models.get(name), jobs[name]
        is_same_model = model is not None and (model.checkpoint, model.settings) == (
            job.checkpoint,
            job.settings,
        )
        if is_same_model and i < len(first) and first[i][1] == findings.plan.records[i][0]:
            rated[name, rating].append(first[i][0])
    for (name, rating), keys in rated.items():
        request = Rate(records=keys, model=name, good=rating.good, reason=rating.reason)
        run_control.send_request(project, request)
    return len(findings.ratings) - sum(map(len, rated.values()))

"""What a person said in a pilot before the project was made goes into the project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db import ratings
from db.connection import reading
from db.rows import DeviceRow, Rating
from engine.captioners.registry import choose
from engine.images.image import ImagePaths
from engine.operations.pilot import PilotFindings, PilotPlan
from engine.operations.pilot_ratings import keep_ratings, ratings_for
from engine.operations.tryout import TryoutJob
from engine.shearing.shear import Shearing
from engine.utils import jsonlines
from tests.support.small_project import RECORDS, SmallProject

GOOD, BAD = Rating(True, "exact"), Rating(False, "no [dog]")


def findings(*changes: str, images: int = 6) -> PilotFindings:
    """Return what a pilot of two models showed, of which `served` has other settings."""
    choices = (
        choose("dry-run"),
        choose("served=http://localhost:8000/v1", None, dict(it.split("=") for it in changes)),
    )
    names = [f"{i}.png" for i in range(images)]
    jobs = tuple(
        (
            choice.name,
            TryoutJob(
                family=choice.family,
                checkpoint=choice.checkpoint,
                settings=choice.settings,
                records=list(enumerate(names)),
                paths=ImagePaths("images"),
                device=DeviceRow(id="cpu:0"),
            ),
        )
        for choice in choices
    )
    records = tuple((name, "") for name in names)
    return PilotFindings(
        PilotPlan(jobs=jobs, records=records, total=9, devices=1, shearing=Shearing())
    )


def rated(pilot: PilotFindings) -> PilotFindings:
    pilot.ratings = {("dry-run", 5): GOOD, ("served", 0): BAD, ("served", 1): BAD}
    return pilot


@pytest.mark.parametrize(
    ("now", "held"),
    [
        (findings(), {("dry-run", 5), ("served", 0), ("served", 1)}),
        (findings("seed=5"), {("dry-run", 5)}),
        (findings(images=1), {("served", 0)}),
    ],
    ids=["the same", "another seed", "fewer images"],
)
def test_what_holds_for_the_next_pilot(now: PilotFindings, held: set[tuple[str, int]]) -> None:
    assert set(ratings_for(now.plan, rated(findings()))) == held
    assert ratings_for(now.plan, None) == {}


def test_another_image_has_no_rating() -> None:
    plan = findings().plan
    records = (("other.png", ""), *plan.records[1:])
    held = ratings_for(replace(plan, records=records), rated(findings()))
    assert held == {("dry-run", 5): GOOD, ("served", 1): BAD}


@pytest.mark.parametrize(
    ("pilot", "lost", "kept"),
    [
        (findings(), 0, {(1, 1, 1): GOOD, (0, 0, 2): BAD, (0, 1, 2): BAD}),
        (findings("seed=5"), 2, {(1, 1, 1): GOOD}),
    ],
    ids=["the same", "another seed"],
)
def test_what_the_project_keeps(
    small: SmallProject,
    pilot: PilotFindings,
    lost: int,
    kept: dict[tuple[int, int, int], Rating],
) -> None:
    """The pilot's records may lie in several shards."""
    small.project.shards.mkdir()
    for shard in range(3):
        lines = (
            jsonlines.dumps({"image": f"{shard * RECORDS + i}.png"}) + b"\n" for i in range(RECORDS)
        )
        small.project.shard_file(shard).write_bytes(b"".join(lines))
    assert keep_ratings(small.project, rated(pilot)) == lost
    with reading(small.project.database) as connection:
        assert ratings.current(connection) == kept

"""The first images of a data set through every model, before days of work are begun."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from db import projects
from db.connect import reading
from db.rows import DeviceRow
from engine import devices
from engine.attempt import read_shard
from engine.images import ImagePaths
from engine.project import Project
from engine.shearing import Shearing, shear
from engine.tryout import Job, Said

IMAGES = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pilot does; `total` records will follow on so many devices."""

    jobs: tuple[tuple[str, Job], ...] = field(hash=False)
    """By the model's name."""
    records: tuple[tuple[str, str], ...]
    """Image and original caption."""
    total: int
    devices: int
    shearing: Shearing

    def seconds(self, rates: dict[str, float]) -> float | None:
        """How long all of it takes, if every model was measured."""
        if len(rates) < len(self.jobs) or not all(rates.values()):
            return None
        return sum(self.total / rate for rate in rates.values()) / max(1, self.devices)


@dataclass(frozen=True, slots=True)
class Tried:
    """A caption of the pilot; `raw` is None where the record failed."""

    raw: str | None
    sheared: str | None
    start: int | None
    end: int | None
    tokens: int
    finish: str
    error: str | None


def tried(said: Said, family: str, shearing: Shearing) -> Tried:
    if said.raw is None:
        return Tried(None, None, None, None, 0, "", said.error)
    kept = shear(said.raw, family, shearing, said.finish)
    return Tried(said.raw, kept.text, kept.start, kept.end, said.tokens, said.finish, None)


def plan(project: Project, spec: str = "auto", count: int = IMAGES) -> Plan:
    """For a project that is there. Raises `BadInput`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = projects.models(connection)
    found: list[DeviceRow] = devices.find(spec)
    paths = ImagePaths(str(project.image_root(settings)), settings.path_map, settings.allow_outside)
    records = list(islice(read_shard(project.shard_file(0)), count))
    places = [(i, record["image"]) for i, record in records]
    jobs = [
        (model.name, Job(model.family, model.checkpoint, model.settings, places, paths, found[0]))
        for model in models
    ]
    return Plan(
        tuple(jobs),
        tuple((record["image"], record.get("caption") or "") for _, record in records),
        settings.records,
        len(found),
        Shearing(settings.shear_mode, settings.shear_max_words),
    )

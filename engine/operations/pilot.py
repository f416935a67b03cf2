"""The first images of a data set through every model, before days of work are begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from db import projects
from db.connection import reading
from db.rows import DeviceRow
from engine.hardware import devices
from engine.images.image import ImagePaths
from engine.operations.records import SampledCaption, SampledImage
from engine.operations.tryout import Job, Tryout, TryoutEvent, TryoutFailed
from engine.project.layout import Project
from engine.project.selectors import models_named
from engine.project.shard_file import read_shard
from engine.shearing.shear import Shearing, shear

IMAGES = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pilot does; `total` records, or about as many, will follow on so many devices."""

    jobs: tuple[tuple[str, Job], ...] = field(hash=False)
    """By the model's name."""
    records: tuple[tuple[str, str], ...]
    """Image and original caption."""
    total: int
    devices: int
    shearing: Shearing
    estimated: bool = False
    """Whether `total` is."""

    def seconds(self, rates: dict[str, float]) -> float | None:
        """How long all of it takes, if every model was measured."""
        if len(rates) < len(self.jobs) or not all(rates.values()):
            return None
        return sum(self.total / rate for rate in rates.values()) / max(1, self.devices)


class Findings:
    """What a pilot has found so far, model by model."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.families = {name: job.family for name, job in plan.jobs}
        self.rates: dict[str, float] = {}
        """Images a second."""
        self.captions: dict[tuple[str, int], SampledCaption] = {}
        """By model and the record's place."""
        self.troubles: dict[str, str] = {}
        """Why a model could not be tried."""

    def take(self, model: str, said: TryoutEvent) -> None:
        if said.rate is not None:
            self.rates[model] = said.rate
        elif said.record is not None:
            self.captions[model, said.record] = self.tried(model, said)

    def tried(self, model: str, said: TryoutEvent) -> SampledCaption:
        if said.raw is None:
            return SampledCaption(model, None, None, None, None, 0, "", said.error)
        kept = shear(said.raw, self.families[model], self.plan.shearing, said.finish)
        return SampledCaption(
            model, said.raw, kept.text, kept.start, kept.end, said.tokens, said.finish, None
        )

    def said_of(self, model: str) -> int:
        """How many records the model has answered."""
        return sum(name == model for name, _ in self.captions)

    def images(self) -> list[SampledImage]:
        """Every record with what the models say of it so far."""
        return [self.image(i) for i in range(len(self.plan.records))]

    def image(self, i: int) -> SampledImage:
        image, original = self.plan.records[i]
        known = (self.captions.get((name, i)) for name, _ in self.plan.jobs)
        return SampledImage(0, i, image, original, tuple(it for it in known if it is not None))

    @property
    def seconds(self) -> float | None:
        """How long the whole data set will take, if every model was measured."""
        return self.plan.seconds(self.rates)

    def seconds_of(self, model: str) -> float | None:
        rate = self.rates.get(model)
        return self.plan.total / rate / max(1, self.plan.devices) if rate else None


def run_pilot(plan: Plan, told: Callable[[str, TryoutEvent], None]) -> Findings:
    """Every model in turn, each in a process of its own; `told` hears of every step."""
    findings = Findings(plan)
    for name, job in plan.jobs:
        try:
            for said in Tryout(job):
                findings.take(name, said)
                told(name, said)
        except TryoutFailed as error:
            findings.troubles[name] = str(error)
    return findings


def plan(
    project: Project, spec: str = "auto", count: int = IMAGES, names: Sequence[str] = ()
) -> Plan:
    """For a project that is there, of these models or all. Raises `BadInput`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
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

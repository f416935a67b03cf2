"""The pilot: every model captions the first images of a data set, before days of work begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from db import projects, ratings
from db.connection import reading
from db.rows import DeviceRow, Rating
from engine.captioners.model_families import is_scorer, prompt_keys
from engine.captioners.record_prompt import texts_of
from engine.captioners.registry import FAMILIES, IMPORTED, Settings
from engine.hardware import devices
from engine.operations import run_control
from engine.operations.records import SampledCaption, SampledImage
from engine.operations.tryout import Tryout, TryoutEvent, TryoutFailed, TryoutJob
from engine.project import outside_images, own_commands
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.project.shard_file import read_shard
from engine.project.task_health import texts_of_prompts
from engine.quality.agreement import agreement_of
from engine.quality.alarms import NO_CAPTION, Figures, bad_news, least_of_few, limits_of
from engine.quality.caption_check import CaptionCheck, SeriesCheck
from engine.requests.kinds import PilotFigures
from engine.shearing.shear import Shearing, shear
from engine.utils.errors import BadInput

PILOT_IMAGES = 64
"""The number of images that a pilot captions unless the user asks for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotPlan:
    """The work of a pilot, and the size of the run that follows it."""

    jobs: tuple[tuple[str, TryoutJob], ...] = field(hash=False)
    """The name of each model, and its job."""
    records: tuple[tuple[str, str], ...]
    """Image and original caption of each record of the pilot, by index."""
    total: int
    """The number of records of the whole data set."""
    devices: int
    """The number of devices that the whole run will have."""
    shearing: Shearing
    estimated: bool = False
    """True if `total` is an estimate."""
    ratings: Mapping[tuple[str, int], Rating] = field(default_factory=dict, hash=False)
    """What people said before of captions, by the model's name and the record's index."""

    def seconds(
        self, rates: Mapping[str, float], load_seconds: Mapping[str, float] | None = None
    ) -> float | None:
        """Return how long the whole run takes in seconds; None unless every model was measured.

        `rates` are images/s on one device, by the model's name, and `load_seconds` how long each
        took to load: every device loads every model once, all devices at the same time.
        """
        if len(rates) < len(self.jobs) or not all(rates.values()):
            return None
        captioning = sum(self.total / rate for rate in rates.values()) / max(1, self.devices)
        return captioning + sum((load_seconds or {}).values())


class PilotFindings:
    """The captions and speeds that a pilot has so far, model by model."""

    def __init__(self, plan: PilotPlan) -> None:
        self.plan = plan
        self.families = {name: job.family for name, job in plan.jobs}
        self.rates: dict[str, float] = {}
        """Images/s on one device, of each model that is done."""
        self.load_seconds: dict[str, float] = {}
        """How long each model took to load."""
        self.memory: dict[str, int] = {}
        """The most memory that each model that is done has had, in bytes."""
        self.captions: dict[tuple[str, int], SampledCaption] = {}
        """The captions so far, by the model's name and the record's index."""
        self.checks = {
            name: SeriesCheck(
                CaptionCheck(job.family, plan.shearing, texts_of_prompts(job.settings))
            )
            for name, job in plan.jobs
            if not is_scorer(job.family)
        }
        self.limits = {
            name: limits_of(Settings.of(job.settings).limits, Figures()) for name, job in plan.jobs
        }
        self.figures = {name: Figures() for name in self.checks}
        """How many captions of each model have which defect."""
        self.ratings = dict(plan.ratings)
        """What people say of captions, by the model's name and the record's index."""
        self.errors: dict[str, str] = {}
        """The reason why a model could not be tried, by its name."""

    def add_event(self, model: str, event: TryoutEvent) -> None:
        """Take a caption, a failed record or a measurement from an event; ignore any other."""
        if event.loaded is not None:
            self.load_seconds[model] = event.loaded
        elif event.rate is not None:
            self.rates[model] = event.rate
            if event.memory is not None:
                self.memory[model] = event.memory
        elif event.record is not None:
            self.captions[model, event.record] = self.to_caption(model, event)
            if model in self.checks:
                self.look_at(model, event)

    def look_at(self, model: str, event: TryoutEvent) -> None:
        """Count the defects of a caption, and answers without one."""
        if event.raw is not None:
            self.figures[model].add(self.checks[model].names_of(event.raw, event.finish))
        elif (event.error or "").startswith(f"{NO_CAPTION}:"):
            self.figures[model].add((NO_CAPTION,))

    def bad_news(self, model: str) -> list[str]:
        """Return what a run would say of the health of a model's captions so far."""
        figures = self.figures.get(model, Figures())
        least = least_of_few(figures.captions)
        return bad_news(figures, self.limits.get(model, {}), least)

    def to_caption(self, model: str, event: TryoutEvent) -> SampledCaption:
        """Return the caption or the failed record of an event, sheared as the project's are."""
        if event.raw is None:
            return SampledCaption(
                model=model,
                raw=None,
                sheared=None,
                start=None,
                end=None,
                tokens=0,
                finish="",
                error=event.error,
            )
        sheared = shear(event.raw, self.families[model], self.plan.shearing, event.finish)
        return SampledCaption(
            model=model,
            raw=event.raw,
            sheared=sheared.text,
            start=sheared.start,
            end=sheared.end,
            tokens=event.tokens,
            finish=event.finish,
            error=None,
        )

    def rate(self, model: str, i: int, rating: Rating | None) -> None:
        """Take what a person says of a caption; None takes an earlier rating away."""
        self.ratings.pop((model, i), None)
        if rating is not None:
            self.ratings[model, i] = rating

    def answered_count(self, model: str) -> int:
        """Return the number of records that a model has captioned or failed."""
        return sum(name == model for name, _ in self.captions)

    def images(self) -> list[SampledImage]:
        """Return every record with the captions that it has so far."""
        return [self.image(i) for i in range(len(self.plan.records))]

    def image(self, i: int) -> SampledImage:
        """Return the record with index `i` and the captions that it has so far."""
        image, original = self.plan.records[i]
        captions = (self.captions.get((name, i)) for name, _ in self.plan.jobs)
        return SampledImage(
            shard=0,
            i=i,
            image=image,
            original=original,
            captions=tuple(it for it in captions if it is not None),
            ratings={
                name: self.ratings[name, i]
                for name, _ in self.plan.jobs
                if (name, i) in self.ratings
            },
        )

    @property
    def seconds(self) -> float | None:
        """The duration of the whole run in seconds; None unless every model was measured."""
        return self.plan.seconds(self.rates, self.load_seconds)

    def model_seconds(self, model: str) -> float | None:
        """Return how long one model takes for all records, with loading, in seconds.

        None unless it was measured.
        """
        rate = self.rates.get(model)
        if not rate:
            return None
        return self.load_seconds.get(model, 0.0) + self.plan.total / rate / max(
            1, self.plan.devices
        )

    def agreement(self, model: str) -> float | None:
        """Return how far the other models' captions support those of a model, from 0 to 1.

        It is the mean over the images; None where no other model has captioned one.
        """
        supports = [
            support
            for i in range(len(self.plan.records))
            if (support := self.supports(i).get(model)) is not None
        ]
        return sum(supports) / len(supports) if supports else None

    def supports(self, i: int) -> dict[str, float | None]:
        """Return how far the other captions of the record with index `i` support each caption."""
        sheared = {
            name: caption.sheared
            for name in self.checks
            if (caption := self.captions.get((name, i))) is not None and caption.sheared
        }
        return agreement_of(None, sheared).support


def run_pilot(plan: PilotPlan, on_event: Callable[[str, TryoutEvent], None]) -> PilotFindings:
    """Run the models one after the other, each in a process of its own.

    `on_event` gets every event with the name of its model. A model that fails does not end the
    pilot.
    """
    findings = PilotFindings(plan)
    for name, job in plan.jobs:
        try:
            for event in Tryout(job):
                findings.add_event(name, event)
                on_event(name, event)
        except TryoutFailed as error:
            findings.errors[name] = str(error)
    return findings


def keep_figures(project: Project, findings: PilotFindings, names: Sequence[str] = ()) -> None:
    """Keep what was counted of the captions of these models, or all: later runs warn of what is
    worse.

    Of a model that has other settings by now nothing is kept. Raises `RequestRefused`.
    """
    with reading(project.database) as connection:
        settings = {model.name: model.settings for model in projects.models(connection)}
    tried = {name for name, job in findings.plan.jobs if settings.get(name) == job.settings}
    for name, figures in findings.figures.items():
        if figures.captions and name in tried and (not names or name in names):
            request = PilotFigures(
                model=name,
                captions=figures.captions,
                counts=figures.counts,
                images_per_second=findings.rates.get(name, 0.0),
                load_seconds=findings.load_seconds.get(name, 0.0),
                memory=findings.memory.get(name),
            )
            run_control.send_request(project, request)


def plan_pilot(
    project: Project,
    spec: str | Sequence[DeviceRow] = "auto",
    count: int = PILOT_IMAGES,
    names: Sequence[str] = (),
) -> PilotPlan:
    """Plan a pilot of the first `count` records of a project, with the named models or all.

    `spec` says which devices the run will have, or has them; the pilot uses the first of them.
    Raises `BadInput`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        all_models = projects.models(connection)
        models = [m for m in select_captioners(all_models, names) if m.family != IMPORTED]
        shards = projects.shards(connection)
        known = ratings.current(connection, shard=0)
    if not models:
        raise BadInput("there is no model to try: no chosen model captions in a run")
    run_devices = devices.find_devices(spec) if isinstance(spec, str) else list(spec)
    paths = image_paths_of(project, settings)
    if any(FAMILIES[model.family].remote for model in models):
        outside_images.check_image_root(project)
    own_commands.check(project)
    confined = not outside_images.is_allowed(project, settings, all_models, shards)
    records = first_records(project, count)
    images = [(i, record["image"]) for i, record in enumerate(records)]
    jobs = [
        (
            model.name,
            TryoutJob(
                name=model.name,
                family=model.family,
                checkpoint=model.checkpoint,
                settings=model.settings,
                records=images,
                texts=prompt_texts(model.family, model.settings, records),
                paths=replace(paths, confined=confined and FAMILIES[model.family].remote),
                device=run_devices[0],
            ),
        )
        for model in models
    ]
    return PilotPlan(
        jobs=tuple(jobs),
        records=tuple((record["image"], record.get("caption") or "") for record in records),
        total=settings.records,
        devices=len(run_devices),
        shearing=Shearing.of(settings),
        ratings={
            (model.name, i): known[0, i, model.id]
            for model in models
            for i in range(len(records))
            if (0, i, model.id) in known
        },
    )


def first_records(project: Project, count: int) -> list[dict[str, Any]]:
    """Return the first records of a project, of its first shard at most."""
    return [record for _, record in islice(read_shard(project.shard_file(0)), count)]


def prompt_texts(
    family: str, settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Return what the prompts of a model with these settings ask for, of each record."""
    keys = prompt_keys(family, settings)
    return [texts_of(record, keys) for record in records]

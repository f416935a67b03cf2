"""The prompt workshop: one model that stays loaded is asked about the same few images with one
prompt after another, beside the project and whatever runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from db import projects, ratings, supervisor_writes
from db.connection import reading
from db.rows import DeviceRow, ModelRow, Rating
from engine.captioners.model_families import prompt_keys
from engine.captioners.registry import FAMILIES, Settings
from engine.hardware.devices import cpu_devices, device_kind, find_devices
from engine.operations.pilot import (
    PilotFindings,
    PilotPlan,
    first_records,
    plan_pilot,
    prompt_texts,
)
from engine.operations.records import SampledCaption
from engine.operations.run_control import live_supervisor
from engine.operations.tryout import Question, Tryout, TryoutEvent, TryoutFailed, TryoutJob
from engine.project.layout import Project
from engine.requests.models import changed_choice
from engine.utils.errors import BadInput

SLOW = "The prompts are tried on the CPU, since the run uses the devices: both are slower."
"""What people should know where no other device is free."""
WORKSHOP_IMAGES = 8
"""Images about which each prompt is asked."""


def has_prompt(model: ModelRow) -> bool:
    """Return True if a model is asked with a prompt and writes captions."""
    family = FAMILIES.get(model.family)
    return family is not None and not family.scores and "prompt" in family.setting_names


def prompt_changes(model: ModelRow, prompt: str) -> dict[str, str]:
    """Return the changes of settings by which a model is asked with this prompt alone."""
    several = Settings.of(model.settings).prompts
    return {"prompt": prompt} | ({"prompts": "none"} if several else {})


@dataclass(frozen=True, slots=True)
class TryDevice:
    """The device of a try, and what people should know of it."""

    device: DeviceRow
    note: str = ""


def free_device(project: Project, remote: bool = False) -> TryDevice:
    """Return a device that no run of the project uses, or the CPU beside a run.

    A model on a server (`remote`) needs none. Raises `BadInput` if nothing runs, and all GPUs are
    full.
    """
    if remote:
        return TryDevice(cpu_devices(1)[0])
    if live_supervisor(project) is None:
        return TryDevice(find_devices("auto")[0])
    with reading(project.database) as connection:
        used = {device.id for device in supervisor_writes.devices(connection)}
    try:
        free = [it for it in find_devices("auto") if it.id not in used]
    except BadInput:  # every GPU is full
        free = []
    if free and device_kind(free[0].id) != "cpu":
        return TryDevice(
            free[0], f"The prompts are tried on {free[0].id}, which the run does not use."
        )
    return TryDevice(cpu_devices(1)[0], SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTrial:
    """A prompt that a model is asked with."""

    prompt: str
    job: TryoutJob
    settings_hash: str
    """The hash of the settings of the model with this prompt."""
    findings: PilotFindings
    """What it says of the images, as far as it came."""

    def caption(self, i: int) -> SampledCaption | None:
        """Return what the model says of the image with index `i`; None if it has not yet."""
        return self.findings.captions.get((self.job.name, i))

    def rating(self, i: int) -> Rating | None:
        """Return what a person says of that caption, if a person did."""
        return self.findings.ratings.get((self.job.name, i))


class PromptWorkshop:
    """A model of a project, loaded in a process of its own while prompts are tried."""

    def __init__(self, project: Project, name: str) -> None:
        """`name` is that of a model of the project. Raises `BadInput` if it cannot be tried."""
        self.project = project
        with reading(project.database) as connection:
            self.model = next(it for it in projects.models(connection) if it.name == name)
        self.on = free_device(project, FAMILIES[self.model.family].remote)
        self.plan: PilotPlan = plan_pilot(project, [self.on.device], WORKSHOP_IMAGES, [name])
        self.records = first_records(project, WORKSHOP_IMAGES)
        self.tryout: Tryout | None = None
        """The process that has the model; None while none has."""
        self.loaded_keys: tuple[str, ...] = ()
        """The keys of records in the prompt with which the model was loaded."""
        self.closed = False

    def prepare(self, prompt: str) -> PromptTrial:
        """Return the trial of a prompt, which is not asked yet. Raises `BadInput`."""
        choice = changed_choice(self.model, prompt_changes(self.model, prompt))
        ((name, job),) = self.plan.jobs
        texts = prompt_texts(choice.family, choice.settings, self.records)
        job = replace(job, settings=choice.settings, texts=texts)
        return PromptTrial(
            prompt=prompt,
            job=job,
            settings_hash=choice.settings_hash,
            findings=PilotFindings(
                replace(self.plan, jobs=((name, job),), ratings=self.ratings(choice.settings_hash))
            ),
        )

    def ratings(self, settings_hash: str) -> dict[tuple[str, int], Rating]:
        """Return what people said of the captions that the model made with these settings."""
        with reading(self.project.database) as connection:
            known = ratings.all_ratings(connection)
        return {
            (self.model.name, i): rating
            for (shard, i, model_id, made_with), rating in known.items()
            if (shard, model_id, made_with) == (0, self.model.id, settings_hash)
        }

    def ask(self, trial: PromptTrial, on_event: Callable[[TryoutEvent], object]) -> None:
        """Ask the model with a prompt; load it before, unless it is loaded.

        The model's process ends with the thread that calls this. Raises `TryoutFailed` with the
        reason why the prompt could not be tried.
        """
        keys = prompt_keys(trial.job.family, trial.job.settings)
        request: TryoutJob | Question = Question(settings=trial.job.settings, texts=trial.job.texts)
        tryout = self.tryout
        if tryout is None or tryout.cancelled or (keys and not self.loaded_keys):
            self.unload()
            tryout = self.tryout = Tryout(trial.job)
            self.loaded_keys, request = keys, trial.job
        if self.closed:
            tryout.cancel()
        refused = None
        try:
            for event in tryout.ask(request):
                refused = event.refused
                on_event(event)
        except TryoutFailed:
            self.unload()
            raise
        if tryout.cancelled:
            self.unload()
        if refused is not None:
            raise TryoutFailed(refused)

    def cancel(self) -> None:
        """Kill the model's process at once, from any thread. The next prompt loads it again."""
        if self.tryout is not None:
            self.tryout.cancel()

    def close(self) -> None:
        """Kill the model's process for good, from any thread."""
        self.closed = True
        self.cancel()

    def unload(self) -> None:
        """End the model's process and free what belongs to it, in the thread that calls `ask`."""
        if self.tryout is not None:
            self.tryout.end()
            self.tryout = None

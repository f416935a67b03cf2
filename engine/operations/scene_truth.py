"""The truth about the images of a demonstration, against which its captions are counted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from engine.demo.hallucination import Hallucination
from engine.demo.scenes import SCENES_FILE, Scene, make_scene
from engine.project.caption_log import read_if_there
from engine.project.layout import Project
from engine.project.log_rows import parse_records
from engine.project.task_health import HealthJob
from engine.shearing.shear import make_shearer

MAX_SCENES = 1_000
"""Scenes whose captions are counted: the first of a demonstration."""


class SceneLine(msgspec.Struct):
    """A line of the file of scenes."""

    seed: int
    index: int


class Hallucinations(NamedTuple):
    """What is invented in the captions of one model."""

    raw: Hallucination
    sheared: Hallucination


def known_scenes(project: Project) -> list[Scene]:
    """Return the scenes of the first records, or none if this is no demonstration.

    Raises `OSError`.
    """
    data = read_if_there(project.folder / SCENES_FILE)
    with suppress(msgspec.MsgspecError):
        decode = msgspec.json.Decoder(SceneLine).decode
        lines = map(decode, data.splitlines()[:MAX_SCENES])
        return [make_scene(line.seed, line.index) for line in lines]
    return []  # also one that was drawn before seeds were written


def count_hallucinations(
    scenes: Sequence[Scene], jobs: Sequence[HealthJob], position: int
) -> Hallucinations | None:
    """Count what the captions of the model at this position invent; None without scenes.

    Raises `OSError`.
    """
    if not scenes:
        return None
    counts = Hallucinations(Hallucination(), Hallucination())
    for job in jobs:
        if job.shard.first >= len(scenes):
            continue
        log = job.logs[position]
        shear = make_shearer(log.family, job.shearing)
        indices = set(range(min(job.shard.count, len(scenes) - job.shard.first)))
        data = read_if_there(log.log)
        for i, row in parse_records(data, job.shard.count, indices).captions.items():
            scene = scenes[job.shard.first + i]
            counts.raw.add(row.raw, scene)
            counts.sheared.add(shear(row.raw, row.finish), scene)
    return counts

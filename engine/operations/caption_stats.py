"""Statistics of a project's captions per model: lengths, cuts, repeats, refusals, prompt leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from db import projects
from db.connection import reading
from db.rows import TaskRow
from engine.operations.damage import telling_damage
from engine.process.pool import map_on_all_cores
from engine.project import caption_log, log_rows
from engine.project.damage import Damage, DamagedFiles
from engine.project.finished_log import damage_of
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.project.task_health import prompt_texts
from engine.protocol.caption_row import ImportedRow
from engine.quality.leaks import MIN_PROMPT, is_leak
from engine.quality.refusals import is_refusal
from engine.quality.shard_health import text_hash
from engine.quality.words import head_of, words_of
from engine.shearing.shear import Shearing, shear_text


@dataclass(slots=True, kw_only=True)
class CaptionCounts:
    """Sums over the captions of one model. A word is what stands between blanks.

    The names of the fields are keys of the JSON that `stats --json` prints.
    """

    captions: int = 0
    failed: int = 0
    imported: int = 0
    """Captions that were made elsewhere, whose tokens nobody counted."""
    tokens: int = 0
    """New tokens of the other captions, as the model counted them."""
    raw_words: int = 0
    sheared_words: int = 0
    cut: int = 0
    """Captions from which shearing removed at least one word."""
    empty: int = 0
    """Captions of which shearing left nothing."""
    unfinished: int = 0
    """Captions whose kept sentence the cap on new tokens ended."""
    refusals: int = 0
    """Captions whose sheared text is a refusal (`engine.quality.refusals`), as `quality` has it."""
    leaks: int = 0
    """Captions whose raw text holds a leak (`engine.quality.leaks`)."""
    repeated: int = 0
    """Captions with the same sheared text as an earlier caption of the model."""
    shared: int = 0
    """Captions with the same sheared text as another model's of the same image."""

    def add(self, other: CaptionCounts) -> None:
        """Add the sums of another shard to these."""
        for entry in fields(CaptionCounts):
            value = getattr(self, entry.name) + getattr(other, entry.name)
            setattr(self, entry.name, value)


@dataclass(frozen=True, slots=True)
class ModelStats:
    """The sums over all captions of the model with this name."""

    model: str
    counts: CaptionCounts = field(hash=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the sums, and tokens and words per caption.

        `share_cut` is the share of the raw words that shearing removed. The tokens are those per
        caption that was not imported, None if all were.
        """
        counts = self.counts
        counted = counts.captions - counts.imported
        are_unknown = counts.captions > 0 and counted == 0
        captions = max(1, counts.captions)
        return {
            "model": self.model,
            **asdict(counts),
            "tokens_per_caption": None
            if are_unknown
            else round(counts.tokens / max(1, counted), 2),
            "raw_words_per_caption": round(counts.raw_words / captions, 2),
            "sheared_words_per_caption": round(counts.sheared_words / captions, 2),
            "share_cut": round(1 - counts.sheared_words / max(1, counts.raw_words), 4),
        }


class ModelLog(NamedTuple):
    """The caption log of a task, with the family of its model and texts of its prompts."""

    log: Path
    task: TaskRow
    family: str
    prompts: Sequence[str]
    """The longest text of each prompt that no record's own text interrupts."""


class StatsJob(NamedTuple):
    """One shard to be measured: the number of its records, and the caption log of each model."""

    records: int
    logs: Sequence[ModelLog]
    shearing: Shearing


Hashes = NDArray[np.uint64]
"""One hash per sheared caption."""


class ShardStats(NamedTuple):
    """What was measured in one shard."""

    models: list[tuple[CaptionCounts, Hashes]]
    """The counts of each model, and a hash of every sheared caption."""
    damage: list[Damage]
    """Logs that are not what was read back."""


def measure_captions(
    project: Project,
    names: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    tell: bool = True,
) -> list[ModelStats]:
    """Read every caption log, on all cores; return the statistics of the named models, or of all.

    `progress` gets the numbers of shards measured and of all shards. Raises `BadInput` for a model
    that the project does not have, and if any log is damaged; the tracker is told of that unless
    `tell` is False.
    """
    with telling_damage(project, tell):
        return measure_undamaged(project, names, progress)


def measure_undamaged(
    project: Project, names: Sequence[str], progress: Callable[[int, int], None]
) -> list[ModelStats]:
    """Do as `measure_captions`. Raises `DamagedFiles`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_captioners(projects.models(connection), names)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
    shearing = Shearing.of(settings)
    jobs = [
        StatsJob(
            shard.count,
            [
                ModelLog(
                    project.caption_log_file(model, shard.number),
                    tasks[shard.number, model.id],
                    model.family,
                    prompt_texts(model),
                )
                for model in models
            ],
            shearing,
        )
        for shard in shards
    ]
    totals = [CaptionCounts() for _ in models]
    hashes: list[list[Hashes]] = [[] for _ in models]  # per model one array per shard
    damage: list[Damage] = []
    for number, shard_stats in enumerate(map_on_all_cores(measure_shard, jobs), start=1):
        for total, model_hashes, (counts, shard_hashes) in zip(
            totals, hashes, shard_stats.models, strict=True
        ):
            total.add(counts)
            model_hashes.append(shard_hashes)
        damage += shard_stats.damage
        progress(number, len(jobs))
    if damage:
        raise DamagedFiles(damage)
    for total, model_hashes in zip(totals, hashes, strict=True):
        all_hashes = np.concatenate(model_hashes)
        total.repeated = len(all_hashes) - len(np.unique(all_hashes))
    return [ModelStats(model.name, total) for model, total in zip(models, totals, strict=True)]


def measure_shard(job: StatsJob) -> ShardStats:
    """Measure the captions of one shard."""
    results, damage = [], []
    for log in job.logs:
        contents = caption_log.read(log.log, job.records)
        log_damage = damage_of(log.log, contents, log.task)
        damage += [] if log_damage is None else [log_damage]
        results.append(measure_log(log, contents, job.shearing))
    for index, (counts, texts) in enumerate(results):
        others = [other for j, (_, other) in enumerate(results) if j != index]
        counts.shared = sum(
            any(other.get(i) == text for other in others) for i, text in texts.items()
        )
    hashes = (
        np.frombuffer(b"".join(map(text_hash, texts.values())), np.uint64) for _, texts in results
    )
    return ShardStats([(counts, h) for (counts, _), h in zip(results, hashes, strict=True)], damage)


def measure_log(
    source: ModelLog, contents: log_rows.LogContents, shearing: Shearing
) -> tuple[CaptionCounts, dict[int, str]]:
    """Return the counts of one caption log, and its sheared captions by the record's index."""
    counts = CaptionCounts(captions=len(contents.captions), failed=len(contents.errors))
    texts: dict[int, str] = {}
    prompts = [it for it in source.prompts if len(it) >= MIN_PROMPT]
    for i, row in contents.captions.items():
        raw = row.raw
        sheared, ended = shear_text(raw, source.family, shearing, row.finish)
        raw_words, sheared_words = len(raw.split()), len(sheared.split())
        counts.imported += isinstance(row, ImportedRow)
        counts.tokens += row.tokens
        counts.raw_words += raw_words
        counts.sheared_words += sheared_words
        counts.cut += sheared_words < raw_words
        words = words_of(sheared)
        counts.refusals += bool(words) and is_refusal(sheared, words, frozenset(words))
        counts.leaks += is_leak(raw, head_of(raw), prompts)
        if sheared:
            counts.unfinished += not ended
            texts[i] = sheared
        else:
            counts.empty += 1
    return counts, texts

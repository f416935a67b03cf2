"""The first pass of an export that filters by quality: what stays is known before anything is
written.

Duplicates, the best captions and a share can only be known of the whole data set, so that all
shards are read once before. What is counted of their health is kept in health files, as `quality`
does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

import numpy as np

from db.rows import ModelRow, ShardRow
from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.shard_captions import (
    CaptionColumn,
    CaptionFilter,
    ExportSource,
    read_shard_captions,
)
from engine.datasets.exports.verdicts import ShardVerdicts
from engine.datasets.exports.writers.base import ORIGINAL
from engine.process.pool import map_on_all_cores
from engine.project.damage import DamagedFiles
from engine.project.score_log import read_scores, score_of
from engine.project.task_health import HealthJob, Originals, health_log, log_health, sampled_shards
from engine.quality.agreement import agreement_of
from engine.quality.judgement import ColumnFacts, Judgement, judge, mark_repeats
from engine.quality.near_duplicates import SAMPLE
from engine.quality.quality_filter import CONTRADICTED, REPEATS, QualityFilter
from engine.quality.shard_health import ShardHealth, left_by_shearing
from engine.utils import jsonlines
from engine.utils.errors import BadInput


class Needs(NamedTuple):
    """What must be known of captions, so that they can be judged."""

    health: bool
    repeats: frozenset[str]
    """Which of `REPEATS` must be found."""
    agreement: bool
    scorers: Sequence[str]
    """The names of the scorers whose scores must be known."""
    originals: bool = False
    """True if the health of originals must be known, too."""

    @classmethod
    def of(cls, quality: QualityFilter) -> Needs:
        """Return what a filter needs."""
        return cls(
            health=bool(quality.without),
            repeats=frozenset(REPEATS).intersection(quality.without),
            agreement=quality.needs_agreement,
            scorers=quality.scorers,
        )

    @classmethod
    def everything(cls, source: ExportSource) -> Needs:
        """Return all that can be known of a project's captions."""
        unknown = ["near_duplicates"] * (source.settings.records > SAMPLE)
        return cls(
            health=True,
            repeats=frozenset(REPEATS).difference(unknown),
            agreement=len(source.known_models) > 1,
            scorers=[scorer.name for scorer in source.scorers],
            originals=True,
        )

    @property
    def words(self) -> bool:
        """True if the words of captions must be known."""
        return "near_duplicates" in self.repeats

    def unknown(self, name: str, records: int, column: CaptionColumn) -> ColumnFacts:
        """Return the facts of a shard's column of which nothing more is known than which captions
        there are; the column of a damaged shard is empty."""
        present = np.zeros(records, bool)
        present[: len(column)] = [caption is not None for caption in column]
        return ColumnFacts(
            name=name,
            present=present,
            defects=np.zeros(records * self.health, np.uint16),
            hashes=np.zeros(records * bool(self.repeats), np.uint64),
            words=[""] * (records * self.words),
            scores={scorer: np.full(records, np.nan) for scorer in self.scorers},
            agreement=np.full(records * self.agreement, np.nan),
            contradicted=np.zeros(records * self.agreement, bool),
        )


class FactsJob(NamedTuple):
    """One shard of whose captions the facts are to be read, by any process."""

    source: ExportSource
    """A source of this one shard (`ExportSource.of_shard`)."""
    caption_filter: CaptionFilter
    needs: Needs
    health: HealthJob


class ShardFacts(NamedTuple):
    """What is known of the captions of one shard."""

    counts: ExportCounts
    """What is left out for other reasons than quality."""
    columns: list[ColumnFacts]
    """The originals first, if they are exported, then the models in the source's order."""


@dataclass(frozen=True, slots=True)
class ColumnCount:
    """How many captions of one column stay."""

    name: str
    captions: int
    """Captions that would be exported without `left_out`."""
    stay: int
    left_out: dict[str, int] = field(hash=False)
    """How many are left out, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPass:
    """What the filters by quality leave; what the format cannot hold is among it."""

    quality: QualityFilter
    """The filter, with its scorer chosen."""
    counts: ExportCounts
    columns: list[ColumnCount]
    judgement: Judgement
    facts: list[ColumnFacts] | None = None
    """What is known of each column, where everything was asked for."""

    def of_shard(self, shard: ShardRow) -> ShardVerdicts:
        """Return the verdicts on a shard's captions, and what is known of them."""
        records = slice(shard.first, shard.first + shard.count)
        return ShardVerdicts(
            [column.name for column in self.columns],
            [verdicts[records].tobytes() for verdicts in self.judgement.verdicts],
            self.judgement.reasons,
            None if self.facts is None else [part_of(facts, records) for facts in self.facts],
        )


def judge_captions(
    source: ExportSource,
    caption_filter: CaptionFilter,
    quality: QualityFilter,
    progress: Callable[[int, int], None] = lambda done, total: None,
    min_jobs: int | None = None,
    everything: bool = False,
) -> FirstPass:
    """Read all shards on all cores, and return which captions stay.

    With `everything`, all is found and kept that can be known of captions, and of originals, too;
    else what the filter needs. `progress` gets the numbers of shards read and of all; what it
    raises ends the pass. Fewer than `min_jobs` shards are read in this process. Raises `BadInput`
    for what the filter asks and the project cannot tell.
    """
    quality = quality.for_project(
        [scorer.name for scorer in source.scorers], len(source.known_models)
    )
    check_filter(source, caption_filter, quality)
    needs = Needs.everything(source) if everything else Needs.of(quality)
    sampled = sampled_shards(source.shards)
    jobs = (
        FactsJob(
            source.of_shard(shard),
            caption_filter,
            needs,
            health_job(source, shard, quality.language, shard.number in sampled),
        )
        for shard in source.shards
    )
    counts, shards = ExportCounts(), []
    with closing(map_on_all_cores(read_facts, jobs, min_jobs)) as results:
        for shard_facts in results:
            counts.add(shard_facts.counts)
            shards.append(shard_facts.columns)
            progress(len(shards), len(source.shards))
    columns = [join(parts) for parts in zip(*shards, strict=True)]
    originals = columns[0] if caption_filter.with_originals else None
    models = columns[1:] if caption_filter.with_originals else columns
    mark_repeats(models, needs.repeats)
    if originals is not None and needs.originals:
        mark_repeats([originals], needs.repeats)
    judgement = judge(quality, models, originals)
    return FirstPass(
        quality=quality,
        counts=counts,
        columns=add_verdicts(counts, columns, judgement),
        judgement=judgement,
        facts=columns if everything else None,
    )


def check_filter(
    source: ExportSource, caption_filter: CaptionFilter, quality: QualityFilter
) -> None:
    """Raise `BadInput` if what a filter asks cannot be known."""
    if quality.needs_originals and not caption_filter.with_originals:
        raise BadInput("--drop-original-when needs the originals: give --with-original as well")
    records = source.settings.records
    if "near_duplicates" in quality.without and records > SAMPLE:
        raise BadInput(
            f"near duplicates are searched among {SAMPLE:,} captions of a model at most, and the"
            f" project has {records:,} records: leave near_duplicates out of --without"
        )


def health_job(source: ExportSource, shard: ShardRow, language: str, sampled: bool) -> HealthJob:
    """Return the job that counts the health of a shard, as `quality` gives it."""
    return HealthJob(
        shard=shard,
        shard_file=source.project.shard_file(shard.number),
        logs=[
            health_log(source.project, model, source.tasks[shard.number, model.id])
            for model in source.models
        ],
        shearing=source.shearing,
        language=language,
        sampled=sampled,
        save=not source.readonly,
    )


def read_facts(job: FactsJob) -> ShardFacts:
    """Return what the filters need to know of one shard's captions. Raises `OSError`."""
    source, counts = job.source, ExportCounts()
    shard = source.shards[0]
    captions = read_shard_captions(source, shard, job.caption_filter, counts)
    texts = [captions.originals] * job.caption_filter.with_originals + captions.columns
    names = [ORIGINAL] * job.caption_filter.with_originals + [each.name for each in source.models]
    columns = [
        job.needs.unknown(name, shard.count, column)
        for name, column in zip(names, texts, strict=True)
    ]
    if captions.images:
        if job.needs.health:
            add_health(job, columns, counts)
        for scorer in source.scorers:
            if scorer.name in job.needs.scorers:
                add_scores(source, scorer, columns, texts)
        if job.needs.agreement:
            add_agreement(source, columns)
    return ShardFacts(counts, columns)


def add_health(job: FactsJob, columns: Sequence[ColumnFacts], counts: ExportCounts) -> None:
    """Add what is wrong with captions; those of a damaged log are not present."""
    originals = Originals(job.health)
    of_models = columns[job.caption_filter.with_originals :]
    if job.needs.originals and job.caption_filter.with_originals:
        set_health(job.needs, columns[0], originals.health())
    for log, facts in zip(job.health.logs, of_models, strict=True):
        try:
            set_health(job.needs, facts, log_health(job.health, log, originals))
        except DamagedFiles as error:
            counts.damage += tuple(each for each in error.damage if each not in counts.damage)
            counts.damaged += int(facts.present.sum())
            facts.present[:] = False


def set_health(needs: Needs, facts: ColumnFacts, health: ShardHealth) -> None:
    """Set what is needed of the health of a shard's column."""
    facts.defects = left_by_shearing(health.flag_array())
    if needs.repeats:
        facts.hashes = health.hash_array()
    if needs.words:
        facts.words = health.sample or []


def add_scores(
    source: ExportSource,
    scorer: ModelRow,
    columns: Sequence[ColumnFacts],
    texts: Sequence[CaptionColumn],
) -> None:
    """Add the scores of all captions by one scorer."""
    scores = read_scores(source.project, scorer, source.shards[0])
    for facts, column in zip(columns, texts, strict=True):
        for i, caption in enumerate(column):
            score = None if caption is None else score_of(scores, i, jsonlines.loads(caption))
            if score is not None:
                facts.scores[scorer.name][i] = score


def add_agreement(source: ExportSource, columns: Sequence[ColumnFacts]) -> None:
    """Add how far the captions of all models support each other, and the originals."""
    everything = replace(source, models=source.known_models)
    takes_all = CaptionFilter(with_originals=True, keep_unreadable=True)
    captions = read_shard_captions(everything, source.shards[0], takes_all, ExportCounts())
    names = [model.name for model in everything.models]
    by_name = {facts.name: facts for facts in columns}
    for i, (original, *texts) in enumerate(zip(captions.originals, *captions.columns, strict=True)):
        said = {
            name: jsonlines.loads(text)
            for name, text in zip(names, texts, strict=True)
            if text is not None
        }
        agreement = agreement_of(None if original is None else jsonlines.loads(original), said)
        for name, support in agreement.support.items():
            if name in by_name and support is not None:
                by_name[name].agreement[i] = support
        if ORIGINAL in by_name:
            by_name[ORIGINAL].contradicted[i] = agreement.original == CONTRADICTED


def join(parts: Sequence[ColumnFacts]) -> ColumnFacts:
    """Return the facts of a column of all shards."""
    first = parts[0]
    return ColumnFacts(
        name=first.name,
        present=np.concatenate([part.present for part in parts]),
        defects=np.concatenate([part.defects for part in parts]),
        hashes=np.concatenate([part.hashes for part in parts]),
        words=list(chain.from_iterable(part.words for part in parts)),
        scores={
            name: np.concatenate([part.scores[name] for part in parts]) for name in first.scores
        },
        agreement=np.concatenate([part.agreement for part in parts]),
        contradicted=np.concatenate([part.contradicted for part in parts]),
    )


def part_of(facts: ColumnFacts, records: slice) -> ColumnFacts:
    """Return what is known of some records of a column."""
    return ColumnFacts(
        name=facts.name,
        present=facts.present[records],
        defects=facts.defects[records],
        scores={name: scores[records] for name, scores in facts.scores.items()},
        agreement=facts.agreement[records],
        contradicted=facts.contradicted[records],
    )


def add_verdicts(
    counts: ExportCounts, columns: Sequence[ColumnFacts], judgement: Judgement
) -> list[ColumnCount]:
    """Count what stays and what is left out, and return it by column."""
    column_counts = []
    stays_somewhere = np.zeros(len(columns[0].present), bool)
    for number, facts in enumerate(columns):
        stays_somewhere |= judgement.staying(number)
        before = {
            reason: captions
            for (name, reason), captions in counts.left_out.items()
            if name == facts.name
        }
        left_out = judgement.left_out(number)
        stay = int(judgement.staying(number).sum())
        counts.left_out.update({(facts.name, reason): n for reason, n in left_out.items()})
        counts.captions += stay
        captions = int(facts.present.sum()) + sum(before.values())
        column_counts.append(ColumnCount(facts.name, captions, stay, before | left_out))
    counts.images = int(stays_somewhere.sum())
    counts.uncaptioned = counts.records - counts.images - counts.unwanted_images
    return column_counts

"""What the captions of a project are like, per model: lengths, cuts, repeats, refusals, leaks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from db import projects
from db.connection import reading
from engine.process.pool import on_all_cores
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.selectors import models_named
from engine.shearing.shear import Shearing, kept_part

REFUSAL = re.compile(
    r"\W*(?:i(?:'|\u2019)?m sorry|i am sorry|sorry\b|as an ai\b|i can(?:not|(?:'|\u2019)t) |"
    r"i(?:(?:'|\u2019)m| am) (?:unable|not able)|unfortunately, i)",
    re.IGNORECASE,
)
"""How an answer begins that is none."""
TAGS = re.compile(r"<[^>]*>|USER:|ASSISTANT:|Human:|GPT:|User:|###")
LEAK = re.compile(r"<image>|<img>|<answer>|USER:|ASSISTANT:|Human:|GPT:|###", re.IGNORECASE)
SHORTEST_PROMPT = 8
"""Characters; a shorter one may stand in a caption by chance."""


@dataclass(slots=True)
class Counts:
    """Sums over captions; words are what stands between blanks."""

    captions: int = 0
    failed: int = 0
    tokens: int = 0
    """New tokens, as the model counted them."""
    raw_words: int = 0
    sheared_words: int = 0
    cut: int = 0
    """Captions of which shearing removed at least a word."""
    empty: int = 0
    """Sheared to nothing."""
    unfinished: int = 0
    """The cap on new tokens fell inside the sentence that was kept."""
    refusals: int = 0
    leaks: int = 0
    """The prompt or its marks stand in the raw text."""
    repeated: int = 0
    """The same sheared text as an earlier caption of the model."""
    shared: int = 0
    """The same sheared text as another model's of the same image."""

    def add(self, other: Counts) -> None:
        for entry in fields(Counts):
            value = getattr(self, entry.name) + getattr(other, entry.name)
            setattr(self, entry.name, value)


@dataclass(frozen=True, slots=True)
class ModelStats:
    model: str
    counts: Counts = field(hash=False)

    def as_dict(self) -> dict[str, Any]:
        """The sums, and per caption: tokens, words; `share_cut` is of the raw words."""
        counts = self.counts
        captions = max(1, counts.captions)
        return {
            "model": self.model,
            **asdict(counts),
            "tokens_per_caption": round(counts.tokens / captions, 2),
            "raw_words_per_caption": round(counts.raw_words / captions, 2),
            "sheared_words_per_caption": round(counts.sheared_words / captions, 2),
            "share_cut": round(1 - counts.sheared_words / max(1, counts.raw_words), 4),
        }


class ModelLog(NamedTuple):
    log: Path
    family: str
    prompt: str


class Job(NamedTuple):
    records: int
    logs: Sequence[ModelLog]
    shearing: Shearing


Hashes = NDArray[np.uint64]


def measure(
    project: Project,
    names: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ModelStats]:
    """Reads every caption log, on all cores. Raises `BadInput` for a model that is not there."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
        shards = projects.shards(connection)
    shearing = Shearing(settings.shear_mode, settings.shear_max_words)
    jobs = [
        Job(
            shard.count,
            [
                ModelLog(
                    project.log_file(model, shard.number),
                    model.family,
                    TAGS.sub("", str(model.settings.get("prompt", ""))).strip(),
                )
                for model in models
            ],
            shearing,
        )
        for shard in shards
    ]
    totals = [Counts() for _ in models]
    hashes: list[list[Hashes]] = [[] for _ in models]
    for number, found in enumerate(on_all_cores(measure_shard, jobs), start=1):
        for total, seen, (counts, texts) in zip(totals, hashes, found, strict=True):
            total.add(counts)
            seen.append(texts)
        progress(number, len(jobs))
    for total, seen in zip(totals, hashes, strict=True):
        texts = np.concatenate(seen)
        total.repeated = len(texts) - len(np.unique(texts))
    return [ModelStats(model.name, total) for model, total in zip(models, totals, strict=True)]


def measure_shard(job: Job) -> list[tuple[Counts, Hashes]]:
    """Per model its counts, and a hash of every sheared caption."""
    found = [measure_log(log, job.records, job.shearing) for log in job.logs]
    for place, (counts, texts) in enumerate(found):
        others = [other for at, (_, other) in enumerate(found) if at != place]
        counts.shared = sum(
            any(other.get(i) == text for other in others) for i, text in texts.items()
        )
    return [
        (counts, np.array(list(map(text_hash, texts.values())), dtype=np.uint64))
        for counts, texts in found
    ]


def measure_log(source: ModelLog, count: int, shearing: Shearing) -> tuple[Counts, dict[int, str]]:
    contents = caption_log.read(source.log, count)
    counts = Counts(captions=len(contents.captions), failed=len(contents.errors))
    texts: dict[int, str] = {}
    prompt = source.prompt if len(source.prompt) >= SHORTEST_PROMPT else None
    for i, row in contents.captions.items():
        raw: str = row["raw"]
        kept, ended = kept_part(raw, source.family, shearing, row["finish"])
        raw_words, sheared_words = len(raw.split()), len(kept.split())
        counts.tokens += row["tokens"]
        counts.raw_words += raw_words
        counts.sheared_words += sheared_words
        counts.cut += sheared_words < raw_words
        counts.refusals += REFUSAL.match(raw) is not None
        counts.leaks += LEAK.search(raw) is not None or (prompt is not None and prompt in raw)
        if kept:
            counts.unfinished += not ended
            texts[i] = kept
        else:
            counts.empty += 1
    return counts, texts


def text_hash(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")

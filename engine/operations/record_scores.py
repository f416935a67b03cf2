"""The scores of single records: what the scorers of a project gave their captions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from db import projects
from db.connection import reading
from db.rows import RecordKey
from engine.captioners.model_families import is_scorer
from engine.project import log_rows
from engine.project.caption_log import read_if_there
from engine.project.layout import Project
from engine.quality.caption_digest import caption_digest


@dataclass(frozen=True, slots=True)
class RecordScores:
    """The scores of some records."""

    by_scorer: dict[str, dict[RecordKey, dict[str, Any]]] = field(hash=False)
    """The scores by the digests of captions, of each record, by the name of the scorer."""

    def of(self, key: RecordKey, text: str | None) -> dict[str, float]:
        """Return what the scorers gave a caption of a record, by their names."""
        digest = caption_digest(text or "")
        found = {name: scores.get(key, {}).get(digest) for name, scores in self.by_scorer.items()}
        return {name: score for name, score in found.items() if score is not None}


def read_record_scores(project: Project, keys: Iterable[RecordKey]) -> RecordScores:
    """Read the scores of these records. Raises `OSError`."""
    with reading(project.database) as connection:
        scorers = [m for m in projects.models(connection) if is_scorer(m.family)]
    shards = {
        shard: {i for _, i in group}
        for shard, group in groupby(sorted(keys) if scorers else (), key=itemgetter(0))
    }
    by_scorer: dict[str, dict[RecordKey, dict[str, Any]]] = {}
    for scorer in scorers:
        of_records = by_scorer[scorer.name] = {}
        for shard, indices in shards.items():
            data = read_if_there(project.caption_log_file(scorer, shard))
            log = log_rows.parse_records(data, max(indices) + 1, indices)
            of_records.update({(shard, i): scores for i, scores in log.scores.items()})
    return RecordScores(by_scorer)

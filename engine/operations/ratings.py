"""What people said of the captions of a project."""

from __future__ import annotations

from collections import defaultdict

from db import projects, ratings
from db.connection import reading
from db.rows import ORIGINAL_ID
from engine.project.layout import Project
from engine.quality.comparison import ORIGINAL
from engine.quality.rating_count import NOT_RATED, RatingCount, count_ratings


def ratings_by_name(project: Project) -> defaultdict[str, RatingCount]:
    """Return how many captions are rated good and bad, by the model's name or `ORIGINAL`."""
    with reading(project.database) as connection:
        names = {model.id: model.name for model in projects.models(connection)}
        counts = count_ratings(ratings.current(connection))
    names[ORIGINAL_ID] = ORIGINAL
    by_name = {names[model_id]: count for model_id, count in counts.items()}
    return defaultdict(lambda: NOT_RATED, by_name)

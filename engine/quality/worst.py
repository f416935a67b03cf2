"""The worst captions of a model: those that a person looks at to see what is wrong."""

from __future__ import annotations

import numpy as np

from engine.quality.defects import DEFECT_NAMES
from engine.quality.model_health import FLAGS, ModelHealth, Place


def worst_of(model: ModelHealth, name: str, limit: int) -> list[Place]:
    """Return the captions that have a defect, or are duplicates, the worst first, `limit` at most.

    `name` is one of those of `ModelHealth.health`. The worst are those with most defects; of exact
    duplicates, of which the first of each text is left out, those that most captions have.
    """
    if name == "near_duplicates":
        return model.near_duplicates()[:limit]
    if not model.shards:
        return []
    flags = np.concatenate([shard.flags for shard in model.shards])
    if name == "duplicates":
        hashes = np.concatenate([shard.hashes for shard in model.shards])
        _, first, groups, sizes = np.unique(
            hashes, return_index=True, return_inverse=True, return_counts=True
        )
        chosen, badness = hashes != 0, sizes[groups]
        chosen[first] = False
    else:
        chosen, groups = flags & FLAGS[name] != 0, np.zeros(len(flags), int)
        badness = sum(((flags & bit != 0).astype(int) for bit in DEFECT_NAMES.values()), groups)
    places = np.flatnonzero(chosen)
    places = places[np.lexsort((places, groups[places], -badness[places]))[:limit]]
    starts = np.cumsum([0, *(len(shard.flags) for shard in model.shards)])
    numbers = np.searchsorted(starts, places, side="right") - 1
    return list(zip(numbers.tolist(), (places - starts[numbers]).tolist(), strict=True))

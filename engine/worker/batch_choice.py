"""Which records make up the next batch, where their prompts are not equally long."""

from __future__ import annotations

from collections.abc import Sequence


def choose_batch(lengths: Sequence[int], size: int) -> list[int]:
    """Return the positions of the next batch's records, ascending; the oldest is among them.

    `lengths` are those of the prompts that are ready, the oldest first; none of them is empty. The
    others of the batch are about as long as the oldest, so that little of a batch is padding. It
    has at most `size` records, and no more tokens, padding included, than so many records of mean
    length have; one record fits always.
    """
    budget = size * sum(lengths)  # times the number of lengths, to stay with whole numbers
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda it: -lengths[it]):
        longest = lengths[batch[0]] if batch else 0
        is_full = len(batch) == size or (len(batch) + 1) * longest * len(lengths) > budget
        if batch and is_full:
            if 0 in batch:
                break
            batch = []
        batch.append(position)
    return sorted(batch)

"""The KV cache of a running batch, in tensors of fixed size."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class DenseRows:
    """The rows of a running batch, kept dense as rows end, in all tensors that are registered.

    The first dimension of each tensor is the batch. Unfinished rows always lie in front: a row
    from the end moves into each gap, so that nothing is allocated and little is copied.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.active = capacity
        """Number of rows that are unfinished."""
        self.first = 0
        """Row at which the running forward pass begins: above 0 only in prefill, which runs a batch
        in slices of rows."""
        self.tensors: list[torch.Tensor] = []

    def register(self, tensor: torch.Tensor) -> torch.Tensor:
        """Have `compact` move the rows of `tensor`, too; return `tensor`."""
        self.tensors.append(tensor)
        return tensor

    def of_pass(self, tensor: torch.Tensor, count: int) -> torch.Tensor:
        """Return those rows of a registered tensor that a forward pass of so many rows is about."""
        return tensor[self.first : self.first + count]

    def compact(self, unfinished: Sequence[bool]) -> list[int]:
        """Drop the rows that have ended; return the old index of the row now at each index."""
        left = sum(unfinished)
        gaps = [row for row in range(left) if not unfinished[row]]
        moved = [row for row in range(left, self.active) if unfinished[row]]
        if gaps:
            device = self.tensors[0].device
            target, source = (torch.tensor(it, device=device) for it in (gaps, moved))
            for tensor in self.tensors:
                tensor[target] = tensor[source]
        old_rows = list(range(left))
        for gap, row in zip(gaps, moved, strict=True):
            old_rows[gap] = row
        self.active = left
        return old_rows


class KVCache:
    """Keys and values of every layer, each (rows, heads, length, head_dim).

    The first `used` positions are set. The length never changes, so that CUDA graphs may refer to
    the tensors.
    """

    def __init__(
        self,
        rows: DenseRows,
        layers: int,
        length: int,
        heads: int,
        head_dim: int,
        like: torch.Tensor,
    ) -> None:
        """Allocate the tensors with dtype and device of `like`; `heads` counts key/value heads."""
        self.rows = rows
        self.used = 0
        sizes = (rows.capacity, heads, length, head_dim)
        self.layers = [
            (rows.register(like.new_empty(sizes)), rows.register(like.new_empty(sizes)))
            for _ in range(layers)
        ]

    def start(self, prefix: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Start a batch whose rows all begin with the same keys and values.

        `prefix` holds keys and values (heads, tokens, head_dim) for each layer; empty for none.
        """
        self.used = 0
        if not prefix:
            return
        self.used = prefix[0][0].shape[1]
        for cached, given in zip(self.layers, prefix, strict=True):
            for tensor, values in zip(cached, given, strict=True):
                tensor[: self.rows.active, :, : self.used] = values

    def zero_unused(self) -> None:
        """Set all positions from `used` on to zero, and all of the rows that are in no batch.

        A captured step reads masked positions all the same, so they must be finite.
        """
        for tensors in self.layers:
            for tensor in tensors:
                tensor[:, :, self.used :] = 0
                tensor[self.rows.active :, :, : self.used] = 0

    def append(
        self,
        layer: int,
        key: torch.Tensor,
        value: torch.Tensor,
        position: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write keys and values (rows, heads, T, head_dim) of one layer; return all that is cached.

        They are written from position `used` on, and the first `used + T` positions are returned.
        With a `position` (1,) they are written there, and the full length is returned. The caller
        advances `used` once every layer has been written.
        """
        keys, values = (self.rows.of_pass(tensor, len(key)) for tensor in self.layers[layer])
        if position is not None:
            return keys.index_copy_(2, position, key), values.index_copy_(2, position, value)
        end = self.used + key.shape[2]
        keys[:, :, self.used : end] = key
        values[:, :, self.used : end] = value
        return keys[:, :, :end], values[:, :, :end]

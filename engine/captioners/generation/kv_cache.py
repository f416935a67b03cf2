"""Keys and values of a running batch, in tensors of fixed size."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Rows:
    """Tensors whose first dimension is the batch, kept dense as rows end.

    The rows that go on always lie in front: a row from the end moves into each gap, so that
    nothing is allocated and little is copied.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = most
        """Rows that go on."""
        self.tensors: list[torch.Tensor] = []

    def hold(self, tensor: torch.Tensor) -> torch.Tensor:
        self.tensors.append(tensor)
        return tensor

    def keep(self, going_on: Sequence[bool]) -> list[int]:
        """The old place of the row that now lies at each place."""
        left = sum(going_on)
        gaps = [place for place in range(left) if not going_on[place]]
        moved = [place for place in range(left, self.count) if going_on[place]]
        if gaps:
            device = self.tensors[0].device
            to, source = (torch.tensor(it, device=device) for it in (gaps, moved))
            for tensor in self.tensors:
                tensor[to] = tensor[source]
        places = list(range(left))
        for gap, place in zip(gaps, moved, strict=True):
            places[gap] = place
        self.count = left
        return places


class KeyValues:
    """For every layer, keys and values (rows, heads, length, width) of which `used` are set."""

    def __init__(
        self,
        rows: Rows,
        layers: int,
        length: int,
        heads: int,
        width: int,
        like: torch.Tensor,
    ) -> None:
        """`like` gives dtype and device."""
        self.rows = rows
        self.used = 0
        sizes = (rows.most, heads, length, width)
        self.layers = [
            (rows.hold(like.new_empty(sizes)), rows.hold(like.new_empty(sizes)))
            for _ in range(layers)
        ]

    def begin(self, shared: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Starts every row with the same keys and values, (heads, tokens, width) a layer, or with
        none."""
        self.used = 0
        if not shared:
            return
        self.used = shared[0][0].shape[1]
        for ours, first in zip(self.layers, shared, strict=True):
            for tensor, given in zip(ours, first, strict=True):
                tensor[: self.rows.count, :, : self.used] = given

    def clear(self) -> None:
        """Zeros behind what is used: what is masked is read all the same, and must be finite."""
        for tensors in self.layers:
            for tensor in tensors:
                tensor[:, :, self.used :] = 0

    def add(
        self, layer: int, key: torch.Tensor, value: torch.Tensor, place: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Puts (rows, heads, T, width) behind what is there and gives all of it.

        With a `place` (1,) it is put there, and what is given has its full length. `used` is moved
        on by whoever has added to every layer.
        """
        keys, values = (tensor[: len(key)] for tensor in self.layers[layer])
        if place is not None:
            return keys.index_copy_(2, place, key), values.index_copy_(2, place, value)
        upto = self.used + key.shape[2]
        keys[:, :, self.used : upto] = key
        values[:, :, self.used : upto] = value
        return keys[:, :, :upto], values[:, :, :upto]

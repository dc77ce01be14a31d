"""Which clips make up each step: the same ones for the same seed, however many processes share the work.

A step's batch is drawn for all processes together and then dealt out, so that two processes with half a batch each
follow the loss curve of one with a whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Sampler

from fitcli.errors import BatchError, Setting


@dataclass(frozen=True)
class Share:
    """The share of process `rank` of `world`; it computes its share of a step in `parts` pieces."""

    rank: int = 0
    world: int = 1
    parts: int = 1

    def chunk(self, part: int) -> int:
        """Index of this process's piece `part` among the equal pieces of a step's batch."""
        return self.rank * self.parts + part

    def of(self, batch: int) -> int:
        """Clips that this process reads at a time; raises `BatchError` if `batch` cannot be divided evenly."""
        size, left = divmod(batch, self.world * self.parts)
        if left or not size:
            raise BatchError(
                f"A batch of {batch} clips cannot be shared by {self.world} process(es) in {self.parts} part(s) each: "
                f"choose a multiple of {self.world * self.parts}.",
                setting=Setting.BATCH_SIZE,
            )
        return size


class Draws(Sampler[list[int]]):
    """Batches of dataset indices for one process; use as a DataLoader's `batch_sampler`.

    count: dataset entries. draws: clips an epoch, rounded down to whole steps of `batch`, never less than one.
    weights: (count,) probability of drawing each, with replacement; without them every epoch shuffles the entries.
    Lightning calls `set_epoch`, so that a resumed run draws what an uninterrupted one would have drawn.
    """

    def __init__(
        self, count: int, *, batch: int, draws: int, seed: int, share: Share, weights: Tensor | None = None
    ) -> None:
        self.count, self.weights, self.seed, self.share = count, weights, seed, share
        self.batch, self.size = batch, share.of(batch)
        self.steps = max(1, draws // batch)
        self.epoch = 0
        self.sampler = self  # where Lightning looks for `set_epoch` in a batch sampler

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps * self.share.parts

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order()
        for number in range(len(self)):
            first = self._first(number)
            yield order[first : first + self.size]

    def _first(self, number: int) -> int:
        """Position in the epoch's order at which this process's batch of that number begins."""
        step, part = divmod(number, self.share.parts)
        return step * self.batch + self.share.chunk(part) * self.size

    def _order(self) -> list[int]:
        """Entries of one epoch in the order of all processes together."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        wanted = self.steps * self.batch
        if self.weights is not None:
            return torch.multinomial(self.weights, wanted, True, generator=generator).tolist()
        order: list[int] = []
        while len(order) < wanted:
            order += torch.randperm(self.count, generator=generator).tolist()
        return order[:wanted]


class SeededDraws(Draws):
    """Like `Draws`, but each entry is (index, seed), so that a draw is the same in every process."""

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:  # type: ignore[override]
        base = (self.seed * 1_000_003 + self.epoch) * 10_000_019
        for number, batch in enumerate(super().__iter__()):
            first = base + self._first(number)
            yield [(index, first + k) for k, index in enumerate(batch)]

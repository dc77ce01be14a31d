"""Pose windows with labels for a DataLoader, and how often each sequence is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Seq

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fitcli.catalog import OTHER
from fitcli.network.spec import NetworkSpec
from fitcli.training.labels import AMBIGUOUS, targets
from fitcli.training.pose.augment import Augmentation, augmented_clip
from fitcli.training.pose.sequences import SYNTHETIC, Sequence

KIND_WEIGHTS = {"real": 1.0, "avatar": 0.6, "ai-generated": 0.6, "still-pair": 0.5, "drawing": 0.4}
"""A user is a real person who moves: the further a clip is from that, the more seldom it is drawn."""

UNNAMED_SHARE = {OTHER: 0.15, AMBIGUOUS: 0.08}
"""Share of the draws that show none of the exercises, and a relative of one (which teaches the muscle head only)."""

SYNTHETIC_SHARE = 0.3
"""Share of the draws that show synthetic people, each exercise as often: they help the rare ones most."""


class PoseWindows(Dataset[tuple[Tensor, int, Tensor, Tensor]]):
    """One augmented random window of each sequence a draw; item `i` of epoch `e` is the same for the same seed.

    An item is the clip (T, P, 3), the exercise's class id in the spec or UNKNOWN, the spec's muscles (M,) 0/1 with NaN
    for unknown, and how much each of K teachers says about it (K,): a row of `shares`, (N, K).
    """

    def __init__(
        self,
        sequences: Seq[Sequence],
        spec: NetworkSpec,
        augmentation: Augmentation,
        seed: int,
        shares: Tensor | None = None,
    ) -> None:
        self.sequences, self.spec, self.augmentation, self.seed = list(sequences), spec, augmentation, seed
        self.shares = torch.zeros(len(self.sequences), 0) if shares is None else shares
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor, Tensor]:
        # A sequence may be drawn twice in an epoch: the draw's own randomness comes from torch's seeded generator.
        rng = np.random.default_rng([self.seed, self.epoch, index, int(torch.randint(2**31, ()).item())])
        sequence = self.sequences[index]
        clip = augmented_clip(sequence.track, self.spec, rng, self.augmentation)
        exercise, muscles = targets(sequence.labels, self.spec)
        return (
            torch.from_numpy(clip),
            exercise,
            muscles,
            self.shares[index],
        )


def draw_weights(sequences: Seq[Sequence]) -> Tensor:
    """Probability of drawing each sequence, (N,): classes by the root of their size, sources by kind, series damped.

    Synthetic sequences share `SYNTHETIC_SHARE` of the draws evenly.
    """
    synthetic = np.array([s.kind == SYNTHETIC for s in sequences])
    share = SYNTHETIC_SHARE if synthetic.any() else 0.0
    weights = np.zeros(len(sequences))
    weights[synthetic] = share / max(1, synthetic.sum())
    filmed = [s for s in sequences if s.kind != SYNTHETIC]
    if filmed:
        weights[~synthetic] = (1 - share) * _filmed_weights(filmed)
    return torch.tensor(weights / weights.sum())


def _filmed_weights(sequences: Seq[Sequence]) -> np.ndarray:
    groups = [_group(s) for s in sequences]
    weights = np.array([KIND_WEIGHTS.get(s.kind, 0.5) for s in sequences])
    series = [(g, s.series) for g, s in zip(groups, sequences, strict=True)]
    crowd = Counter(series)
    # Twenty takes of one person teach less than one of twenty: a series counts by the root of its size.
    weights /= np.sqrt([crowd[key] for key in series])
    sizes = Counter(groups)
    roots = {g: np.sqrt(n) for g, n in sizes.items() if g not in UNNAMED_SHARE}
    named = 1 - sum(share for g, share in UNNAMED_SHARE.items() if g in sizes)
    shares = {g: named * root / sum(roots.values()) for g, root in roots.items()} | UNNAMED_SHARE
    totals: Counter[str] = Counter()
    for group, weight in zip(groups, weights, strict=True):
        totals[group] += weight
    return np.array([w * shares[g] / totals[g] for g, w in zip(groups, weights, strict=True)])


def _group(sequence: Sequence) -> str:
    return sequence.labels.exercise or AMBIGUOUS

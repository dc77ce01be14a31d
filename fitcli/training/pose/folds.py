"""Cross-validation: parts of the training data that share no performer or production."""

from __future__ import annotations

from collections.abc import Sequence as Seq

from fitcli.training.labels import AMBIGUOUS
from fitcli.training.pose.sequences import Sequence

MOVING = ("real", "avatar")
"""Kinds of clips in which somebody moves as a user does."""


def fold_of(sequences: Seq[Sequence], k: int, n: int, seed: int = 0) -> tuple[list[Sequence], list[Sequence]]:
    """(kept, left out) for the k-th (from 0) of n folds: no series is on both sides, classes spread evenly.

    Nor is any clip: of one that is listed under two series, the copy that would be kept is dropped.
    """
    kept, left = _parted(sequences, k, n, seed)
    unseen = {sequence.fingerprint for sequence in left}
    return [sequence for sequence in kept if sequence.fingerprint not in unseen], left


def left_out(sequences: Seq[Sequence], k: int, n: int, seed: int = 0) -> list[Sequence]:
    """The second half of `fold_of`, which needs no clip to be read."""
    return _parted(sequences, k, n, seed)[1]


def _parted(sequences: Seq[Sequence], k: int, n: int, seed: int) -> tuple[list[Sequence], list[Sequence]]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    labels = [s.labels.exercise or AMBIGUOUS for s in sequences]
    parts = list(splitter.split(labels, labels, [s.series for s in sequences]))
    kept, left = ([sequences[i] for i in side] for side in parts[k])
    return kept, left


def held_out(sequences: Seq[Sequence], k: int, n: int) -> list[Sequence]:
    """The moving clips that `fold_of` leaves out: still pairs and drawings do not resemble a user's video."""
    return [sequence for sequence in left_out(sequences, k, n) if sequence.kind in MOVING]

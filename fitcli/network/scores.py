"""Combines the logits of each network into one answer: votes by class, windows weighted and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fitcli import interrupt
from fitcli.catalog import OTHER, Classes
from fitcli.network.ensemble_config import EnsembleConfig
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import FloatArray, PoseTrack


@dataclass(frozen=True)
class Logits:
    """Raw scores of N clips. exercise: (N, E); muscle: (N, 11); (N, 0) where the network has no such head."""

    exercise: FloatArray
    muscle: FloatArray


@dataclass(frozen=True)
class WindowScores:
    """Probabilities of N windows. exercise: (N, E), or (N, 0) where no network names exercises; other: (N,);
    muscle: (N, M), each 0..1."""

    exercise: FloatArray
    other: FloatArray
    muscle: FloatArray

    def pooled(self, weights: FloatArray, agreement: float = 0.0) -> WindowScores:
        """The weighted mean over the windows, as one window. weights: (N,); if all are 0, all windows count alike.

        agreement: the probabilities of the exercises are raised to the power 1 + agreement * ln(effective number of
        windows), because the mean of many windows is underconfident; 0 changes nothing.
        """
        if not weights.sum() > 0:
            weights = np.ones_like(weights)
        share = (weights / weights.sum()).astype(np.float32)[None]
        exercise = share @ self.exercise
        counting = 1 / float((share**2).sum())
        surer = exercise ** (1 + agreement * np.log(counting))
        surer *= exercise.sum(1, keepdims=True) / np.maximum(surer.sum(1, keepdims=True), np.finfo(np.float32).tiny)
        return WindowScores(surer.astype(np.float32), share @ self.other, share @ self.muscle)


STILL_WEIGHT = 0.1
"""Weight of a window in which nobody moves, such as a title card or a rest, relative to one with full movement."""

FULL_MOVEMENT_M = 0.06
"""Mean movement of the landmarks about the hips (standard deviation, metres) from which a window has full weight."""


def window_weights(track: PoseTrack, starts: Sequence[float], window_s: float) -> FloatArray:
    """The weight of each window, (N,) 0..1: how long a person is visible in it, and whether they move.

    A window ends where the track has a gap.
    """
    weights = []
    for start in starts:
        interrupt.heed()
        part = track.between(start, min(start + window_s, track.gap_after(start)) + 1e-3)
        seen = part.presence > 0
        moved = float(part.world[seen].std(0).mean()) if seen.sum() > 1 else 0.0
        weights.append(part.found * (STILL_WEIGHT + (1 - STILL_WEIGHT) * min(1.0, moved / FULL_MOVEMENT_M)))
    return np.asarray(weights, np.float32)


def aligned(logits: Logits, spec: NetworkSpec, classes: Classes) -> Logits:
    """One network's logits in the order of `classes`, with NaN for classes that it does not know.

    exercise: (N, E + 1), "other" last; muscle: (N, M); (N, 0) where the network has no such head.
    """
    return Logits(
        _columns(logits.exercise, spec.exercises, (*classes.exercises, OTHER)),
        _columns(logits.muscle, spec.muscles, classes.muscles),
    )


def _columns(logits: FloatArray, names: tuple[str, ...], wanted: tuple[str, ...]) -> FloatArray:
    if not names:
        return logits
    columns = np.full((len(logits), len(wanted)), np.nan, np.float32)
    for number, name in enumerate(wanted):
        if name in names:
            columns[:, number] = logits[:, names.index(name)]
    return columns


def combine(
    logits: Sequence[Logits], config: EnsembleConfig, classes: Classes, *, softmax_muscles: bool = False
) -> WindowScores:
    """The ensemble's answer from each member's `aligned` logits, for E exercises and M muscles of `classes`.

    Logits are summed by weight, with a softmax over exercises and a sigmoid over muscles; each member votes on the
    classes that it knows. softmax_muscles: a softmax over the muscle groups, as in the reference system.
    """
    named, other = _exercises(logits, config, classes)
    implied = named @ ideal_matrix(classes) if named.shape[1] else None
    heads = [
        (m.weight_muscle, part.muscle) for m, part in zip(config.members, logits, strict=True) if part.muscle.shape[1]
    ]
    if not heads:  # without a muscle head, the muscles are those of the exercise
        assert implied is not None
        return WindowScores(named, other, implied.astype(np.float32))
    total = _vote(heads)
    working = softmax(total) if softmax_muscles else 1 / (1 + np.exp(-total))
    if implied is None or softmax_muscles:
        return WindowScores(named, other, working.astype(np.float32))
    share = config.muscle_from_exercise * (1 - other[:, None])
    # Without an exercise of the catalogue there are no ideal muscles, and the muscle head answers alone.
    implied = implied / np.maximum(1 - other[:, None], 1e-6)
    return WindowScores(named, other, (working * (1 - share) + implied * share).astype(np.float32))


Votes = Sequence[tuple[float, FloatArray]]
"""Each member's weight and its scores (N, K), NaN in the columns of classes that it does not know."""

UNKNOWN_LOGIT = np.float32(-30.0)
"""Logit of a class that no member with weight knows, for a probability of 0."""


def _vote(parts: Votes) -> FloatArray:
    """The weighted sum (N, K); for a class that only some members know, their weights are scaled up."""
    known = [~np.isnan(part[:1]) for _, part in parts]
    total = np.asarray(sum(weight * np.nan_to_num(part) for weight, part in parts), np.float32)
    if all(k.all() for k in known):
        return total
    everyone = sum(weight for weight, _ in parts) or 1.0
    voters = np.asarray(sum(weight * k for (weight, _), k in zip(parts, known, strict=True)), np.float32)
    return np.where(voters > 0, total * everyone / np.maximum(voters, 1e-9), UNKNOWN_LOGIT).astype(np.float32)


def _mean_vote(parts: Votes) -> FloatArray:
    """The weighted mean (N, K), of each class over the members that know it."""
    return _vote(parts) / np.float32(sum(weight for weight, _ in parts) or 1.0)


def _exercises(logits: Sequence[Logits], config: EnsembleConfig, classes: Classes) -> tuple[FloatArray, FloatArray]:
    """Probabilities of the exercises, (N, E), or (N, 0) if no member has that head, and of none of them, (N,)."""
    count = len(classes.exercises)
    parts = [
        (m.weight_exercise, p.exercise) for m, p in zip(config.members, logits, strict=True) if p.exercise.shape[1]
    ]
    if not parts:
        windows = len(logits[0].muscle)
        return np.zeros((windows, 0), np.float32), np.zeros(windows, np.float32)
    parts = [part for part in parts if part[0] > 0] or parts
    known = np.stack([~np.isnan(part[0]) for _, part in parts])
    if (known == known[0]).all():
        probabilities = softmax(_tempered(_vote(parts), config))  # 0 for a class that nobody knows
        return probabilities[:, :count], probabilities[:, count]
    votes = [(weight, _log_probabilities(_tempered(part, config))) for weight, part in parts]
    pooled = _pooled(votes)
    knowing = [vote for vote, k in zip(votes, known, strict=True) if k[count]]
    # Members with "none of these" decide its probability; all members divide up the rest.
    other = _pooled(knowing)[:, count] if knowing else np.zeros(len(pooled), np.float32)
    named = pooled[:, :count] / np.maximum(pooled[:, :count].sum(1, keepdims=True), 1e-9)
    return (named * (1 - other[:, None])).astype(np.float32), other


def _tempered(logits: FloatArray, config: EnsembleConfig) -> FloatArray:
    """Exercise logits (N, E + 1) with the ensemble's temperature and shift applied."""
    tempered: FloatArray = logits / np.float32(config.temperature)
    tempered[:, -1] += np.float32(config.other_shift)
    return tempered


def _log_probabilities(logits: FloatArray) -> FloatArray:
    """The logarithm of a softmax over the columns that are not NaN."""
    logarithms: FloatArray = logits - np.log(np.nansum(np.exp(logits), 1, keepdims=True))
    return logarithms


def _pooled(votes: Votes) -> FloatArray:
    """The weighted geometric mean of distributions over different classes, as one distribution (N, K).

    A member's "other" includes the classes that it does not know; members that know some of them divide it up. A member
    without "other" has no opinion on the probability of classes outside its own.
    """
    everyone = softmax(_mean_vote(votes))
    total = np.zeros_like(everyone)
    for weight, logarithms in votes:
        missing = np.isnan(logarithms[0])
        own = np.exp(np.nan_to_num(logarithms, nan=-np.inf))
        if not missing.any():
            filled = own
        elif missing[-1]:
            filled = np.where(missing, everyone, own * (everyone * ~missing).sum(1, keepdims=True))
        else:
            outside = missing.copy()
            outside[-1] = True
            knowing = [vote for vote in votes if not np.isnan(vote[1][0][missing]).all()]
            among = softmax(_mean_vote(knowing)[:, outside]) if knowing else np.eye(1, outside.sum(), outside.sum() - 1)
            filled = own
            filled[:, outside] = own[:, -1:] * among
        total += np.float32(weight) * np.log(np.maximum(filled, 1e-12)).astype(np.float32)
    return softmax(total / np.float32(sum(weight for weight, _ in votes) or 1.0))


def ideal_matrix(classes: Classes) -> FloatArray:
    """The catalogue's ideal activations of these exercises as 0/1, (E, M); zeros for exercises outside of it."""
    rows = [classes.muscles_of(name) for name in classes.exercises]
    matrix: FloatArray = np.array([[muscle in ideal for muscle in classes.muscles] for ideal in rows], np.float32)
    return matrix.reshape(len(classes.exercises), len(classes.muscles))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    shares: FloatArray = (exponentials / exponentials.sum(-1, keepdims=True)).astype(np.float32)
    return shares

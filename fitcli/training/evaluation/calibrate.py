"""Fits temperature, ensemble weights and thresholds by cross-validation.

Each number is chosen on clips of series that the scoring networks did not see. The only one that may use a validation
split is the threshold of "none of these", if the caller passes clips of other sources (`with_refusal`).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from fitcli.catalog import Classes
from fitcli.errors import CheckpointError, MissingInputError
from fitcli.network.ensemble import Ensemble, Reading
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.training.evaluation.evaluate import answers, measure, weighted
from fitcli.training.evaluation.labelled_clips import ScoredClip
from fitcli.training.metrics import CALIBRATION_BINS
from fitcli.training.pose.folds import held_out
from fitcli.training.pose.sequences import load_sequences

ACCEPTED_ACCURACY = 0.5
"""An exercise is named above the confidence at which answers on unseen series are right at least half of the time."""
ACCEPTED_REFUSAL = 0.1
"""Share of clips of the training sources that show an exercise and may be answered "none of these"."""
ACCEPTED_ELSEWHERE = 0.07
"""The same share for clips of other sources. It is lower because a few sources predict the next one badly, and
more of that one is refused (`benchmarks/refusal.py`)."""
NEAR = 0.1
"""Answers within this distance of a threshold are judged together."""
TEMPERATURES = tuple(np.geomspace(0.3, 2.0, 25).round(3).tolist())
MUSCLE_SHARES = tuple(round(step * 0.1, 1) for step in range(11))
WEIGHT_STEPS = 10
"""Ensemble weights are multiples of 1 / `WEIGHT_STEPS`."""
OTHER_SHIFTS = tuple(-0.5 * step for step in range(9))
AGREEMENTS = tuple(round(step * 0.1, 1) for step in range(7))
CALIBRATION_NOISE = 0.01
"""Two calibration errors that differ by less than this count as equal."""
EXPECTED_OTHER = 0.1
"""Assumed share of users' videos that show none of the exercises. In training, a quarter of the draws do."""
NOISE = 0.02
"""Two sums of metrics on some hundred clips that differ by less than this count as equal."""


def cross_validated(poses: Path, runs: Seq[Path], folds: int) -> tuple[list[ScoredClip], Classes]:
    """Score every training clip with the networks that left its fold out; also return the classes that they know.

    runs[k] holds `slowfast.ckpt` and `x3d.ckpt` trained with `--fold k/folds`.
    """
    sequences = load_sequences(poses, "train")
    clips: list[ScoredClip] = []
    classes: Classes | None = None
    for k, run in enumerate(runs):
        if not any(run.glob("*.ckpt")):
            raise CheckpointError(f"There is no checkpoint in {run}: train networks with fold {k}/{folds} first.")
        ensemble = Ensemble(run, "torch")
        if classes not in (None, ensemble.classes):
            raise CheckpointError(f"The networks in {run} know other classes than those of the folds before.")
        classes = ensemble.classes
        clips += [
            ScoredClip.of(s.id, f"{s.kind} {s.note}", s.labels, s.track, Reading(ensemble))
            for s in held_out(sequences, k, folds)
        ]
    if classes is None:
        raise CheckpointError("There is no fold to calibrate on.")
    return clips, classes


def calibrate(clips: Seq[ScoredClip], names: Seq[str], classes: Classes) -> EnsembleConfig:
    """Choose the ensemble's numbers on cross-validated clips. names: checkpoint files in the order of the logits."""
    config = EnsembleConfig(tuple(Member(name, 1 / len(names), 1 / len(names)) for name in names))
    if len(names) > 1:
        config = weighted(
            config,
            _most_even(lambda weights: _exercise_score(clips, weighted(config, weights, weights), classes), len(names)),
            _most_even(lambda weights: _muscle_score(clips, weighted(config, weights, weights), classes), len(names)),
        )
    config = _honest(clips, config, classes)
    config = replace(config, agreement=_agreement(clips, config, classes))
    return _thresholds(clips, replace(config, muscle_from_exercise=_least_implied(clips, config, classes)), classes)


def with_refusal(config: EnsembleConfig, elsewhere: Seq[ScoredClip], classes: Classes) -> EnsembleConfig:
    """The same with `other_from` chosen on clips of sources outside the training set, scored by the ensemble itself.

    Raises `MissingInputError` where none of them shows an exercise.
    """
    if not any(clip.labels.exercise in classes.exercises for clip in elsewhere):
        raise MissingInputError(
            "None of the clips of other sources shows an exercise: when to refuse one stays as it was."
        )
    return replace(config, other_from=_refusal(elsewhere, config, ACCEPTED_ELSEWHERE, classes))


def _least_implied(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> float:
    """The smallest `muscle_from_exercise` that scores within `NOISE` of the best.

    What it implies is its own ideal: the more of it, the less the comparison with that ideal says.
    """
    tried = {share: replace(config, muscle_from_exercise=share) for share in MUSCLE_SHARES}
    scores = {share: _muscle_score(clips, one, classes) for share, one in tried.items()}
    return min(share for share, score in scores.items() if score >= max(scores.values()) - NOISE)


def _most_even(score: Callable[[tuple[float, ...]], float], count: int) -> tuple[float, ...]:
    """The most even weights among those that score within `NOISE` of the best."""
    tenths = (w for w in product(range(WEIGHT_STEPS + 1), repeat=count) if sum(w) == WEIGHT_STEPS)
    even = (1 / count,) * count
    scores = {weights: score(weights) for weights in (even, *(tuple(w / WEIGHT_STEPS for w in t) for t in tenths))}
    good = [weights for weights, value in scores.items() if value >= max(scores.values()) - NOISE]
    return min(good, key=lambda weights: (sum((w - 1 / count) ** 2 for w in weights), -scores[weights]))


def _exercise_score(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> float:
    exercise = measure("", clips, config, classes).exercise
    return exercise.top1 + exercise.macro_top1 if exercise else 0.0


def _honest(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> EnsembleConfig:
    """The smallest shift within `CALIBRATION_NOISE` of the best calibrated one, with its best temperature."""
    tried = [replace(config, temperature=t, other_shift=shift) for t in TEMPERATURES for shift in OTHER_SHIFTS]
    errors = [_calibration_error(clips, one, classes) for one in tried]
    good = [i for i, error in enumerate(errors) if error <= min(errors) + CALIBRATION_NOISE]
    return tried[min(good, key=lambda i: (abs(tried[i].other_shift), errors[i]))]


def _calibration_error(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> float:
    """Expected calibration error on users' videos, where naming an exercise in a video that shows none is an error."""
    scores, targets, _ = answers(clips, config, classes)
    count = scores.exercise.shape[1]
    confidence, right = scores.exercise.max(1), scores.exercise.argmax(1) == targets
    named, none = (targets >= 0) & (targets < count), targets == count
    share = EXPECTED_OTHER if none.any() else 0.0
    weights = named * (1 - share) / max(1, named.sum()) + none * share / max(1, none.sum())
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return float(np.abs(np.bincount(bins, weights * (confidence - right), CALIBRATION_BINS)).sum())


def _agreement(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> float:
    """The smallest agreement within `CALIBRATION_NOISE` of the best calibrated one.

    Clips of one window and of several are judged apart and count alike: most of what trains is short, what users film
    is not.
    """
    groups = [[c for c in clips if (len(c.weights) > 1) == several] for several in (False, True)]
    groups = [group for group in groups if any(c.labels.exercise in classes.exercises for c in group)]
    errors = {
        agreement: sum(_calibration_error(group, replace(config, agreement=agreement), classes) for group in groups)
        for agreement in AGREEMENTS
    }
    enough = min(errors.values()) + CALIBRATION_NOISE * len(groups)
    return min(agreement for agreement, error in errors.items() if error <= enough)


def _class_weights(targets: np.ndarray) -> np.ndarray:
    # A class counts by the square root of its size, as in training: a third of the clips are push-ups.
    return np.asarray(1 / np.sqrt(np.bincount(targets))[targets])


def _muscle_score(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> float:
    named = [clip for clip in clips if clip.labels.exercise in classes.exercises]
    muscle = measure("", named, config, classes).muscle
    # Micro accuracy starts from the baseline of predicting nothing, so a point of it is worth more than one of mAP.
    return muscle.mean_average_precision + 2 * muscle.micro_accuracy if muscle else 0.0


def _thresholds(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> EnsembleConfig:
    scores, targets, _ = answers(clips, config, classes)
    named = (targets >= 0) & (targets < scores.exercise.shape[1])
    confidence = scores.exercise.max(1)[named]
    right = (scores.exercise.argmax(1) == targets)[named]
    weights = _class_weights(targets[named])
    certain_from = 0.0
    for threshold in np.arange(0.1, 0.95, 0.01):
        # Only answers near the threshold decide; those far above it are easy.
        near = np.abs(confidence - threshold) < NEAR
        if near.sum() >= 20 and np.average(right[near], weights=weights[near]) < ACCEPTED_ACCURACY:
            certain_from = float(threshold)
    other_from = _refusal(clips, config, ACCEPTED_REFUSAL, classes)
    return replace(config, certain_from=round(certain_from, 2), other_from=other_from)


def _refusal(clips: Seq[ScoredClip], config: EnsembleConfig, accepted: float, classes: Classes) -> float:
    """The probability of "none of these" that an `accepted` share of the clips with an exercise exceeds."""
    scores, targets, _ = answers(clips, config, classes)
    named = (targets >= 0) & (targets < scores.exercise.shape[1])
    return float(f"{np.quantile(scores.other[named], 1 - accepted):.3g}")

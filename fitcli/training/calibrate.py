"""From networks that each left a part of the training series out: temperature, ensemble weights, honest thresholds.

Every number here is chosen on clips of series that the scoring networks never saw; no validation split is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitcli.catalog import catalog
from fitcli.errors import CheckpointError
from fitcli.network.ensemble import EnsembleConfig, Member
from fitcli.network.runtime import TorchRuntime
from fitcli.training.evaluate import ScoredClip, answers, measure, score_windows, weighted
from fitcli.training.folds import held_out
from fitcli.training.sequences import load_sequences

ACCEPTED_ACCURACY = 0.5
"""An exercise is named from the confidence at which such answers on unseen series were right at least half the time."""
ACCEPTED_REFUSAL = 0.1
"""Share of true exercises that may be called none of these."""
NEAR = 0.1
"""Answers within this confidence of a threshold are judged together."""
TEMPERATURES = tuple(np.geomspace(0.3, 2.0, 25).round(3).tolist())
MUSCLE_SHARES = tuple(round(step * 0.1, 1) for step in range(11))
WEIGHTS = tuple(round(step * 0.1, 1) for step in range(11))
NOISE = 0.02
"""Sums of two metrics that differ by less than this do not tell two weights apart on some hundred clips."""


def cross_validated(poses: Path, runs: Seq[Path], folds: int) -> list[ScoredClip]:
    """Score every training clip with the networks that left its fold out.

    runs[k] holds `slowfast.ckpt` and `x3d.ckpt` trained with `--fold k/folds`.
    """
    sequences = load_sequences(poses, "train")
    clips: list[ScoredClip] = []
    for k, run in enumerate(runs):
        networks = sorted(run.glob("*.ckpt"))
        if not networks:
            raise CheckpointError(f"There is no checkpoint in {run}: train with --fold {k}/{folds} first.")
        runtimes = [TorchRuntime(path, "cpu") for path in networks]
        clips += [
            score_windows(s.id, f"{s.kind} {s.note}", s.labels, s.track, runtimes)
            for s in held_out(sequences, k, folds)
        ]
    return clips


def calibrate(clips: Seq[ScoredClip], names: Seq[str]) -> EnsembleConfig:
    """Choose the ensemble's numbers on cross-validated clips. names: checkpoint files in the order of the logits."""
    config = EnsembleConfig(tuple(Member(name, 1 / len(names), 1 / len(names)) for name in names))
    if len(names) == 2:
        config = _weigh(clips, config)
    config = min((replace(config, temperature=t) for t in TEMPERATURES), key=lambda c: _calibration_error(clips, c))
    config = max(
        (replace(config, muscle_from_exercise=share) for share in MUSCLE_SHARES), key=lambda c: _muscle_score(clips, c)
    )
    return _thresholds(clips, config)


def _weigh(clips: Seq[ScoredClip], config: EnsembleConfig) -> EnsembleConfig:
    exercise = _most_even(lambda c: _exercise_score(clips, c), config)
    muscle = _most_even(lambda c: _muscle_score(clips, c), config)
    return replace(
        config,
        members=tuple(
            replace(e, weight_muscle=m.weight_muscle) for e, m in zip(exercise.members, muscle.members, strict=True)
        ),
    )


def _most_even(score: Callable[[EnsembleConfig], float], config: EnsembleConfig) -> EnsembleConfig:
    """The weights nearest to equal ones among those that are as good as the best, give or take `NOISE`."""
    scores = {weight: score(weighted(config, weight)) for weight in WEIGHTS}
    good = [weight for weight in WEIGHTS if scores[weight] >= max(scores.values()) - NOISE]
    return weighted(config, min(good, key=lambda weight: (abs(weight - 0.5), -scores[weight])))


def _exercise_score(clips: Seq[ScoredClip], config: EnsembleConfig) -> float:
    exercise = measure("", clips, config).exercise
    return exercise.top1 + exercise.macro_top1 if exercise else 0.0


def _calibration_error(clips: Seq[ScoredClip], config: EnsembleConfig) -> float:
    # Of true exercises only: the most likely answer would gain nothing from the clips that show none of them.
    exercise = measure("", clips, config).exercise
    return exercise.calibration_error if exercise else 0.0


def _class_weights(targets: np.ndarray) -> np.ndarray:
    # Classes count by the root of their size, as they are drawn in training: a third of the clips are push-ups.
    return np.asarray(1 / np.sqrt(np.bincount(targets))[targets])


def _muscle_score(clips: Seq[ScoredClip], config: EnsembleConfig) -> float:
    count = len(catalog().exercises)
    named = [clip for clip in clips if clip.labels.exercise is not None and clip.labels.exercise < count]
    muscle = measure("", named, config).muscle
    # Micro accuracy starts from the baseline of predicting nothing, so a point of it is worth more than one of mAP.
    return muscle.mean_average_precision + 2 * muscle.micro_accuracy if muscle else 0.0


def _thresholds(clips: Seq[ScoredClip], config: EnsembleConfig) -> EnsembleConfig:
    scores, targets, _ = answers(clips, config)
    named = (targets >= 0) & (targets < scores.exercise.shape[1])
    other_from = float(np.quantile(scores.other[named], 1 - ACCEPTED_REFUSAL))
    confidence = scores.exercise.max(1)[named]
    right = (scores.exercise.argmax(1) == targets)[named]
    weights = _class_weights(targets[named])
    certain_from = 0.0
    for threshold in np.arange(0.1, 0.95, 0.01):
        # The answers near the threshold decide, not the easy ones above.
        near = np.abs(confidence - threshold) < NEAR
        if near.sum() >= 20 and np.average(right[near], weights=weights[near]) < ACCEPTED_ACCURACY:
            certain_from = float(threshold)
    return replace(config, certain_from=round(certain_from, 2), other_from=round(other_from, 3))

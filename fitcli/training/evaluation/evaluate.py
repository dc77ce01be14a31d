"""`evaluate`: checkpoints against labelled sequences or videos: the ensemble, each network alone, and the sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fitcli.catalog import Classes
from fitcli.errors import MissingInputError
from fitcli.network.ensemble import Ensemble
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.network.scores import Logits, WindowScores, combine
from fitcli.training.evaluation.labelled_clips import LabelledClips, ScoredClip
from fitcli.training.metrics import ExerciseMetrics, MuscleMetrics, exercise_metrics, muscle_metrics

SWEEP = tuple(round(step * 0.1, 1) for step in range(11))
"""Weights of one network that the sweep tries; the others share the rest as they do in the ensemble."""


@dataclass(frozen=True)
class OtherMetrics:
    """How well "none of these" is recognised, in shares 0..1 and numbers of clips.

    `recognised` is the share of the clips of no exercise, `refused` and `uncertain` those of the clips of one.
    `refused` counts true exercises that were called none of these, `uncertain` those that were called "not sure". In
    clips: `named` of the true exercises got a name, `right` the right one; of the clips of no exercise `misnamed` got a
    name as well, and the rest that is not recognised was called "not sure".
    """

    clips: int
    recognised: float
    refused: float
    uncertain: float
    named: int
    right: int
    misnamed: int


@dataclass(frozen=True)
class Evaluation:
    """One way of answering, measured. `exercise` is None where no clip shows one of the exercises."""

    name: str
    exercise: ExerciseMetrics | None
    muscle: MuscleMetrics | None
    other: OtherMetrics


@dataclass(frozen=True)
class SweepPoint:
    """The ensemble with `weight` on one `network`."""

    network: str
    weight: float
    top1: float
    muscle_average_precision: float


@dataclass(frozen=True)
class Report:
    """`ensemble` as configured, each network alone, the sweep, the clips that failed, and groups (`core clean` ...)."""

    ensemble: Evaluation
    alone: tuple[Evaluation, ...]
    groups: tuple[Evaluation, ...]
    sweep: tuple[SweepPoint, ...]
    failed: tuple[str, ...]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class Mistake:
    """A clip whose first answer was wrong."""

    id: str
    truth: str
    answer: str
    probability: float


def evaluate(labelled: LabelledClips, ensemble: Ensemble, on_progress: Callable[[float], None] | None = None) -> Report:
    """Measure `ensemble` on clips; raises `MissingInputError` where there are none."""
    failed: list[str] = []
    clips = list(labelled.scored(ensemble, failed, on_progress))
    if not clips:
        raise MissingInputError(
            f"{labelled.folder} holds nothing to evaluate: name pose sequences with such a split, or folders of "
            "videos that are named after their exercise."
        )
    return report(clips, ensemble.config, ensemble.classes, tuple(failed))


def network_metrics(checkpoint: Path, poses: Path, split: str = "dev") -> dict[str, float]:
    """One network's own figures on a split of pose sequences, for its checkpoint; empty where the split is."""
    alone = EnsembleConfig((Member(checkpoint.name, 1.0, 1.0),))
    ensemble = Ensemble(checkpoint.parent, "torch", config=alone)
    clips = list(LabelledClips(poses, split).scored(ensemble, []))
    if not clips:
        return {}
    measured = measure("", clips, alone, ensemble.classes)
    figures: dict[str, float] = {}
    if measured.exercise:
        figures |= {
            f"{split}_clips": float(measured.exercise.clips),
            f"{split}_top1": measured.exercise.top1,
            f"{split}_top3": measured.exercise.top3,
            f"{split}_macro_top1": measured.exercise.macro_top1,
        }
    if measured.muscle:
        figures |= {
            f"{split}_muscle_micro_accuracy": measured.muscle.micro_accuracy,
            f"{split}_muscle_predict_nothing": measured.muscle.predict_nothing,
            f"{split}_muscle_average_precision": measured.muscle.mean_average_precision,
        }
    return {name: round(value, 4) for name, value in figures.items()}


def report(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes, failed: tuple[str, ...] = ()) -> Report:
    """All metrics of `clips` under `config`; an exercise that is not in `classes` counts as none of them."""
    names = [Path(member.checkpoint).stem for member in config.members]
    members = enumerate(names) if len(names) > 1 else ()
    alone = tuple(measure(name, clips, only(config, i), classes) for i, name in members)
    # Only where exercises are named: what is none of them is measured as a whole.
    groups = sorted({c.group for c in clips if c.group and c.labels.exercise in classes.exercises})
    scores, exercises, _ = answers(clips, config, classes)
    # Of two networks the second's sweep is the first's backwards.
    swept = range(len(names) if len(names) > 2 else len(names) - 1)
    return Report(
        ensemble=measure("ensemble", clips, config, classes),
        alone=alone,
        groups=tuple(measure(g, [c for c in clips if c.group == g], config, classes) for g in groups),
        sweep=tuple(point for i in swept for point in _sweep(clips, config, classes, i)),
        failed=failed,
        mistakes=tuple(_mistakes(clips, scores, exercises, classes.exercises)),
    )


def measure(name: str, clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes) -> Evaluation:
    """The metrics of `clips` under `config`."""
    scores, exercises, muscles = answers(clips, config, classes)
    count = len(classes.exercises)
    # Networks with a muscle head alone name no exercise.
    known = (exercises >= 0) & (exercises < count) & (scores.exercise.shape[1] > 0)
    none = exercises == count
    other = scores.other >= config.other_from
    unsure = ~other & (scores.exercise.max(1, initial=0.0) < config.certain_from)
    named = ~other & ~unsure
    right = scores.exercise[known].argmax(1) == exercises[known] if known.any() else np.zeros(0, bool)
    evidence = ~np.isnan(muscles).all(1)
    return Evaluation(
        name,
        exercise_metrics(scores.exercise[known], exercises[known], classes.exercises) if known.any() else None,
        muscle_metrics(scores.muscle[evidence], muscles[evidence]) if evidence.any() else None,
        OtherMetrics(
            clips=int(none.sum()),
            recognised=float(other[none].mean()) if none.any() else float("nan"),
            refused=float(other[known].mean()) if known.any() else float("nan"),
            uncertain=float(unsure[known].mean()) if known.any() else float("nan"),
            named=int(named[known].sum()),
            right=int((named[known] & right).sum()),
            misnamed=int(named[none].sum()),
        ),
    )


def answers(
    clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes
) -> tuple[WindowScores, np.ndarray, np.ndarray]:
    """Pooled scores of the clips, their ids among the E exercises (N,), E for none and -1 for unknown, and muscle
    targets (N, M)."""
    # Combined all at once: calibration asks this hundreds of times.
    heads = zip(*(clip.logits for clip in clips), strict=True)
    every = combine(
        [
            Logits(np.concatenate([part.exercise for part in parts]), np.concatenate([part.muscle for part in parts]))
            for parts in heads
        ],
        config,
        classes,
    )
    ends = np.cumsum([len(clip.weights) for clip in clips])
    pooled = [
        WindowScores(
            *(part[end - len(clip.weights) : end] for part in (every.exercise, every.other, every.muscle))
        ).pooled(clip.weights, config.agreement)
        for clip, end in zip(clips, ends, strict=True)
    ]
    scores = WindowScores(
        np.concatenate([p.exercise for p in pooled]),
        np.concatenate([p.other for p in pooled]),
        np.concatenate([p.muscle for p in pooled]),
    )
    exercises = np.array([classes.exercise_id(c.labels.exercise) for c in clips], np.int64)
    return scores, exercises, np.array([c.labels.muscle_targets(classes.muscles) for c in clips], np.float32)


def only(config: EnsembleConfig, member: int) -> EnsembleConfig:
    """The same configuration with one network answering alone."""
    return _leaning(config, member, 1.0)


def _leaning(config: EnsembleConfig, member: int, weight: float) -> EnsembleConfig:
    """The same configuration with `weight` on one network; the others share the rest as they did."""

    def shares(weights: list[float]) -> list[float]:
        others = sum(weights) - weights[member]
        return [
            weight if i == member else (1 - weight) * (w / others if others else 1 / (len(weights) - 1))
            for i, w in enumerate(weights)
        ]

    exercise = shares([m.weight_exercise for m in config.members])
    return weighted(config, exercise, shares([m.weight_muscle for m in config.members]))


def weighted(config: EnsembleConfig, exercise: Seq[float], muscle: Seq[float]) -> EnsembleConfig:
    """The same configuration with other weights of its networks on the two heads."""
    return replace(
        config,
        members=tuple(
            replace(m, weight_exercise=round(e, 6), weight_muscle=round(w, 6))
            for m, e, w in zip(config.members, exercise, muscle, strict=True)
        ),
    )


def _sweep(clips: Seq[ScoredClip], config: EnsembleConfig, classes: Classes, member: int) -> Iterator[SweepPoint]:
    for weight in SWEEP:
        measured = measure("", clips, _leaning(config, member, weight), classes)
        yield SweepPoint(
            Path(config.members[member].checkpoint).stem,
            weight,
            measured.exercise.top1 if measured.exercise else float("nan"),
            measured.muscle.mean_average_precision if measured.muscle else float("nan"),
        )


def _mistakes(
    clips: Seq[ScoredClip], scores: WindowScores, exercises: np.ndarray, names: tuple[str, ...]
) -> Iterator[Mistake]:
    if not scores.exercise.shape[1]:
        return
    for clip, probabilities, truth in zip(clips, scores.exercise, exercises, strict=True):
        best = int(probabilities.argmax())
        if 0 <= truth < len(names) and best != truth:
            yield Mistake(clip.id, names[truth], names[best], float(probabilities[best]))

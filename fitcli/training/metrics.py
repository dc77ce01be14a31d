"""Metrics over a whole set, never averaged over batches, with the baselines and counts that keep them honest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fitcli.pose.track import FloatArray

IntArray = npt.NDArray[np.int64]

CALIBRATION_BINS = 10
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class ClassCount:
    """One exercise's clips, and how many had it first and among the first three."""

    name: str
    clips: int
    top1: int
    top3: int


@dataclass(frozen=True)
class ExerciseMetrics:
    """Over the clips that show one of the exercises; shares 0..1. `top1_interval` is the 95 % bootstrap interval.

    `macro_top1` is the mean of the classes' own top-1 over classes that occur. `calibration_error` is the expected
    calibration error over 10 bins (Guo et al., ICML 2017). `confusion[i, j]` counts clips of class i called j.
    """

    clips: int
    top1: float
    top3: float
    macro_top1: float
    top1_interval: tuple[float, float]
    calibration_error: float
    classes: tuple[ClassCount, ...]
    confusion: IntArray


@dataclass(frozen=True)
class MuscleMetrics:
    """Over clips and muscles with a known answer; `predict_nothing` is micro accuracy of calling every muscle idle.

    `mean_average_precision`, `auc` and `macro_f1` are means over the muscles that occur both working and idle.
    """

    clips: int
    micro_accuracy: float
    predict_nothing: float
    mean_average_precision: float
    auc: float
    macro_f1: float


def exercise_metrics(probabilities: FloatArray, targets: IntArray, names: tuple[str, ...]) -> ExerciseMetrics:
    """probabilities: (N, C), targets: (N,) class ids 0..C-1, at least one."""
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

    order = np.argsort(-probabilities, axis=1)
    first = order[:, 0] == targets
    third = (order[:, :3] == targets[:, None]).any(1)
    classes = tuple(
        ClassCount(name, int((targets == i).sum()), int(first[targets == i].sum()), int(third[targets == i].sum()))
        for i, name in enumerate(names)
    )
    scores, truth = torch.from_numpy(probabilities), torch.from_numpy(targets)
    draws = np.random.default_rng(0).integers(0, len(first), (BOOTSTRAPS, len(first)))
    low, high = np.percentile(first[draws].mean(1), [2.5, 97.5])
    return ExerciseMetrics(
        clips=len(targets),
        top1=float(first.mean()),
        top3=float(third.mean()),
        macro_top1=float(np.mean([c.top1 / c.clips for c in classes if c.clips])),
        top1_interval=(float(low), float(high)),
        calibration_error=float(multiclass_calibration_error(scores, truth, len(names), n_bins=CALIBRATION_BINS)),
        classes=classes,
        confusion=multiclass_confusion_matrix(scores, truth, len(names)).numpy(),
    )


def muscle_metrics(activations: FloatArray, targets: FloatArray) -> MuscleMetrics:
    """activations: (N, M) 0..1, targets: (N, M) 0 or 1, NaN where unknown (counted nowhere)."""
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision, binary_f1_score

    known = ~np.isnan(targets)
    precision, area, f1 = [], [], []
    for muscle in range(targets.shape[1]):
        rows = known[:, muscle]
        scores = torch.from_numpy(activations[rows, muscle])
        truth = torch.from_numpy(targets[rows, muscle]).long()
        if 0 < int(truth.sum()) < len(truth):
            precision.append(float(binary_average_precision(scores, truth)))
            area.append(float(binary_auroc(scores, truth)))
            f1.append(float(binary_f1_score(scores, truth)))
    working = targets[known] > 0.5
    return MuscleMetrics(
        clips=int(known.any(1).sum()),
        micro_accuracy=float(((activations[known] >= 0.5) == working).mean()),
        predict_nothing=float((~working).mean()),
        mean_average_precision=float(np.mean(precision)) if precision else float("nan"),
        auc=float(np.mean(area)) if area else float("nan"),
        macro_f1=float(np.mean(f1)) if f1 else float("nan"),
    )

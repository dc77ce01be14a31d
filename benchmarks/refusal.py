"""How well "none of these" and the confidence generalise to sources that nothing was fitted on.

The default networks on labelled videos of exercises (a table with `file`, `class` and `series`) and of other exercises:

- the threshold of refusal fitted on all series but one, for each series, and evaluated on that series;
- the share of others recognised with a threshold that refuses a tenth of the exercises;
- calibration error with and without `agreement`, also for clips of five or more windows.

    python benchmarks/refusal.py clips/dev clips/dev.tsv clips/dev_other clips/dev_other.tsv [POSES K/N FOLDER]

FOLDER: assembled networks that were trained with --fold K/N on POSES. The threshold that refuses a tenth of that fold's
held-out clips is evaluated on the videos too, and on held-out clips from sources that show both exercises and others,
where the look of a source is no clue.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from fitcli.catalog import Classes
from fitcli.network.ensemble import Ensemble
from fitcli.network.ensemble_config import EnsembleConfig
from fitcli.network.folders import checkpoint_folder
from fitcli.training.evaluation.calibrate import ACCEPTED_ELSEWHERE
from fitcli.training.evaluation.evaluate import answers, measure
from fitcli.training.evaluation.labelled_clips import LabelledClips, ScoredClip
from fitcli.training.pose.sequences import Sequence, load_sequences

MANY_WINDOWS = 5
SHORT_S = 1.0
"""A quarter of the real training clips are shorter: previews, in some of which nobody moves."""


def length_s(sequence: Sequence) -> float:
    """Seconds from the first frame to the last."""
    return float(sequence.track.times_s[-1] - sequence.track.times_s[0])


def series_of(clips: list[ScoredClip], table: Path) -> np.ndarray:
    """The series of each clip, (N,)."""
    with table.open(newline="", encoding="utf-8") as lines:
        series = {row["file"]: row["series"] for row in csv.DictReader(lines, delimiter="\t")}
    return np.array([series[clip.id] for clip in clips])


def others(clips: list[ScoredClip], config: EnsembleConfig, classes: Classes) -> np.ndarray:
    """The probability of "none of these" for each clip, (N,)."""
    return answers(clips, config, classes)[0].other


def left_out(
    shown: np.ndarray, one: np.ndarray, other: np.ndarray, another: np.ndarray, accepted: float
) -> tuple[float, float]:
    """Shares of exercises and of others that are refused, with thresholds from all series but their own."""
    refused, recognised = np.zeros(len(shown), bool), np.zeros(len(other), bool)
    for series in {*one, *another}:
        threshold = np.quantile(shown[one != series], 1 - accepted)
        refused[one == series] = shown[one == series] > threshold
        recognised[another == series] = other[another == series] > threshold
    return float(refused.mean()), float(recognised.mean())


def main(arguments: list[str]) -> None:
    videos, labels, other_videos, other_labels = map(Path, arguments[:4])
    folder = checkpoint_folder(None)
    ensemble, config = Ensemble(folder, "cpu"), EnsembleConfig.load(folder)
    failed: list[str] = []
    clips = list(LabelledClips(videos, labels=labels).scored(ensemble, failed))
    none = list(LabelledClips(other_videos, labels=other_labels).scored(ensemble, failed))
    print(*failed, sep="\n", end="")
    shown, other = others(clips, config, ensemble.classes), others(none, config, ensemble.classes)
    one, another = series_of(clips, labels), series_of(none, other_labels)
    for accepted in (ACCEPTED_ELSEWHERE, 0.1):
        refused, recognised = left_out(shown, one, other, another, accepted)
        whole = float((other > np.quantile(shown, 1 - accepted)).mean())
        print(
            f"accepting {accepted:.0%}: set on all of {len(clips)}, {whole:.0%} of {len(none)} recognised; "
            f"on all series but one, {refused:.0%} of it refused, {recognised:.0%} recognised"
        )
    for agreement in (0.0, config.agreement):
        changed = replace(config, agreement=agreement)
        for name, part in (
            ("all", clips),
            (f"{MANY_WINDOWS} windows and more", [c for c in clips if len(c.weights) >= MANY_WINDOWS]),
        ):
            exercise = measure(name, part, changed, ensemble.classes).exercise
            sure = float(answers(part, changed, ensemble.classes)[0].exercise.max(1).mean())
            assert exercise
            print(
                f"agreement {agreement}, {name}: {exercise.clips} clips, {exercise.top1:.3f} right, {sure:.3f} sure, "
                f"calibration error {exercise.calibration_error:.3f}"
            )
    if len(arguments) > 4:
        poses, (k, n), networks = Path(arguments[4]), map(int, arguments[5].split("/")), Path(arguments[6])
        sequences = {sequence.id: sequence for sequence in load_sequences(poses, "train")}
        folded = Ensemble(networks, "cpu")
        left = LabelledClips(poses, fold=(k, n)).scored(folded, [])
        kept = [clip for clip in left if clip.labels.exercise is not None]
        true = np.array([clip.labels.exercise in folded.classes.exercises for clip in kept])
        unseen = others(kept, config, folded.classes)
        threshold = np.quantile(unseen[true], 0.9)
        print(
            f"set on what fold {arguments[5]} left out ({true.sum()} clips, a tenth refused): {threshold:.3f}, "
            f"{(unseen[~true] > threshold).mean():.0%} of {(~true).sum()} others recognised; of the videos "
            f"{(shown > threshold).mean():.0%} refused, {(other > threshold).mean():.0%} of others recognised"
        )
        sources = np.array([sequences[clip.id].source for clip in kept])
        lasting = np.array([length_s(sequences[clip.id]) > SHORT_S for clip in kept])
        for source in sorted(set(sources[true]) & set(sources[~true])):
            one, another = (unseen[(sources == source) & lasting & side] for side in (true, ~true))
            above = roc_auc_score(np.arange(len(one) + len(another)) >= len(one), [*one, *another])
            print(
                f"within {source}, clips of more than {SHORT_S:g} s ({len(one)}, a tenth refused): "
                f"{(another > np.quantile(one, 0.9)).mean():.0%} of {len(another)} others recognised, AUC {above:.3f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])

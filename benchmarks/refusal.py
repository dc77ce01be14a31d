"""How well "none of these" and the confidence carry over to sources that nothing was fitted on.

The default networks on labelled videos of exercises (a table `file`, `class`, `series`) and of other exercises:

- the threshold of refusal set on all series but one, each in turn, and judged on the one left out;
- what a threshold that refuses a tenth of all of them would recognise;
- calibration error with and without `agreement`, and clips of five windows and more apart.

    python benchmarks/refusal.py clips/dev clips/dev.tsv clips/dev_other clips/dev_other.tsv [POSES K/N FOLDER]

FOLDER: networks that were trained with --fold K/N on POSES, assembled. Then the threshold that refuses a tenth of what
that fold left out is judged on the videos too.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitcli.catalog import catalog
from fitcli.network import checkpoint_folder
from fitcli.network.ensemble import Ensemble, EnsembleConfig
from fitcli.training.calibrate import ACCEPTED_ELSEWHERE
from fitcli.training.evaluate import ScoredClip, answers, measure, scored

MANY_WINDOWS = 5


def series_of(clips: list[ScoredClip], table: Path) -> np.ndarray:
    """The series of every clip, (N,)."""
    with table.open(newline="", encoding="utf-8") as lines:
        series = {row["file"]: row["series"] for row in csv.DictReader(lines, delimiter="\t")}
    return np.array([series[clip.id] for clip in clips])


def others(clips: list[ScoredClip], config: EnsembleConfig) -> np.ndarray:
    """The probability of "none of these" of every clip, (N,)."""
    return answers(clips, config)[0].other


def left_out(
    shown: np.ndarray, one: np.ndarray, other: np.ndarray, another: np.ndarray, accepted: float
) -> tuple[float, float]:
    """Shares refused of exercises and of others, by a threshold from all series but their own."""
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
    clips = list(scored(videos, ensemble, failed, labels=labels))
    none = list(scored(other_videos, ensemble, failed, labels=other_labels))
    print(*failed, sep="\n", end="")
    shown, other = others(clips, config), others(none, config)
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
            exercise = measure(name, part, changed).exercise
            sure = float(answers(part, changed)[0].exercise.max(1).mean())
            assert exercise
            print(
                f"agreement {agreement}, {name}: {exercise.clips} clips, {exercise.top1:.3f} right, {sure:.3f} sure, "
                f"calibration error {exercise.calibration_error:.3f}"
            )
    if len(arguments) > 4:
        poses, fold, networks = Path(arguments[4]), arguments[5].split("/"), Path(arguments[6])
        left = scored(poses, Ensemble(networks, "cpu"), [], fold=(int(fold[0]), int(fold[1])))
        kept = [clip for clip in left if clip.labels.exercise is not None]
        true = np.array([clip.labels.exercise != len(catalog().exercises) for clip in kept])
        held_out = others(kept, config)
        threshold = np.quantile(held_out[true], 0.9)
        print(
            f"set on what fold {arguments[5]} left out ({true.sum()} clips, a tenth refused): {threshold:.3f}, "
            f"{(held_out[~true] > threshold).mean():.0%} of {(~true).sum()} others recognised; of the videos "
            f"{(shown > threshold).mean():.0%} refused, {(other > threshold).mean():.0%} of others recognised"
        )


if __name__ == "__main__":
    main(sys.argv[1:])

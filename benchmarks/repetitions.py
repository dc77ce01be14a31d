"""Accuracy of counting repetitions: real clips counted by hand, synthetic people with known counts, and idle people.

Run it with `python benchmarks/repetitions.py`; it takes about a minute on two cores. The measures are those of RepNet
and TransRAC: off-by-one accuracy (OBO) and the mean absolute error relative to the true count (MAE).

The real clips are the videos with a count in `poses/clips.tsv` of `--shared` (of the first 12 s, by hand, give or take
one). They are counted by the whole program, and again with the true name of the exercise; missing ones are skipped.
`counted_sequences.tsv` beside this file has counts of sequences, without videos, of the exercises that these videos
lack (by hand from their curves, give or take one, each leg of a bicycle crunch or mountain climber separately), which
are counted with the true name. The signals were chosen on them, so they measure the fit and not generalisation.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fitcli
from fitcli.catalog import catalog
from fitcli.motion import count_repetitions, find_sets
from fitcli.training.pose.sequences import load_sequences
from fitcli.training.synthetic.people import STILL, WALKING, synthesize

SEQUENCES = Path(__file__).with_name("counted_sequences.tsv")
COUNTED_S = 12.0
RATES_HZ = (10.0, 15.0, 25.0, 30.0)
GOAL_OBO, GOAL_MAE = 0.95, 0.10


@dataclass(frozen=True)
class Count:
    """One clip's true count and ours; `cut` are partial ones at the clip's ends, which the hand may have counted."""

    exercise: str
    truth: int
    found: int
    clip: str = ""
    cut: int = 0


def repetitions(found: object) -> int:
    """The number of repetitions in a result of `count_repetitions`, 0 for None."""
    return len(found.repetitions) if found else 0  # type: ignore[attr-defined]


def real(shared: Path) -> tuple[list[Count], list[Count]]:
    """The hand-counted clips, counted by the whole program and with the true name."""
    coach = fitcli.load()
    whole, named = [], []
    with (shared / "poses" / "clips.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["repetitions"]]
    for row in rows:
        path = shared / "clips" / "dev" / f"{row['id']}.mp4"
        if not path.exists():
            continue
        analysis = coach.analyze(path, end_s=COUNTED_S)
        truth, exercise = int(row["repetitions"]), row["exercise"]
        whole.append(Count(exercise, truth, analysis.repetitions or 0, row["id"]))
        assert analysis.track is not None
        alone = count_repetitions(analysis.track, exercise)
        named.append(Count(exercise, truth, repetitions(alone), row["id"], alone.partial if alone else 0))
    return whole, named


def sequences_of(shared: Path) -> list[Count]:
    """The hand-counted sequences, counted with the true name."""
    with SEQUENCES.open(encoding="utf-8", newline="") as file:
        truth = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    counts = []
    for sequence in load_sequences(shared / "poses", "train"):
        if row := truth.get(sequence.id):
            found = count_repetitions(sequence.track, row["exercise"])
            counts.append(
                Count(
                    row["exercise"],
                    int(row["repetitions"]),
                    repetitions(found),
                    sequence.id,
                    found.partial if found else 0,
                )
            )
    return counts


def synthetic(sequences: int, seed: int) -> tuple[list[Count], list[Count], list[Count]]:
    """Random variants, cameras, tempos, frame rates and noise: with the true name, a wrong one, and none."""
    names = [exercise.name for exercise in catalog().exercises if exercise.signal]
    right, wrong, unnamed = [], [], []
    for i in range(sequences):
        rng = np.random.default_rng([seed, i])
        exercise = names[i % len(names)]
        sequence = synthesize(exercise, rng, rate_hz=float(rng.choice(RATES_HZ)))
        mistaken = names[(i + int(rng.integers(1, len(names)))) % len(names)]
        for counts, name in ((right, exercise), (wrong, mistaken), (unnamed, None)):
            found = repetitions(count_repetitions(sequence.track, name))
            counts.append(Count(exercise, sequence.repetitions, found, sequence.variant))
    return right, wrong, unnamed


def idle(sequences: int, seed: int) -> list[Count]:
    """Still and walking people in turn, counted without a name."""
    counts = []
    for i in range(sequences):
        name = (STILL, WALKING)[i % 2]
        track = synthesize(name, np.random.default_rng([seed, 1, i])).track
        counts.append(Count(name, 0, sum(map(repetitions, find_sets(track, [])))))
    return counts


def summary(name: str, counts: list[Count]) -> str:
    """One line: OBO, exact, MAE, and the goals if they are missed."""
    off = np.array([abs(c.found - c.truth) for c in counts])
    obo = float((off <= 1).mean())
    mae = float((off / [max(c.truth, 1) for c in counts]).mean())
    verdict = "" if obo >= GOAL_OBO and mae <= GOAL_MAE else f"   goal: OBO {GOAL_OBO:.2f}, MAE {GOAL_MAE:.2f}"
    return f"{name:34} {len(counts):4}   OBO {obo:.3f}   exact {(off == 0).mean():.3f}   MAE {mae:.3f}{verdict}"


def classes(counts: Iterable[Count]) -> str:
    """One line for each exercise."""
    lines = []
    for exercise in catalog().exercise_names:
        own = [c for c in counts if c.exercise == exercise]
        if own:
            within = sum(abs(c.found - c.truth) <= 1 for c in own)
            exact = sum(c.found == c.truth for c in own)
            lines.append(f"  {exercise:20} {len(own):3} clips   within one {within:3}   exact {exact:3}")
    return "\n".join(lines)


def main() -> None:
    """Print a line for each condition, and one for each exercise of the synthetic ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = Path(os.environ.get("FITCLI_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    parser.add_argument("--shared", type=Path, default=default, help="folder with poses/ and clips/")
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--idle", type=int, default=50)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("-v", "--verbose", action="store_true", help="also print every clip that is off")
    options = parser.parse_args()
    began = time.perf_counter()

    if (options.shared / "poses" / "clips.tsv").exists():
        whole, named = real(options.shared)
        print(summary("real clips, whole program", whole))
        print(summary("real clips, true name", named))
        if options.verbose:
            for one, other in zip(whole, named, strict=True):
                cut = f" and {other.cut} cut" if other.cut else ""
                print(
                    f"  {one.clip} {one.exercise:18} {one.truth} by hand, {one.found} found, {other.found} named{cut}"
                )
        counted = sequences_of(options.shared)
        print(summary("real sequences, true name", counted))
        print(classes(counted))
        if options.verbose:
            for c in counted:
                if c.found != c.truth:
                    print(f"  {c.clip} {c.exercise:18} {c.truth} by hand, {c.found} found")
    else:
        print("real clips: none found, see --shared")
    right, wrong, unnamed = synthetic(options.sequences, options.seed)
    print(summary("synthetic, true name", right))
    print(classes(right))
    print(summary("synthetic, wrong name", wrong))
    print(summary("synthetic, no name", unnamed))
    if options.verbose:
        for c in right:
            if c.found != c.truth:
                print(f"  {c.exercise}, {c.clip}: {c.truth} true, {c.found} found")
    resting = idle(options.idle, options.seed)
    counted = [c for c in resting if c.found]
    print(f"{'still and walking people':34} {len(resting):4}   counted by mistake {len(counted)}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()

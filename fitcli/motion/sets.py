"""Splits a video into sets, by the classifier's answers for its windows and by the person's rests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fitcli.catalog import catalog
from fitcli.motion.body import Body, resample
from fitcli.motion.counting import build_set, choose_signal
from fitcli.motion.holding import find_holds
from fitcli.pose.track import PoseTrack
from fitcli.results.sets import ExerciseSet, Repetition

REST_S = 4.0
"""A pause that is longer than this, and than `REST_REPETITIONS` repetitions, ends a set."""
REST_REPETITIONS = 1.5
SWITCH_COST = 4.0
"""Log-odds that one or several windows must add up to for a change of exercise."""
OTHERS = 16
"""Number of exercises that share the probability which the best one leaves; `SWITCH_COST` is tuned for it."""
OVERLAP_S = 2.5
"""Seconds beyond its first and last window in which an exercise is looked for, so that repetitions are whole."""
EDGE_MARGIN_S = 1.5
"""Seconds around a set that belong to it: the stillness before its first movement shows the rest position."""
STRAY_RANGE, STRAY_DURATION = 1.6, 2.5
"""A first or last repetition of this many times the median range or duration is lifting or racking the weight."""

_ROUNDING_S = 1e-6  # windows of networks on pictures begin with a frame, as the first sample does


@dataclass(frozen=True)
class WindowLabel:
    """The classifier's answer for `start_s`..`end_s`: an exercise (None: an unknown one) and its probability 0..1."""

    start_s: float
    end_s: float
    exercise: str | None
    probability: float


@dataclass(frozen=True)
class _Stretch:
    """One exercise from `start_s` to `end_s`; it is looked for up to `OVERLAP_S` beyond either end."""

    start_s: float
    end_s: float
    exercise: str | None


def find_sets(track: PoseTrack, windows: Sequence[WindowLabel]) -> tuple[ExerciseSet, ...]:
    """The sets in a video, in order; each has at least one complete repetition, or is a hold.

    windows: the classifier's answers, overlapping, in order of time. Without any, only movements that clearly repeat
    are found, unnamed.

    A single deviating window does not change the exercise. Two exercises without a rest between them are two sets.
    Standing, walking and handling the weight are no repetitions. A gap between samples ends a set.
    """
    sets: list[ExerciseSet] = []
    for part in track.stretches():
        body = resample(part)
        own_windows = [w for w in windows if part.times_s[0] - _ROUNDING_S <= w.start_s <= part.times_s[-1]]
        for stretch in _stretches(body, own_windows):
            around = body.between(stretch.start_s - OVERLAP_S, stretch.end_s + OVERLAP_S)
            for found in _sets_in(around, stretch.exercise):
                own = _within(found, stretch, sets[-1].end_s if sets else stretch.start_s - OVERLAP_S)
                if own is not None:
                    sets.append(own)
    return tuple(sets)


def _within(found: ExerciseSet, stretch: _Stretch, after_s: float) -> ExerciseSet | None:
    """The set with the repetitions whose middle lies in the stretch and that were not counted before; None if none.

    A hold belongs as a whole to the stretch in which its middle lies.
    """
    if found.held_s is not None:
        mine = stretch.start_s <= (found.start_s + found.end_s) / 2 <= stretch.end_s and found.start_s >= after_s
        return found if mine else None
    kept = [
        i
        for i, r in enumerate(found.repetitions)
        if stretch.start_s <= (r.start_s + r.end_s) / 2 <= stretch.end_s and r.turn_s > after_s
    ]
    if len(kept) == len(found.repetitions):
        return found
    return found.only(kept) if kept else None


def _sets_in(body: Body, exercise: str | None) -> Iterator[ExerciseSet]:
    """The sets of one exercise in one stretch, separated by rests."""
    known = catalog().described(exercise)
    if known.hold:
        yield from find_holds(body, known)
        return
    signal = choose_signal(body, exercise)
    whole = None if signal is None else build_set(body, signal, exercise)
    if whole is None or not whole.repetitions:
        return
    groups = _split_at_rests(whole.repetitions)
    if len(groups) == 1:
        yield _without_strays(whole)
        return
    for i, group in enumerate(groups):
        start_s, end_s = group[0].start_s - EDGE_MARGIN_S, group[-1].end_s + EDGE_MARGIN_S
        if i:
            start_s = max(start_s, (groups[i - 1][-1].end_s + group[0].start_s) / 2)
        if i + 1 < len(groups):
            end_s = min(end_s, (group[-1].end_s + groups[i + 1][0].start_s) / 2)
        # Another signal may show a single set better than the whole stretch with its rests.
        part = body.between(start_s, end_s)
        own = choose_signal(part, exercise)
        found = None if own is None else build_set(part, own, exercise)
        if found is not None and found.repetitions:
            yield _without_strays(found)


def _split_at_rests(repetitions: tuple[Repetition, ...]) -> list[list[Repetition]]:
    duration = float(np.median([r.end_s - r.start_s for r in repetitions]))
    groups = [[repetitions[0]]]
    for previous, repetition in pairwise(repetitions):
        if repetition.start_s - previous.end_s > max(REST_S, REST_REPETITIONS * duration):
            groups.append([])
        groups[-1].append(repetition)
    return groups


def _without_strays(found: ExerciseSet) -> ExerciseSet:
    """The set without first and last repetitions that are far larger or longer than the others."""
    repetitions = found.repetitions
    while len(repetitions) >= 4:
        ranges = [r.range_of_motion_deg for r in repetitions if r.range_of_motion_deg is not None]
        usual_range = float(np.median(ranges)) if ranges else None
        usual_s = float(np.median([r.end_s - r.start_s for r in repetitions]))

        def stray(r: Repetition, usual_range: float | None = usual_range, usual_s: float = usual_s) -> bool:
            wide = usual_range and r.range_of_motion_deg and r.range_of_motion_deg > STRAY_RANGE * usual_range
            return bool(wide) or r.end_s - r.start_s > STRAY_DURATION * usual_s

        if stray(repetitions[0]):
            repetitions = repetitions[1:]
        elif stray(repetitions[-1]):
            repetitions = repetitions[:-1]
        else:
            break
    first = found.repetitions.index(repetitions[0])
    return found.only(range(first, first + len(repetitions)))


def _stretches(body: Body, windows: Sequence[WindowLabel]) -> list[_Stretch]:
    """The video split where the exercise changes: half way between the middles of the windows that disagree."""
    if not len(body):
        return []
    first_s, last_s = float(body.times_s[0]), float(body.times_s[-1])
    if not windows:
        return [_Stretch(first_s, last_s, None)]
    labels = _smoothed(windows)
    stretches: list[_Stretch] = []
    start_s = first_s
    for (before, label), (after, next_label) in pairwise(zip(windows, labels, strict=True)):
        if label != next_label:
            change_s = (before.start_s + before.end_s + after.start_s + after.end_s) / 4
            stretches.append(_Stretch(start_s, change_s, label))
            start_s = change_s
    stretches.append(_Stretch(start_s, last_s, labels[-1]))
    return stretches


def _smoothed(windows: Sequence[WindowLabel]) -> list[str | None]:
    """The most likely exercise of every window if each change has a cost (Viterbi)."""
    names = list({window.exercise: None for window in windows})
    likelihood = np.array(
        [
            [
                np.log(np.clip(w.probability if w.exercise == name else (1 - w.probability) / OTHERS, 1e-4, 1))
                for name in names
            ]
            for w in windows
        ]
    )
    score = likelihood[0]
    came_from: list[list[int]] = []
    for row in likelihood[1:]:
        best = int(score.argmax())
        stays = score >= score[best] - SWITCH_COST
        came_from.append([j if stays[j] else best for j in range(len(names))])
        score = row + np.where(stays, score, score[best] - SWITCH_COST)
    state = int(score.argmax())
    path = [state]
    for sources in reversed(came_from):
        state = sources[state]
        path.append(state)
    return [names[state] for state in reversed(path)]

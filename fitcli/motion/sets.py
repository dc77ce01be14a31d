"""A video cut into sets: from what the classifier says of its windows, and from when the person moves and rests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from fitcli.motion.body import RATE_HZ, Body, resample
from fitcli.motion.counting import build_set, choose_signal
from fitcli.motion.types import ExerciseSet, Repetition, WindowLabel
from fitcli.pose.track import PoseTrack

REST_S = 4.0
"""A pause between repetitions longer than this, and than `REST_REPETITIONS` of them, ends a set."""
REST_REPETITIONS = 1.5
SWITCH_COST = 4.0
"""Log-odds that the classifier must bring up, over one window or several, for the exercise to have changed."""
EDGE_MARGIN_S = 1.5
"""Seconds around a set that belong to it: the stillness before its first movement tells where rest is."""
STRAY_RANGE, STRAY_DURATION = 1.6, 2.5
"""A first or last repetition this many times the set's median range or duration is lifting or racking the weight."""


@dataclass(frozen=True)
class _Stretch:
    start_s: float
    end_s: float
    exercise: str | None


def find_sets(track: PoseTrack, windows: Sequence[WindowLabel]) -> tuple[ExerciseSet, ...]:
    """The sets in a video, in order; every one has at least one complete repetition.

    windows: the classifier's, overlapping, in order of time; empty where there is no classifier, then only movements
    that clearly repeat are found, without a name. A single odd window does not change the exercise; two exercises with
    no rest between them are two sets. Standing, walking and handling the weight are no repetitions.
    """
    body = resample(track)
    sets: list[ExerciseSet] = []
    for stretch in _stretches(body, windows):
        sets.extend(_sets_in(body.between(stretch.start_s, stretch.end_s), stretch.exercise))
    return tuple(sets)


def _sets_in(body: Body, exercise: str | None) -> Iterator[ExerciseSet]:
    """The sets of one exercise in one stretch, parted by rests."""
    signal = choose_signal(body, exercise)
    whole = None if signal is None else build_set(body, signal, exercise)
    if whole is None or not whole.repetitions:
        return
    groups = _parted_by_rest(whole.repetitions)
    if len(groups) == 1:
        yield _without_strays(whole)
        return
    for i, group in enumerate(groups):
        start_s, end_s = group[0].start_s - EDGE_MARGIN_S, group[-1].end_s + EDGE_MARGIN_S
        if i:
            start_s = max(start_s, (groups[i - 1][-1].end_s + group[0].start_s) / 2)
        if i + 1 < len(groups):
            end_s = min(end_s, (group[-1].end_s + groups[i + 1][0].start_s) / 2)
        # A set on its own may show best in another signal than the whole stretch, which also holds the rests.
        part = body.between(start_s, end_s)
        own = choose_signal(part, exercise)
        found = None if own is None else build_set(part, own, exercise)
        if found is not None and found.repetitions:
            yield _without_strays(found)


def _parted_by_rest(repetitions: tuple[Repetition, ...]) -> list[list[Repetition]]:
    duration = float(np.median([r.end_s - r.start_s for r in repetitions]))
    groups = [[repetitions[0]]]
    for previous, repetition in pairwise(repetitions):
        if repetition.start_s - previous.end_s > max(REST_S, REST_REPETITIONS * duration):
            groups.append([])
        groups[-1].append(repetition)
    return groups


def _without_strays(found: ExerciseSet) -> ExerciseSet:
    """The set without a first or last repetition that is nothing like the others."""
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
    if repetitions == found.repetitions:
        return found
    return replace(
        found, repetitions=repetitions, start_s=repetitions[0].start_s, end_s=repetitions[-1].end_s, partial=0
    )


def _stretches(body: Body, windows: Sequence[WindowLabel]) -> list[_Stretch]:
    """The video parted where the exercise changes, at the quietest moment near the change."""
    if not len(body):
        return []
    first_s, last_s = float(body.times_s[0]), float(body.times_s[-1])
    if not windows:
        return [_Stretch(first_s, last_s, None)]
    labels = _smoothed(windows)
    stretches: list[_Stretch] = []
    start_s = first_s
    for i in range(1, len(windows)):
        if labels[i] == labels[i - 1]:
            continue
        before, after = windows[i - 1], windows[i]
        change_s = _quietest(body, (before.start_s + before.end_s) / 2, (after.start_s + after.end_s) / 2)
        stretches.append(_Stretch(start_s, change_s, labels[i - 1]))
        start_s = change_s
    stretches.append(_Stretch(start_s, last_s, labels[-1]))
    return stretches


def _smoothed(windows: Sequence[WindowLabel]) -> list[str | None]:
    """The most likely exercise of every window when changing it costs something (Viterbi)."""
    names = list({window.exercise: None for window in windows})
    likelihood = np.array(
        [
            [
                np.log(np.clip(w.probability if w.exercise == name else (1 - w.probability) / 16, 1e-4, 1))
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


def _quietest(body: Body, from_s: float, to_s: float) -> float:
    """The moment between the two when the body moves least, over about half a second."""
    part = body.between(from_s - 0.5, to_s + 0.5)
    if len(part) < RATE_HZ // 2:
        return (from_s + to_s) / 2
    centred = part.image - part.points("image", "hip")[:, None]
    speed = np.linalg.norm(np.diff(centred, axis=0), axis=2).mean(1)
    calm = np.convolve(speed, np.ones(9) / 9, mode="same")
    edge = min(4, len(calm) // 3)
    return float(part.times_s[edge + int(np.argmin(calm[edge : len(calm) - edge]))])

"""Holds: the stretches of a video in which the body stays within the limits of a position."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fitcli.catalog import Exercise, Hold
from fitcli.motion.body import RATE_HZ, Array, Body
from fitcli.motion.measures import JOINTS, MIXED, fused_measure
from fitcli.motion.posture import measure_cues
from fitcli.motion.view import camera_view
from fitcli.results.sets import Curve, ExerciseSet, Repetition

HELD = "held position"
"""The `method` of a set that is a hold."""

SHORTEST_HOLD_S = 2.0
"""Shortest hold: a position that is kept for less is only passed through."""
LONGEST_WOBBLE_S = 1.5
"""Longest interruption of a hold, out of position or out of sight, that does not end it."""
STEADY_S = 1.0
"""Time in which a joint may not move further than `Limit.steady`: push-ups and climbers pass through a plank."""
MOSTLY = 0.6
"""Share of a hold that must be within its limits: more interruptions are another exercise."""
JUDGED_EVERY_S = 2.0
"""Interval between two judgements of the form of a hold."""
MARGIN_S = 1.0
"""Length of the curve that is shown before and after a hold."""
SEEN = 0.2
"""Visibility from which the joints of the more visible side show the position."""


def find_holds(body: Body, exercise: Exercise) -> Iterator[ExerciseSet]:
    """The holds of an exercise that is counted in seconds, each a set without repetitions, in order."""
    hold = exercise.hold
    if hold is None or len(body) < 2:
        return
    curve = position_curve(body, hold)
    held = in_position(body, hold)
    for start, end in spans(held):
        if (end - start) / RATE_HZ >= SHORTEST_HOLD_S and held[start : end + 1].mean() >= MOSTLY:
            yield _held(body, exercise, hold, curve, float(body.times_s[start]), float(body.times_s[end]))


def position_curve(body: Body, hold: Hold) -> Array:
    """(M,) degrees of the measure that is drawn for a hold."""
    return fused_measure(body, MIXED, hold.measure).values


def in_position(body: Body, hold: Hold) -> npt.NDArray[np.bool_]:
    """(M,) True where the body is visible, within all limits of the position, and steady."""
    held = body.seen.copy()
    for limit in hold.limits:
        values = fused_measure(body, MIXED, limit.measure).values
        seen = body.visibility(*JOINTS[limit.measure]) >= SEEN if limit.measure in JOINTS else body.seen
        kept = _moved(values) <= limit.steady
        if limit.at_least is None and limit.at_most is None:  # a joint that is not visible passes
            held &= kept | ~seen
            continue
        if limit.at_least is not None:
            kept &= values >= limit.at_least
        if limit.at_most is not None:
            kept &= values <= limit.at_most
        held &= kept & seen
    return held


def spans(held: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, last) samples of each stretch in position, with short interruptions bridged."""
    inside = np.flatnonzero(held)
    if not len(inside):
        return []
    edges = [inside[0]]
    for before, after in pairwise(inside):
        if (after - before) / RATE_HZ > LONGEST_WOBBLE_S:
            edges += [before, after]
    edges.append(inside[-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _moved(values: Array) -> Array:
    """(M,) how far a curve moves within `STEADY_S` around each sample, without outliers."""
    reach = round(STEADY_S * RATE_HZ / 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1)
    low, high = np.percentile(windows, (12, 88), axis=1)
    moved: Array = high - low
    return moved


def _held(body: Body, exercise: Exercise, hold: Hold, curve: Array, start_s: float, end_s: float) -> ExerciseSet:
    view = camera_view(body.between(start_s, end_s))
    shown = (body.times_s >= start_s - MARGIN_S) & (body.times_s <= end_s + MARGIN_S)
    edges = np.linspace(start_s, end_s, max(1, round((end_s - start_s) / JUDGED_EVERY_S)) + 1)
    pieces = [Repetition(float(a), float(a + b) / 2, float(b), 0.0, 0.0) for a, b in pairwise(edges)]
    return ExerciseSet(
        exercise=exercise.name,
        start_s=start_s,
        end_s=end_s,
        repetitions=(),
        partial=0,
        signal=hold.measure,
        method=HELD,
        side="both",
        view=view,
        curve=Curve(
            tuple(float(t) for t in body.times_s[shown]),
            tuple(float(v) for v in curve[shown]),
            "deg",
        ),
        measurements=measure_cues(body, pieces, exercise, view, together=True, begins_at_rest=True),
        held_s=end_s - start_s,
    )

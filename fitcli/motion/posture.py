"""The measures of form cues, read from every repetition of a set; `fitcli.coaching.form` judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fitcli.catalog import Cue, Exercise
from fitcli.motion.body import Array, Body
from fitcli.motion.measures import (
    JOINTS,
    MIXED,
    SIDES,
    VISIBLE,
    angle_deg,
    arm_opening,
    between_deg,
    fused_measure,
    joint_angle,
    trunk_angle,
    trunk_twist,
)
from fitcli.results.sets import CueMeasurement, Repetition

AROUND_S = 0.1
"""A position is the mean over this much time on either side of a moment."""
EXTREME = 5
"""Percentile that is taken as the smallest value, and 100 minus it as the largest: single samples are noisy."""


@dataclass(frozen=True)
class Context:
    """What a measure needs besides the body.

    upright: (2,) direction in the picture from the ankles to the shoulders in the rest position.
    begins_at_rest: False if the repetitions were paired from the other end, because the clip begins at the bottom: then
        their turn is the rest position.
    """

    exercise: Exercise
    upright: Array
    begins_at_rest: bool


@dataclass(frozen=True)
class Measure:
    """A named measure: the landmarks that it needs, and its curve (M,) over a stretch of the body."""

    landmarks: tuple[str, ...]
    curve: Callable[[Body, Context], Array]


def measure_cues(
    body: Body, repetitions: Sequence[Repetition], exercise: Exercise, view: str, together: bool, begins_at_rest: bool
) -> tuple[CueMeasurement, ...]:
    """The measure of every cue in every repetition; None if the view or the visibility does not show it.

    together: both sides move at once, so that they can be compared. begins_at_rest: see `Context`.
    """
    context = Context(exercise, _upright(body, repetitions, begins_at_rest), begins_at_rest)
    found = []
    for cue in exercise.cues:
        judged = "any" in cue.views or view in cue.views
        judged = judged and (together or cue.measure != "left-right difference")
        values = tuple(_value(body, r, cue, context) if judged else None for r in repetitions)
        found.append(CueMeasurement(cue.name, values))
    return tuple(found)


def _value(body: Body, repetition: Repetition, cue: Cue, context: Context) -> float | None:
    if cue.measure == "eccentric time":
        return repetition.eccentric_s
    part = body.between(repetition.start_s - AROUND_S, repetition.end_s + AROUND_S)
    measure = MEASURES[cue.measure]
    if len(part) < 3 or float(np.median(part.visibility(*_needed(measure, context)))) < VISIBLE:
        return None
    curve = measure.curve(part, context)
    if cue.at in ("rest", "turn"):
        moment_s = repetition.start_s if (cue.at == "rest") == context.begins_at_rest else repetition.turn_s
        near = np.abs(part.times_s - moment_s) <= AROUND_S + 1e-6
        return float(curve[near].mean()) if near.any() else None
    low, high = np.percentile(curve, (EXTREME, 100 - EXTREME))
    return float({"minimum": low, "maximum": high, "range": high - low}[cue.at])


def _needed(measure: Measure, context: Context) -> tuple[str, ...]:
    if measure.landmarks:
        return measure.landmarks
    signal = context.exercise.signal
    joint = JOINTS.get(signal.measure, JOINTS["elbow angle"]) if signal else ()
    return tuple(f"{side} {landmark}" for side in SIDES for landmark in joint)


def _upright(body: Body, repetitions: Sequence[Repetition], begins_at_rest: bool) -> Array:
    moments = [r.start_s if begins_at_rest else r.turn_s for r in repetitions]
    rest = np.any([np.abs(body.times_s - moment_s) <= AROUND_S + 1e-6 for moment_s in moments], axis=0)
    direction: Array = np.median((body.points("image", "shoulder") - body.points("image", "ankle"))[rest], axis=0)
    return direction


# --- the vocabulary ---------------------------------------------------------------------------------------------------


def _joint(measure: str) -> Measure:
    return Measure(JOINTS[measure], lambda body, context: fused_measure(body, MIXED, measure).values)


def _trunk(body: Body, space: str) -> Array:
    return body.points(space, "shoulder") - body.points(space, "hip")


def _trunk_lean(body: Body, context: Context) -> Array:
    """Degrees between the trunk and the upright direction at rest, from the picture."""
    trunk = _trunk(body, "image")
    return between_deg(trunk, np.broadcast_to(context.upright, trunk.shape))


def _trunk_swing(body: Body, context: Context) -> Array:
    """Degrees that the trunk has turned since the start of the repetition, from the picture."""
    trunk = _trunk(body, "image")
    return between_deg(trunk, np.broadcast_to(trunk[:3].mean(0), trunk.shape))


def _hip_sag(body: Body, context: Context) -> Array:
    """Degrees that the hips are off the line from shoulders to knees; positive to the front, as in a sagging push-up.

    The line ends at the knees, so that push-ups on the knees are judged alike.
    """

    bend = 180 - angle_deg(*(body.points("image", part) for part in ("shoulder", "hip", "knee")))
    left = body.points("world", "left shoulder") - body.points("world", "right shoulder")
    front = np.cross(left, _trunk(body, "world"))
    line = body.points("world", "knee") - body.points("world", "shoulder")
    along = np.maximum((line * line).sum(1, keepdims=True), 1e-9)
    to_hip = body.points("world", "hip") - body.points("world", "shoulder")
    off_line = to_hip - (to_hip * line).sum(1, keepdims=True) / along * line
    side = np.sign(np.median((off_line * front).sum(1)))
    signed: Array = side * bend
    return signed


def _knee_width(body: Body, context: Context) -> Array:
    """Distance between the knees divided by the distance between the ankles, in the picture."""

    def apart(part: str) -> Array:
        gap: Array = np.linalg.norm(
            body.points("image", f"left {part}") - body.points("image", f"right {part}"), axis=1
        )
        return gap

    ratio: Array = apart("knee") / np.maximum(apart("ankle"), 0.05)
    return ratio


def _left_right(body: Body, context: Context) -> Array:
    """Degrees between the angles of the exercise's joint on the two sides; of the elbow if it has none."""
    signal = context.exercise.signal
    measure = signal.measure if signal and signal.measure in JOINTS else "elbow angle"
    left, right = (joint_angle(body, MIXED, measure, side) for side in SIDES)
    difference: Array = np.abs(left - right)
    return difference


MEASURES: dict[str, Measure] = {
    **{name: _joint(name) for name in JOINTS},
    "arm opening": Measure(("shoulder", "wrist"), lambda body, context: arm_opening(body, "world")),
    "trunk twist": Measure(("shoulder", "hip"), lambda body, context: trunk_twist(body)),
    "trunk angle": Measure(("shoulder", "hip"), lambda body, context: trunk_angle(body, "image")),
    "trunk lean": Measure(("shoulder", "hip", "ankle"), _trunk_lean),
    "trunk swing": Measure(("shoulder", "hip"), _trunk_swing),
    "hip sag": Measure(("shoulder", "hip", "knee"), _hip_sag),
    "knee width": Measure(("left knee", "right knee", "left ankle", "right ankle"), _knee_width),
    "left-right difference": Measure((), _left_right),
}
CUE_MEASURES = (*MEASURES, "eccentric time")
"""Every name that a cue's `measure` may have."""

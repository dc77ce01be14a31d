"""The named measures of repetitions and form cues, as curves over a `Body`.

Angles are in degrees, lengths in metres or ratios. All are independent of the camera's side, distance and roll, and of
mirroring. "image" is the picture plane, which is accurate for movements that lie in it; "world" is BlazePose's 3-D
estimate, for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fitcli.motion.body import Array, Body

SPACES = ("image", "world")
MIXED = "mixed"
FORESHORTENING_POWER = 4
"""Weight of the picture for a limb that turns out of it: this power of the cosine of that turn."""
SIDES = ("left", "right")

JOINTS: dict[str, tuple[str, str, str]] = {
    "elbow angle": ("shoulder", "elbow", "wrist"),
    "shoulder angle": ("elbow", "shoulder", "hip"),
    "hip angle": ("shoulder", "hip", "knee"),
    "knee angle": ("hip", "knee", "ankle"),
    "ankle angle": ("knee", "ankle", "foot index"),
}
"""Joint angles of each side: the angle at the middle landmark, 180 degrees for a straight joint."""

VISIBLE = 0.5
"""Visibility from which a landmark is visible."""
IDLE = 0.4
"""A side that moves less than this share of the other one is idle, as in a one-armed exercise."""
ALTERNATING_CORRELATION = -0.25
"""Correlation of two sides below which they alternate."""
TURNS_CORRELATION, TURNS_OVERLAP = 0.1, 0.4
"""Thresholds for sides that alternate with pauses: they hardly correlate, but are never away from rest together."""
TURNS_VISIBLE = 0.25
"""Visibility from which a side shows whether the sides alternate."""
_MOVING_DEG = 6.0
"""Standard deviation from which a side moves."""


@dataclass(frozen=True)
class Fused:
    """One measure of both sides combined: values (M,), the side that it follows, and its visibility 0..1."""

    values: Array
    side: str
    visible: float


def angle_deg(a: Array, vertex: Array, b: Array) -> Array:
    """(M,) angle 0..180 at `vertex` between the directions to `a` and `b`, points (M, 2) or (M, 3)."""
    return between_deg(a - vertex, b - vertex)


def between_deg(u: Array, v: Array) -> Array:
    """(M,) angle 0..180 between directions (M, 2) or (M, 3); the arctangent keeps it exact near 0 and 180."""
    lengths = np.maximum(np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1), 1e-9)
    cosine = (u * v).sum(1) / lengths
    sine = np.sqrt(np.maximum(((u * u).sum(1) * (v * v).sum(1) - (u * v).sum(1) ** 2), 0)) / lengths
    degrees: Array = np.degrees(np.arctan2(sine, cosine))
    return degrees


def joint_angle(body: Body, space: str, measure: str, side: str) -> Array:
    """(M,) degrees of one of `JOINTS` on one side, in "image", "world" or "mixed".

    "mixed" is the most accurate: the picture's angle as far as both limbs lie in the picture, BlazePose's depth for the
    rest. Its median error in the range of motion of synthetic sequences is 5 degrees from the side (picture 6, 3-D 15)
    and 7 from the front (picture 29, 3-D 11).
    """
    if space == MIXED:
        flat = _in_picture(body, measure, side)
        image, world = (joint_angle(body, space, measure, side) for space in SPACES)
        return world + flat * (image - world)
    a, vertex, b = (body.points(space, f"{side} {landmark}") for landmark in JOINTS[measure])
    return angle_deg(a, vertex, b)


def _in_picture(body: Body, measure: str, side: str) -> Array:
    """(M,) weight 0..1 of the picture for an angle: 0 if a limb points at the camera."""
    a, vertex, b = (body.points("world", f"{side} {landmark}") for landmark in JOINTS[measure])
    shown = [
        np.linalg.norm(limb[:, :2], axis=1) / np.maximum(np.linalg.norm(limb, axis=1), 1e-6)
        for limb in (a - vertex, b - vertex)
    ]
    share: Array = np.minimum(*shown) ** FORESHORTENING_POWER
    return share


def side_visibility(body: Body, landmarks: tuple[str, ...]) -> dict[str, float]:
    """The visibility of each side: the median over time of its least visible landmark."""
    return {side: float(np.median(body.visibility(*(f"{side} {name}" for name in landmarks)))) for side in SIDES}


def side_weights(visible: dict[str, float], moved: dict[str, float]) -> dict[str, float]:
    """Weights of left and right in a fused curve: 0 for a hidden or idle side, else higher for the more visible one.

    visible: 0..1 for each side. moved: how much each side moves, in any unit.
    """
    best, most = max(visible.values()), max(moved.values())
    raw = {
        side: 0.0 if v < VISIBLE <= best or (moved[side] < IDLE * most and best - v < 0.3) else max(v, 0.05) ** 2
        for side, v in visible.items()
    }
    if not any(raw.values()):
        raw = {side: max(v, 0.05) ** 2 for side, v in visible.items()}
    total = sum(raw.values())
    return {side: weight / total for side, weight in raw.items()}


def takes_turns(body: Body, measure: str) -> bool:
    """Whether left and right alternate: both are visible and move, one up while the other is down."""
    if measure not in JOINTS or min(side_visibility(body, JOINTS[measure]).values()) < TURNS_VISIBLE:
        return False
    return any(alternating(*(joint_angle(body, space, measure, side) for side in SIDES)) for space in SPACES)


def fused_measure(body: Body, space: str, measure: str, by_turns: bool = False) -> Fused:
    """A signal measure with left and right fused by their visibility.

    by_turns: the sides alternate, as in alternating curls, and would cancel. The more bent or more raised side is
    followed, so that each side's repetition counts.
    """
    if measure in WHOLE:
        whole = WHOLE[measure]
        curve = whole.curve(body, "image" if space == "image" else "world")
        return Fused(curve, "both", min(side_visibility(body, whole.landmarks).values()))
    visible = side_visibility(body, JOINTS[measure])
    left, right = (joint_angle(body, space, measure, side) for side in SIDES)
    weights = side_weights(visible, {"left": float(left.std()), "right": float(right.std())})
    if by_turns:
        resting = np.median(np.concatenate([left, right]))
        low, high = np.percentile(np.concatenate([left, right]), (5, 95))
        values = np.minimum(left, right) if resting > (low + high) / 2 else np.maximum(left, right)
    else:
        values = weights["left"] * left + weights["right"] * right
    return Fused(values, followed_side(weights), max(visible.values()))


def followed_side(weights: dict[str, float]) -> str:
    """ "both", or the side that has nearly all the weight."""
    return "both" if min(weights.values()) > 0.2 else max(weights, key=lambda s: weights[s])


def alternating(left: Array, right: Array) -> bool:
    """Whether two sides' angles, in degrees, alternate instead of moving together."""
    less, more = sorted((float(left.std()), float(right.std())))
    if less < max(_MOVING_DEG, IDLE * more):
        return False
    correlation = float(np.corrcoef(left, right)[0, 1])
    never_together = correlation < TURNS_CORRELATION and _overlap(left, right) < TURNS_OVERLAP
    return correlation < ALTERNATING_CORRELATION or never_together


def _overlap(left: Array, right: Array) -> float:
    """0 if one side always rests while the other moves, 1 if both move together.

    A side that alternates rests at least half of the time, so its median is its rest position.
    """
    out = []
    for values in (left, right):
        away = np.abs(values - np.median(values))
        out.append(np.minimum(away / max(float(np.percentile(away, 95)), 1e-6), 1))
    return float((out[0] * out[1]).sum() / max(float(np.linalg.norm(out[0]) * np.linalg.norm(out[1])), 1e-9))


def arm_opening(body: Body, space: str) -> Array:
    """(M,) degrees between the hands, seen from the middle of the shoulders: 180 wide open, small if they meet."""
    centre = body.points(space, "shoulder")
    return angle_deg(body.points(space, "left wrist"), centre, body.points(space, "right wrist"))


def trunk_angle(body: Body, space: str) -> Array:
    """(M,) degrees of the trunk above the picture's horizontal: 90 upright, 0 level or with the head down.

    The head of a person on the floor who points at the camera is below the hips in the picture: that is level too.
    """
    trunk = body.points(space, "shoulder") - body.points(space, "hip")
    degrees: Array = np.degrees(np.arctan2(-trunk[:, 1], np.linalg.norm(np.delete(trunk, 1, axis=1), axis=1)))
    return degrees.clip(min=0)


def trunk_twist(body: Body, space: str = "world") -> Array:
    """(M,) signed degrees between the shoulder line and the hip line about the trunk, always from 3-D."""
    axis = body.points("world", "shoulder") - body.points("world", "hip")
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)

    def flat(part: str) -> Array:
        line = body.points("world", f"left {part}") - body.points("world", f"right {part}")
        flattened: Array = line - (line * axis).sum(1, keepdims=True) * axis
        return flattened

    shoulders, hips = flat("shoulder"), flat("hip")
    sine = (np.cross(hips, shoulders) * axis).sum(1)
    degrees: Array = np.degrees(np.arctan2(sine, (hips * shoulders).sum(1)))
    return degrees


@dataclass(frozen=True)
class WholeMeasure:
    """A measure that spans both sides: the landmarks that it needs, and its curve (M,) in "image" or "world"."""

    landmarks: tuple[str, ...]
    curve: Callable[[Body, str], Array]


WHOLE = {
    "arm opening": WholeMeasure(("shoulder", "wrist"), arm_opening),
    "trunk twist": WholeMeasure(("shoulder", "hip"), trunk_twist),
    "trunk angle": WholeMeasure(("shoulder", "hip"), trunk_angle),
}
SIGNAL_MEASURES = (*JOINTS, *WHOLE)
"""Measures that can be an exercise's repetition signal."""


def path(body: Body, space: str, moving: str, reference: str, by_turns: bool = False) -> Fused:
    """How far `moving` travels relative to `reference`, in metres along its main direction; both sides combined.

    The main direction is the first principal component of the moving landmarks, which does not depend on the camera;
    its sign is arbitrary. by_turns: the sides alternate, and the one away from rest is followed. Plural names ("hips",
    "ankles") are the middles of both sides, where opposite movements cancel.
    """
    if moving.endswith("s"):
        moving, reference = moving.removesuffix("s"), reference.removesuffix("s")
        seen = max(side_visibility(body, (moving, reference)).values())
        return Fused(principal_component(body.points(space, moving) - body.points(space, reference)), "both", seen)
    visible = side_visibility(body, (moving, reference))
    left, right = (body.points(space, f"{side} {moving}") - body.points(space, f"{side} {reference}") for side in SIDES)
    moved = {"left": float(left.std(0).max()), "right": float(right.std(0).max())}
    weights = side_weights(visible, moved)
    side = followed_side(weights)
    if by_turns:  # both are visible, see `takes_turns`
        return Fused(_whose_turn(*map(principal_component, (left, right))), "both", max(visible.values()))
    stacked = np.concatenate([left * weights["left"] * 2, right * weights["right"] * 2], axis=1)
    return Fused(principal_component(stacked), side, max(visible.values()))


def _whose_turn(left: Array, right: Array) -> Array:
    """(M,) the side away from rest, from the curves of two sides that alternate, whose signs are arbitrary.

    One side moves while the other rests, so aligned curves are opposed. A waiting side stays at rest, so the rarer end
    is the one away from rest.
    """
    if float(np.dot(left - left.mean(), right - right.mean())) > 0:
        right = -right
    both = np.concatenate([left, right])
    out = np.median(both) <= (np.percentile(both, 2) + np.percentile(both, 98)) / 2
    return np.maximum(left, right) if out else np.maximum(-left, -right)


def principal_component(points: Array) -> Array:
    """(M,) coordinate along the direction in which (M, D) points vary most."""
    centred = points - np.median(points, axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    component: Array = centred @ vectors[:, -1]
    return component


_WHOLE_BODY = (
    "nose",
    *(f"{side} {part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES),
)


def principal_movement(body: Body, space: str) -> Fused:
    """The principal movement of the whole body about its hips, in metres: the signal of an unnamed movement."""
    centre = body.points(space, "hip")
    parts = []
    for landmark in _WHOLE_BODY:
        # A landmark of low visibility drifts, and must not become the principal movement.
        weight = float(np.median(body.visibility(landmark)))
        parts.append((body.points(space, landmark) - centre) * weight)
    stacked = np.stack(parts, axis=1)
    # divided by the number of moving landmarks, so that the unit is how far one of them travels
    moving = np.sqrt(stacked.var(axis=0).sum(axis=1))
    count = max(1.0, float((moving > 0.5 * moving.max(initial=1e-9)).sum()))
    return Fused(principal_component(stacked.reshape(len(body), -1)) / np.sqrt(count), "both", 1.0)

"""The named measures that repetitions and form cues are read from, as curves over a `Body`.

Angles are in degrees, lengths in metres or as a ratio; all are free of camera side, distance, mirror and roll. "image"
is the picture plane, good where the movement lies in it; "world" is BlazePose's 3-D guess, good where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fitcli.motion.body import Array, Body

SPACES = ("image", "world")
MIXED = "mixed"
FORESHORTENING_POWER = 4
"""How fast trust in the picture goes as a limb turns out of it: the power of the cosine of that turn."""
SIDES = ("left", "right")

JOINTS: dict[str, tuple[str, str, str]] = {
    "elbow angle": ("shoulder", "elbow", "wrist"),
    "shoulder angle": ("elbow", "shoulder", "hip"),
    "hip angle": ("shoulder", "hip", "knee"),
    "knee angle": ("hip", "knee", "ankle"),
    "ankle angle": ("knee", "ankle", "foot index"),
}
"""Joint angles that exist left and right: the angle at the middle landmark, 180 degrees when straight."""

VISIBLE = 0.5
"""Visibility from which a landmark counts as seen."""
IDLE = 0.4
"""A side that moves less than this share of the other one takes no part: a one-armed exercise."""
ALTERNATING_CORRELATION = -0.25
TURNS_CORRELATION, TURNS_OVERLAP = 0.1, 0.4
"""Sides that take turns with pauses hardly correlate; but then they are never away from rest together."""
TURNS_VISIBLE = 0.25
"""A side that is half hidden still shows whose turn it is."""
_MOVING_DEG = 6.0
"""Standard deviation from which a side moves at all."""


@dataclass(frozen=True)
class Fused:
    """One measure of both sides together: values (M,), which side it follows, and how well it was seen, 0..1."""

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

    Mixed is the truest: the picture's angle as far as both limbs lie in the picture, BlazePose's depth for the rest.
    Against the true range of motion of synthetic sequences it errs by 5 degrees from the side (picture 6, 3-D 15) and
    by 7 from the front (picture 29, 3-D 11), in the median.
    """
    if space == MIXED:
        flat = _in_picture(body, measure, side)
        image, world = (joint_angle(body, space, measure, side) for space in SPACES)
        return world + flat * (image - world)
    a, vertex, b = (body.points(space, f"{side} {landmark}") for landmark in JOINTS[measure])
    return angle_deg(a, vertex, b)


def _in_picture(body: Body, measure: str, side: str) -> Array:
    """(M,) share 0..1 in which the picture shows an angle: a limb that points at the camera has no direction in it."""
    a, vertex, b = (body.points("world", f"{side} {landmark}") for landmark in JOINTS[measure])
    shown = [
        np.linalg.norm(limb[:, :2], axis=1) / np.maximum(np.linalg.norm(limb, axis=1), 1e-6)
        for limb in (a - vertex, b - vertex)
    ]
    share: Array = np.minimum(*shown) ** FORESHORTENING_POWER
    return share


def side_visibility(body: Body, landmarks: tuple[str, ...]) -> dict[str, float]:
    """How well each side's landmarks were seen: the median over time of the least visible of them."""
    return {side: float(np.median(body.visibility(*(f"{side} {name}" for name in landmarks)))) for side in SIDES}


def side_weights(visible: dict[str, float], moved: dict[str, float]) -> dict[str, float]:
    """Shares of left and right in a fused curve: the better seen side leads, a hidden or an idle one is left out.

    visible: 0..1 a side. moved: how much each side moves, in any unit.
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
    """Whether left and right do the measure's movement by turns: both seen, both moving, one up while one is down."""
    if measure not in JOINTS or min(side_visibility(body, JOINTS[measure]).values()) < TURNS_VISIBLE:
        return False
    return any(alternating(*(joint_angle(body, space, measure, side) for side in SIDES)) for space in SPACES)


def fused_measure(body: Body, space: str, measure: str, by_turns: bool = False) -> Fused:
    """A signal measure with left and right fused by how well each is seen.

    Sides that take turns (alternating curls) would cancel: then (`by_turns`) the more bent or more raised side is
    followed, so each side's turn counts.
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
    """ "both", or the one side that carries nearly all the weight."""
    return "both" if min(weights.values()) > 0.2 else max(weights, key=lambda s: weights[s])


def alternating(left: Array, right: Array) -> bool:
    """Whether two sides' angles (degrees) move by turns instead of together."""
    less, more = sorted((float(left.std()), float(right.std())))
    if less < max(_MOVING_DEG, IDLE * more):
        return False
    correlation = float(np.corrcoef(left, right)[0, 1])
    never_together = correlation < TURNS_CORRELATION and _overlap(left, right) < TURNS_OVERLAP
    return correlation < ALTERNATING_CORRELATION or never_together


def _overlap(left: Array, right: Array) -> float:
    """0 where one side is always at rest while the other is out, 1 where both go out together.

    A side that takes turns rests at least half of the time, so its median is its rest.
    """
    out = []
    for values in (left, right):
        away = np.abs(values - np.median(values))
        out.append(np.minimum(away / max(float(np.percentile(away, 95)), 1e-6), 1))
    return float((out[0] * out[1]).sum() / max(float(np.linalg.norm(out[0]) * np.linalg.norm(out[1])), 1e-9))


def arm_opening(body: Body, space: str) -> Array:
    """(M,) degrees between the hands as seen from the middle of the shoulders: 180 wide open, small when they meet."""
    centre = body.points(space, "shoulder")
    return angle_deg(body.points(space, "left wrist"), centre, body.points(space, "right wrist"))


def trunk_angle(body: Body, space: str) -> Array:
    """(M,) degrees from the picture's horizontal up to the trunk: 90 upright, 0 level or with the head down.

    Somebody on the floor whose head points at the camera has it below the hips in the picture, which is level too.
    """
    trunk = body.points(space, "shoulder") - body.points(space, "hip")
    degrees: Array = np.degrees(np.arctan2(-trunk[:, 1], np.linalg.norm(np.delete(trunk, 1, axis=1), axis=1)))
    return degrees.clip(min=0)


def trunk_twist(body: Body, space: str = "world") -> Array:
    """(M,) signed degrees that the shoulder line is turned against the hip line about the trunk, always from 3-D."""
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
    """How far `moving` travels along its own main line, seen from `reference`, in metres; both sides together.

    The main line is the first principal component of the moving landmarks, so neither camera nor roll matters; its
    sign is arbitrary. Of sides that take turns (`by_turns`), the one that is out is followed. Names in the plural
    ("hips", "ankles") are the middles of both sides, where legs that go opposite ways cancel.
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
    if by_turns:  # both are seen, see `takes_turns`
        return Fused(_whose_turn(*map(principal_component, (left, right))), "both", max(visible.values()))
    stacked = np.concatenate([left * weights["left"] * 2, right * weights["right"] * 2], axis=1)
    return Fused(principal_component(stacked), side, max(visible.values()))


def _whose_turn(left: Array, right: Array) -> Array:
    """(M,) the side that is out, from the curves of two sides that take turns, whose signs are arbitrary.

    One side is out while the other rests, so they run against each other; and a side that waits dwells at rest, so the
    rarer end is out.
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
    """The whole body's main movement about its hips, in metres: the signal for a movement that has no name."""
    centre = body.points(space, "hip")
    parts = []
    for landmark in _WHOLE_BODY:
        # A landmark that is guessed wanders; it may not become the main movement.
        weight = float(np.median(body.visibility(landmark)))
        parts.append((body.points(space, landmark) - centre) * weight)
    stacked = np.stack(parts, axis=1)
    # per landmark, so that the unit is how far a typical moving landmark travels, not their sum
    moving = np.sqrt(stacked.var(axis=0).sum(axis=1))
    count = max(1.0, float((moving > 0.5 * moving.max(initial=1e-9)).sum()))
    return Fused(principal_component(stacked.reshape(len(body), -1)) / np.sqrt(count), "both", 1.0)

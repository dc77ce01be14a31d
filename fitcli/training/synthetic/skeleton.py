"""A kinematic skeleton with BlazePose's 33 landmarks: joint angles in, places in the room out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fitcli.pose.track import LANDMARKS
from fitcli.training.synthetic.movements import Movement

Array = npt.NDArray[np.float64]

COUNT = len(LANDMARKS)
AT = {name: i for i, name in enumerate(LANDMARKS)}
SIDES = (("left", 1.0), ("right", -1.0))

LENGTHS_M = {
    "shoulders": 0.33, "hips": 0.22, "torso": 0.48, "upper arm": 0.255, "forearm": 0.235, "thigh": 0.40, "shin": 0.375,
}  # fmt: skip
"""BlazePose's own proportions (measured): its shoulders and hips lie inside the body's outline."""

LIMB_ANGLES = {"hip", "spread", "splay", "knee", "ankle", "lift", "plane", "spin", "elbow"}
"""Angles that left and right have of their own."""

_HEAD_M = {
    "nose": (0.0, 0.165, 0.155), "left eye inner": (0.013, 0.204, 0.146), "left eye": (0.016, 0.204, 0.145),
    "left eye outer": (0.019, 0.204, 0.144), "left ear": (0.070, 0.181, 0.042), "mouth left": (0.021, 0.137, 0.125),
}  # fmt: skip
"""Face landmarks of an upright person off the middle of the shoulders: to the left, up, forward (measured)."""

_HAND_M = {"pinky": (0.0, -0.062, -0.022), "index": (0.0, -0.070, 0.008), "thumb": (0.0, -0.030, 0.022)}
_FOOT_M = {"heel": (0.0, -0.044, -0.012), "foot index": (0.022, -0.068, 0.125)}

_PARENT_NAMES = {
    "elbow": "shoulder", "wrist": "elbow", "pinky": "wrist", "index": "wrist", "thumb": "wrist",
    "knee": "hip", "ankle": "knee", "heel": "ankle", "foot index": "ankle",
}  # fmt: skip
PARENT = {AT[f"{side} {child}"]: AT[f"{side} {parent}"] for child, parent in _PARENT_NAMES.items() for side, _ in SIDES}


def random_body(rng: np.random.Generator) -> dict[str, float]:
    """Segment lengths in metres: people differ by a few per cent as a whole and in each part."""
    size = rng.normal(1.0, 0.035)
    body = {name: length * size * rng.normal(1.0, 0.03) for name, length in LENGTHS_M.items()}
    return body | {"size": size, "grip": float(rng.choice([0.0, 80.0, -80.0])) + rng.normal(0, 12)}


def rotation(axis: str, angle_deg: npt.ArrayLike) -> Array:
    """Rotations (..., 3, 3) about "x", "y" or "z", right-handed."""
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    cos, sin = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turned = np.zeros((*angle.shape, 3, 3))
    turned[..., range(3), range(3)] = 1.0
    turned[..., i, i] = turned[..., j, j] = cos
    turned[..., i, j], turned[..., j, i] = -sin, sin
    return turned


def pose(angles: Mapping[str, Array], body: Mapping[str, float], flat_feet: bool) -> Array:
    """Forward kinematics: joints (N, 33, 3) off the middle of the hips, for the angles (N, 2) of left and right."""
    trunk = {name: angles[name].mean(axis=1) for name in ("lean", "curve", "tip", "twist", "nod")}
    pelvis = rotation("x", trunk["lean"])
    chest = pelvis @ rotation("y", trunk["twist"]) @ rotation("x", trunk["curve"]) @ rotation("z", -trunk["tip"])
    head = chest @ rotation("x", trunk["nod"])
    neck = (pelvis[:, :, 1] + chest[:, :, 1]) * body["torso"] / 2  # half way up, the spine bends
    joints = np.zeros((len(neck), COUNT, 3))

    def place(name: str, origin: Array, axes: Array, offset: tuple[float, float, float] | Array) -> Array:
        joints[:, AT[name]] = origin + axes @ np.asarray(offset)
        return joints[:, AT[name]]

    for name, offset in _HEAD_M.items():
        for side, sign in SIDES:
            place(name.replace("left", side), neck, head, np.array(offset) * (sign, 1, 1) * body["size"])
    for column, (side, sign) in enumerate(SIDES):
        angle = {name: angles[name][:, column] for name in LIMB_ANGLES}

        shoulder = place(f"{side} shoulder", neck, chest, (sign * body["shoulders"] / 2, 0.0, 0.0))
        plane = sign * angle["plane"]
        lifted = rotation("y", plane) @ rotation("x", -angle["lift"]) @ rotation("y", -plane)
        upper_arm = chest @ lifted @ rotation("y", sign * angle["spin"])
        elbow = place(f"{side} elbow", shoulder, upper_arm, (0.0, -body["upper arm"], 0.0))
        forearm = upper_arm @ rotation("x", -angle["elbow"])
        wrist = place(f"{side} wrist", elbow, forearm, (0.0, -body["forearm"], 0.0))
        hand = forearm @ rotation("y", np.full(len(neck), -sign * body["grip"]))
        for name, offset in _HAND_M.items():
            place(f"{side} {name}", wrist, hand, np.array(offset) * body["size"])

        hip = place(f"{side} hip", np.zeros(3), pelvis, (sign * body["hips"] / 2, 0.0, 0.0))
        thigh = pelvis @ rotation("y", sign * angle["splay"]) @ rotation("z", sign * angle["spread"])
        thigh = thigh @ rotation("x", -angle["hip"])
        knee = place(f"{side} knee", hip, thigh, (0.0, -body["thigh"], 0.0))
        shin = thigh @ rotation("x", angle["knee"])
        ankle = place(f"{side} ankle", knee, shin, (0.0, -body["shin"], 0.0))
        foot = _levelled(shin) if flat_feet else shin @ rotation("x", angle["ankle"])
        for name, offset in _FOOT_M.items():
            place(f"{side} {name}", ankle, foot, np.array(offset) * (sign, 1, 1) * body["size"])
    return joints


def _levelled(shin: Array) -> Array:
    """The rotation of a foot that stands level under a shin."""
    forward = shin[:, :, 2] * (1, 0, 1)
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-6)
    up = np.broadcast_to((0.0, 1.0, 0.0), forward.shape)
    return np.stack([np.cross(up, forward), up, forward], axis=2)


def _pinned(joints: Array, movement: Movement) -> Array:
    """The point (N, 3) that a movement keeps in place."""
    one = {"ankles": "ankle", "toes": "foot index", "knees": "knee", "hips": "hip"}
    name = one.get(movement.pinned, movement.pinned.removesuffix("s"))
    return np.asarray(joints[:, [AT[f"left {name}"], AT[f"right {name}"]]].mean(axis=1))


def settle(joints: Array, reference: Array, body: Mapping[str, float], movement: Movement) -> None:
    """Move joints (N, 33, 3), in place, so that what stays put is where it is in the pose `reference` (1, 33, 3)."""
    joints += (_pinned(reference, movement) - _pinned(joints, movement))[:, None]
    for limb in {movement.held, {"ankles": "feet", "wrists": "hands"}.get(movement.pinned, "")} - {""}:
        _hold(joints, reference, body, limb)


def _hold(joints: Array, reference: Array, body: Mapping[str, float], held: str) -> None:
    """Bring hands or feet back to where they are in `reference` (1, 33, 3), in place: two-bone inverse kinematics."""
    chain = ("shoulder", "elbow", "wrist", "upper arm", "forearm", tuple(_HAND_M))
    if held == "feet":
        chain = ("hip", "knee", "ankle", "thigh", "shin", tuple(_FOOT_M))
    root, middle, end, upper, lower, tips = chain
    for side, _ in SIDES:
        first, bend, last = (AT[f"{side} {name}"] for name in (root, middle, end))
        a, b = body[upper], body[lower]
        span = reference[:, last] - joints[:, first]
        length = np.linalg.norm(span, axis=1, keepdims=True)
        reach = np.clip(length, abs(a - b) + 0.01, (a + b) * 0.9995)
        along = span / np.maximum(length, 1e-6)
        out = joints[:, bend] - joints[:, first]
        out = out - along * (out * along).sum(axis=1, keepdims=True)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
        share = (a**2 - b**2 + reach**2) / (2 * reach)
        joints[:, bend] = joints[:, first] + along * share + out * np.sqrt(np.maximum(a**2 - share**2, 0.0))
        moved = joints[:, first] + along * reach - joints[:, last]
        for name in (end, *tips):
            joints[:, AT[f"{side} {name}"]] += moved

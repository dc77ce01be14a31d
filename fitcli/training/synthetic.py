"""Synthetic people: landmark sequences of the 16 exercises, as BlazePose would have measured them, with known counts.

A kinematic skeleton moves through `movements.MOVEMENTS`, a camera looks at it, and the errors of a single-camera pose
network are added: jitter, slow drift, flattened depth, guessed limbs where the body hides them, left and right swapped,
frames without a person. Numbers marked (measured) are medians over the real training clips of the pose data that the
default checkpoints are trained on, world landmarks repaired; others are set so that the drawn skeletons look alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fitcli.pose.track import LANDMARKS, MIRRORED, PoseTrack
from fitcli.training.movements import MOVEMENTS, POSTURES, STANDING, Angle, Movement

Array = npt.NDArray[np.float64]

STILL, WALKING = "still", "walking"
"""Names that `synthesize` takes besides those of the 16 exercises: people who repeat nothing that counts."""

COUNT = len(LANDMARKS)
_AT = {name: i for i, name in enumerate(LANDMARKS)}
_SIDES = (("left", 1.0), ("right", -1.0))

_LENGTHS_M = {
    "shoulders": 0.33, "hips": 0.22, "torso": 0.48, "upper arm": 0.255, "forearm": 0.235, "thigh": 0.40, "shin": 0.375,
}  # fmt: skip
"""BlazePose's own proportions (measured): its shoulders and hips lie inside the body's outline."""

_HEAD_M = {
    "nose": (0.0, 0.165, 0.155), "left eye inner": (0.013, 0.204, 0.146), "left eye": (0.016, 0.204, 0.145),
    "left eye outer": (0.019, 0.204, 0.144), "left ear": (0.070, 0.181, 0.042), "mouth left": (0.021, 0.137, 0.125),
}  # fmt: skip
"""Face landmarks of an upright person off the middle of the shoulders: to the left, up, forward (measured)."""

_HAND_M = {"pinky": (0.0, -0.062, -0.022), "index": (0.0, -0.070, 0.008), "thumb": (0.0, -0.030, 0.022)}
_FOOT_M = {"heel": (0.0, -0.044, -0.012), "foot index": (0.022, -0.068, 0.125)}

_PARENTS = {
    "elbow": "shoulder", "wrist": "elbow", "pinky": "wrist", "index": "wrist", "thumb": "wrist",
    "knee": "hip", "ankle": "knee", "heel": "ankle", "foot index": "ankle",
}  # fmt: skip
_PARENT = {_AT[f"{side} {child}"]: _AT[f"{side} {parent}"] for child, parent in _PARENTS.items() for side, _ in _SIDES}


@dataclass(frozen=True)
class Camera:
    """Where the video is taken from.

    yaw_deg: 0 sees the front, 90 the person's left, 180 the back. pitch_deg: how far it looks down. roll_deg: how far
    the picture leans. field_of_view_deg: of the picture's longer side. fill: the share of the frame that the whole
    movement takes; more than 1 cuts people off. shift_x, shift_y: the movement's middle off the picture's, in shares of
    the frame. width, height: pixels. mirrored: left and right changed over, as selfie cameras do.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 5.0
    roll_deg: float = 0.0
    field_of_view_deg: float = 55.0
    fill: float = 0.75
    shift_x: float = 0.0
    shift_y: float = 0.0
    width: int = 640
    height: int = 480
    mirrored: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator, *, lying: bool = False) -> Camera:
        """A camera as people place them: any side, mostly the front half (or a lying person's side); any format."""
        shares = [0.05, 0.32, 0.47, 0.04, 0.12] if lying else [0.24, 0.32, 0.22, 0.10, 0.12]
        quarter = rng.choice(["front", "three-quarter", "side", "back", "any"], p=shares)
        yaw = {
            "front": rng.normal(0, 10),
            "three-quarter": rng.choice((-1, 1)) * rng.uniform(20, 65),
            "side": rng.choice((-1, 1)) * rng.uniform(65, 110),
            "back": 180 + rng.uniform(-60, 60),
            "any": rng.uniform(-180, 180),
        }[str(quarter)]
        formats = ((640, 360), (360, 640), (480, 480), (640, 480), (480, 640))
        width, height = formats[rng.choice(len(formats), p=[0.4, 0.22, 0.2, 0.1, 0.08])]
        return cls(
            yaw_deg=float(yaw),
            pitch_deg=float(np.clip(rng.gamma(1.6, 7.0) - 5.0, -10, 40)),
            roll_deg=float(rng.normal(0, 1.5)),
            field_of_view_deg=float(rng.uniform(35, 75)),
            fill=float(np.clip(rng.normal(0.78, 0.16), 0.35, 1.25)),
            shift_x=float(rng.normal(0, 0.05)),
            shift_y=float(rng.normal(0, 0.04)),
            width=width,
            height=height,
            mirrored=bool(rng.random() < 0.1),
        )


@dataclass(frozen=True)
class Noise:
    """How much goes wrong; 1 is as measured on real videos, `Noise.none()` is a perfect observer.

    jitter: from frame to frame. drift: slowly. flattening: depth that is missed. hiding: limbs that are not seen
    (behind the body or out of the picture) are marked as such and guessed. hidden_limb: probability that one limb is
    behind something all the time. swaps_per_s, dropouts_per_s: how often left and right change over, and nobody is
    found.
    """

    jitter: float = 1.0
    drift: float = 1.0
    flattening: float = 1.0
    hiding: float = 1.0
    hidden_limb: float = 0.25
    swaps_per_s: float = 0.02
    dropouts_per_s: float = 0.02

    @classmethod
    def none(cls) -> Noise:
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class SyntheticSequence:
    """A person training, and what is true of it.

    exercise: None for still and walking people. variant: the name of the movement. repetitions: complete ones, each
    with its (start, end) in seconds; a russian twist's is left, right and back, an alternating exercise's one limb's.
    """

    track: PoseTrack
    exercise: str | None
    variant: str
    repetitions: int
    repetition_times_s: tuple[tuple[float, float], ...]


def synthesize(
    exercise: str,
    rng: np.random.Generator,
    *,
    repetitions: int | None = None,
    variant: str | None = None,
    repetition_s: float | None = None,
    rate_hz: float = 15.0,
    camera: Camera | None = None,
    noise: Noise | None = None,
    surroundings: bool = True,
) -> SyntheticSequence:
    """Make one sequence of an exercise of the catalogue, or of a "still" or "walking" person.

    repetitions: how many complete ones (1 to 12 at random). variant: by name (any). repetition_s: their usual duration.
    rate_hz: samples a second. camera, noise: at random, and as real. surroundings: seconds before and after the set in
    which the person gets ready, rests or stands about, and repetitions that the video's edges cut in half.

    Raises `KeyError` for an exercise or variant that is not there.
    """
    noise = Noise() if noise is None else noise
    if exercise in (STILL, WALKING):
        performance = (_stand_still if exercise == STILL else _walk)(rng, rate_hz)
    else:
        movements = {movement.name: movement for movement in MOVEMENTS[exercise]}
        movement = movements[variant or str(rng.choice(list(movements)))]
        count = int(np.clip(rng.geometric(0.2) + 1, 1, 12)) if repetitions is None else repetitions
        performance = _train(movement, rng, rate_hz, count, repetition_s, surroundings)
    if camera is None:
        trunk = performance.joints[:, _AT["left shoulder"]] - performance.joints[:, _AT["left hip"]]
        camera = Camera.random(rng, lying=bool(np.median(trunk[:, 1]) < 0.55 * _LENGTHS_M["torso"]))
    track = _observe(performance.joints, performance.times_s, camera, noise, rng)
    return SyntheticSequence(
        track,
        None if exercise in (STILL, WALKING) else exercise,
        performance.variant,
        len(performance.repetition_times_s),
        performance.repetition_times_s,
    )


# --- what the person does ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Performance:
    """joints: (N, 33, 3) metres in the room: to the person's left, up, forward, as the person stands at first."""

    variant: str
    times_s: Array
    joints: Array
    repetition_times_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class _Tempo:
    """phase: (N, 2) of the left and right limbs, 0 at the start, 1 at the turning point. getting_ready: (N,), 1..0."""

    times_s: Array
    phase: Array
    getting_ready: Array
    repetition_times_s: tuple[tuple[float, float], ...]


def _train(
    movement: Movement,
    rng: np.random.Generator,
    rate_hz: float,
    count: int,
    repetition_s: float | None,
    surroundings: bool,
) -> _Performance:
    tempo = _tempo(movement, rng, rate_hz, count, repetition_s, surroundings)
    body = _body(rng)
    start, turn = _key_poses(movement, rng)
    angles: dict[str, Array] = {}
    shared = tempo.phase.max(axis=1, keepdims=True)
    effort = rng.normal(0, 1.0, 2)
    for name in STANDING:
        phase = tempo.phase if name in _LIMB_ANGLES else np.repeat(shared, 2, axis=1)
        angles[name] = start[name] + (turn[name] - start[name]) * phase
    angles["lean"] = angles["lean"] + effort[0] * 2.0 * shared
    angles["nod"] = angles["nod"] + effort[1] * 3.0 * shared
    on_feet = movement.pinned == "ankles" and not movement.held
    for name in angles:
        own = _wander(rng, tempo.times_s, 2, 0.1, 0.7) * 1.3
        if name in ("lean", "curve", "tip", "twist", "nod"):
            own = own[:, :1].repeat(2, axis=1)
        angles[name] = angles[name] + own
        if on_feet:  # before and after, people stand about and move as they like
            idle = STANDING[name] + _wander(rng, tempo.times_s, 2, 0.1, 0.5) * _FIDGET.get(name, 2.0)
            angles[name] += (idle - angles[name]) * tempo.getting_ready[:, None]
        else:
            angles[name] += _wander(rng, tempo.times_s, 2, 0.1, 0.5) * 3.0 * tempo.getting_ready[:, None]
    if movement.pinned == "hips":  # the thighs stay on the seat or in the air, however the trunk leans
        angles["hip"] = angles["hip"] + angles["lean"] - start["lean"]
    joints = _pose(angles, body, movement.flat_feet)
    reference = _pose({name: value[None] for name, value in start.items()}, body, movement.flat_feet)
    joints += (_pinned(reference, movement) - _pinned(joints, movement))[:, None]
    if movement.held:
        _hold(joints, reference, body, movement.held)
    sway = _wander(rng, tempo.times_s, 3, 0.05, 0.3) * np.array([0.008, 0.0, 0.008])
    step = _wander(rng, tempo.times_s, 3, 0.05, 0.25) * np.array([0.10, 0.0, 0.10])
    joints += (sway + step * (tempo.getting_ready[:, None] if on_feet else 0.0))[:, None]
    return _Performance(movement.name, tempo.times_s, joints, tempo.repetition_times_s)


_LIMB_ANGLES = {"hip", "spread", "splay", "knee", "ankle", "lift", "plane", "spin", "elbow"}
_FIDGET = {"lift": 9.0, "plane": 20.0, "elbow": 16.0, "spin": 10.0, "nod": 9.0, "twist": 8.0, "lean": 3.0}
"""Standard deviations in degrees of the wandering of people who stand about."""


def _key_poses(movement: Movement, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """Angles (2,) of left and right at the start and at the turning point, as this person has them."""
    moving_sides = np.ones(2)
    if movement.sides == "one":
        moving_sides[rng.integers(2)] = 0.0
    range_of_motion = float(np.clip(rng.normal(0.97, 0.09), 0.7, 1.12))
    start, turn = {}, {}
    for name, usual in STANDING.items():
        first, last = _ends(movement.angles.get(name, usual))
        shift = rng.normal(0, 3.5) + rng.normal(0, 1.5, 2) * (name in _LIMB_ANGLES)
        start[name] = first + shift
        moving = moving_sides if name in _LIMB_ANGLES else np.ones(2)
        travel = (last - first) * range_of_motion + (rng.normal(0, 4.0) if last != first else 0.0)
        turn[name] = start[name] + travel * moving
    for straight in ("knee", "elbow"):  # joints that bend one way only
        start[straight], turn[straight] = (np.clip(pose[straight], 0.0, 150.0) for pose in (start, turn))
    if rng.random() < 0.5:  # who begins to the right
        start["twist"], turn["twist"] = -start["twist"], -turn["twist"]
    return start, turn


def _ends(angle: Angle) -> tuple[float, float]:
    return angle if isinstance(angle, tuple) else (angle, angle)


def _tempo(
    movement: Movement,
    rng: np.random.Generator,
    rate_hz: float,
    count: int,
    repetition_s: float | None,
    surroundings: bool,
) -> _Tempo:
    """When each repetition goes out and back, from a typical duration, an eccentric share, pauses and fatigue."""
    shortest, longest = movement.repetition_s
    usual = repetition_s or float(np.exp(rng.uniform(math.log(shortest), math.log(longest))))
    out_share = rng.uniform(0.35, 0.65)
    pause_out, pause_back = (rng.uniform(0, 0.3) if rng.random() < 0.4 else rng.uniform(0, 0.06) for _ in range(2))
    fatigue = rng.uniform(0, 0.25) if rng.random() < 0.5 else 0.0
    irregular = rng.uniform(0.02, 0.12)

    knots: list[tuple[float, float, int]] = []  # (time, phase reached, side that moves)
    clock, ready = 0.0, 0.0
    spans: list[tuple[float, float]] = []
    cut_first, cut_last = (surroundings and rng.random() < 0.2 for _ in range(2))
    if cut_first:
        knots.append((0.0, rng.uniform(0.2, 0.7), 0))
        clock = 0.5 * usual * rng.uniform(0.3, 0.7)
    elif surroundings:
        clock = float(rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.8, 5.0)]))
        ready = clock - rng.uniform(0.05, 0.3)
    knots.append((clock, 0.0, 0))
    for number in range(count):
        side = number % 2 if movement.sides == "alternate" else 0
        tired = number / max(count - 1, 1) * fatigue
        duration = usual * (1 + 0.6 * tired) * float(np.exp(rng.normal(0, irregular)))
        depth = float(np.clip((1 - 0.5 * tired) * rng.normal(1.0, 0.5 * irregular), 0.75, 1.1))
        begin = clock
        for share, reached in ((out_share, depth), (pause_out, depth), (1 - out_share, 0.0)):
            clock += duration * share
            knots.append((clock, reached, side))
        spans.append((begin, clock))
        clock += duration * pause_back
        knots.append((clock, 0.0, side))
    rest_from = math.inf
    if cut_last:
        clock += 0.5 * usual * rng.uniform(0.3, 0.8)
        knots.append((clock, rng.uniform(0.2, 0.7), 0))
    elif surroundings:
        rest_from = clock + rng.uniform(0.1, 0.5)
        clock += float(rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.8, 5.0)]))
    times = np.arange(0.0, clock, 1.0 / rate_hz)

    at, value = np.array([knot[0] for knot in knots]), np.array([knot[1] for knot in knots])
    skew = np.exp(rng.normal(0, 0.15, len(knots)))
    index = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(knots) - 2)
    elapsed = np.clip((times - at[index]) / np.maximum(at[index + 1] - at[index], 1e-6), 0, 1) ** skew[index + 1]
    moving = value[index] + (value[index + 1] - value[index]) * _ease(elapsed)
    phase = np.repeat(moving[:, None], 2, axis=1)
    if movement.sides == "alternate":
        phase *= np.array([knot[2] for knot in knots])[index + 1, None] == np.arange(2)
    elif rng.random() < 0.5:  # one side a little later than the other
        late = rng.integers(2)
        phase[:, late] = np.interp(times - rng.uniform(0, 0.06), times, phase[:, late])

    change = rng.uniform(0.5, 1.2)
    getting_ready = _ease(np.clip((ready - times) / change, 0, 1)) + _ease(np.clip((times - rest_from) / change, 0, 1))
    return _Tempo(times, phase, np.minimum(getting_ready, 1.0), tuple(spans))


def _stand_still(rng: np.random.Generator, rate_hz: float) -> _Performance:
    """Somebody stands, sits, lies, or holds an exercise's pose, fidgeting."""
    times = np.arange(0.0, rng.uniform(4.0, 15.0), 1.0 / rate_hz)
    held = [movement for variants in MOVEMENTS.values() for movement in variants]
    movement = POSTURES[rng.integers(len(POSTURES))] if rng.random() < 0.7 else held[rng.integers(len(held))]
    start, _ = _key_poses(movement, rng)
    restless = rng.uniform(0.1, 1.0)
    angles = {
        name: value + _wander(rng, times, 2, 0.05, 0.4) * _FIDGET.get(name, 2.0) * 0.6 * restless
        for name, value in start.items()
    }
    joints = _pose(angles, _body(rng), movement.flat_feet)
    joints += (_pinned(joints[:1], movement) - _pinned(joints, movement))[:, None]
    joints += (_wander(rng, times, 3, 0.05, 0.3) * np.array([0.02, 0.0, 0.02]) * restless)[:, None]
    return _Performance(movement.name, times, joints)


def _walk(rng: np.random.Generator, rate_hz: float) -> _Performance:
    """Somebody walks through the picture, up and down in it, or on the spot (as on a treadmill)."""
    times = np.arange(0.0, rng.uniform(4.0, 12.0), 1.0 / rate_hz)
    speed = rng.uniform(0.7, 1.5)
    stride = 2 * math.pi * (0.55 + 0.3 * speed) * times * (1 + 0.03 * _wander(rng, times, 1, 0.05, 0.2)[:, 0])
    swing = np.stack([np.sin(stride), -np.sin(stride)], axis=1)
    follow = np.stack([np.sin(stride - 1.9), -np.sin(stride - 1.9)], axis=1)  # the knee bends as the leg comes forward
    arms = rng.uniform(6, 26)
    angles = {name: np.full((len(times), 2), float(_ends(angle)[0])) for name, angle in STANDING.items()}
    angles["hip"] = 6 + 22 * speed / 1.2 * swing
    angles["knee"] = 8 + 48 * np.maximum(-follow, 0) ** 1.5
    angles["lift"], angles["plane"] = 3 - arms * swing, np.full_like(swing, 8.0)
    angles["elbow"] = 20 + 10 * np.maximum(-swing, 0)
    angles["twist"] = np.repeat(-5 * swing[:, :1], 2, axis=1)
    for name in angles:
        angles[name] = angles[name] + rng.normal(0, 3) + _wander(rng, times, 2, 0.1, 0.5) * 1.5
    angles["knee"] = np.maximum(angles["knee"], 0.0)
    joints = _pose(angles, _body(rng), flat_feet=False)
    joints[..., 1] += (0.02 * np.cos(2 * stride))[:, None]
    pace = float(rng.choice([0.0, 1.0, 1.0])) * speed
    turns = np.floor(times * pace / rng.uniform(1.5, 4.0))  # how often they have turned back so far
    heading = np.convolve(np.pad(turns * math.pi, 7, "edge"), np.ones(15) / 15, "valid")
    heading += 0.15 * _wander(rng, times, 1, 0.05, 0.2)[:, 0]
    forward = np.stack([np.sin(heading), np.zeros_like(heading), np.cos(heading)], axis=1)
    joints = np.einsum("nij,nkj->nki", _turn("y", np.degrees(heading)), joints)
    joints += (np.cumsum(forward, axis=0) * pace / rate_hz)[:, None]
    return _Performance(WALKING, times, joints)


# --- the skeleton -----------------------------------------------------------------------------------------------------


def _body(rng: np.random.Generator) -> dict[str, float]:
    """Segment lengths in metres: people differ by a few per cent as a whole and in each part."""
    size = rng.normal(1.0, 0.035)
    body = {name: length * size * rng.normal(1.0, 0.03) for name, length in _LENGTHS_M.items()}
    return body | {"size": size, "grip": float(rng.choice([0.0, 80.0, -80.0])) + rng.normal(0, 12)}


def _turn(axis: str, angle_deg: npt.ArrayLike) -> Array:
    """Rotations (..., 3, 3) about "x", "y" or "z", right-handed."""
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    cos, sin = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.zeros((*angle.shape, 3, 3))
    rotation[..., range(3), range(3)] = 1.0
    rotation[..., i, i] = rotation[..., j, j] = cos
    rotation[..., i, j], rotation[..., j, i] = -sin, sin
    return rotation


def _pose(angles: Mapping[str, Array], body: Mapping[str, float], flat_feet: bool) -> Array:
    """Forward kinematics: joints (N, 33, 3) off the middle of the hips, for the angles (N, 2) of left and right."""
    trunk = {name: angles[name].mean(axis=1) for name in ("lean", "curve", "tip", "twist", "nod")}
    pelvis = _turn("x", trunk["lean"])
    chest = pelvis @ _turn("y", trunk["twist"]) @ _turn("x", trunk["curve"]) @ _turn("z", -trunk["tip"])
    head = chest @ _turn("x", trunk["nod"])
    neck = (pelvis[:, :, 1] + chest[:, :, 1]) * body["torso"] / 2  # half way up, the spine bends
    joints = np.zeros((len(neck), COUNT, 3))

    def place(name: str, origin: Array, rotation: Array, offset: tuple[float, float, float] | Array) -> Array:
        joints[:, _AT[name]] = origin + rotation @ np.asarray(offset)
        return joints[:, _AT[name]]

    for name, offset in _HEAD_M.items():
        for side, sign in _SIDES:
            place(name.replace("left", side), neck, head, np.array(offset) * (sign, 1, 1) * body["size"])
    for column, (side, sign) in enumerate(_SIDES):
        angle = {name: angles[name][:, column] for name in _LIMB_ANGLES}

        shoulder = place(f"{side} shoulder", neck, chest, (sign * body["shoulders"] / 2, 0.0, 0.0))
        plane = sign * angle["plane"]
        lifted = _turn("y", plane) @ _turn("x", -angle["lift"]) @ _turn("y", -plane)
        upper_arm = chest @ lifted @ _turn("y", sign * angle["spin"])
        elbow = place(f"{side} elbow", shoulder, upper_arm, (0.0, -body["upper arm"], 0.0))
        forearm = upper_arm @ _turn("x", -angle["elbow"])
        wrist = place(f"{side} wrist", elbow, forearm, (0.0, -body["forearm"], 0.0))
        hand = forearm @ _turn("y", np.full(len(neck), -sign * body["grip"]))
        for name, offset in _HAND_M.items():
            place(f"{side} {name}", wrist, hand, np.array(offset) * body["size"])

        hip = place(f"{side} hip", np.zeros(3), pelvis, (sign * body["hips"] / 2, 0.0, 0.0))
        thigh = pelvis @ _turn("y", sign * angle["splay"]) @ _turn("z", sign * angle["spread"])
        thigh = thigh @ _turn("x", -angle["hip"])
        knee = place(f"{side} knee", hip, thigh, (0.0, -body["thigh"], 0.0))
        shin = thigh @ _turn("x", angle["knee"])
        ankle = place(f"{side} ankle", knee, shin, (0.0, -body["shin"], 0.0))
        foot = _levelled(shin) if flat_feet else shin @ _turn("x", angle["ankle"])
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
    return np.asarray(joints[:, [_AT[f"left {name}"], _AT[f"right {name}"]]].mean(axis=1))


def _hold(joints: Array, reference: Array, body: Mapping[str, float], held: str) -> None:
    """Bring hands or feet back to where they are in `reference` (1, 33, 3), in place: two-bone inverse kinematics."""
    chain = ("shoulder", "elbow", "wrist", "upper arm", "forearm", tuple(_HAND_M))
    if held == "feet":
        chain = ("hip", "knee", "ankle", "thigh", "shin", tuple(_FOOT_M))
    root, middle, end, upper, lower, tips = chain
    for side, _ in _SIDES:
        first, bend, last = (_AT[f"{side} {name}"] for name in (root, middle, end))
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
            joints[:, _AT[f"{side} {name}"]] += moved


# --- what a pose network makes of it ----------------------------------------------------------------------------------

_GROUPS = {
    "nose": "face", "eye": "face", "ear": "face", "mouth": "face", "shoulder": "shoulder", "hip": "hip",
    "elbow": "elbow", "wrist": "wrist", "pinky": "hand", "index": "hand", "thumb": "hand",
    "knee": "knee", "ankle": "ankle", "heel": "foot", "foot": "foot",
}  # fmt: skip


def _group(landmark: str) -> str:
    words = landmark.split()
    return "foot" if "foot" in words else next(_GROUPS[word] for word in words if word in _GROUPS)


_GROUP = tuple(_group(name) for name in LANDMARKS)

_JITTER_M = {
    "face": (0.0045, 0.0045, 0.0065), "shoulder": (0.0035, 0.004, 0.0055), "hip": (0.0015, 0.0015, 0.0016),
    "elbow": (0.005, 0.0055, 0.0075), "wrist": (0.0055, 0.006, 0.0098), "hand": (0.006, 0.0065, 0.010),
    "knee": (0.005, 0.0055, 0.006), "ankle": (0.0063, 0.0065, 0.0095), "foot": (0.007, 0.007, 0.011),
}  # fmt: skip
"""Frame-to-frame standard deviation in x, y, z of landmarks that are seen, of people who hold still (measured)."""

_HIDDEN_JITTER = 1.5
"""As much more where the landmark is hidden (measured: 1.2 at elbows and knees, 1.6 to 2 at hands and feet)."""

_DRIFT_M = {
    "face": (0.005, 0.005, 0.010), "shoulder": (0.005, 0.005, 0.012), "hip": (0.003, 0.003, 0.007),
    "elbow": (0.008, 0.007, 0.020), "wrist": (0.008, 0.008, 0.024), "hand": (0.004, 0.004, 0.008),
    "knee": (0.008, 0.007, 0.018), "ankle": (0.008, 0.008, 0.024), "foot": (0.005, 0.005, 0.011),
}  # fmt: skip
"""Slow error of a seen landmark off its parent joint: lets the bones' lengths vary as measured (1 to 1.6 cm)."""

_HIDDEN_DRIFT = (2.0, 2.0, 1.8)

_DEPTH_KEPT = {"elbow": 0.72, "wrist": 0.78, "hand": 0.6, "knee": 0.92, "ankle": 0.94, "foot": 0.75}
"""Share of a bone's depth that is found (measured: an upper arm that points at the camera is .17 m long, not .255)."""

_SEEN_LOGIT = {"elbow": 3.6, "wrist": 3.3, "hand": 2.6, "knee": 3.6, "ankle": 3.4, "foot": 3.0}
"""Visibility before the sigmoid (measured: .98, .97, .93, .97, .97, .95); face, shoulders and hips have .99 always."""

_CAPSULES = (
    (("left shoulder", "right hip"), 0.14), (("right shoulder", "left hip"), 0.14),
    (("left hip", "left knee"), 0.075), (("right hip", "right knee"), 0.075),
    (("left knee", "left ankle"), 0.05), (("right knee", "right ankle"), 0.05),
    (("left shoulder", "left elbow"), 0.045), (("right shoulder", "right elbow"), 0.045),
    (("left elbow", "left wrist"), 0.04), (("right elbow", "right wrist"), 0.04),
)  # fmt: skip
"""The body that hides landmarks behind it: segments between landmarks, radius in metres."""


def _observe(joints: Array, times_s: Array, camera: Camera, noise: Noise, rng: np.random.Generator) -> PoseTrack:
    """Look at joints (N, 33, 3) in the room through a camera and measure them as well as BlazePose does."""
    right, down, away = _axes(camera)
    seen_from = joints @ np.stack([right, down, away], axis=1)  # (N, 33, 3), camera axes, metres in the room
    low, high = np.percentile(seen_from.reshape(-1, 3), [1, 99], axis=0)
    focal = 0.5 * max(camera.width, camera.height) / math.tan(math.radians(camera.field_of_view_deg) / 2)
    frame = np.array([camera.width, camera.height])
    distance = float(np.max(focal * np.maximum(high - low, 0.3)[:2] / (camera.fill * frame)))
    # Nobody films from nearer than this, however wide the lens.
    distance = max(distance, 0.8 + float(high[2] - low[2]) / 2)
    in_camera = seen_from - (low + high) / 2 + (0.0, 0.0, distance)
    in_camera[..., 2] = np.maximum(in_camera[..., 2], 0.3)
    scale = focal / in_camera[..., 2:]
    pixels = in_camera[..., :2] * scale + frame * (0.5 + np.array([camera.shift_x, camera.shift_y]))

    left_hip, right_hip = _AT["left hip"], _AT["right hip"]
    middle = (in_camera[:, [left_hip]] + in_camera[:, [right_hip]]) / 2
    hidden = _hidden(in_camera, pixels / frame, noise, rng)
    error = _error(in_camera - middle, hidden, times_s, noise, rng)
    world = in_camera - middle + error
    world -= (world[:, [left_hip]] + world[:, [right_hip]]) / 2
    # The two outputs of the network are measured apart, and agree in most of their error.
    own = rng.normal(0, 0.003 * noise.jitter, pixels.shape)
    pixels = pixels + (0.85 * error[..., :2] + own) * scale
    landmarks = np.concatenate([pixels / frame, _visibility(hidden, times_s, noise, rng)[..., None]], axis=2)
    if camera.mirrored:
        landmarks, world = landmarks[:, MIRRORED], world[:, MIRRORED]
        landmarks[..., 0], world[..., 0] = 1 - landmarks[..., 0], -world[..., 0]

    _swap_sides(landmarks, world, times_s, noise, rng)
    presence = 1 / (1 + np.exp(-(6.0 + 1.3 * _wander(rng, times_s, 1, 0.2, 1.0)[:, 0])))
    for first, last in _spells(times_s, noise.dropouts_per_s, 0.4, rng):
        landmarks[first:last], world[first:last], presence[first:last] = 0.0, 0.0, 0.0
    return PoseTrack(
        times_s,
        landmarks.astype(np.float32),
        world.astype(np.float32),
        presence.astype(np.float32),
        camera.width,
        camera.height,
    )


def _axes(camera: Camera) -> tuple[Array, Array, Array]:
    """Right, down and away of the picture, in the room."""
    yaw, pitch, roll = (math.radians(v) for v in (camera.yaw_deg, camera.pitch_deg, camera.roll_deg))
    away = -np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    down = np.cross(away, right)
    return right * math.cos(roll) + down * math.sin(roll), down * math.cos(roll) - right * math.sin(roll), away


def _hidden(in_camera: Array, image: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """How far landmarks (N, 33) are from being seen: 0 in plain sight, 1 behind the body, more outside the picture."""
    hidden = np.zeros(image.shape[:2])
    flat = in_camera[..., :2] / in_camera[..., 2:]
    limbs = [i for i, group in enumerate(_GROUP) if group in _SEEN_LOGIT]
    for (first, last), radius in _CAPSULES:
        ends = _AT[first], _AT[last]
        # A limb's own segment and its neighbours do not hide it.
        others = [i for i in limbs if i not in ends and _PARENT[i] not in ends and _PARENT.get(_PARENT[i]) not in ends]
        start, span = flat[:, [ends[0]]], flat[:, [ends[1]]] - flat[:, [ends[0]]]
        share = ((flat[:, others] - start) * span).sum(2) / np.maximum((span**2).sum(2), 1e-9)
        share = np.clip(share, 0, 1)
        depth = in_camera[:, [ends[0]], 2] * (1 - share) + in_camera[:, [ends[1]], 2] * share
        gap = np.linalg.norm(flat[:, others] - start - span * share[..., None], axis=2) * depth
        behind = in_camera[:, others, 2] - depth
        covered = np.clip((radius - gap) / 0.03 + 0.5, 0, 1) * np.clip((behind - 0.4 * radius) / 0.05, 0, 1)
        hidden[:, others] = np.maximum(hidden[:, others], covered)
    if rng.random() < noise.hidden_limb:  # behind a machine, a bench or a plate, all the time
        part = rng.choice(("elbow", "wrist", "knee", "ankle"), p=[0.1, 0.3, 0.25, 0.35])
        top = _AT[f"{rng.choice(('left', 'right'))} {part}"]
        behind_things = [i for i in limbs if top in (i, _PARENT[i], _PARENT.get(_PARENT[i]))]
        hidden[:, behind_things] = np.maximum(hidden[:, behind_things], 0.9)
    outside = np.maximum(np.maximum(-image, image - 1), 0).max(axis=2)
    hidden[:, limbs] += np.clip(outside[:, limbs] * 8, 0, 1.5)
    return hidden * noise.hiding


def _error(world: Array, hidden: Array, times_s: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """Error (N, 33, 3) in metres of landmarks (N, 33, 3) that are `hidden` (N, 33)."""
    clumsy = float(np.exp(rng.normal(0, 0.35)))  # clips differ: size of the person, light, blur
    hidden = np.minimum(hidden, 1.0)[..., None]
    jitter = np.array([_JITTER_M[group] for group in _GROUP]) * (1 + (_HIDDEN_JITTER - 1) * hidden)
    total = rng.normal(0, 1, world.shape) * jitter * noise.jitter * clumsy
    drift = np.array([_DRIFT_M[group] for group in _GROUP]) * (1 + (np.array(_HIDDEN_DRIFT) - 1) * hidden)
    slow = _wander(rng, times_s, COUNT * 3, 0.1, 1.2).reshape(world.shape) * drift * noise.drift * clumsy
    guessed = np.clip(rng.normal(0.55, 0.2), 0.1, 0.9) * hidden * (noise.hiding > 0)
    for child, parent in _PARENT.items():  # parents come first: errors add up along a limb
        bone = world[:, child] - world[:, parent]
        kept = 1 - (1 - _DEPTH_KEPT[_GROUP[child]] * np.clip(rng.normal(1.0, 0.06), 0.8, 1.15)) * noise.flattening
        slow[:, child, 2] += bone[:, 2] * (kept - 1)
        # A limb that is not seen is put where it usually is rather than where it is.
        slow[:, child] += (bone.mean(axis=0) - bone) * guessed[:, child]
        slow[:, child] += slow[:, parent]
    return np.asarray(total + slow)


def _visibility(hidden: Array, times_s: Array, noise: Noise, rng: np.random.Generator) -> Array:
    logit = np.full(hidden.shape, 7.0)
    for i, group in enumerate(_GROUP):
        if group in _SEEN_LOGIT:
            logit[:, i] = _SEEN_LOGIT[group] + rng.normal(0, 0.9) - hidden[:, i] * rng.normal(4.6, 0.9)
    unsteady = 0.5 * _wander(rng, times_s, COUNT, 0.1, 1.0) + rng.normal(0, 0.3, logit.shape)
    logit += unsteady * (noise.jitter > 0)
    return np.asarray(1 / (1 + np.exp(-logit)))


def _swap_sides(landmarks: Array, world: Array, times_s: Array, noise: Noise, rng: np.random.Generator) -> None:
    """For a few frames take the left limbs for the right ones, in place."""
    arms, legs = (
        [i for i, g in enumerate(_GROUP) if g in groups]
        for groups in (("elbow", "wrist", "hand"), ("knee", "ankle", "foot"))
    )
    for first, last in _spells(times_s, noise.swaps_per_s, 0.25, rng):
        swapped = (arms, legs, range(COUNT))[rng.integers(3)]
        twins = [MIRRORED[i] for i in swapped]
        for values in (landmarks, world):
            values[first:last, list(swapped)] = values[first:last, twins]


def _spells(times_s: Array, rate_per_s: float, mean_s: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Random stretches of samples, first and one past the last, that begin `rate_per_s` times a second."""
    span = float(times_s[-1] - times_s[0])
    starts = times_s[0] + rng.uniform(0, span, rng.poisson(rate_per_s * span))
    return [
        (int(np.searchsorted(times_s, start)), int(np.searchsorted(times_s, start + rng.exponential(mean_s))) + 1)
        for start in starts
    ]


# --- shapes of time ---------------------------------------------------------------------------------------------------


def _ease(x: Array) -> Array:
    """From 0 to 1 with rest at both ends: minimum jerk (Flash and Hogan, J. Neuroscience 5, 1985)."""
    return np.asarray(x**3 * (10 - 15 * x + 6 * x**2))


def _wander(rng: np.random.Generator, times_s: Array, channels: int, slowest_hz: float, fastest_hz: float) -> Array:
    """Smooth random curves (N, channels) of standard deviation 1: three sines each."""
    frequency = rng.uniform(slowest_hz, fastest_hz, (3, channels))
    start = rng.uniform(0, 2 * math.pi, (3, channels))
    curves = np.sin(2 * math.pi * frequency * times_s[:, None, None] + start)
    return np.asarray(curves.sum(axis=1) * math.sqrt(2 / 3))

"""Synthetic people: landmark sequences of every exercise, as BlazePose would have measured them, with known counts.

A kinematic skeleton (`skeleton`) moves through the key poses of `movements.MOVEMENTS` in a person's own tempo, and a
camera and a pose network (`observation`) look at it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fitcli.catalog import catalog
from fitcli.pose.track import PoseTrack
from fitcli.training.synthetic.movements import MOVEMENTS, OTHER_MOVEMENTS, POSTURES, STANDING, Angle, Movement
from fitcli.training.synthetic.observation import Camera, Noise, observe, wander
from fitcli.training.synthetic.skeleton import AT, LENGTHS_M, LIMB_ANGLES, Array, pose, random_body, rotation, settle

__all__ = ["ELSE", "STILL", "WALKING", "Camera", "Noise", "SyntheticSequence", "synthesize"]

STILL, WALKING, ELSE = "still", "walking", "else"
"""Names that `synthesize` takes besides the catalogue's exercises: people who repeat nothing, and other exercises."""


@dataclass(frozen=True)
class SyntheticSequence:
    """A person who trains, with the ground truth.

    exercise: None for everything else. variant: the name of the movement. repetitions: complete ones, each
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
    """Make one sequence of an exercise of the catalogue or of another ("else"), or of a "still" or "walking" person.

    repetitions: how many complete ones (2 to 12 at random). variant: by name (any). repetition_s: their usual duration.
    rate_hz: samples a second. camera, noise: at random, and as real. surroundings: seconds before and after the set in
    which the person gets ready, rests or stands about, and repetitions that the video's edges cut in half.

    Raises `KeyError` for an exercise or variant that is not there and `ValueError` for less than one repetition.
    """
    if repetitions is not None and repetitions < 1:
        raise ValueError(f"A set has at least one repetition, not {repetitions}.")
    noise = Noise() if noise is None else noise
    if exercise in (STILL, WALKING):
        performance = (_stand_still if exercise == STILL else _walk)(rng, rate_hz)
    else:
        variants = OTHER_MOVEMENTS if exercise == ELSE else MOVEMENTS[exercise]
        movements = {movement.name: movement for movement in variants}
        movement = movements[variant or str(rng.choice(list(movements)))]
        count = int(np.clip(rng.geometric(0.2) + 1, 2, 12)) if repetitions is None else repetitions
        performance = _train(movement, rng, rate_hz, count, repetition_s, surroundings)
    if camera is None:
        trunk = performance.joints[:, AT["left shoulder"]] - performance.joints[:, AT["left hip"]]
        camera = Camera.random(rng, lying=bool(np.median(trunk[:, 1]) < 0.55 * LENGTHS_M["torso"]))
    track = observe(performance.joints, performance.times_s, camera, noise, rng)
    return SyntheticSequence(
        track,
        None if exercise in (STILL, WALKING, ELSE) else exercise,
        performance.variant,
        len(performance.repetition_times_s),
        performance.repetition_times_s,
    )


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
    body = random_body(rng)
    start, turn = _key_poses(movement, rng)
    angles: dict[str, Array] = {}
    shared = tempo.phase.max(axis=1, keepdims=True)
    effort = rng.normal(0, 1.0, 2)
    for name in STANDING:
        phase = tempo.phase if name in LIMB_ANGLES else np.repeat(shared, 2, axis=1)
        angles[name] = start[name] + (turn[name] - start[name]) * phase
    angles["lean"] = angles["lean"] + effort[0] * 2.0 * shared
    angles["nod"] = angles["nod"] + effort[1] * 3.0 * shared
    on_feet = movement.pinned == "ankles"
    # Degrees. Hands or feet that hold something steady the body.
    loose = 0.7 if movement.held or movement.pinned == "wrists" else 1.2
    for name in angles:
        own = wander(rng, tempo.times_s, 2, 0.1, 0.7) * loose
        if name in ("lean", "curve", "tip", "twist", "nod"):
            own = own[:, :1].repeat(2, axis=1)
        angles[name] = angles[name] + own
        if on_feet:  # before and after the set, people move about freely
            idle = STANDING[name] + wander(rng, tempo.times_s, 2, 0.1, 0.5) * _FIDGET.get(name, 2.0)
            angles[name] += (idle - angles[name]) * tempo.getting_ready[:, None]
        else:
            angles[name] += wander(rng, tempo.times_s, 2, 0.1, 0.5) * 3.0 * tempo.getting_ready[:, None]
    if movement.pinned == "hips":  # the trunk leans, the thighs stay
        angles["hip"] = angles["hip"] + angles["lean"] - start["lean"]
    joints = pose(angles, body, movement.flat_feet)
    reference = pose({name: value[None] for name, value in start.items()}, body, movement.flat_feet)
    settle(joints, reference, body, movement)
    sway = wander(rng, tempo.times_s, 3, 0.05, 0.3) * np.array([0.008, 0.0, 0.008])
    step = wander(rng, tempo.times_s, 3, 0.05, 0.25) * np.array([0.10, 0.0, 0.10])
    joints += (sway + step * (tempo.getting_ready[:, None] if on_feet else 0.0))[:, None]
    return _Performance(movement.name, tempo.times_s, joints, tempo.repetition_times_s)


_FIDGET = {"lift": 9.0, "plane": 20.0, "elbow": 16.0, "spin": 10.0, "nod": 9.0, "twist": 8.0, "lean": 3.0}
"""Standard deviations in degrees of the drift of people who stand around."""


def _key_poses(movement: Movement, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """Angles (2,) of left and right at the start and at the turning point, as this person has them."""
    moving_sides = np.ones(2)
    if movement.sides == "one":
        moving_sides[rng.integers(2)] = 0.0
    limbs = [0, 0]  # which of left and right lead and which trail
    if movement.trailing:
        limbs[rng.integers(2)] = 1
    range_of_motion = float(np.clip(rng.normal(0.97, 0.09), 0.7, 1.12))
    start, turn = {}, {}
    for name, usual in STANDING.items():
        leading = _ends(movement.angles.get(name, usual))
        first, last = np.array([leading, _ends(movement.trailing.get(name, leading))])[limbs].T
        shift = rng.normal(0, 3.5) + rng.normal(0, 1.5, 2) * (name in LIMB_ANGLES)
        start[name] = first + shift
        moving = moving_sides if name in LIMB_ANGLES else np.ones(2)
        travel = (last - first) * range_of_motion + (rng.normal(0, 4.0) if (last != first).any() else 0.0)
        turn[name] = start[name] + travel * moving
    for straight in ("knee", "elbow"):  # joints that bend one way only
        start[straight], turn[straight] = (np.clip(key[straight], 0.0, 150.0) for key in (start, turn))
    if rng.random() < 0.5:  # begins to the right
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
    """Somebody stands, sits, lies, or holds the pose of an exercise, and fidgets."""
    times = np.arange(0.0, rng.uniform(4.0, 15.0), 1.0 / rate_hz)
    # Keeping still in the pose of an exercise is not the exercise, unless it is a hold.
    paused = [exercise for exercise in catalog().exercises if exercise.counted != "seconds"]
    held = [movement for exercise in paused for movement in MOVEMENTS[exercise.name]]
    movement = POSTURES[rng.integers(len(POSTURES))] if rng.random() < 0.7 else held[rng.integers(len(held))]
    start, _ = _key_poses(movement, rng)
    restless = rng.uniform(0.1, 1.0)
    angles = {
        name: value + wander(rng, times, 2, 0.05, 0.4) * _FIDGET.get(name, 2.0) * 0.6 * restless
        for name, value in start.items()
    }
    body = random_body(rng)
    joints = pose(angles, body, movement.flat_feet)
    settle(joints, joints[:1].copy(), body, movement)
    joints += (wander(rng, times, 3, 0.05, 0.3) * np.array([0.02, 0.0, 0.02]) * restless)[:, None]
    return _Performance(movement.name, times, joints)


def _walk(rng: np.random.Generator, rate_hz: float) -> _Performance:
    """Somebody walks through the picture, up and down in it, or on the spot (as on a treadmill)."""
    times = np.arange(0.0, rng.uniform(4.0, 12.0), 1.0 / rate_hz)
    speed = rng.uniform(0.7, 1.5)
    stride = 2 * math.pi * (0.55 + 0.3 * speed) * times * (1 + 0.03 * wander(rng, times, 1, 0.05, 0.2)[:, 0])
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
        angles[name] = angles[name] + rng.normal(0, 3) + wander(rng, times, 2, 0.1, 0.5) * 1.5
    angles["knee"] = np.maximum(angles["knee"], 0.0)
    joints = pose(angles, random_body(rng), flat_feet=False)
    joints[..., 1] += (0.02 * np.cos(2 * stride))[:, None]
    pace = float(rng.choice([0.0, 1.0, 1.0])) * speed
    turns = np.floor(times * pace / rng.uniform(1.5, 4.0))  # number of turns so far
    heading = np.convolve(np.pad(turns * math.pi, 7, "edge"), np.ones(15) / 15, "valid")
    heading += 0.15 * wander(rng, times, 1, 0.05, 0.2)[:, 0]
    forward = np.stack([np.sin(heading), np.zeros_like(heading), np.cos(heading)], axis=1)
    joints = np.einsum("nij,nkj->nki", rotation("y", np.degrees(heading)), joints)
    joints += (np.cumsum(forward, axis=0) * pace / rate_hz)[:, None]
    return _Performance(WALKING, times, joints)


def _ease(x: Array) -> Array:
    """From 0 to 1 with rest at both ends: minimum jerk (Flash and Hogan, J. Neuroscience 5, 1985)."""
    return np.asarray(x**3 * (10 - 15 * x + 6 * x**2))

"""A single camera and a pose network that make mistakes: joints in the room become a `PoseTrack`.

Numbers marked (measured) are medians over the real training clips of the pose data that the default checkpoints are
trained on, others are set so that the drawn skeletons look alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fitcli.pose.track import LANDMARKS, MIRRORED, PoseTrack
from fitcli.training.synthetic.skeleton import AT, COUNT, PARENT, SIDES, Array


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
            pitch_deg=float(np.clip(rng.gamma(1.6, 7.0) - 5.0 + lying * rng.uniform(0, 20), -10, 40)),
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

_HIDDEN_JITTER = 1.8
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

_BENDING = {("shoulder", "elbow", "wrist"): (125.0, 0.62), ("hip", "knee", "ankle"): (120.0, 0.88)}
"""The middle angle in degrees and the share of the departure from it that is found: stretched arms measure 155 degrees
at the elbow and 165 at the knee, curled ones 80 to 90 where they have 45 (measured)."""

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


def observe(joints: Array, times_s: Array, camera: Camera, noise: Noise, rng: np.random.Generator) -> PoseTrack:
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

    left_hip, right_hip = AT["left hip"], AT["right hip"]
    middle = (in_camera[:, [left_hip]] + in_camera[:, [right_hip]]) / 2
    hidden = _hidden(in_camera, pixels / frame, noise, rng)
    error = _error(in_camera - middle, hidden, times_s, noise, rng)
    world = _flattened(in_camera - middle, noise, rng) + error
    world -= (world[:, [left_hip]] + world[:, [right_hip]]) / 2
    # The two outputs of the network are measured apart, and agree in most of their error.
    own = rng.normal(0, 0.003 * noise.jitter, pixels.shape)
    pixels = pixels + (0.85 * error[..., :2] + own) * scale
    landmarks = np.concatenate([pixels / frame, _visibility(hidden, times_s, noise, rng)[..., None]], axis=2)
    if camera.mirrored:
        landmarks, world = landmarks[:, MIRRORED], world[:, MIRRORED]
        landmarks[..., 0], world[..., 0] = 1 - landmarks[..., 0], -world[..., 0]

    _swap_sides(landmarks, world, times_s, noise, rng)
    presence = 1 / (1 + np.exp(-(6.0 + 1.3 * wander(rng, times_s, 1, 0.2, 1.0)[:, 0])))
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
        ends = AT[first], AT[last]
        # A limb's own segment and its neighbours do not hide it.
        others = [i for i in limbs if i not in ends and PARENT[i] not in ends and PARENT.get(PARENT[i]) not in ends]
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
        top = AT[f"{rng.choice(('left', 'right'))} {part}"]
        behind_things = [i for i in limbs if top in (i, PARENT[i], PARENT.get(PARENT[i]))]
        hidden[:, behind_things] = np.maximum(hidden[:, behind_things], 0.9)
    outside = np.maximum(np.maximum(-image, image - 1), 0).max(axis=2)
    hidden[:, limbs] += np.clip(outside[:, limbs] * 8, 0, 1.5)
    return hidden * noise.hiding


def _error(world: Array, hidden: Array, times_s: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """Error (N, 33, 3) in metres of landmarks (N, 33, 3) that are `hidden` (N, 33)."""
    # Clips differ in the size of the person, light, blur; moving people jitter more than those who hold still.
    clumsy = float(np.exp(rng.normal(0.15, 0.5)))
    hidden = np.minimum(hidden, 1.0)[..., None]
    jitter = np.array([_JITTER_M[group] for group in _GROUP]) * (1 + (_HIDDEN_JITTER - 1) * hidden)
    total = rng.normal(0, 1, world.shape) * jitter * noise.jitter * clumsy
    drift = np.array([_DRIFT_M[group] for group in _GROUP]) * (1 + (np.array(_HIDDEN_DRIFT) - 1) * hidden)
    slow = wander(rng, times_s, COUNT * 3, 0.1, 1.2).reshape(world.shape) * drift * noise.drift * clumsy
    guessed = np.clip(rng.normal(0.55, 0.2), 0.1, 0.9) * hidden * (noise.hiding > 0)
    for child, parent in PARENT.items():  # parents come first: errors add up along a limb
        bone = world[:, child] - world[:, parent]
        # A limb that is not seen is put where it usually is rather than where it is.
        slow[:, child] += (bone.mean(axis=0) - bone) * guessed[:, child]
        slow[:, child] += slow[:, parent]
    return np.asarray(total + slow)


def _flattened(world: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """What a network that has learned an average makes of (N, 33, 3): too little depth, too little bending."""
    bones = {child: world[:, child] - world[:, parent] for child, parent in PARENT.items()}
    for side, _ in SIDES:
        for (root, middle, end), (usual, kept) in _BENDING.items():
            first, bend, last = (AT[f"{side} {name}"] for name in (root, middle, end))
            kept = 1 - (1 - kept * np.clip(rng.normal(1.0, 0.12), 0.6, 1.25)) * noise.flattening
            back, on = world[:, first] - world[:, bend], bones[last]
            back = back / np.linalg.norm(back, axis=1, keepdims=True)
            along = (back * on).sum(axis=1, keepdims=True)
            out = on - back * along
            across = np.linalg.norm(out, axis=1, keepdims=True)
            angle = np.arctan2(across, along)
            angle = math.radians(usual) + (angle - math.radians(usual)) * kept
            length = np.linalg.norm(on, axis=1, keepdims=True)
            bones[last] = length * (back * np.cos(angle) + out / np.maximum(across, 1e-6) * np.sin(angle))
    flat = world.copy()
    for child, parent in PARENT.items():  # parents come first
        kept = _DEPTH_KEPT[_GROUP[child]] * np.clip(rng.normal(1.0, 0.06), 0.8, 1.15)
        bones[child][:, 2] *= 1 - (1 - kept) * noise.flattening
        flat[:, child] = flat[:, parent] + bones[child]
    return flat


def _visibility(hidden: Array, times_s: Array, noise: Noise, rng: np.random.Generator) -> Array:
    logit = np.full(hidden.shape, 7.0)
    for i, group in enumerate(_GROUP):
        if group in _SEEN_LOGIT:
            logit[:, i] = _SEEN_LOGIT[group] + rng.normal(0, 0.9) - hidden[:, i] * rng.normal(4.6, 0.9)
    unsteady = 0.5 * wander(rng, times_s, COUNT, 0.1, 1.0) + rng.normal(0, 0.3, logit.shape)
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


def wander(rng: np.random.Generator, times_s: Array, channels: int, slowest_hz: float, fastest_hz: float) -> Array:
    """Smooth random curves (N, channels) of standard deviation 1: three sines each."""
    frequency = rng.uniform(slowest_hz, fastest_hz, (3, channels))
    start = rng.uniform(0, 2 * math.pi, (3, channels))
    curves = np.sin(2 * math.pi * frequency * times_s[:, None, None] + start)
    return np.asarray(curves.sum(axis=1) * math.sqrt(2 / 3))

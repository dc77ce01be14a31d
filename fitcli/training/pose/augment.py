"""Augmentation of pose windows: other cameras, tempos and bodies, and the errors of BlazePose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fitcli.network.pose_clips import POINTS, VIEWS, ClipSpec, Moments, clip_points, clip_times, read_moments
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import MIRRORED, FloatArray, PoseTrack


@dataclass(frozen=True)
class Augmentation:
    """Strengths; angles in degrees, noise in metres (world) and person heights (image).

    tempo: the window's time is stretched by up to this factor either way. reproject: share of clips whose image view is
    replaced by the metric landmarks seen from a new camera. drop_view: share of clips in which one view is blank.
    aspect, squeeze: share of clips whose picture somebody stretched to another shape, and the range of its factors.
    trim, kept_s: share of clips that are cut to a part of themselves, and how long that is at least and at most: some
    sources show one repetition of a second, others minutes, which must not tell what is done. warp: standard deviation
    of the logarithm of the speed, which changes some seven times a window; it also makes what runs back over a short
    clip differ from the way there. cut: share of clips in which the picture ends within the person, as before a laptop.
    """

    tempo: float = 1.5
    yaw_deg: float = 25.0
    tilt_deg: float = 12.0
    scale: float = 0.15
    shift: float = 0.06
    stretch: float = 0.12
    noise_m: float = 0.02
    noise_image: float = 0.008
    depth: float = 0.3
    drop_joint: float = 0.06
    drop_view: float = 0.15
    reproject: float = 0.4
    swap: float = 0.03
    aspect: float = 0.2
    squeeze: tuple[float, float] = (0.6, 2.0)
    trim: float = 0.5
    kept_s: tuple[float, float] = (0.9, 5.0)
    warp: float = 0.4
    cut: float = 0.3


_SPEEDS = 7
"""Number of speeds of a window. Between them the speed changes evenly."""
_EDGES = ((1, 1), (1, -1), (0, 1), (0, -1))
"""The edges of the picture, the lower one first: an axis and the side of it."""
_EDGE_SHARES = (0.6, 0.1, 0.15, 0.15)
"""Probability that each edge cuts off a part of the person."""
_LEFT_IN = (0.55, 0.95)
"""Smallest and largest share of the person that such an edge leaves in the picture."""
_GUESS_M, _GUESS_M_AN_EXTENT = 0.04, 0.3
"""Error of BlazePose's guess outside the picture: at the edge, and its growth over one extent of the person (standard
deviation on each axis, metres). About as on the samples; `benchmarks/cropped.py` measures it."""
_PERSON_M = 1.7
"""Extent of a person in metres, which converts errors in space to errors in the image."""
_GUESS_SEEN, _GUESS_SEEN_EXTENTS = 0.5, 0.12
"""Visibility that BlazePose reports outside the picture: mean at the edge, and the extents over which it falls by e."""
_FEWEST_SEEN = 5
"""A part of a clip with fewer samples of a person shows nothing."""


def augmented_clip(track: PoseTrack, spec: NetworkSpec, rng: np.random.Generator, a: Augmentation) -> FloatArray:
    """A random window of the track, augmented: points (T, P, 3)."""
    clip = ClipSpec(spec.frames, spec.window_s * float(np.exp(rng.uniform(-1, 1) * np.log(a.tempo))))
    if rng.random() < a.trim:
        track = _part(track, rng, *a.kept_s)
    first, last = track.times_s[0], track.times_s[-1]
    start = rng.uniform(first, max(last - clip.window_s, first)) + rng.uniform(-0.25, 0.25)
    moments = read_moments(track, start + _warped(clip_times(clip), rng, a.warp))
    if rng.random() < 0.5:
        moments = mirror(moments)
    return _disturb_points(clip_points(_disturb(moments, rng, a)), rng, a)


def _part(track: PoseTrack, rng: np.random.Generator, shortest_s: float, longest_s: float) -> PoseTrack:
    """A random part of the track, log-uniform in length; the whole track if it is shorter."""
    first, last = float(track.times_s[0]), float(track.times_s[-1])
    longest_s = min(longest_s, last - first)
    if longest_s <= shortest_s:
        return track
    length_s = float(np.exp(rng.uniform(np.log(shortest_s), np.log(longest_s))))
    start = rng.uniform(first, last - length_s)
    part = track.between(start, start + length_s)
    return part if (part.presence > 0).sum() >= _FEWEST_SEEN else track


def _warped(times_s: npt.NDArray[np.float64], rng: np.random.Generator, strength: float) -> npt.NDArray[np.float64]:
    """The times (T,) of the same stretch, traversed at a changing speed."""
    speeds = np.exp(rng.normal(0, strength, _SPEEDS))
    speed = np.interp(np.linspace(0, _SPEEDS - 1, len(times_s)), np.arange(_SPEEDS), speeds)
    passed = np.cumsum(speed)
    warped: npt.NDArray[np.float64] = times_s[0] + (times_s[-1] - times_s[0]) * (passed - passed[0]) / (
        passed[-1] - passed[0]
    )
    return warped


def mirror(moments: Moments) -> Moments:
    """The movement in a mirror: left and right landmarks swapped, x negated."""
    order = list(MIRRORED)
    return Moments(
        moments.image[:, order] * np.array([-1, 1], np.float32),
        moments.visibility[:, order],
        moments.world[:, order] * np.array([-1, 1, 1], np.float32),
    )


def _disturb(moments: Moments, rng: np.random.Generator, a: Augmentation) -> Moments:
    frames, landmarks = moments.visibility.shape
    world = moments.world * np.exp(rng.normal(0, a.stretch, 3)).astype(np.float32)
    world = world * np.array([1, 1, np.exp(rng.normal(0, a.depth))], np.float32)
    world = world + _drifting(rng, frames, landmarks, 3) * np.array(
        [1, 1, 2], np.float32
    ) * a.noise_m * rng.exponential(1)
    image = moments.image
    if rng.random() < a.swap:
        # BlazePose swaps left and right for moments, mostly when one side hides the other.
        span = _span(rng, frames)
        world[span], image = world[span][:, list(MIRRORED)], image.copy()
        image[span] = image[span][:, list(MIRRORED)]
    yaw = rng.normal(0, a.yaw_deg)
    world = world @ _rotation(yaw, rng.normal(0, a.tilt_deg), rng.normal(0, a.tilt_deg)).T
    if rng.random() < a.reproject:
        view = world @ _rotation(rng.uniform(-180, 180), rng.normal(0, a.tilt_deg), 0).T
        depth = 1 + view[..., 2:] / rng.uniform(2.5, 6)  # metres to the camera: perspective
        image = view[..., :2] / np.clip(depth, 0.4, None)
    else:
        roll = np.deg2rad(rng.normal(0, a.tilt_deg))
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]], np.float32)
        image = image @ turn.T
    if rng.random() < a.aspect:
        factor = np.float32(np.exp(rng.uniform(*np.log(a.squeeze))))
        image = image * np.array([factor, 1], np.float32)
        world = world * np.array([factor, 1, 1], np.float32)  # BlazePose takes a stretched person for a wide one
    extent = np.ptp(image.reshape(-1, 2), axis=0).max()
    image = image * np.exp(rng.normal(0, a.stretch, 2)).astype(np.float32)
    image = image + _drifting(rng, frames, landmarks, 2) * a.noise_image * extent * rng.exponential(1)
    disturbed = Moments(image.astype(np.float32), moments.visibility, world.astype(np.float32))
    return cut_off(disturbed, rng) if rng.random() < a.cut else disturbed


def cut_off(moments: Moments, rng: np.random.Generator) -> Moments:
    """The movement in a picture that cuts the person off; landmarks outside are guesses."""
    axis, end = _EDGES[rng.choice(len(_EDGES), p=_EDGE_SHARES)]
    across = moments.image[..., axis] * end
    first, last = np.percentile(across, [2, 98])
    extent = max(float(last - first), 1e-6)
    beyond = ((across - first) / extent - rng.uniform(*_LEFT_IN)).astype(np.float32)
    outside, beyond = beyond > 0, beyond.clip(0, 1)
    error_m = outside * (_GUESS_M + _GUESS_M_AN_EXTENT * beyond) * np.float32(rng.uniform(0.5, 1.5))
    frames, landmarks = outside.shape
    guess_m = _drifting(rng, frames, landmarks, 3) * error_m[..., None]
    seen = rng.exponential(_GUESS_SEEN, (1, landmarks)) * np.exp(-beyond / _GUESS_SEEN_EXTENTS)
    return Moments(
        (moments.image + guess_m[..., :2] * np.float32(extent / _PERSON_M)).astype(np.float32),
        np.where(outside, np.minimum(moments.visibility, seen), moments.visibility).astype(np.float32),
        (moments.world + guess_m).astype(np.float32),
    )


def _disturb_points(points: FloatArray, rng: np.random.Generator, a: Augmentation) -> FloatArray:
    joints = POINTS // len(VIEWS)
    views = points.reshape(len(points), len(VIEWS), joints, 3)
    zoom = np.exp(rng.normal(0, a.scale, len(VIEWS))).astype(np.float32)[None, :, None, None]
    shift = rng.normal(0, a.shift, (1, len(VIEWS), 1, 2)).astype(np.float32)
    views[..., :2] = (views[..., :2] - 0.5) * zoom + 0.5 + shift
    for joint in np.flatnonzero(rng.random(joints) < a.drop_joint):
        views[_span(rng, len(points)), :, joint, 2] = 0
    if rng.random() < a.drop_view:
        views[:, rng.integers(len(VIEWS)), :, 2] = 0
    return views.reshape(points.shape)


def _span(rng: np.random.Generator, frames: int) -> slice:
    length = int(rng.integers(1, frames + 1))
    start = int(rng.integers(0, frames - length + 1))
    return slice(start, start + length)


def _drifting(rng: np.random.Generator, frames: int, landmarks: int, axes: int) -> FloatArray:
    """Noise of unit variance, half of it constant over the clip and half from moment to moment: (T, L, axes)."""
    steady = rng.standard_normal((1, landmarks, axes), np.float32)
    return (steady + rng.standard_normal((frames, landmarks, axes), np.float32)) * np.float32(0.7)


def _rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    y, p, r = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    yaw = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn: FloatArray = (roll @ pitch @ yaw).astype(np.float32)
    return turn

"""Cuts a `PoseTrack` into clips for networks on the `pose` input: projected, normalised joints in windows.

A clip is an array of points `(T, P, 3)`: for each of T frames, the 19 joints in each of three views, each point with
x and y in units of the heatmap grid's side (0..1 is inside) and a confidence 0..1. The views are

- image: as the camera saw it, scaled to the person's extent over the whole window, which keeps travel up and down;
- front and side: the hip-centred metric landmarks, rotated about the vertical until the person faces the viewer (or
  looks sideways) and scaled by the length of the torso. An exercise looks alike from wherever it was filmed.

The first layer of the network draws the points as heatmaps (`fitcli.network.builders.Heatmaps`), after PoseConv3D
(Duan et al., CVPR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fitcli import interrupt
from fitcli.pose.track import LANDMARKS, FloatArray, PoseTrack

JOINTS = tuple(
    LANDMARKS.index(name)
    for name in (
        "nose", "left ear", "right ear",
        "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
        "left index", "right index", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
        "left foot index", "right foot index",
    )
)  # fmt: skip
VIEWS = ("image", "front", "side")
POINTS = len(JOINTS) * len(VIEWS)

IMAGE_MARGIN = 1.2
"""Ratio of the image view's side to the person's larger extent."""
TORSO_LENGTHS = 4.6
"""Side of the front and side views in torso lengths: with the hips in the middle, raised arms and feet fit."""
UNSEEN_CONFIDENCE = 0.25
"""Confidence of a landmark of visibility 0: BlazePose's guess at a hidden joint is of some use."""
BRIDGED_GAP_S = 0.5
"""Moments further than this from every sample with a person have confidence 0."""

_SHOULDERS = (LANDMARKS.index("left shoulder"), LANDMARKS.index("right shoulder"))
_HIPS = (LANDMARKS.index("left hip"), LANDMARKS.index("right hip"))


@dataclass(frozen=True)
class ClipSpec:
    """How a window becomes a clip: `frames` moments spread over `window_s` seconds."""

    frames: int = 32
    window_s: float = 4.0

    @property
    def hop_s(self) -> float:
        """Seconds between the starts of two windows, which overlap by half."""
        return self.window_s / 2


@dataclass(frozen=True)
class Moments:
    """A track read at chosen times. image: (T, 33, 2) in frame heights, visibility: (T, 33), world: (T, 33, 3) m."""

    image: FloatArray
    visibility: FloatArray
    world: FloatArray


def window_starts(track: PoseTrack, spec: ClipSpec) -> tuple[float, ...]:
    """Start times of the overlapping windows that cover the track; one for a stretch shorter than a window.

    No window spans a gap: each stretch has windows of its own, as if it were the whole track.
    """
    return tuple(start_s for stretch in track.stretches() for start_s in _starts(stretch, spec))


def _starts(track: PoseTrack, spec: ClipSpec) -> tuple[float, ...]:
    if not len(track):
        return ()
    first, last = float(track.times_s[0]), float(track.times_s[-1])
    count = max(1, int(np.ceil((last - first - spec.window_s) / spec.hop_s - 1e-6)) + 1)
    if count == 1:
        return (first,)
    # Evenly spaced, so that the last window ends with the track and not after it.
    return tuple(np.linspace(first, last - spec.window_s, count).tolist())


def read_moments(track: PoseTrack, times_s: npt.NDArray[np.float64]) -> Moments:
    """The track at `times_s`, linearly interpolated; times outside it are reflected at its ends.

    Reflection keeps the tempo of a short clip. Starting over would add a jump that the person did not make.
    """
    seen = track.presence > 0
    if not seen.any():
        empty = np.zeros((len(times_s), len(LANDMARKS)), np.float32)
        return Moments(np.stack([empty] * 2, -1), empty, np.stack([empty] * 3, -1))
    source = track.times_s[seen]
    first, length = track.times_s[0], max(track.times_s[-1] - track.times_s[0], 1e-6)
    phase = np.mod(times_s - first, 2 * length)
    folded = first + np.where(phase > length, 2 * length - phase, phase)
    after = np.clip(np.searchsorted(source, folded), 1, max(len(source) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(source) - 1)
    span = np.maximum(source[after] - source[before], 1e-6)
    share = np.clip((folded - source[before]) / span, 0, 1).astype(np.float32)[:, None, None]
    landmarks, world = track.in_first_frame()[seen], track.world[seen]
    landmarks = landmarks[before] * (1 - share) + landmarks[after] * share
    world = world[before] * (1 - share) + world[after] * share
    nearest = np.minimum(np.abs(folded - source[before]), np.abs(folded - source[after]))
    visibility = landmarks[..., 2] * (nearest < BRIDGED_GAP_S).astype(np.float32)[:, None]
    present = (nearest < BRIDGED_GAP_S).astype(np.float32)[:, None]
    image = landmarks[..., :2] * np.array([track.frame_width / max(track.frame_height, 1), 1.0], np.float32)
    # A negative visibility marks a moment without a person; that of a hidden joint is 0.
    return Moments(image, np.where(present > 0, visibility, -1).astype(np.float32), world)


def clip_points(moments: Moments) -> FloatArray:
    """The three views of a window's moments as points (T, P, 3); see the module's docstring."""
    joints = list(JOINTS)
    visibility = moments.visibility[:, joints]
    confidence = np.where(visibility < 0, 0, UNSEEN_CONFIDENCE + (1 - UNSEEN_CONFIDENCE) * visibility)
    views = (_image_view(moments)[:, joints], *(view[:, joints] for view in _body_views(moments.world)))
    return np.concatenate([np.concatenate([xy, confidence[..., None]], -1) for xy in views], 1).astype(np.float32)


def track_clips(track: PoseTrack, spec: ClipSpec) -> tuple[tuple[float, ...], FloatArray]:
    """Start times of the track's windows and their clips, (N, T, P, 3)."""
    offsets = clip_times(spec)
    placed = [(start, stretch) for stretch in track.stretches() for start in _starts(stretch, spec)]
    starts = tuple(start for start, _ in placed)
    clips = []
    for start, stretch in placed:
        interrupt.heed()
        clips.append(clip_points(read_moments(stretch, start + offsets)))
    return starts, np.stack(clips) if clips else np.zeros((0, spec.frames, POINTS, 3), np.float32)


def clip_times(spec: ClipSpec) -> npt.NDArray[np.float64]:
    """The moments of a clip, seconds from its window's start: (T,)."""
    return (np.arange(spec.frames, dtype=np.float64) + 0.5) * (spec.window_s / spec.frames)


def _image_view(moments: Moments) -> FloatArray:
    visible = moments.visibility > 0.5
    points = moments.image[visible] if visible.sum() >= 8 else moments.image.reshape(-1, 2)
    low, high = np.percentile(points, [2, 98], axis=0)
    side = max(float((high - low).max()) * IMAGE_MARGIN, 1e-3)
    view: FloatArray = ((moments.image - (low + high) / 2) / side + 0.5).astype(np.float32)
    return view


def _body_views(world: FloatArray) -> tuple[FloatArray, FloatArray]:
    across = (world[:, _SHOULDERS[0]] - world[:, _SHOULDERS[1]]) + (world[:, _HIPS[0]] - world[:, _HIPS[1]])
    x, z = across[:, 0].mean(), across[:, 2].mean()
    norm = max(float(np.hypot(x, z)), 1e-6)
    cos, sin = x / norm, z / norm
    torso = world[:, list(_SHOULDERS)].mean(1) - world[:, list(_HIPS)].mean(1)
    side = max(float(np.median(np.linalg.norm(torso, axis=-1))), 0.1) * TORSO_LENGTHS
    right = (cos * world[..., 0] + sin * world[..., 2]) / side + 0.5
    away = (-sin * world[..., 0] + cos * world[..., 2]) / side + 0.5
    down = world[..., 1] / side + 0.5
    return np.stack([right, down], -1).astype(np.float32), np.stack([away, down], -1).astype(np.float32)

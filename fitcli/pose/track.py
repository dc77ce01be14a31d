"""`PoseTrack`: one person's landmarks over time, the input of all later stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf

import numpy as np
import numpy.typing as npt

from fitcli.video import GAP_S, SHORTEST_S

FloatArray = npt.NDArray[np.float32]

LANDMARKS = (
    "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer",
    "left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left pinky", "right pinky", "left index", "right index", "left thumb",
    "right thumb", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle", "left heel",
    "right heel", "left foot index", "right foot index",
)  # fmt: skip
"""BlazePose's 33 landmarks in order; left and right are those of the person."""

MIRRORED = tuple(
    LANDMARKS.index(name.replace("left", "@").replace("right", "left").replace("@", "right")) for name in LANDMARKS
)
"""Index of each landmark's counterpart on the other side, for mirroring a track."""


@dataclass(frozen=True)
class PoseTrack:
    """One person's landmarks, sampled from a video.

    times_s: (N,) float64, seconds from the start of the file, rising.
    landmarks: (N, 33, 3) float32: x / frame width, y / frame height (y down), visibility 0..1; zeros for nobody.
        Width and height are those of the sample's own frame.
    world: (N, 33, 3) float32, metres, hip-centred, image-aligned: x right, y down, z away from the camera.
    presence: (N,) float32, the landmark network's score that a person is visible, 0 where nobody was found.
    frame_width, frame_height: pixels of the first upright (rotation applied) frame.
    sizes: (N, 2) int32, width and height of every sample's frame, None if they never change.
    """

    times_s: npt.NDArray[np.float64]
    landmarks: FloatArray
    world: FloatArray
    presence: FloatArray
    frame_width: int
    frame_height: int
    sizes: npt.NDArray[np.int32] | None = None

    @classmethod
    def stacked(
        cls,
        times_s: Sequence[float],
        landmarks: Sequence[FloatArray],
        world: Sequence[FloatArray],
        presence: Sequence[float],
        sizes: Sequence[tuple[int, int]],
    ) -> PoseTrack:
        """The track of single samples. sizes: width and height of every sample's frame, or one for all of them."""
        width, height = sizes[0] if sizes else (0, 0)
        return cls(
            times_s=np.array(times_s, np.float64),
            landmarks=np.array(landmarks, np.float32).reshape(-1, len(LANDMARKS), 3),
            world=np.array(world, np.float32).reshape(-1, len(LANDMARKS), 3),
            presence=np.array(presence, np.float32),
            frame_width=width,
            frame_height=height,
            sizes=np.array(sizes, np.int32) if len(set(sizes)) > 1 else None,
        )

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def found(self) -> float:
        """Share of samples, 0..1, in which a person was found."""
        return float((self.presence > 0).mean()) if len(self) else 0.0

    def between(self, start_s: float, end_s: float) -> PoseTrack:
        """The samples with `start_s <= time < end_s`."""
        return self._only((self.times_s >= start_s) & (self.times_s < end_s))

    def stretches(self) -> tuple[PoseTrack, ...]:
        """The parts of the track between gaps of more than `GAP_S`; none for an empty track.

        Parts too short to hold a movement are left out unless all are.
        """
        if not len(self._last_before_gap):
            return (self,) if len(self) else ()
        bounds = [0, *(self._last_before_gap + 1).tolist(), len(self)]
        parts = [self._only(slice(*pair)) for pair in pairwise(bounds)]
        long = tuple(part for part in parts if part.length_s >= SHORTEST_S)
        return long or tuple(parts)

    @property
    def length_s(self) -> float:
        """Seconds from the first sample to the last."""
        return float(self.times_s[-1] - self.times_s[0]) if len(self) else 0.0

    def gaps_s(self) -> tuple[tuple[float, float], ...]:
        """The gaps of more than `GAP_S`: times of the samples before and after each."""
        before = self._last_before_gap
        return tuple(zip(self.times_s[before].tolist(), self.times_s[before + 1].tolist(), strict=True))

    def gap_after(self, time_s: float) -> float:
        """The time of the last sample in the stretch that contains a time; infinity for the last stretch."""
        ends_s = self.times_s[self._last_before_gap]
        number = int(np.searchsorted(ends_s, time_s))
        return float(ends_s[number]) if number < len(ends_s) else inf

    def size(self, index: int) -> tuple[int, int]:
        """Width and height in pixels of one sample's frame."""
        if self.sizes is None:
            return self.frame_width, self.frame_height
        width, height = self.sizes[index].tolist()
        return width, height

    def in_first_frame(self) -> FloatArray:
        """The landmarks (N, 33, 3) with x and y relative to the first frame, whatever the size of the others.

        Frames are centred on the first one, with equal longest sides. So a person keeps their size when the resolution
        changes, and when the camera is turned, which may put them outside of 0..1.
        """
        if self.sizes is None:
            return self.landmarks
        first = np.array([self.frame_width, self.frame_height])
        scale = first.max() / self.sizes.max(1, keepdims=True)
        placed = self.landmarks.copy()
        placed[:, :, :2] = (placed[:, :, :2] - 0.5) * (self.sizes * scale / first)[:, None] + 0.5
        return placed

    @cached_property
    def _last_before_gap(self) -> npt.NDArray[np.intp]:
        """Indices of the samples after which a gap begins."""
        return np.flatnonzero(np.diff(self.times_s) > GAP_S)

    def _only(self, chosen: slice | npt.NDArray[np.bool_]) -> PoseTrack:
        return PoseTrack(
            self.times_s[chosen],
            self.landmarks[chosen],
            self.world[chosen],
            self.presence[chosen],
            self.frame_width,
            self.frame_height,
            None if self.sizes is None else self.sizes[chosen],
        )

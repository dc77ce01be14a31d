"""`PoseTrack`: one person's landmarks through time, the value that every later room works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

LANDMARKS = (
    "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer",
    "left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left pinky", "right pinky", "left index", "right index", "left thumb",
    "right thumb", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle", "left heel",
    "right heel", "left foot index", "right foot index",
)  # fmt: skip
"""BlazePose's 33 landmarks in order; left and right are the person's own."""

MIRRORED = tuple(
    LANDMARKS.index(name.replace("left", "@").replace("right", "left").replace("@", "right")) for name in LANDMARKS
)
"""Index of each landmark's other-side twin: mirroring a track swaps these."""


@dataclass(frozen=True)
class PoseTrack:
    """One person's landmarks, sampled from a video.

    times_s: (N,) float64, seconds from the start of the file, rising.
    landmarks: (N, 33, 3) float32: x / frame width, y / frame height (y down), visibility 0..1; zeros where nobody is.
    world: (N, 33, 3) float32, metres, hip-centred, image-aligned: x right, y down, z away from the camera.
    presence: (N,) float32, the landmark network's own score that somebody is there, 0 where nobody was found.
    frame_width, frame_height: pixels of the upright (rotation applied) frame; their ratio undoes the two scales.
    """

    times_s: npt.NDArray[np.float64]
    landmarks: FloatArray
    world: FloatArray
    presence: FloatArray
    frame_width: int
    frame_height: int

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def found(self) -> float:
        """Share of samples, 0..1, in which a person was found."""
        return float((self.presence > 0).mean()) if len(self) else 0.0

    def between(self, start_s: float, end_s: float) -> PoseTrack:
        """The samples with `start_s <= time < end_s`."""
        chosen = (self.times_s >= start_s) & (self.times_s < end_s)
        return PoseTrack(
            self.times_s[chosen],
            self.landmarks[chosen],
            self.world[chosen],
            self.presence[chosen],
            self.frame_width,
            self.frame_height,
        )

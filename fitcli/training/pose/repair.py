"""Mends metric landmarks that were measured with BlazePose in bfloat16.

OpenVINO runs in bfloat16 by default on a CPU that has it. BlazePose's image landmarks hardly suffer, but each metric
one gets a nearly constant offset, fixed in the frame of the upright crop: up to 20 cm, the hips 37 cm apart instead of
22. fitcli's own pose runs in float32; sequences measured the other way must be mended before they teach anything.
"""

from __future__ import annotations

import numpy as np

from fitcli.pose.track import LANDMARKS, FloatArray

OFFSET_M: FloatArray = np.array([
    [60, 1, -49], [-5, 20, -49], [-2, 22, -46], [-4, 17, -40], [0, 31, -44], [4, 33, -40], [1, 32, -47],
    [-54, 75, -40], [-49, 114, -46], [74, -6, -46], [72, 14, -51], [58, 46, -1], [-8, 37, -42], [-123, 27, 13],
    [16, 45, 12], [-16, -61, 36], [71, 66, 40], [-14, 21, 71], [99, 170, 61], [-18, 64, 58], [92, 118, 57],
    [-11, -26, 39], [75, 77, 40], [100, 9, 86], [-93, -14, -50], [-107, 150, 21], [52, 42, -6], [105, 20, -111],
    [152, -14, -79], [159, 11, -97], [172, -10, -90], [129, 57, -123], [101, 70, -113],
], np.float32) / np.float32(1000)  # fmt: skip
"""(33, 3) metres in the crop's frame: bfloat16 minus float32 of the full network, the mean over 1,006 crops of real
videos, on each of which both precisions were run (residual 1.5 cm)."""

NARROWEST_OFFSET_HIPS_M = 0.3
"""BlazePose puts the hips .2 to .25 m apart in every body; the offset adds 13 cm."""

_SHOULDERS = [LANDMARKS.index("left shoulder"), LANDMARKS.index("right shoulder")]
_HIPS = [LANDMARKS.index("left hip"), LANDMARKS.index("right hip")]


def is_offset(world: FloatArray) -> bool:
    """Whether metric landmarks (N, 33, 3) of many frames carry the offset: their hips are too far apart."""
    width_m = np.linalg.norm(world[:, _HIPS[0]] - world[:, _HIPS[1]], axis=-1)
    return bool(np.median(width_m) > NARROWEST_OFFSET_HIPS_M)


def without_offset(landmarks: FloatArray, world: FloatArray, width: int, height: int) -> FloatArray:
    """Metric landmarks (N, 33, 3) without the offset; landmarks: (N, 33, 3) of the same frames, all with a person."""
    pixels = landmarks[..., :2] * np.array([width, height], np.float32)
    up = pixels[:, _SHOULDERS].mean(1) - pixels[:, _HIPS].mean(1)
    # The crop is turned until hips to shoulders points up; the offset turns back with it.
    lean = np.arctan2(up[:, 0], -up[:, 1])
    cos, sin = np.cos(lean), np.sin(lean)
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)  # (N, 2, 2)
    offset = np.repeat(OFFSET_M[None], len(world), 0)
    offset[..., :2] = offset[..., :2] @ turn
    mended: FloatArray = (world - offset).astype(np.float32)
    return mended

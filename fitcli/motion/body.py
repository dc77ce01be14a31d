"""`Body`: a pose track that is resampled evenly, smoothed without delay and scaled to metres; the input of measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fitcli.pose.track import LANDMARKS, PoseTrack

Array = npt.NDArray[np.float64]

RATE_HZ = 20.0
"""Sampling rate of every curve, whatever the video's own rate: a fast repetition (0.5 s) has ten samples."""
SMOOTHING_S = 0.07
"""Standard deviation of the Gaussian that smooths landmarks: keeps 80 % of a movement of 1.5 Hz."""
SMOOTHING_STEPS = 0.5
"""Least standard deviation as a multiple of the sampling interval: less leaves steps that look like movements."""
LONGEST_GAP_S = 0.6
"""Longest gap that is interpolated."""
SCALE_SMOOTHING_S = 0.5
CUT_JUMP_M = 0.45
"""Median displacement of the landmarks between two samples, under 0.25 s apart, from which it is a cut."""

_INDEX = {name: i for i, name in enumerate(LANDMARKS)}
_TRUNK_AND_LIMBS = [i for name, i in _INDEX.items() if name.split()[-1] in
                    {"shoulder", "hip", "knee", "elbow", "ankle", "wrist"}]  # fmt: skip


@dataclass(frozen=True)
class Body:
    """One person's body on an even time grid of M samples, `RATE_HZ` apart.

    times_s: (M,).
    image: (M, 33, 2) metres in the picture plane, y down: pixels divided by the scale of the body, which removes
        distance and zoom.
    world: (M, 33, 3) metres, hip-centred.
    visible: (M, 33) visibility 0..1.
    seen: (M,) bool, False in gaps longer than `LONGEST_GAP_S`.
    cuts_s: times of hard cuts.
    """

    times_s: Array
    image: Array
    world: Array
    visible: Array
    seen: npt.NDArray[np.bool_]
    cuts_s: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.times_s)

    def points(self, space: str, landmark: str) -> Array:
        """(M, 2) or (M, 3) of one landmark in "image" or "world"; without a side, the middle of left and right."""
        positions = self.image if space == "image" else self.world
        if landmark in _INDEX:
            return positions[:, _INDEX[landmark]]
        left, right = _INDEX[f"left {landmark}"], _INDEX[f"right {landmark}"]
        return (positions[:, left] + positions[:, right]) / 2

    def visibility(self, *landmarks: str) -> Array:
        """(M,) visibility of the least visible of these landmarks; without a side, that of the more visible side."""
        columns = []
        for landmark in landmarks:
            if landmark in _INDEX:
                columns.append(self.visible[:, _INDEX[landmark]])
            else:
                both = [self.visible[:, _INDEX[f"{side} {landmark}"]] for side in ("left", "right")]
                columns.append(np.maximum(*both))
        least: Array = np.min(columns, axis=0)
        return least

    def between(self, start_s: float, end_s: float) -> Body:
        """The samples with `start_s <= time <= end_s`."""
        chosen = (self.times_s >= start_s - 1e-6) & (self.times_s <= end_s + 1e-6)
        return Body(
            self.times_s[chosen],
            self.image[chosen],
            self.world[chosen],
            self.visible[chosen],
            self.seen[chosen],
            tuple(cut for cut in self.cuts_s if start_s < cut < end_s),
        )


def resample(track: PoseTrack) -> Body:
    """The track on an even grid: smoothed with a Gaussian weighted by visibility, short gaps closed, scaled to metres.

    The grid runs from the first sample to the last: split a track that has gaps into its `stretches` first.
    """
    there = track.presence > 0
    times = track.times_s[there]
    if len(times) < 2:
        empty = np.zeros((0, 33))
        return Body(np.zeros(0), np.zeros((0, 33, 2)), np.zeros((0, 33, 3)), empty, np.zeros(0, bool), ())
    landmarks = track.in_first_frame()[there].astype(np.float64)
    world = track.world[there].astype(np.float64)
    pixels = landmarks[:, :, :2] * (track.frame_width, track.frame_height)
    visible = np.clip(landmarks[:, :, 2], 0, 1)
    scale = _metres_per_pixel(times, pixels, world, visible)
    cuts = _cuts(times, pixels * scale[:, None, None], scale)

    grid = np.arange(times[0], times[-1] + 0.5 / RATE_HZ, 1 / RATE_HZ)
    image = pixels * scale[:, None, None]
    stacked = np.concatenate([image, world], axis=2)
    # A landmark of low visibility is a guess and has little weight, but some, in case nothing else is known.
    weights = np.clip(visible, 0.02, 1) ** 2
    smooth, smooth_visible = _kernel_smooth(times, stacked, visible, weights, grid)
    after = np.searchsorted(times, grid).clip(1, len(times) - 1)
    gap = times[after] - times[after - 1]
    inside = (grid - times[after - 1] > 0.05) & (times[after] - grid > 0.05)
    seen = ~((gap > LONGEST_GAP_S) & inside)
    return Body(grid, smooth[:, :, :2], smooth[:, :, 2:], smooth_visible, seen, cuts)


def _metres_per_pixel(times: Array, pixels: Array, world: Array, visible: Array) -> Array:
    """(N,) the weak-perspective scale between the picture and the metric landmarks, smoothed by a running median."""
    weight = np.clip(visible, 0.05, 1)[:, _TRUNK_AND_LIMBS, None]
    total = weight.sum(1, keepdims=True)

    def spread(points: Array) -> Array:
        points = points[:, _TRUNK_AND_LIMBS, :2]
        centred = points - (weight * points).sum(1, keepdims=True) / total
        root_mean_square: Array = np.sqrt((weight * centred**2).sum((1, 2)) / total[:, 0, 0])
        return root_mean_square

    raw = spread(world) / np.maximum(spread(pixels), 1e-6)
    half = max(1, round(SCALE_SMOOTHING_S / max(float(np.median(np.diff(times))), 1e-3)))
    padded = np.pad(raw, half, mode="edge")
    smooth: Array = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return smooth


def _cuts(times: Array, image: Array, scale: Array) -> tuple[float, ...]:
    jump = np.median(np.linalg.norm(np.diff(image, axis=0), axis=2), axis=1)
    close = np.diff(times) < 0.25
    return tuple(float(t) for t in ((times[1:] + times[:-1]) / 2)[close & (jump > CUT_JUMP_M)])


def _kernel_smooth(times: Array, values: Array, visible: Array, weights: Array, grid: Array) -> tuple[Array, Array]:
    """Nadaraya-Watson regression with a Gaussian of `SMOOTHING_S` or more: zero phase, any frame rate, any gaps."""
    sigma_s = max(SMOOTHING_S, SMOOTHING_STEPS * float(np.median(np.diff(times))))
    reach = 3 * sigma_s
    first = np.searchsorted(times, grid - reach)
    last = np.searchsorted(times, grid + reach, side="right")
    total = np.zeros((len(grid), values.shape[1]))
    mean = np.zeros((len(grid), *values.shape[1:]))
    flat = np.zeros(len(grid))
    mean_visible = np.zeros_like(total)
    for k in range(int((last - first).max(initial=0))):
        index = np.minimum(first + k, len(times) - 1)
        kernel = np.exp(-0.5 * ((times[index] - grid) / sigma_s) ** 2) * (first + k < last)
        weight = kernel[:, None] * weights[index]
        total += weight
        mean += weight[:, :, None] * values[index]
        flat += kernel
        mean_visible += kernel[:, None] * visible[index]
    empty = flat < 1e-3
    known = ~empty
    mean[known] /= np.maximum(total[known], 1e-12)[:, :, None]
    mean_visible[known] /= flat[known, None]
    if empty.any():
        for block in (mean.reshape(len(grid), -1), mean_visible):
            for column in range(block.shape[1]):
                block[empty, column] = np.interp(grid[empty], grid[known], block[known, column])
    return mean, mean_visible

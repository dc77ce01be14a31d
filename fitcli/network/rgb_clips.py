"""Cuts a video's frames into clips for networks on the `rgb` input, with exactly the published preprocessing.

A clip samples a window's frames uniformly, scales values to 0..1, normalises them, scales the short side bilinearly
without antialiasing, and crops the centre: pytorchvideo's UniformTemporalSubsample, NormalizeVideo and ShortSideScale,
torchvision's CenterCropVideo. The numbers are the same (up to float32 rounding), but only the pixels inside the crop
are computed. Imports no torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor

import numpy as np
import numpy.typing as npt

from fitcli.pose.track import FloatArray
from fitcli.video import GAP_S, SHORTEST_S, Frame, Image

IndexArray = npt.NDArray[np.int64]

SOURCE_RATE_HZ = 64.0
"""Frame rate that windows are filled at: all frames of a camera at 60, the nearest ones of slow motion. It bounds a
two-second window to 128 pictures in memory."""

SHORTEST_REST = 0.25
"""A rest at the end of a video becomes a window of its own from this share of a window on."""


@dataclass(frozen=True)
class RgbClipSpec:
    """How a window becomes a clip: `frames` pictures, evenly spaced over `window_s` seconds.

    Their short side is scaled to `short_side` pixels, and the middle `side` x `side` kept; values in 0..1 are
    normalised by `mean` and `std`.
    """

    frames: int
    window_s: float
    side: int
    short_side: int
    mean: float = 0.45
    std: float = 0.225


def spread(count: int, chosen: int) -> IndexArray:
    """Indices of `chosen` of `count` frames, evenly spaced from the first to the last: (chosen,) int64, may repeat.

    Bit-identical to `torch.linspace(0, count - 1, chosen).long()`, which truncates float32 values.
    """
    if chosen == 1:
        return np.zeros(1, np.int64)
    last = np.float32(count - 1)
    step = last / np.float32(chosen - 1)
    number = np.arange(chosen, dtype=np.float32)
    rising, falling = number * step, last - (np.float32(chosen - 1) - number) * step
    return np.where(number < chosen // 2, rising, falling).astype(np.float32).clip(0, last).astype(np.int64)


def rgb_clip(frames: npt.NDArray[np.uint8], spec: RgbClipSpec) -> FloatArray:
    """The clip (3, T, S, S) float32 of a window's frames (N, H, W, 3) uint8 RGB, all of one size, with N >= 1."""
    crops = [rgb_crop(frames[i], spec) for i in spread(len(frames), spec.frames)]
    return stack_crops(crops)


def rgb_crop(image: Image, spec: RgbClipSpec) -> FloatArray:
    """One picture (H, W, 3) uint8 RGB scaled, cropped and normalised: (S, S, 3) float32."""
    across, down = _taps(*image.shape[:2], spec.short_side, spec.side)
    # Each pixel interpolates four of the source, which are gathered as bytes and then converted.
    pixels = np.ascontiguousarray(image).reshape(-1, 3)
    upper, lower = down.before[:, None] * image.shape[1], down.after[:, None] * image.shape[1]
    crop = _mixed(pixels, upper, across)
    below = _mixed(pixels, lower, across)
    below -= crop
    below *= down.share[:, None, None]
    crop += below
    crop *= np.float32(1 / (255 * spec.std))
    crop -= np.float32(spec.mean / spec.std)
    return crop


def stack_crops(crops: Sequence[FloatArray]) -> FloatArray:
    """Crops (S, S, 3) of a clip's moments as one clip (3, T, S, S)."""
    clip = np.empty((3, len(crops), *crops[0].shape[:2]), np.float32)
    for number, crop in enumerate(crops):
        clip[:, number] = crop.transpose(2, 0, 1)
    return clip


@dataclass(frozen=True)
class RgbWindow:
    """A clip (3, T, S, S) float32 and the part of the video that it shows."""

    start_s: float
    end_s: float
    clip: FloatArray


class RgbWindows:
    """Cuts a stream of frames into consecutive windows as the frames arrive. Holds the crops of one window.

    The last window ends with the video and overlaps the one before; if less than `SHORTEST_REST` of a window is left,
    the rest is dropped. A video shorter than a window is one window.

    Frames after a gap of more than `GAP_S` are cut as a video of their own. A stretch too short to hold a movement is
    dropped unless it is all there is.
    """

    def __init__(self, spec: RgbClipSpec) -> None:
        self.spec = spec
        self._crops: deque[tuple[float, FloatArray]] = deque()
        self._start_s: float | None = None
        self._first_s = 0.0
        self._given = False

    def push(self, frame: Frame) -> RgbWindow | None:
        """Take the next frame, upright and in full size; returns the window that ended before it, if any."""
        window = None
        if self._crops and frame.time_s - self._crops[-1][0] > GAP_S:
            window = self._last_window()
            self._crops.clear()
            self._start_s = None
        if self._start_s is None:
            self._start_s = self._first_s = frame.time_s
        if frame.time_s >= self._start_s + self.spec.window_s - _ROUNDING_S:
            window = self._window(self._start_s)
            while frame.time_s >= self._start_s + self.spec.window_s - _ROUNDING_S:
                self._start_s += self.spec.window_s
        self._crops.append((frame.time_s, rgb_crop(frame.image, self.spec)))
        while self._crops[0][0] < frame.time_s - self.spec.window_s - _ROUNDING_S:
            self._crops.popleft()
        self._given = self._given or window is not None
        return window

    def finish(self) -> RgbWindow | None:
        """The window at the end of the stream, if enough frames are left for one."""
        return self._last_window(at_end=True)

    def _last_window(self, *, at_end: bool = False) -> RgbWindow | None:
        """The window at the end of a stretch; None if too little is left of it, or all of it is too short."""
        if self._start_s is None:
            return None
        first_s, last_s = self._crops[0][0], self._crops[-1][0]
        if last_s - self._first_s < SHORTEST_S and (self._given or not at_end):
            return None
        whole = self._start_s <= first_s + _ROUNDING_S
        if not whole and last_s - self._start_s < SHORTEST_REST * self.spec.window_s:
            return None
        return self._window(self._start_s if whole else max(first_s, last_s - self.spec.window_s + 2 * _ROUNDING_S))

    def _window(self, start_s: float) -> RgbWindow:
        inside = [(time_s, crop) for time_s, crop in self._crops if time_s >= start_s - _ROUNDING_S]
        chosen = [inside[i][1] for i in spread(len(inside), self.spec.frames)]
        begin_s, last_s = inside[0][0], inside[-1][0]
        return RgbWindow(begin_s, min(begin_s + self.spec.window_s, last_s), stack_crops(chosen))


_ROUNDING_S = 1e-6  # absorbs the rounding of time stamps to decimal fractions


@dataclass(frozen=True)
class _Taps:
    """For each pixel of one axis of the crop: the source pixels on its two sides, and the second one's share."""

    before: IndexArray
    after: IndexArray
    share: FloatArray


@lru_cache(maxsize=64)
def _taps(height: int, width: int, short_side: int, side: int) -> tuple[_Taps, _Taps]:
    """(across, down) for a picture of this size."""
    if width < height:
        scaled_height, scaled_width = floor(height / width * short_side), short_side
    else:
        scaled_height, scaled_width = short_side, floor(width / height * short_side)
    return _axis(width, scaled_width, side), _axis(height, scaled_height, side)


def _axis(size: int, scaled: int, side: int) -> _Taps:
    # torch's area_pixel_compute_source_index with align_corners=False, in its float32
    first = round((scaled - side) / 2)
    scale = np.float32(size) / np.float32(scaled)
    place = (np.arange(first, first + side, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    place = place.clip(0, None)
    before = place.astype(np.int64).clip(0, size - 1)
    after = np.minimum(before + 1, size - 1)
    share = (place - before.astype(np.float32)).clip(0, 1).astype(np.float32)
    return _Taps(before, after, share)


def _mixed(pixels: Image, rows: IndexArray, across: _Taps) -> FloatArray:
    """Pixels of the rows that begin at `rows` (S, 1), interpolated horizontally: (S, S, 3) float32."""
    mixed = pixels.take(rows + across.before, axis=0).astype(np.float32)
    mixed += across.share[:, None] * (pixels.take(rows + across.after, axis=0) - mixed)
    return mixed

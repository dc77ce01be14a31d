"""Clips of labelled videos for a DataLoader: random ones to train on, the middle one to measure with.

Training follows pytorchvideo's recipe: a random window, its short side scaled to a random size, a random crop, mirrored
half of the time. Neither an exercise nor a muscle group of the catalogue has a side, so mirroring keeps every label.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fitcli.network.rgb_clips import rgb_clip, spread
from fitcli.network.spec import NetworkSpec
from fitcli.training.labels import targets
from fitcli.training.rgb.frames import FrameCache, StoredFrames
from fitcli.training.rgb.videos import LabelledVideo
from fitcli.video import Image

JITTER = (8 / 7, 10 / 7)
"""Short sides that training scales to, in parts of the crop: 256 to 320 for 224, 182 to 228 for 160."""

PAPER_WINDOW_S = 64 / 30
"""Seconds of a training clip: 32 frames, every second one of 30 a second (arXiv 2406.06703)."""


def crop_side(spec: NetworkSpec) -> int:
    """Pixels of the crop that a network trains on; it is tested on larger ones, as published."""
    return spec.pool_side or spec.side


def cache_side(spec: NetworkSpec) -> int:
    """Short side in pixels of the stored frames: as large as training or measuring ever reads."""
    return max(round(crop_side(spec) * JITTER[1]), spec.clip.short_side)


class RandomClips(Dataset[tuple[Tensor, int, Tensor]]):
    """A random clip of a video: item (index, seed) is (T, S, S, 3) uint8, the exercise's id, muscle targets (M,)."""

    def __init__(self, videos: Seq[LabelledVideo], cache: FrameCache, spec: NetworkSpec) -> None:
        self.videos, self.cache, self.spec = tuple(videos), cache, spec

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, int, Tensor]:
        index, seed = draw
        video = self.videos[index]
        clip = random_clip(self.cache.open(video.path), self.spec, np.random.default_rng(seed))
        return torch.from_numpy(clip), *targets(video.labels, self.spec)


class MiddleClips(Dataset[tuple[Tensor, int, Tensor, int]]):
    """The middle clip of a video as inference reads it: (3, T, S, S) float32, exercise, muscles, and its number."""

    def __init__(self, videos: Seq[LabelledVideo], cache: FrameCache, spec: NetworkSpec) -> None:
        self.videos, self.cache, self.spec = tuple(videos), cache, spec

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor, int]:
        video = self.videos[index]
        stored = self.cache.open(video.path)
        times = stored.times_s
        numbers = _window(times, (times[0] + times[-1] - self.spec.window_s) / 2, self.spec)
        clip = rgb_clip(np.stack(stored.read(numbers)), self.spec.clip)
        return torch.from_numpy(clip), *targets(video.labels, self.spec), index


@dataclass(frozen=True)
class _Cut:
    """What of a picture a clip shows: the box in its pixels (left, upper, right, lower), and whether it is mirrored."""

    box: tuple[float, float, float, float]
    mirrored: bool

    @classmethod
    def random(cls, width: int, height: int, side: int, rng: np.random.Generator) -> _Cut:
        short = rng.integers(round(side * JITTER[0]), round(side * JITTER[1]), endpoint=True)
        size = side * min(width, height) / short
        left, upper = rng.uniform(0, width - size), rng.uniform(0, height - size)
        return cls((left, upper, left + size, upper + size), bool(rng.random() < 0.5))

    def of(self, image: Image, side: int) -> Image:
        from PIL import Image as Pictures

        # In one step: only the pixels of the crop are computed.
        scaled = Pictures.fromarray(image).resize((side, side), Pictures.Resampling.BILINEAR, self.box)
        pixels = np.asarray(scaled)
        return pixels[:, ::-1] if self.mirrored else pixels


def random_clip(stored: StoredFrames, spec: NetworkSpec, rng: np.random.Generator) -> Image:
    """A random window of a video, cut the same way in all its frames: (T, S, S, 3) uint8."""
    times = stored.times_s
    latest = max(times[-1] - spec.window_s, times[0])
    images = stored.read(_window(times, rng.uniform(times[0], latest), spec))
    height, width = images[0].shape[:2]
    side = crop_side(spec)
    cut = _Cut.random(width, height, side, rng)
    return np.ascontiguousarray(np.stack([cut.of(image, side) for image in images]))


def _window(times: np.ndarray, start_s: float, spec: NetworkSpec) -> list[int]:
    """The numbers of the frames that a window from `start_s` reads; of a shorter video, all spread over the clip."""
    first = int(np.searchsorted(times, start_s - 1e-6))
    stop = max(int(np.searchsorted(times, start_s + spec.window_s - 1e-6)), first + 1)
    first = min(first, len(times) - 1)
    return (first + spread(min(stop, len(times)) - first, spec.frames)).tolist()  # type: ignore[no-any-return]

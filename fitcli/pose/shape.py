"""Whether somebody stretched a video's picture to another shape, and how far, from how well BlazePose finds the person.

A file whose picture was forced into another shape, an upright one into a wide one most often, says nothing of it. But
people in it are as broad as nobody is, and BlazePose loses them. It finds them again once the picture is narrowed to
what it was, about as well a little to either side of that, and ever worse further away: so where it finds them tells
the shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from fitcli import interrupt
from fitcli.pose.blazepose import BlazePose
from fitcli.pose.tracker import PoseTracker
from fitcli.video import Frame, Image

LOOKS = 12
"""Frames of a video that are looked at, at most; those of one movement differ little."""

STEP = 4 / 3
"""Ratio between two stretches that are tried; the usual shapes of pictures, 16:9, 4:3, 1:1, 3:4 and 9:16, lie as far
apart."""

SHAPES = (-2, -1, 0, 1, 2)
"""The shapes that a picture may have had before, in steps from the square: 9:16 to 16:9."""

LEAST_STRETCH = 1.5
"""Less is let be: BlazePose sees such people well, and the shipped networks learned from stretched pictures too."""

WIDTHS = tuple(step / 2 for step in range(4, 13))
"""Steps from the true shape at which a person is found half as well as in it: it differs from video to video."""

FALL = 1.5
"""Steps in which that falls from three quarters to a half, or from a half to a quarter, about."""

SURE = (0.02, 0.97)
"""How well a person is expected to be found at the least and at the most: one frame in between proves nothing."""

EVIDENCE = 1.5
"""By how much a stretch must explain better than none where the person is found, in log likelihood: 115 ordinary videos
stay under 1.1."""

FOUND_AT_LEAST = 0.6
"""Mean presence that some shape must reach: who is hardly found in any tells nothing about the shape."""

USUAL_SHAPE = 0.5
"""What speaks for 9:16 and 16:9, which phones and cameras film, before anything is seen, in log likelihood."""

_ONE_SHAPE = 0.1  # steps between shapes that differ by rounding alone
_TRIED_FIRST = 3  # steps at which an ordinary picture is clearly worse than it was, and a stretched one clearly better
_TRIED = range(-3, 6)  # steps to that side; further to the other one, other people and things are taken for the person


class Spread:
    """Keeps at most `LOOKS` frames of a video while they go by, evenly spread over it however long it is."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._every = 1

    def through(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames, some of which stay in `frames`."""
        for number, frame in enumerate(frames):
            if number % self._every == 0:
                self.frames.append(frame)
                if len(self.frames) > LOOKS:
                    self.frames = self.frames[::2]
                    self._every *= 2
            yield frame


def picture_stretch(frames: Sequence[Frame], model: BlazePose) -> float:
    """How many times its true width the picture of these frames is shown: 1.0 ordinarily, under 1 where it is squeezed.

    frames: some of one video, far enough apart to show different moments. Somebody is looked for in each anew, with
    the width divided by powers of `STEP`; the answer is the usual shape that explains best at which of them the person
    is found, if it does so clearly better than the shape as it is.
    """
    if not frames:
        return 1.0
    height, width = frames[0].image.shape[:2]
    shown = _steps(width / height)
    if any(abs(_steps(f.image.shape[1] / f.image.shape[0]) - shown) > _ONE_SHAPE for f in frames):
        return 1.0  # a stream that changes its shape was not forced into one
    stretches = {shape: shown - shape for shape in SHAPES if abs(shown - shape) >= _steps(LEAST_STRETCH)}
    sides = sorted({int(math.copysign(1, stretch)) for stretch in stretches.values()})
    if not sides:
        return 1.0
    looks = _Looks([frame.image for frame in frames], model)
    side = max(sides, key=lambda side: looks.presence(side * _TRIED_FIRST))
    if looks.presence(side * _TRIED_FIRST) < looks.presence(0):
        return 1.0
    tried = [side * step for step in _TRIED]
    presence = np.array([looks.presence(step) for step in tried])
    if presence.max() < FOUND_AT_LEAST:
        return 1.0
    found = presence / presence.max()
    as_it_is = _explained(found, np.array(tried))
    evidence = {
        shape: _explained(found, np.array(tried) - stretch) - as_it_is
        for shape, stretch in stretches.items()
        if stretch * side > 0
    }
    shape = max(evidence, key=lambda shape: evidence[shape] + USUAL_SHAPE * (abs(shape) == max(SHAPES)))
    return STEP ** stretches[shape] if evidence[shape] >= EVIDENCE else 1.0


class _Looks:
    """How well the person is found in pictures whose width is divided by powers of `STEP`; each is tried once."""

    def __init__(self, pictures: Sequence[Image], model: BlazePose) -> None:
        self._pictures = pictures
        self._model = model
        self._found: dict[int, float] = {}

    def presence(self, steps: int) -> float:
        """Mean presence over the pictures, 0..1; the pictures are looked at side by side."""
        if steps not in self._found:
            with ThreadPoolExecutor(self._model.streams, thread_name_prefix="shape") as side_by_side:
                looks = [side_by_side.submit(self._look, picture, STEP**steps) for picture in self._pictures]
                presences = [interrupt.result(look) for look in looks]
            self._found[steps] = sum(presences) / len(presences)
        return self._found[steps]

    def _look(self, picture: Image, stretch: float) -> float:
        """The landmark network's score for the person in one picture whose width is divided, 0 for nobody."""
        from PIL import Image as PillowImage

        interrupt.heed()
        height, width = picture.shape[:2]
        # Never larger than it is: width against height is all that counts.
        size = (max(round(width / stretch), 1), height) if stretch > 1 else (width, max(round(height * stretch), 1))
        if size != (width, height):
            picture = np.asarray(PillowImage.fromarray(picture).resize(size, PillowImage.Resampling.BILINEAR))
        sample = PoseTracker(self._model).update(picture)
        return sample.presence if sample else 0.0


def _steps(ratio: float) -> float:
    return math.log(ratio, STEP)


def _explained(found: npt.NDArray[np.float64], away: npt.NDArray[np.float64]) -> float:
    """Log likelihood of how well the person is found, 0..1, so many steps away from the true shape: of the best width.

    A person is found about equally well near the true shape, and ever worse beyond some width to either side.
    """
    least, most = SURE
    expected = least + (most - least) / (1 + np.exp((np.abs(away) - np.array(WIDTHS)[:, None]) / FALL))
    return float((found * np.log(expected) + (1 - found) * np.log(1 - expected)).sum(1).max())

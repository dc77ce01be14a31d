"""Detects a stretched picture, and by how much, from how well BlazePose finds the person at different aspect ratios.

A file whose picture was forced into another aspect ratio, most often portrait into landscape, does not state it. But
people in it are impossibly broad, and BlazePose loses them. It finds them again in the original aspect ratio, about as
well near it, and worse with distance. So the ratios at which it finds them reveal the original one.
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
"""Most frames of a video that are examined; frames of one movement differ little."""

STEP = 4 / 3
"""Ratio between two aspect ratios that are tried; the usual ones, 16:9, 4:3, 1:1, 3:4 and 9:16, are as far apart."""

SHAPES = (-2, -1, 0, 1, 2)
"""The possible original aspect ratios, in steps from the square: 9:16 to 16:9."""

LEAST_STRETCH = 1.5
"""A smaller stretch is ignored: BlazePose finds such people, and the training data contains such pictures too."""

WIDTHS = tuple(step / 2 for step in range(4, 13))
"""Steps from the true ratio at which a person is found half as well; a range, because videos differ."""

FALL = 1.5
"""Steps in which it falls from about three quarters to a half, or from a half to a quarter."""

SURE = (0.02, 0.97)
"""Lowest and highest expected presence, so that a single frame proves nothing."""

EVIDENCE = 1.5
"""Log likelihood ratio against an unstretched picture from which a stretch is reported; 115 ordinary videos stay under
1.1."""

FOUND_AT_LEAST = 0.6
"""Mean presence that some ratio must reach: a person who is hardly found anywhere is no evidence."""

USUAL_SHAPE = 0.5
"""Prior log likelihood ratio of 9:16 and 16:9, the formats of phones and cameras, against the others."""

_ONE_SHAPE = 0.1  # steps between ratios that differ only by rounding
_TRIED_FIRST = 3  # steps at which an ordinary picture is clearly worse than before, and a stretched one clearly better
_TRIED = range(
    -3, 6
)  # steps to that side; far to the other side, BlazePose takes other people and things for the person


class Spread:
    """Collects at most `LOOKS` frames of a stream, evenly spaced over its length, which is not known before."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._every = 1

    def through(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames, some of which are kept in `frames`."""
        for number, frame in enumerate(frames):
            if number % self._every == 0:
                self.frames.append(frame)
                if len(self.frames) > LOOKS:
                    self.frames = self.frames[::2]
                    self._every *= 2
            yield frame


def picture_stretch(frames: Sequence[Frame], model: BlazePose) -> float:
    """The ratio of the shown to the true width of these frames: 1.0 ordinarily, under 1 for a squeezed picture.

    frames: frames of one video that show different moments. The person is detected in each with the width divided by
    powers of `STEP`. The result is the usual ratio that best explains the presences, if it does so clearly better than
    no stretch.
    """
    if not frames:
        return 1.0
    height, width = frames[0].image.shape[:2]
    shown = _steps(width / height)
    if any(abs(_steps(f.image.shape[1] / f.image.shape[0]) - shown) > _ONE_SHAPE for f in frames):
        return 1.0  # a stream with several aspect ratios was not forced into one
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
    """The presence of the person in pictures whose width is divided by powers of `STEP`, each computed once."""

    def __init__(self, pictures: Sequence[Image], model: BlazePose) -> None:
        self._pictures = pictures
        self._model = model
        self._found: dict[int, float] = {}

    def presence(self, steps: int) -> float:
        """Mean presence over the pictures, 0..1; the pictures are processed in parallel."""
        if steps not in self._found:
            with ThreadPoolExecutor(self._model.streams, thread_name_prefix="shape") as side_by_side:
                looks = [side_by_side.submit(self._look, picture, STEP**steps) for picture in self._pictures]
                presences = [interrupt.result(look) for look in looks]
            self._found[steps] = sum(presences) / len(presences)
        return self._found[steps]

    def _look(self, picture: Image, stretch: float) -> float:
        """The presence, 0..1, of the person in one picture with its width divided by `stretch`; 0 for nobody."""
        from PIL import Image as PillowImage

        interrupt.heed()
        height, width = picture.shape[:2]
        # Only the ratio counts, so the picture is never enlarged.
        size = (max(round(width / stretch), 1), height) if stretch > 1 else (width, max(round(height * stretch), 1))
        if size != (width, height):
            picture = np.asarray(PillowImage.fromarray(picture).resize(size, PillowImage.Resampling.BILINEAR))
        sample = PoseTracker(self._model).update(picture)
        return sample.presence if sample else 0.0


def _steps(ratio: float) -> float:
    return math.log(ratio, STEP)


def _explained(found: npt.NDArray[np.float64], away: npt.NDArray[np.float64]) -> float:
    """Log likelihood of presences `found`, 0..1, at `away` steps from the true ratio, maximised over `WIDTHS`.

    The model: presence is constant near the true ratio and falls off beyond some width to either side.
    """
    least, most = SURE
    expected = least + (most - least) / (1 + np.exp((np.abs(away) - np.array(WIDTHS)[:, None]) / FALL))
    return float((found * np.log(expected) + (1 - found) * np.log(1 - expected)).sum(1).max())

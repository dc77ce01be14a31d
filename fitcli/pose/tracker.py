"""Follow one person through a video with BlazePose: detect once, then each frame's landmarks give the next region."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from fitcli.pose.blazepose import LANDMARK_COUNT, BlazePose, Detection, Image, PoseSample, Region
from fitcli.pose.track import PoseTrack
from fitcli.video import Frame

PRESENCE = 0.5
"""Landmark scores under this are nobody: the person is looked for again (MediaPipe's default)."""

CUT_DIFFERENCE = 24.0
"""Mean grey levels (0..255) by which a thumbnail changes at a hard cut: in 127 real clips at 15 Hz everything above was
a cut, fade or jump of zoom, and moving people and cameras stayed under 16."""

_THUMBNAIL_SIZE = (16, 9)  # blocks so large that a limb's movement hardly changes them
_CENTRE_WEIGHT = 0.5  # how much of their size people at the edge of the picture lose in the choice of the person
_NEAR_SIDES = 0.5  # a person found again is the same one if the hips moved less than this share of the region's side
_SMALLEST_SIDE_PX = 8.0
_LARGEST_SIDES = 8.0  # a region as many times larger than the picture is none


class PoseTracker:
    """Follows one person from frame to frame; frames come in order, about `fitcli.video.SAMPLE_RATE_HZ` a second.

    The person is the largest and most central one at first and stays the same while they can be found. A hard cut
    starts anew. Landmarks are raw, not smoothed over time, as in the sequences that the shipped networks learned from.
    """

    def __init__(self, model: BlazePose | None = None, *, threads: int | None = None) -> None:
        self._model = model or BlazePose(threads)
        self.reset()

    def reset(self) -> None:
        """Forget the person: the next frame belongs to another video or another shot."""
        self._region: Region | None = None
        self._lost: Region | None = None
        self._thumbnail: npt.NDArray[np.float32] | None = None

    def update(self, image: Image) -> PoseSample | None:
        """The person's pose in the next (H, W, 3) uint8 RGB frame, or None where nobody is found."""
        thumbnail = _thumbnail(image)
        if self._thumbnail is not None and float(np.abs(thumbnail - self._thumbnail).mean()) > CUT_DIFFERENCE:
            self.reset()
        self._thumbnail = thumbnail
        if self._region is not None:
            self._lost = self._region
            if sample := self._at(image, self._region):
                return sample
        for detection in self._preferred(self._model.detect(image), image):
            if sample := self._at(image, detection.region):
                return sample
        return None

    def _at(self, image: Image, region: Region) -> PoseSample | None:
        """The pose in `region`, whose own region is then kept for the next frame; None where nobody is."""
        sample, following = self._model.landmarks(image, region)
        found = sample.presence >= PRESENCE
        self._region = following if found and _holds(following, image) else None
        return sample if found else None

    def _preferred(self, people: list[Detection], image: Image) -> list[Detection]:
        """The people found, the one to follow first: who was followed before, else the largest and most central."""
        height, width = image.shape[:2]

        def prominence(person: Detection) -> float:
            off_centre = math.hypot(
                2 * person.region.center_x / width - 1,
                2 * person.region.center_y / height - 1,
            )
            return person.region.side * (1 - _CENTRE_WEIGHT * min(off_centre, 1.0))

        def rank(person: Detection) -> tuple[bool, float]:
            near = self._lost is not None and _distance(person.region, self._lost) < _NEAR_SIDES * self._lost.side
            return near, prominence(person)

        return sorted((person for person in people if _holds(person.region, image)), key=rank, reverse=True)


def track(
    frames: Iterable[Frame],
    *,
    tracker: PoseTracker | None = None,
    on_sample: Callable[[Frame, PoseSample | None], None] | None = None,
) -> PoseTrack:
    """Follow one person through frames of one size and return the whole track, a row for every frame.

    tracker: one to use again (it is reset), so that several videos share the compiled networks.
    on_sample: called after each frame with the frame and the pose, or None where nobody was found.
    """
    tracker = tracker or PoseTracker()
    tracker.reset()
    nobody = np.zeros((LANDMARK_COUNT, 3), np.float32)
    times, landmarks, world, presence = [], [], [], []
    width = height = 0
    for frame in frames:
        height, width = frame.image.shape[:2]
        sample = tracker.update(frame.image)
        times.append(frame.time_s)
        landmarks.append(sample.landmarks if sample else nobody)
        world.append(sample.world if sample else nobody)
        presence.append(sample.presence if sample else 0.0)
        if on_sample:
            on_sample(frame, sample)
    return PoseTrack(
        times_s=np.array(times, np.float64),
        landmarks=np.array(landmarks, np.float32).reshape(-1, LANDMARK_COUNT, 3),
        world=np.array(world, np.float32).reshape(-1, LANDMARK_COUNT, 3),
        presence=np.array(presence, np.float32),
        frame_width=width,
        frame_height=height,
    )


def _thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """Mean green levels of the frame's blocks, from every fourth pixel or so: quick, and enough to see a cut."""
    from PIL import Image as PillowImage

    stride = max(max(image.shape[:2]) // 160, 1)
    green = PillowImage.fromarray(np.ascontiguousarray(image[::stride, ::stride, 1]))
    return np.asarray(green.resize(_THUMBNAIL_SIZE, PillowImage.Resampling.BOX), np.float32)


def _holds(region: Region, image: Image) -> bool:
    """Whether a region can hold a person of this frame: networks that lost theirs point anywhere."""
    height, width = image.shape[:2]
    reach = region.side / 2
    sized = _SMALLEST_SIDE_PX <= region.side <= _LARGEST_SIDES * max(width, height)
    inside = -reach < region.center_x < width + reach and -reach < region.center_y < height + reach
    return bool(sized and inside)


def _distance(a: Region, b: Region) -> float:
    return math.hypot(a.center_x - b.center_x, a.center_y - b.center_y)

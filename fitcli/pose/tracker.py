"""Follow one person through a video with BlazePose: detect once, then each frame's landmarks give the next region."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from fitcli import interrupt
from fitcli.pose.blazepose import LANDMARK_COUNT, BlazePose, Detection, PoseSample, Region
from fitcli.pose.track import PoseTrack
from fitcli.video import GAP_S, Frame, Image

PRESENCE = 0.5
"""Landmark scores under this are nobody: the person is looked for again (MediaPipe's default)."""

CUT_DIFFERENCE = 24.0
"""Mean grey levels (0..255) by which a thumbnail changes at a hard cut: in 127 real clips at 15 Hz everything above was
a cut, fade or jump of zoom, and moving people and cameras stayed under 16."""

STRETCH_FRAMES = 20
"""Frames that one core follows at a time: at the usual 15 a second, a squat's down and up."""

_SAME_POSE = 0.05  # of the person's size: two looks at one person differ by a fifth of that, two people by far more
_MOST_STREAMS = 8  # each holds a stretch of frames, 14 MB
_THUMBNAIL_SIZE = (16, 9)  # blocks so large that a limb's movement hardly changes them
_CENTRE_WEIGHT = 0.5  # how much of their size people at the edge of the picture lose in the choice of the person
_NEAR_SIDES = 0.5  # a person found again is the same one if the hips moved less than this share of the region's side
_SAME_SHAPE = 1.02  # ratio of two shapes up to which a picture of another size shows the same
_SMALLEST_SIDE_PX = 8.0
_LARGEST_SIDES = 8.0  # a region as many times larger than the picture is none


class PoseTracker:
    """Follows one person from frame to frame; frames come in order, about `fitcli.video.SAMPLE_RATE_HZ` a second.

    The person is the largest and most central one at first and stays the same while they can be found. A hard cut
    starts anew. Landmarks are raw, not smoothed over time, as in the sequences that the shipped networks learned from.
    """

    def __init__(self, model: BlazePose | None = None) -> None:
        self._model = model or BlazePose()
        self.reset()

    def reset(self) -> None:
        """Forget the person: the next frame belongs to another video or another shot."""
        self._region: Region | None = None
        self._lost: Region | None = None
        self._thumbnail: npt.NDArray[np.float32] | None = None
        self._size: tuple[int, int] | None = None

    @property
    def remembers(self) -> bool:
        """Whether there is somebody to look for again, who was lost since the last cut."""
        return self._lost is not None

    def remember(self, earlier: PoseTracker) -> None:
        """Look for whom an earlier tracker of the same video lost."""
        self._lost = earlier._lost

    def update(self, image: Image) -> PoseSample | None:
        """The person's pose in the next (H, W, 3) uint8 RGB frame, or None where nobody is found."""
        self._resize((image.shape[1], image.shape[0]))
        thumbnail = _thumbnail(image)
        if self._thumbnail is not None and float(np.abs(thumbnail - self._thumbnail).mean()) > CUT_DIFFERENCE:
            self.reset()
        self._thumbnail = thumbnail
        self._size = image.shape[1], image.shape[0]
        if self._region is not None:
            self._lost = self._region
            if sample := self._at(image, self._region):
                return sample
        for detection in self._preferred(self._model.detect(image), image):
            if sample := self._at(image, detection.region):
                return sample
        return None

    def _resize(self, size: tuple[int, int]) -> None:
        """Go on in pictures of another size: the person is at the same place in it, if the shape is the same."""
        if self._size is None or size == self._size:
            return
        scale = size[0] / self._size[0]
        if not 1 / _SAME_SHAPE < scale / (size[1] / self._size[1]) < _SAME_SHAPE:
            self.reset()
            return
        self._region, self._lost = (region and region.scaled(scale) for region in (self._region, self._lost))

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
    model: BlazePose | None = None,
    on_sample: Callable[[Frame, PoseSample | None], None] | None = None,
) -> PoseTrack:
    """Follow one person through frames and return the whole track, a row for every frame.

    What comes after a gap of more than `GAP_S` is followed anew, as if it stood alone. Stretches of the video are
    followed side by side, `model.streams` at once. The track is the same for any number.

    model: the networks to use, so that several videos share the compiled ones; default: a stream for every core.
    on_sample: called for each frame in order with the pose, or None where nobody was found.
    """
    nobody = np.zeros((LANDMARK_COUNT, 3), np.float32)
    times, landmarks, world, presence = [], [], [], []
    sizes: list[tuple[int, int]] = []
    for frame, sample in _followed(frames, model or BlazePose(streams=cores())):
        sizes.append((frame.image.shape[1], frame.image.shape[0]))
        times.append(frame.time_s)
        landmarks.append(sample.landmarks if sample else nobody)
        world.append(sample.world if sample else nobody)
        presence.append(sample.presence if sample else 0.0)
        if on_sample:
            on_sample(frame, sample)
    return PoseTrack.stacked(times, landmarks, world, presence, sizes)


@dataclass(frozen=True)
class _Stretch:
    """Frames, the pose in each, and the tracker that followed them, as it was after the last."""

    frames: list[Frame]
    samples: list[PoseSample | None]
    tracker: PoseTracker

    @classmethod
    def follow(cls, frames: list[Frame], tracker: PoseTracker) -> _Stretch:
        samples = []
        for frame in frames:
            interrupt.heed()
            samples.append(tracker.update(frame.image))
        return cls(frames, samples, tracker)

    def continued_by(self, following: _Stretch) -> _Stretch:
        """The stretch after this one, without the frame that they share.

        It stands as it is if it began with the person whom this one ended with. If not, it is followed once more, from
        here.
        """
        end, begin = self.samples[-1], following.samples[0]
        frames, samples = following.frames[1:], following.samples[1:]
        if end and begin:
            same = _same_pose(end, begin, following.frames[0].image)
        else:
            # Who comes in where nobody was must be told from who was lost before.
            same = not (end or begin) and (not self.tracker.remembers or not any(samples))
        if not same:
            return _Stretch.follow(frames, self.tracker)
        if not any(samples):
            following.tracker.remember(self.tracker)
        return _Stretch(frames, samples, following.tracker)


def _followed(frames: Iterable[Frame], model: BlazePose) -> Iterator[tuple[Frame, PoseSample | None]]:
    """Every frame with its pose: each stretch is followed from its own detection, beside the ones before it."""
    stretches = _overlapping(frames)
    last: _Stretch | None = None
    with ThreadPoolExecutor(model.streams, thread_name_prefix="pose") as side_by_side:
        running: deque[Future[_Stretch]] = deque()
        while True:
            for part in islice(stretches, model.streams + 1 - len(running)):
                running.append(side_by_side.submit(_Stretch.follow, part, PoseTracker(model)))
            if not running:
                return
            following = interrupt.result(running.popleft())
            shared = last is not None and last.frames[-1] is following.frames[0]
            last = last.continued_by(following) if last and shared else following
            yield from zip(last.frames, last.samples, strict=True)


def _overlapping(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """The frames in stretches, each of which begins with the last frame of the one before, if there is no gap between.

    So the stretches after a gap are those of a video that begins there.
    """
    stretch: list[Frame] = []
    most = STRETCH_FRAMES
    for frame in frames:
        if stretch and frame.time_s - stretch[-1].time_s > GAP_S:
            yield stretch
            stretch, most = [], STRETCH_FRAMES
        elif len(stretch) == most:
            yield stretch
            stretch, most = [stretch[-1]], STRETCH_FRAMES + 1
        stretch.append(frame)
    if stretch:
        yield stretch


def _same_pose(one: PoseSample, other: PoseSample, image: Image) -> bool:
    """Whether two poses in one frame are one person's, who was looked at in two regions."""
    size = image.shape[1], image.shape[0]
    a, b = one.landmarks[:, :2] * size, other.landmarks[:, :2] * size
    return float(np.median(np.linalg.norm(a - b, axis=1))) < _SAME_POSE * float(np.ptp(a, axis=0).max())


def cores() -> int:
    """CPU cores that this process may use, and no more than `_MOST_STREAMS`."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, _MOST_STREAMS))


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

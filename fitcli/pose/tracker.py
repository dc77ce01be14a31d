"""Tracks one person through a video with BlazePose: one detection, then each frame's landmarks give the next region."""

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
"""Below this landmark score the person is lost, and detected again (MediaPipe's default)."""

CUT_DIFFERENCE = 24.0
"""Mean change of a thumbnail in grey levels (0..255) from which it is a hard cut: in 127 real clips at 15 Hz, changes
above it were cuts, fades or jumps of the zoom, and moving people and cameras stayed under 16."""

SEGMENT_FRAMES = 20
"""Frames that one core tracks at a time: at the usual 15 a second, one squat."""

_SAME_POSE = (
    0.05  # share of the person's size: two estimates of one person differ by a fifth of that, two people by far more
)
_MOST_STREAMS = 8  # each holds a segment of frames, 14 MB
_THUMBNAIL_SIZE = (16, 9)  # blocks large enough that a moving limb hardly changes them
_CENTRE_WEIGHT = 0.5  # the share of their size that people at the edge of the picture lose in the ranking
_NEAR_SIDES = 0.5  # a person detected again is the same one if the hips moved less than this share of the region's side
_SAME_SHAPE = 1.02  # ratio of two aspect ratios up to which pictures of different sizes show the same view
_SMALLEST_SIDE_PX = 8.0
_LARGEST_SIDES = 8.0  # a region that many times larger than the picture is invalid


class PoseTracker:
    """Tracks one person from frame to frame; frames come in order, about `fitcli.video.SAMPLE_RATE_HZ` a second.

    It starts with the largest and most central person, and keeps to them while they can be found. A hard cut resets it.
    Landmarks are not smoothed over time, as in the sequences that the shipped networks were trained on.
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
        """Whether a person was lost since the last cut, and is looked for."""
        return self._lost is not None

    def remember(self, earlier: PoseTracker) -> None:
        """Look for the person that an earlier tracker of the same video lost."""
        self._lost = earlier._lost

    def update(self, image: Image) -> PoseSample | None:
        """The person's pose in the next (H, W, 3) uint8 RGB frame, or None if nobody is found."""
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
        """Adapt to pictures of another size: with the same aspect ratio, the person is in the same place."""
        if self._size is None or size == self._size:
            return
        scale = size[0] / self._size[0]
        if not 1 / _SAME_SHAPE < scale / (size[1] / self._size[1]) < _SAME_SHAPE:
            self.reset()
            return
        self._region, self._lost = (region and region.scaled(scale) for region in (self._region, self._lost))

    def _at(self, image: Image, region: Region) -> PoseSample | None:
        """The pose in `region`, or None if nobody is there; keeps the region for the next frame."""
        sample, following = self._model.landmarks(image, region)
        found = sample.presence >= PRESENCE
        self._region = following if found and _holds(following, image) else None
        return sample if found else None

    def _preferred(self, people: list[Detection], image: Image) -> list[Detection]:
        """The detected people by rank: the person tracked before, then the largest and most central."""
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
    """Track one person through frames; returns the track, with a sample for every frame.

    Tracking restarts after a gap of more than `GAP_S`. Segments of the video are tracked in parallel, `model.streams`
    at once; the track does not depend on their number.

    model: compiled networks to share between videos; by default new ones with a stream for every core.
    on_sample: called for each frame in order with the pose, or None if nobody was found.
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
class _Segment:
    """Frames, the pose in each, and the tracker in its state after the last."""

    frames: list[Frame]
    samples: list[PoseSample | None]
    tracker: PoseTracker

    @classmethod
    def follow(cls, frames: list[Frame], tracker: PoseTracker) -> _Segment:
        samples = []
        for frame in frames:
            interrupt.heed()
            samples.append(tracker.update(frame.image))
        return cls(frames, samples, tracker)

    def continued_by(self, following: _Segment) -> _Segment:
        """The segment after this one, without the frame that they share.

        It is valid if it begins with the person that this one ends with. If not, it is tracked again, from here.
        """
        end, begin = self.samples[-1], following.samples[0]
        frames, samples = following.frames[1:], following.samples[1:]
        if end and begin:
            same = _same_pose(end, begin, following.frames[0].image)
        else:
            # A person who appears where nobody was may be the one who was lost before.
            same = not (end or begin) and (not self.tracker.remembers or not any(samples))
        if not same:
            return _Segment.follow(frames, self.tracker)
        if not any(samples):
            following.tracker.remember(self.tracker)
        return _Segment(frames, samples, following.tracker)


def _followed(frames: Iterable[Frame], model: BlazePose) -> Iterator[tuple[Frame, PoseSample | None]]:
    """Every frame with its pose: segments are tracked in parallel, each from a detection of its own."""
    segments = _overlapping(frames)
    last: _Segment | None = None
    with ThreadPoolExecutor(model.streams, thread_name_prefix="pose") as side_by_side:
        running: deque[Future[_Segment]] = deque()
        while True:
            for part in islice(segments, model.streams + 1 - len(running)):
                running.append(side_by_side.submit(_Segment.follow, part, PoseTracker(model)))
            if not running:
                return
            following = interrupt.result(running.popleft())
            shared = last is not None and last.frames[-1] is following.frames[0]
            last = last.continued_by(following) if last and shared else following
            yield from zip(last.frames, last.samples, strict=True)


def _overlapping(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """The frames in segments, each of which begins with the last frame of the one before, unless there is a gap.

    So the segments after a gap are those of a video that begins there.
    """
    segment: list[Frame] = []
    most = SEGMENT_FRAMES
    for frame in frames:
        if segment and frame.time_s - segment[-1].time_s > GAP_S:
            yield segment
            segment, most = [], SEGMENT_FRAMES
        elif len(segment) == most:
            yield segment
            segment, most = [segment[-1]], SEGMENT_FRAMES + 1
        segment.append(frame)
    if segment:
        yield segment


def _same_pose(one: PoseSample, other: PoseSample, image: Image) -> bool:
    """Whether two poses in one frame, estimated from two regions, belong to the same person."""
    size = image.shape[1], image.shape[0]
    a, b = one.landmarks[:, :2] * size, other.landmarks[:, :2] * size
    return float(np.median(np.linalg.norm(a - b, axis=1))) < _SAME_POSE * float(np.ptp(a, axis=0).max())


def cores() -> int:
    """CPU cores that this process may use, at most `_MOST_STREAMS`."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, _MOST_STREAMS))


def _thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """Mean green levels of the frame's blocks, from about every fourth pixel: fast, and enough to detect a cut."""
    from PIL import Image as PillowImage

    stride = max(max(image.shape[:2]) // 160, 1)
    green = PillowImage.fromarray(np.ascontiguousarray(image[::stride, ::stride, 1]))
    return np.asarray(green.resize(_THUMBNAIL_SIZE, PillowImage.Resampling.BOX), np.float32)


def _holds(region: Region, image: Image) -> bool:
    """Whether a region can contain a person of this frame: a network that lost the person points anywhere."""
    height, width = image.shape[:2]
    reach = region.side / 2
    sized = _SMALLEST_SIDE_PX <= region.side <= _LARGEST_SIDES * max(width, height)
    inside = -reach < region.center_x < width + reach and -reach < region.center_y < height + reach
    return bool(sized and inside)


def _distance(a: Region, b: Region) -> float:
    return math.hypot(a.center_x - b.center_x, a.center_y - b.center_y)

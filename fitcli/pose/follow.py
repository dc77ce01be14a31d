"""A video in, the track of its person out; a stretched picture is followed again in its true shape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fitcli.pose.blazepose import BlazePose
from fitcli.pose.shape import Spread, picture_stretch
from fitcli.pose.track import PoseTrack
from fitcli.pose.tracker import cores, track
from fitcli.video import Frame, Listener, Watched, frames

WELL_FOUND = 0.98
"""Mean presence of the person over all frames from which the picture counts as unstretched."""


@dataclass(frozen=True)
class Followed:
    """The person in a video, and facts about the file.

    stretch: how many times its true width the video shows its picture; the track is that of the true shape.
    decode_s, pose_s: seconds spent on decoding, and on everything else.
    """

    track: PoseTrack
    watched: Watched
    stretch: float
    decode_s: float
    pose_s: float


def follow(
    path: Path,
    model: BlazePose | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    listener: Listener | None = None,
    on_time: Callable[[float], None] | None = None,
) -> Followed:
    """Follow the person in a video file, or in the part from `start_s` to `end_s`.

    model: the loaded pose networks, shared by several videos.
    listener: receives the frames of the first pass alone, as the file shows them.
    on_time: called with the time of each frame; the times begin again if there is a second pass.
    Raises a `FitcliError` for a file that cannot be read or is no video.
    """
    model = model or BlazePose(streams=cores())
    began = time.perf_counter()
    watched = Watched()
    decoding = _Stopwatch(frames(path, start_s=start_s, end_s=end_s, listener=listener, watched=watched))
    spread = Spread()
    person = track(_timed(spread.through(decoding), on_time), model=model)
    decode_s, stretch = decoding.elapsed_s, 1.0
    if len(person) and float(person.presence.mean()) < WELL_FOUND:
        stretch = picture_stretch(spread.frames, model)
    if stretch != 1:
        decoding = _Stopwatch(frames(path, start_s=start_s, end_s=end_s, stretch=stretch))
        person = track(_timed(decoding, on_time), model=model)
        decode_s += decoding.elapsed_s
    return Followed(person, watched, stretch, decode_s, time.perf_counter() - began - decode_s)


class _Stopwatch:
    """Iterates over frames and adds up the time that the iterator below takes."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.elapsed_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        began = time.perf_counter()
        try:
            return next(self._frames)
        finally:
            self.elapsed_s += time.perf_counter() - began


def _timed(frames: Iterable[Frame], on_time: Callable[[float], None] | None) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if on_time:
            on_time(frame.time_s)

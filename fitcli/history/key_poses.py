"""The landmarks of a video's key moments, which a report can draw when the video is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitcli.results.analysis import Analysis
from fitcli.results.sets import ExerciseSet, Repetition

if TYPE_CHECKING:
    from fitcli.pose.track import PoseTrack  # numpy, which listing the history does without

START, TURN, BEST_SEEN = "start", "turn", "best seen"
"""Moments of a movement: the start and the turn of a repetition, or the best seen moment if none was counted."""


@dataclass(frozen=True)
class KeyPose:
    """The person at one moment. `set_number` counts from 1 and is 0 outside of any set.

    landmarks: 33 of (x, y, visibility) in the order of `fitcli.pose.track.LANDMARKS`; x and y from the upper left
    corner, both in picture heights, so that a drawing has true proportions.
    """

    set_number: int
    moment: str
    time_s: float
    landmarks: tuple[tuple[float, float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The pose's object in a session file."""
        return {
            "set": self.set_number,
            "moment": self.moment,
            "time_s": round(self.time_s, 3),
            "landmarks": [[round(x, 4), round(y, 4), round(v, 2)] for x, y, v in self.landmarks],
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> KeyPose:
        """The pose that `to_json` wrote down."""
        landmarks = tuple((float(x), float(y), float(v)) for x, y, v in row["landmarks"])
        return cls(int(row["set"]), str(row["moment"]), float(row["time_s"]), landmarks)


def key_poses(analysis: Analysis) -> tuple[KeyPose, ...]:
    """Start and turn of the best seen repetition of each set, the best seen moment of each hold, or that of the video.

    Empty if nobody was found, and for an analysis without a track.
    """
    track = analysis.track
    if track is None or not (track.presence > 0).any():
        return ()
    poses = []
    for number, exercise_set in enumerate(analysis.sets, 1):
        repetition = _best_seen(exercise_set, track)
        if repetition:
            poses.append(_pose(track, _nearest(track, repetition.start_s), number, START))
            poses.append(_pose(track, _nearest(track, repetition.turn_s), number, TURN))
        elif exercise_set.held_s is not None:
            poses.append(_best_moment(track, number, exercise_set.start_s, exercise_set.end_s))
    if not poses:
        poses.append(_best_moment(track, 0, float(track.times_s[0]), float(track.times_s[-1])))
    return tuple(poses)


def picture_moment(poses: tuple[KeyPose, ...]) -> KeyPose | None:
    """The pose that represents the video: the first turn, else the first pose."""
    return next((pose for pose in poses if pose.moment == TURN), poses[0] if poses else None)


def _best_seen(exercise_set: ExerciseSet, track: PoseTrack) -> Repetition | None:
    def seen(repetition: Repetition) -> float:
        return float(track.landmarks[_nearest(track, repetition.turn_s), :, 2].mean())

    return max(exercise_set.repetitions, key=seen, default=None)


def _best_moment(track: PoseTrack, number: int, start_s: float, end_s: float) -> KeyPose:
    """The best seen moment between two times."""
    inside = (track.times_s >= start_s) & (track.times_s <= end_s)
    seen = track.landmarks[:, :, 2].mean(1) * (track.presence > 0) * inside
    return _pose(track, int(seen.argmax()), number, BEST_SEEN)


def _nearest(track: PoseTrack, time_s: float) -> int:
    """The index of the sample nearest to a time in which a person was found."""
    away = abs(track.times_s - time_s)
    away[track.presence <= 0] = float("inf")
    return int(away.argmin())


def _pose(track: PoseTrack, index: int, number: int, moment: str) -> KeyPose:
    width, height = track.size(index)
    landmarks = track.landmarks[index] * (width / height, 1, 1)
    rows = tuple((float(x), float(y), float(v)) for x, y, v in landmarks)
    return KeyPose(number, moment, float(track.times_s[index]), rows)

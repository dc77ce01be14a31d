"""Sets, repetitions, holds, tempo, range of motion and the measures behind form cues, from a `PoseTrack`."""

from fitcli.motion.counting import count_repetitions
from fitcli.motion.live import LiveCount, LiveCounter
from fitcli.motion.sets import chosen, find_sets
from fitcli.results.sets import (
    CueFinding,
    CueMeasurement,
    Curve,
    ExerciseSet,
    Repetition,
    ScorePart,
    SetScore,
    WindowLabel,
    cadence_per_min,
)

__all__ = [
    "CueFinding",
    "CueMeasurement",
    "Curve",
    "ExerciseSet",
    "LiveCount",
    "LiveCounter",
    "Repetition",
    "ScorePart",
    "SetScore",
    "WindowLabel",
    "cadence_per_min",
    "chosen",
    "count_repetitions",
    "find_sets",
]

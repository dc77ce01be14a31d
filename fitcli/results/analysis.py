"""What fitcli says of one video, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fitcli.catalog import Classes, catalog
from fitcli.results.sets import ExerciseSet

if TYPE_CHECKING:
    from fitcli.pose.track import PoseTrack  # numpy

SCHEMA = 1
"""Version of the JSON fields of an `Analysis`; it rises when a field changes its meaning or goes."""


LIKELY = 0.5
"""Probability of a set's exercise from which the video is said to show it, when it shows several."""


class Status(StrEnum):
    OK = "ok"
    UNCERTAIN = "uncertain"
    NO_PERSON = "no_person"
    ERROR = "error"


@dataclass(frozen=True)
class ExerciseScore:
    """An exercise with its probability 0..1."""

    name: str
    probability: float


@dataclass(frozen=True)
class MuscleScore:
    """A muscle group's predicted activation 0..1 (.5 and more: it works) and whether the exercise is meant to work it.

    `ideal` is False for every muscle where no exercise is named.
    """

    name: str
    activation: float
    ideal: bool


@dataclass(frozen=True)
class WindowScore:
    """What the ensemble said of one window; probabilities in the order of `Analysis.classes`, `other` = none of them.

    `exercises` is empty where no network has an exercise head.
    """

    start_s: float
    end_s: float
    exercises: tuple[float, ...]
    other: float
    muscles: tuple[float, ...]
    weight: float


@dataclass(frozen=True)
class NetworkUse:
    """One network of the ensemble: where it came from and its weight on each head, 0..1."""

    architecture: str
    input: str
    checkpoint: str
    checkpoint_sha256: str
    weight_exercise: float
    weight_muscle: float


@dataclass(frozen=True)
class Timings:
    """Seconds of wall clock; decoding and pose overlap, so the parts may exceed the total."""

    decode_s: float = 0.0
    pose_s: float = 0.0
    network_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True)
class Analysis:
    """Everything fitcli says about one video.

    `duration_s` is the file's length: as its pictures have it where they were read to their end, else as the file says.
    `start_s` and `end_s` are the times of the first and the last picture in the part that was analysed. `broken_off_s`
    is where the pictures end if the file is cut off or damaged up to its end, None ordinarily. `exercise` is None
    unless `status` is "ok"; `exercises` (all that the networks know, most probable first) and `muscles` (likewise, in
    the catalogue's order) are empty only for "no_person" and "error". `classes` gives the order of the scores in
    `windows`. Networks that know muscles alone leave `exercise` None and `exercises` empty, and `consistent_with`, else
    empty, names the exercises whose ideal muscles fit best. `muscle_scores` is "softmax" where the muscles'
    activations are shares of one whole, as the reference system shows them, else "sigmoid". `picture_stretch` is how
    many times its true width the video shows its picture, which was undone before the person was followed; 1.0
    ordinarily. `device_reason` says why the networks ran on `device`, and is empty where there was no choice.
    `message` is one sentence for a person. `track` is what was followed, for
    pictures and further measuring; it is not part of the JSON.
    """

    file: str
    status: Status
    message: str
    duration_s: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    exercise: ExerciseScore | None = None
    exercises: tuple[ExerciseScore, ...] = ()
    muscles: tuple[MuscleScore, ...] = ()
    repetitions: int | None = None
    sets: tuple[ExerciseSet, ...] = ()
    feedback: tuple[str, ...] = ()
    networks: tuple[NetworkUse, ...] = ()
    device: str = ""
    device_reason: str = ""
    timings: Timings = field(default_factory=Timings)
    windows: tuple[WindowScore, ...] = ()
    consistent_with: tuple[str, ...] = ()
    muscle_scores: str = "sigmoid"
    picture_stretch: float = 1.0
    broken_off_s: float | None = None
    classes: Classes = field(default_factory=lambda: catalog().paper)
    track: PoseTrack | None = field(default=None, repr=False, compare=False)

    @property
    def performed(self) -> tuple[str, ...]:
        """The exercises of the sets in their order, each once, as far as their own windows name them."""
        return tuple(
            dict.fromkeys(one.exercise for one in self.sets if one.exercise and self.probability_of(one) >= LIKELY)
        )

    def probability_of(self, done: ExerciseSet) -> float:
        """How probable a set's exercise is, 0..1: the mean of the windows that it lies in; 0 where it has no name."""
        if done.exercise not in self.classes.exercises:
            return 0.0
        number = self.classes.exercises.index(done.exercise)
        inside = [
            window.exercises[number]
            for window in self.windows
            if window.exercises and window.start_s < done.end_s and window.end_s > done.start_s
        ]
        return sum(inside) / len(inside) if inside else 0.0

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object of `fitcli analyze --json`."""
        return {
            "file": self.file,
            "schema": SCHEMA,
            "duration_s": round(self.duration_s, 3),
            "status": self.status.value,
            "message": self.message,
            "exercise": self.exercise
            and {"name": self.exercise.name, "confidence": round(self.exercise.probability, 4)},
            "exercises": [{"name": e.name, "probability": round(e.probability, 4)} for e in self.exercises],
            "consistent_with": list(self.consistent_with),
            "muscle_scores": self.muscle_scores,
            "muscles": [{"name": m.name, "activation": round(m.activation, 4), "ideal": m.ideal} for m in self.muscles],
            "repetitions": self.repetitions,
            "sets": [s.to_json() for s in self.sets],
            "feedback": list(self.feedback),
            "networks": [
                {
                    "architecture": n.architecture,
                    "input": n.input,
                    "checkpoint": n.checkpoint,
                    "checkpoint_sha256": n.checkpoint_sha256,
                    "weight_exercise": n.weight_exercise,
                    "weight_muscle": n.weight_muscle,
                }
                for n in self.networks
            ],
            "device": self.device,
            "device_reason": self.device_reason or None,
            "timings_s": {
                "decode": round(self.timings.decode_s, 3),
                "pose": round(self.timings.pose_s, 3),
                "network": round(self.timings.network_s, 3),
                "total": round(self.timings.total_s, 3),
            },
            "analysed_s": [round(self.start_s, 3), round(self.end_s, 3)],
            "broken_off_s": None if self.broken_off_s is None else round(self.broken_off_s, 3),
            "picture_stretch": round(self.picture_stretch, 3),
            "classes": {"exercises": list(self.classes.exercises), "muscles": list(self.classes.muscles)},
            "windows": [
                {
                    "start_s": round(w.start_s, 3),
                    "end_s": round(w.end_s, 3),
                    "exercises": [round(p, 4) for p in w.exercises],
                    "other": round(w.other, 4),
                    "muscles": [round(p, 4) for p in w.muscles],
                    "weight": round(w.weight, 4),
                }
                for w in self.windows
            ],
        }

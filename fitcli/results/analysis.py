"""What fitcli says about one video, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fitcli.catalog import Classes, catalog
from fitcli.results.sets import ExerciseSet

if TYPE_CHECKING:
    from fitcli.pose.track import PoseTrack  # numpy, which results do without

SCHEMA = 1
"""Version of the JSON fields of an `Analysis`; it rises when a field changes its meaning or is removed."""

WORKS = 0.5
"""Activation from which a muscle group works: the networks' muscle head is trained on a yes-no question."""

LIKELY = 0.5
"""Probability from which the exercise of a set counts as shown, in a video that shows several."""

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What `Analysis.from_json` and `ExerciseSet.from_json` raise for JSON that no `to_json` wrote."""


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
    """A muscle group's predicted activation 0..1, and whether the exercise is meant to work it.

    `ideal` is False for every muscle if no exercise is named.
    """

    name: str
    activation: float
    ideal: bool

    @property
    def works(self) -> bool:
        """Whether the muscle group works."""
        return self.activation >= WORKS


@dataclass(frozen=True)
class WindowScore:
    """The ensemble's answer for one window of the video.

    exercises: probability of each exercise of `Analysis.classes`; empty if no network has an exercise head.
    other: probability that the movement is none of them.
    muscles: activation of each muscle group of `Analysis.classes`.
    weight: how much the window counts in the answer for the video.
    """

    start_s: float
    end_s: float
    exercises: tuple[float, ...]
    other: float
    muscles: tuple[float, ...]
    weight: float

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> WindowScore:
        """The window that `to_json` wrote down."""
        return cls(
            start_s=row["start_s"],
            end_s=row["end_s"],
            exercises=tuple(row["exercises"]),
            other=row["other"],
            muscles=tuple(row["muscles"]),
            weight=row["weight"],
        )

    def to_json(self) -> dict[str, Any]:
        """The window's object in the documented JSON."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "exercises": [round(p, 4) for p in self.exercises],
            "other": round(self.other, 4),
            "muscles": [round(p, 4) for p in self.muscles],
            "weight": round(self.weight, 4),
        }


@dataclass(frozen=True)
class NetworkUse:
    """One network of the ensemble: its checkpoint, and its weight in each head, 0..1."""

    architecture: str
    input: str
    checkpoint: str
    checkpoint_sha256: str
    weight_exercise: float
    weight_muscle: float

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> NetworkUse:
        """The network that `to_json` wrote down."""
        return cls(**{each.name: row[each.name] for each in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """The network's object in the documented JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Timings:
    """Seconds of wall-clock time; decoding and pose overlap, so the parts may exceed the total."""

    decode_s: float = 0.0
    pose_s: float = 0.0
    network_s: float = 0.0
    total_s: float = 0.0

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Timings:
        """The timings that `to_json` wrote down."""
        return cls(row["decode"], row["pose"], row["network"], row["total"])

    def to_json(self) -> dict[str, Any]:
        """The timings' object in the documented JSON."""
        return {
            "decode": round(self.decode_s, 3),
            "pose": round(self.pose_s, 3),
            "network": round(self.network_s, 3),
            "total": round(self.total_s, 3),
        }


@dataclass(frozen=True)
class Analysis:
    """Everything fitcli says about one video.

    duration_s: length of the file: of its pictures if they were read to the end, else as the file states it.
    start_s, end_s: times of the first and the last picture in the analysed part.
    exercise: the answer; None unless `status` is "ok", and if the networks know muscles alone.
    exercises: all that the networks know, the most probable first; empty for "no_person" and "error".
    muscles: all that the networks know, in the catalogue's order; empty for "no_person" and "error".
    classes: the order of the scores in `windows`.
    consistent_with: the exercises whose ideal muscles fit best, if the networks know muscles alone; else empty.
    muscle_scores: "softmax" if activations are shares of one whole, as the reference system shows them, else "sigmoid".
    picture_stretch: how many times its true width the video shows its picture. The stretch was undone before the person
        was followed; ordinarily 1.0.
    broken_off_s: where the pictures end in a file that is cut off or damaged up to its end; ordinarily None.
    device_reason: why the networks ran on `device`; empty if there was no choice.
    message: one sentence for a person.
    track: the person who was followed, for pictures and further measuring; not part of the JSON.
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
        """The exercises of the sets in order, each once; those that their own windows do not name are left out."""
        return tuple(
            dict.fromkeys(one.exercise for one in self.sets if one.exercise and self.probability_of(one) >= LIKELY)
        )

    def probability_of(self, done: ExerciseSet) -> float:
        """The probability 0..1 of a set's exercise: the mean over the windows that overlap it; 0 for an unnamed set."""
        if done.exercise not in self.classes.exercises:
            return 0.0
        number = self.classes.exercises.index(done.exercise)
        inside = [
            window.exercises[number]
            for window in self.windows
            if window.exercises and window.start_s < done.end_s and window.end_s > done.start_s
        ]
        return sum(inside) / len(inside) if inside else 0.0

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Analysis:
        """The analysis that `to_json` wrote down; raises an error of `MALFORMED` for anything else.

        Fields that files of earlier versions lack have their defaults. `track` is not part of the JSON.
        """
        named = row["exercise"]
        start_s, end_s = row["analysed_s"]
        broken_off_s = row.get("broken_off_s")
        return cls(
            file=row["file"],
            status=Status(row["status"]),
            message=row["message"],
            duration_s=float(row["duration_s"]),
            start_s=float(start_s),
            end_s=float(end_s),
            exercise=ExerciseScore(named["name"], float(named["confidence"])) if named else None,
            exercises=tuple(ExerciseScore(e["name"], float(e["probability"])) for e in row["exercises"]),
            muscles=tuple(MuscleScore(m["name"], float(m["activation"]), m["ideal"]) for m in row["muscles"]),
            repetitions=row["repetitions"],
            sets=tuple(ExerciseSet.from_json(each) for each in row.get("sets", ())),
            feedback=tuple(row["feedback"]),
            networks=tuple(NetworkUse.from_json(each) for each in row["networks"]),
            device=row["device"],
            device_reason=row.get("device_reason") or "",
            timings=Timings.from_json(row["timings_s"]),
            windows=tuple(WindowScore.from_json(each) for each in row.get("windows", ())),
            consistent_with=tuple(row.get("consistent_with", ())),
            muscle_scores=row.get("muscle_scores", "sigmoid"),
            picture_stretch=float(row.get("picture_stretch", 1.0)),
            broken_off_s=None if broken_off_s is None else float(broken_off_s),
            classes=_classes(row.get("classes")),
        )

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
            "networks": [network.to_json() for network in self.networks],
            "device": self.device,
            "device_reason": self.device_reason or None,
            "timings_s": self.timings.to_json(),
            "analysed_s": [round(self.start_s, 3), round(self.end_s, 3)],
            "broken_off_s": None if self.broken_off_s is None else round(self.broken_off_s, 3),
            "picture_stretch": round(self.picture_stretch, 3),
            "classes": {"exercises": list(self.classes.exercises), "muscles": list(self.classes.muscles)},
            "windows": [window.to_json() for window in self.windows],
        }


def _classes(row: dict[str, Any] | None) -> Classes:
    """The order of the scores in each window; files of versions that knew the paper's classes alone do not say."""
    return Classes(tuple(row["exercises"]), tuple(row["muscles"])) if row else catalog().paper

"""The pipeline: a video in, one immutable `Analysis` out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.catalog import catalog
from fitcli.errors import InvalidVideoError

if TYPE_CHECKING:
    from fitcli.motion import ExerciseSet
    from fitcli.network.ensemble import Ensemble
    from fitcli.pose.track import PoseTrack
    from fitcli.pose.tracker import PoseTracker
    from fitcli.video import Frame

SCHEMA = 1
"""Version of the JSON fields of an `Analysis`; it rises when a field changes its meaning or goes."""

POSE_RATE_HZ = 15.0
"""Frames a second that are looked at: the rate of the sequences that the networks were trained on."""

SHORTEST_S = 0.5
"""Shorter than this holds no movement to name."""

LEAST_FOUND = 0.05
"""Share of the frames that must show somebody."""


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
    """What the ensemble said of one window; probabilities in class-id order, `other` = none of the exercises."""

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

    `duration_s` is the file's, `start_s`..`end_s` the part that was analysed. `exercise` is None unless `status` is
    "ok"; `exercises` (all 16, most probable first) and `muscles` (all 11, class-id order) are empty only for
    "no_person" and "error". `message` is one sentence for a person. `track` is what was followed, for pictures and
    further measuring; it is not part of the JSON.
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
    timings: Timings = field(default_factory=Timings)
    windows: tuple[WindowScore, ...] = ()
    track: PoseTrack | None = field(default=None, repr=False, compare=False)

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
            "timings_s": {
                "decode": round(self.timings.decode_s, 3),
                "pose": round(self.timings.pose_s, 3),
                "network": round(self.timings.network_s, 3),
                "total": round(self.timings.total_s, 3),
            },
            "analysed_s": [round(self.start_s, 3), round(self.end_s, 3)],
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


Progress = Callable[[float], None]
"""Called with the share of the work done, 0..1, a few times a second."""


def analyze_video(
    path: Path,
    *,
    checkpoints: Path | None = None,
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    trust_checkpoint: bool = False,
    progress: Progress | None = None,
) -> Analysis:
    """Watch one video file and say which exercise it shows and which muscle groups work.

    Raises a `FitcliError` for a file that cannot be read or is no video, a bad checkpoint, or a missing device.
    """
    # Imported here: the engines take a third of a second, and listing the history needs none of them.
    from fitcli.network import checkpoint_folder
    from fitcli.pose.tracker import track
    from fitcli.video import frames, probe

    began = time.perf_counter()
    video = probe(path)
    with ThreadPoolExecutor(1) as beside:
        # Compiling releases the interpreter: the hybrid and BlazePose get ready side by side.
        loading = beside.submit(_ensemble, checkpoint_folder(checkpoints), device, trust_checkpoint)
        tracker = _tracker()
        ensemble = loading.result()
    first, last = start_s or 0.0, min(end_s or video.duration_s, video.duration_s)
    if first >= video.duration_s:
        raise InvalidVideoError(f"{path} lasts {video.duration_s:.1f} s: --start {first:g} is after its end.")
    decoding = _Stopwatch(frames(path, rate_hz=POSE_RATE_HZ, start_s=start_s, end_s=end_s))
    watching = time.perf_counter()
    person = track(_reported(decoding, first, last, progress), tracker=tracker)
    watched_s = time.perf_counter() - watching
    answer = _answer(path, person, ensemble)
    return replace(
        answer,
        duration_s=video.duration_s,
        start_s=first,
        end_s=last,
        networks=_networks(ensemble),
        device=ensemble.device,
        timings=replace(
            answer.timings,
            decode_s=decoding.elapsed_s,
            pose_s=watched_s - decoding.elapsed_s,
            total_s=time.perf_counter() - began,
        ),
        track=person,
    )


def watch(path: Path) -> PoseTrack:
    """Follow the person in a whole video file, as `analyze_video` does."""
    from fitcli.pose.tracker import track
    from fitcli.video import frames

    return track(frames(path, rate_hz=POSE_RATE_HZ), tracker=_tracker())


def _answer(path: Path, person: PoseTrack, ensemble: Ensemble) -> Analysis:
    from fitcli.network.ensemble import window_weights

    length_s = float(person.times_s[-1] - person.times_s[0]) if len(person) else 0.0
    if len(person) < 2 or length_s < SHORTEST_S:
        raise InvalidVideoError(
            f"{path} shows only {length_s:.1f} s: fitcli needs at least {SHORTEST_S:g} s to see a movement."
        )
    if person.found * len(person) < max(2, LEAST_FOUND * len(person)):
        return Analysis(
            str(path), Status.NO_PERSON, "Nobody was found in this video: is the whole body in the picture?"
        )
    began = time.perf_counter()
    starts, scores = ensemble.score(person)
    weights = window_weights(person, starts, ensemble.window_s)
    pooled = scores.pooled(weights)
    network_s = time.perf_counter() - began
    names = catalog().exercise_names
    ranked = sorted(
        (ExerciseScore(name, float(p)) for name, p in zip(names, pooled.exercise[0], strict=True)),
        key=lambda score: -score.probability,
    )
    status, message = _verdict(ranked, float(pooled.other[0]), ensemble)
    named = ranked[0] if status is Status.OK else None
    ideal = catalog().exercise(named.name).muscles if named else ()
    windows = tuple(
        WindowScore(
            start,
            min(start + ensemble.window_s, float(person.times_s[-1])),
            tuple(scores.exercise[i].tolist()),
            float(scores.other[i]),
            tuple(scores.muscle[i].tolist()),
            float(weights[i]),
        )
        for i, start in enumerate(starts)
    )
    sets = _sets(person, windows, named)
    return Analysis(
        str(path),
        status,
        message,
        exercise=named,
        exercises=tuple(ranked),
        muscles=tuple(
            MuscleScore(name, float(a), name in ideal)
            for name, a in zip(catalog().muscles, pooled.muscle[0], strict=True)
        ),
        repetitions=sum(len(s.repetitions) for s in sets),
        sets=sets,
        timings=Timings(network_s=network_s),
        windows=windows,
    )


def _verdict(ranked: list[ExerciseScore], other: float, ensemble: Ensemble) -> tuple[Status, str]:
    best, second = ranked[:2]
    config = ensemble.config
    if other >= config.other_from:
        return (
            Status.UNCERTAIN,
            f"This looks like none of the exercises I know; the nearest is {best.name} ({best.probability:.0%}).",
        )
    if best.probability < config.certain_from:
        return (
            Status.UNCERTAIN,
            f"Not sure: it looks most like {best.name} ({best.probability:.0%}), then {second.name} "
            f"({second.probability:.0%}).",
        )
    return Status.OK, f"This is {best.name} ({best.probability:.0%})."


def _sets(person: PoseTrack, windows: tuple[WindowScore, ...], named: ExerciseScore | None) -> tuple[ExerciseSet, ...]:
    from fitcli.motion import WindowLabel, find_sets

    names = catalog().exercise_names
    labels = []
    for window in windows:
        best = max(range(len(names)), key=window.exercises.__getitem__)
        unnamed = window.other > window.exercises[best]
        probability = window.other if unnamed else window.exercises[best]
        labels.append(WindowLabel(window.start_s, window.end_s, None if unnamed else names[best], probability))
    return find_sets(person, labels)


def _networks(ensemble: Ensemble) -> tuple[NetworkUse, ...]:
    return tuple(
        NetworkUse(
            architecture=runtime.spec.architecture,
            input=runtime.spec.input,
            checkpoint=str(ensemble.folder / member.checkpoint),
            checkpoint_sha256=runtime.checkpoint_sha256,
            weight_exercise=member.weight_exercise,
            weight_muscle=member.weight_muscle,
        )
        for member, runtime in zip(ensemble.config.members, ensemble.runtimes, strict=True)
    )


@cache
def _ensemble(folder: Path, device: str, trust: bool) -> Ensemble:
    # Kept for the next file of a batch: compiling the networks costs as much as a short clip.
    from fitcli.network.ensemble import Ensemble

    return Ensemble(folder, device, trust=trust)


@cache
def _tracker() -> PoseTracker:
    from fitcli.pose.tracker import PoseTracker

    return PoseTracker()


class _Stopwatch:
    """Iterates over frames and adds up the time that making them took."""

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


def _reported(frames: Iterable[Frame], first: float, last: float, progress: Progress | None) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if progress:
            progress(min(1.0, (frame.time_s - first) / max(last - first, 1e-6)))

"""The pipeline: a video in, one immutable `Analysis` out.

`Coach.analyze` reads from top to bottom: the file is decoded and its person followed (`pose`), the networks answer for
each window (`network`), the answers become a verdict and sets (`motion`), and advice is added (`coaching`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fitcli import interrupt
from fitcli.catalog import Classes, catalog
from fitcli.errors import InvalidVideoError
from fitcli.results.analysis import (
    WORKS,
    Analysis,
    ExerciseScore,
    MuscleScore,
    NetworkUse,
    Status,
    Timings,
    WindowScore,
)

if TYPE_CHECKING:  # numpy and the engines: a third of a second, which the functions that need them pay
    from fitcli.motion import WindowLabel
    from fitcli.network.device import Choice
    from fitcli.network.ensemble import Ensemble, Reading, Windows
    from fitcli.network.scores import WindowScores
    from fitcli.pose.blazepose import BlazePose
    from fitcli.pose.track import FloatArray, PoseTrack
    from fitcli.video import Image, Listener, VideoFile

_Loaded = TypeVar("_Loaded")

LEAST_FOUND = 0.05
"""Share of the frames that must show somebody."""

LEAST_FOUND_FRAMES = 2
"""Frames that must show somebody, in the shortest of videos."""

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0..1, a few times a second. The share begins again for a stretched
video, which is followed twice."""


@dataclass(frozen=True)
class Options:
    """Which part of a video is analysed, and how; as in `Coach.analyze`."""

    start_s: float | None = None
    end_s: float | None = None
    reference_scores: bool = False
    batch_s: float | None = None

    def read_s(self, duration_s: float) -> float:
        """Seconds of video that the networks read, of a video of that length."""
        return part_s(duration_s, self.start_s, self.end_s, reference_scores=self.reference_scores)


class Coach:
    """The networks and the pose model, loaded once for any number of videos.

    Nothing is loaded before it is needed; `load` does it at once. Several threads may share a coach: it analyses one
    video at a time, and each call waits for its turn.
    """

    def __init__(
        self,
        *,
        checkpoints: str | os.PathLike[str] | None = None,
        device: str = "auto",
        trust_checkpoint: bool = False,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Parameters as in `fitcli.load`."""
        self._checkpoints = None if checkpoints is None else Path(checkpoints)
        self._device = device
        self._trust = trust_checkpoint
        self._announce = announce
        self._ensembles: dict[str, Ensemble] = {}
        self._loading = threading.Lock()
        self._analysing = threading.Lock()

    def load(self) -> None:
        """Load the networks and the pose model now.

        If "auto" depends on the length of a video, as it does on a machine with a GPU, the networks are loaded with the
        first one. Raises a `FitcliError` for a bad checkpoint or a missing device.
        """
        from fitcli.network.device import Machine

        if self._device == "auto" and Machine.here().offers_cuda:
            self._choose(None)
            interrupt.result(_beside(lambda: self._blazepose))
        else:
            self._ready(None)

    def networks(self) -> Ensemble:
        """The networks, on the device for a camera; raises a `FitcliError` for a bad checkpoint or a missing device."""
        return self._ensemble(self._choose(None).device)

    def analyze(
        self,
        path: str | os.PathLike[str],
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        reference_scores: bool = False,
        batch_s: float | None = None,
        progress: Progress | None = None,
    ) -> Analysis:
        """Watch one video file and say which exercise it shows, which muscle groups work and what to change.

        Parameters as in `fitcli.analyze`. Raises a `FitcliError` for a file that cannot be read or is no video, a bad
        checkpoint, or a missing device.
        """
        from fitcli.coaching.advice import with_advice

        options = Options(start_s, end_s, reference_scores, batch_s)
        with self._one_at_a_time():
            return with_advice(self._analyze(Path(path), options, progress))

    def analyze_track(self, track: PoseTrack, *, name: str) -> Analysis:
        """What `analyze` says, about a person who was followed already, as a live camera does.

        name: used in place of a file's name. Raises a `FitcliError` for a track that is too short, for networks that
        read pictures, a bad checkpoint, or a missing device.
        """
        from fitcli.coaching.advice import with_advice
        from fitcli.network.ensemble import Reading

        began = time.perf_counter()
        choice = self._choose(None)
        ensemble = self._ensemble(choice.device)
        ensemble.require_no_pictures()
        with self._one_at_a_time():
            answer = _answer(name, track, Reading(ensemble))
        first_s, last_s = (float(track.times_s[i]) for i in (0, -1))
        answer = replace(answer, duration_s=last_s - first_s, start_s=first_s, end_s=last_s, track=track)
        answer = _on(ensemble, choice, answer)
        answer = replace(answer, timings=replace(answer.timings, total_s=time.perf_counter() - began))
        return with_advice(answer)

    def _analyze(self, path: Path, options: Options, progress: Progress | None) -> Analysis:
        from fitcli.network.ensemble import Reading
        from fitcli.pose.follow import follow
        from fitcli.video import probe

        began = time.perf_counter()
        video = probe(path)
        ensemble, choice = self._ready(options.read_s(video.duration_s) if options.batch_s is None else options.batch_s)
        reading = Reading(ensemble, reference=options.reference_scores)
        # Networks on pictures receive the frames while the pose pass decodes them: the file is decoded once.
        pictures = PictureListener(reading)
        followed = follow(
            path,
            self._blazepose,
            start_s=options.start_s,
            end_s=options.end_s,
            listener=pictures.listener,
            on_time=progress and _shares(video, options, progress),
        )
        watched = followed.watched
        answer = _answer(str(path), followed.track, reading, breaks_off=watched.broken_off)
        timings = Timings(
            decode_s=followed.decode_s - pictures.elapsed_s,
            pose_s=followed.pose_s,
            network_s=answer.timings.network_s + pictures.elapsed_s,
            total_s=time.perf_counter() - began,
        )
        return replace(
            _on(ensemble, choice, answer),
            duration_s=video.duration_s if watched.length_s is None else watched.length_s,
            start_s=watched.first_s or 0.0,
            end_s=watched.last_s or 0.0,
            broken_off_s=watched.length_s if watched.broken_off else None,
            timings=timings,
            picture_stretch=followed.stretch,
            track=followed.track,
        )

    def _ready(self, length_s: float | None) -> tuple[Ensemble, Choice]:
        """The networks for `length_s` seconds of video, loaded beside the pose model: compiling frees the interpreter.

        length_s: None for a camera.
        """

        def networks() -> tuple[Ensemble, Choice]:
            choice = self._choose(length_s)
            return self._ensemble(choice.device), choice

        loading, compiling = _beside(networks), _beside(lambda: self._blazepose)
        interrupt.result(compiling)
        return interrupt.result(loading)

    def _choose(self, length_s: float | None) -> Choice:
        from fitcli.network.ensemble import device_for

        return device_for(self._folder, self._device, length_s=length_s, trust=self._trust)

    def _ensemble(self, device: str) -> Ensemble:
        from fitcli.network.ensemble import Ensemble

        with self._loading:
            if device not in self._ensembles:
                self._ensembles[device] = Ensemble(self._folder, device, trust=self._trust, announce=self._announce)
            return self._ensembles[device]

    @property
    def _folder(self) -> Path:
        from fitcli.network.folders import checkpoint_folder

        return checkpoint_folder(self._checkpoints)

    @cached_property
    def _blazepose(self) -> BlazePose:
        from fitcli.pose.blazepose import BlazePose
        from fitcli.pose.tracker import cores

        return BlazePose(streams=cores())

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        while not self._analysing.acquire(timeout=interrupt.LOOK_EVERY_S):
            interrupt.heed()
        try:
            yield
        finally:
            self._analysing.release()


def part_s(
    duration_s: float, start_s: float | None = None, end_s: float | None = None, *, reference_scores: bool = False
) -> float:
    """Seconds of video that the networks read, of the part from `start_s` to `end_s` of a video."""
    from fitcli.network.reference import WINDOW_S

    length_s = max(0.0, min(end_s or duration_s, duration_s) - (start_s or 0.0))
    return min(length_s, WINDOW_S) if reference_scores else length_s


class PictureListener:
    """Hands full-size frames to the networks that read pictures, and adds up the time that they take.

    `listener` is None if no network reads pictures.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.elapsed_s = 0.0

    @property
    def listener(self) -> Listener | None:
        from fitcli.network.rgb_clips import SOURCE_RATE_HZ
        from fitcli.video import Listener

        return Listener(self._hear, SOURCE_RATE_HZ) if self._reading.ensemble.reads_pictures else None

    def _hear(self, time_s: float, render: Callable[[], Image]) -> None:
        from fitcli.video import Frame

        if self._reading.wants_frames:
            began = time.perf_counter()
            self._reading.take(Frame(time_s, render()))
            self.elapsed_s += time.perf_counter() - began


@dataclass(frozen=True)
class _Verdict:
    """What the pooled scores say about the whole video; fields as in `Analysis`.

    counted_as: the exercise that repetitions are counted as if no network names one; None if the muscles fit several.
    """

    status: Status
    message: str
    exercises: tuple[ExerciseScore, ...] = ()
    consistent_with: tuple[str, ...] = ()
    counted_as: str | None = None

    @property
    def exercise(self) -> ExerciseScore | None:
        return self.exercises[0] if self.exercises and self.status is Status.OK else None


def _answer(file: str, person: PoseTrack, reading: Reading, *, breaks_off: bool = False) -> Analysis:
    """What the networks and the movement say about a person, before it is known where and when they were filmed."""
    from fitcli.motion import find_sets
    from fitcli.network.scores import window_weights

    _check_length(file, person, breaks_off)
    if person.found * len(person) < max(LEAST_FOUND_FRAMES, LEAST_FOUND * len(person)):
        return Analysis(file, Status.NO_PERSON, "Nobody was found in this video: is the whole body in the picture?")
    began = time.perf_counter()
    ensemble = reading.ensemble
    read = reading.score(person)
    weights = window_weights(person, read.starts_s, read.window_s)
    pooled = read.scores.pooled(weights, ensemble.config.agreement)
    network_s = time.perf_counter() - began
    windows = _windows(read, weights, person)
    verdict = _verdict(pooled, reading)
    classes = ensemble.classes
    ideal = classes.muscles_of(verdict.exercise.name) if verdict.exercise else ()
    other_from = ensemble.config.other_from
    sets = find_sets(person, [_label(window, classes, verdict.counted_as, other_from) for window in windows])
    answer = Analysis(
        file,
        verdict.status,
        verdict.message,
        exercise=verdict.exercise,
        exercises=verdict.exercises,
        muscles=tuple(
            MuscleScore(name, float(activation), name in ideal)
            for name, activation in zip(classes.muscles, pooled.muscle[0], strict=True)
        ),
        repetitions=sum(len(each.repetitions) for each in sets),
        sets=sets,
        timings=Timings(network_s=network_s),
        windows=windows,
        consistent_with=verdict.consistent_with,
        classes=classes,
        muscle_scores="softmax" if reading.reference and ensemble.has_muscle_head else "sigmoid",
    )
    if verdict.exercise and len(answer.performed) > 1:
        return replace(answer, message=f"This shows {', then '.join(answer.performed)}.")
    return answer


def _check_length(file: str, person: PoseTrack, breaks_off: bool) -> None:
    from fitcli.video import SHORTEST_S

    stretches = person.stretches()
    length_s = max((stretch.length_s for stretch in stretches), default=0.0)
    if length_s < SHORTEST_S:
        at_once = " without a gap" if len(stretches) > 1 else ", then the file breaks off" if breaks_off else ""
        raise InvalidVideoError(
            f"{file} shows only {length_s:.1f} s{at_once}: fitcli needs at least {SHORTEST_S:g} s to see a movement."
        )


def _windows(read: Windows, weights: FloatArray, person: PoseTrack) -> tuple[WindowScore, ...]:
    """The windows as plain values; a window ends with the video, and where the track has a gap."""
    last_s = float(person.times_s[-1])
    return tuple(
        WindowScore(
            start_s=start_s,
            end_s=min(start_s + read.window_s, person.gap_after(start_s), last_s),
            exercises=tuple(read.scores.exercise[i].tolist()),
            other=float(read.scores.other[i]),
            muscles=tuple(read.scores.muscle[i].tolist()),
            weight=float(weights[i]),
        )
        for i, start_s in enumerate(read.starts_s)
    )


def _verdict(pooled: WindowScores, reading: Reading) -> _Verdict:
    """The verdict of one row of scores."""
    if not reading.ensemble.names_exercises:
        return _verdict_of_muscles(pooled, reading)
    names, config = reading.ensemble.classes.exercises, reading.ensemble.config
    scores = [ExerciseScore(name, float(p)) for name, p in zip(names, pooled.exercise[0], strict=True)]
    ranked = tuple(sorted(scores, key=lambda score: -score.probability))
    best = f"{ranked[0].name} ({_percent(ranked[0].probability)})"
    if float(pooled.other[0]) >= config.other_from:
        message = f"This looks like none of the exercises I know; the nearest is {best}."
        return _Verdict(Status.UNCERTAIN, message, ranked)
    if ranked[0].probability < config.certain_from:
        likely = ", then ".join(f"{score.name} ({_percent(score.probability)})" for score in ranked[:2])
        return _Verdict(Status.UNCERTAIN, f"Not sure: it looks most like {likely}.", ranked)
    return _Verdict(Status.OK, f"This is {best}.", ranked)


def _percent(probability: float) -> str:
    return f"{min(round(100 * probability), 99)}%"  # certainty is never claimed


def _verdict_of_muscles(pooled: WindowScores, reading: Reading) -> _Verdict:
    """The verdict of networks without an exercise head."""
    fitting, exact = _fitting(pooled.muscle[0], reading.ensemble.classes, shares=reading.reference)
    listed = ", ".join(fitting)
    if reading.reference:
        message = f"As the reference system reads it, two seconds in shares of 100 %, consistent with: {listed}."
    elif exact:
        message = f"The muscles that work are consistent with: {listed}."
    else:
        message = f"No exercise works exactly these muscles; the nearest: {listed}."
    counted_as = fitting[0] if exact and len(fitting) == 1 else None
    return _Verdict(Status.OK, message, consistent_with=fitting, counted_as=counted_as)


def _fitting(activations: FloatArray, classes: Classes, *, shares: bool) -> tuple[tuple[str, ...], bool]:
    """The exercises whose ideal muscles fit these activations (M,) best, and whether exactly those muscles work.

    There may be several, because several exercises work the same muscles: the paper's 16 exercises have 12 distinct
    sets of them. Muscles of the paper's list are compared with the paper's exercises.

    The best set of muscles is the one under which the activations are most probable. For `shares` of one whole, which a
    softmax gives, it is the one nearest to equal shares.
    """
    import numpy as np

    from fitcli.network.scores import ideal_matrix

    paper = catalog().paper
    candidates = paper.exercises if classes.muscles == paper.muscles else catalog().exercise_names
    ideal = ideal_matrix(Classes(candidates, classes.muscles))
    if shares:
        fit = -np.abs(ideal / ideal.sum(1, keepdims=True) - activations).sum(1)
    else:
        likely = activations.astype(np.float64).clip(1e-6, 1 - 1e-6)
        fit = ideal @ np.log(likely) + (1 - ideal) @ np.log(1 - likely)
    nearest = int(fit.argmax())
    alike = (ideal == ideal[nearest]).all(1)
    names = tuple(name for name, same in zip(candidates, alike, strict=True) if same)
    return names, bool(((activations >= WORKS) == ideal[nearest]).all())


def _label(window: WindowScore, classes: Classes, counted_as: str | None, other_from: float) -> WindowLabel:
    """The exercise that repetitions in this window are counted as."""
    from fitcli.motion import WindowLabel

    if not window.exercises:
        return WindowLabel(window.start_s, window.end_s, counted_as, 1.0)
    # The prior odds are those at which a whole video counts as none of the exercises, not those of users' videos.
    odds = window.other * (1 - other_from) / max((1 - window.other) * other_from, 1e-6)
    if odds > 1:
        return WindowLabel(window.start_s, window.end_s, None, odds / (1 + odds))
    probability = max(window.exercises)
    name = classes.exercises[window.exercises.index(probability)]
    return WindowLabel(window.start_s, window.end_s, name, probability)


def _on(ensemble: Ensemble, choice: Choice, answer: Analysis) -> Analysis:
    """The answer with the networks that gave it, and the device that they ran on."""
    networks = tuple(
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
    return replace(answer, networks=networks, device=ensemble.device, device_reason=choice.reason)


def _shares(video: VideoFile, options: Options, progress: Progress) -> Callable[[float], None]:
    """Turns the time of each frame into the share of the part that is done."""
    first_s = options.start_s or 0.0
    last_s = min(options.end_s or video.duration_s, video.duration_s)
    return lambda time_s: progress(min(1.0, (time_s - first_s) / max(last_s - first_s, 1e-6)))


def _beside(load: Callable[[], _Loaded]) -> Future[_Loaded]:
    """Load something on a thread of its own, which Ctrl-C does not wait for."""
    beside = ThreadPoolExecutor(1, thread_name_prefix="load")
    loading = beside.submit(load)
    beside.shutdown(wait=False)
    return loading

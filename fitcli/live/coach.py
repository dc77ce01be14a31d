"""The coach while somebody trains: takes in poses, gives what to show and say now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fitcli.coaching.advice import SURE_OF_EXERCISE
from fitcli.coaching.form import newest_cue
from fitcli.errors import CheckpointError, Setting
from fitcli.motion import LiveCount, LiveCounter
from fitcli.pose.blazepose import PoseSample
from fitcli.pose.track import LANDMARKS, FloatArray, PoseTrack
from fitcli.results.analysis import ExerciseScore
from fitcli.results.sets import ExerciseSet, Repetition, cadence_per_min

if TYPE_CHECKING:  # loads the engine
    from fitcli.network.ensemble import Ensemble

WINDOW_S = 4.0
"""Seconds of poses that the exercise is named from: the length of the windows that the networks learned from."""
NAMED_EVERY_S = 2.0
"""Seconds of new poses before the exercise is named again: the networks need a quarter of a second for a window."""
LOOKS_EVERY_S = 0.25
"""How often the recogniser checks for enough new poses."""
SHORTEST_WINDOW_S = 2.0
"""Seconds of poses that are enough for a first guess, although the networks learned from longer windows."""
NEW_SHARE = 0.5
"""Weight of the newest window in the running average: a change of exercise shows after two or three windows."""
MOVING_WEIGHT = 0.3
"""Least weight of a window that is scored. Below it nobody is visible or moves: a rest keeps the last answer."""
CUE_EVERY_S = 5.0
"""Least time between two form cues: nobody can correct two things at once."""
SAME_CUE_EVERY_S = 20.0
"""Least time before the same form cue is repeated."""
HELD_EVERY_S = 10
"""A hold is announced every ten seconds."""


@dataclass(frozen=True)
class SetSummary:
    """A finished set: its number from 1, its exercise (None: not recognised), its complete repetitions.

    held_s: None unless the set is a hold. cadence_per_min: None unless the exercise is measured by its pace.
    """

    number: int
    exercise: str | None
    repetitions: int
    held_s: float | None = None
    cadence_per_min: float | None = None


@dataclass(frozen=True)
class Coaching:
    """What the coach knows at one moment of one or several sets.

    repetitions: of the current set. total: of all sets. set_number: from 1.
    rest_s: seconds since the last repetition if the set is over, None during a set.
    exercise: None until it is recognised.
    latest: the last repetition. measure: what its range of motion refers to, such as "knee angle".
    cue: the latest form cue. cue_number: its number from 1, 0 before the first.
    held_s: seconds that the current set holds its position, None for repetitions.
    cadence_per_min: repetitions a minute, None unless the exercise is measured by its pace.
    """

    repetitions: int = 0
    total: int = 0
    set_number: int = 1
    rest_s: float | None = None
    exercise: ExerciseScore | None = None
    latest: Repetition | None = None
    measure: str = ""
    cue: str | None = None
    cue_number: int = 0
    finished: tuple[SetSummary, ...] = ()
    held_s: float | None = None
    cadence_per_min: float | None = None


def reached_ten_seconds(coaching: Coaching, before_s: float | None) -> bool:
    """Whether a hold has reached the next ten seconds since it had lasted `before_s`."""
    if coaching.held_s is None:
        return False
    before = 0.0 if before_s is None or before_s > coaching.held_s else before_s
    return int(coaching.held_s // HELD_EVERY_S) > int(before // HELD_EVERY_S)


class Recogniser:
    """Names the exercise every few seconds from the latest window, on its own thread. A context manager.

    load: loads the networks; called at once on that thread, so that they are ready when the set begins. An error on
    the thread is stored in `failure`.
    """

    def __init__(self, load: Callable[[], Ensemble]) -> None:
        self.exercise: ExerciseScore | None = None
        self.failure: Exception | None = None
        self._load = load
        self._latest: Callable[[float], PoseTrack] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recogniser", daemon=True)
        self._thread.start()

    def follow(self, latest: Callable[[float], PoseTrack]) -> None:
        """Name what `latest` shows from now on: called with a number of seconds, it returns the track of that time."""
        self._latest = latest

    def close(self) -> None:
        """Stop the thread. Waits for the current window, because native code must not outlive the interpreter."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Recogniser:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            from fitcli.network.scores import window_weights

            ensemble = self._load()
            if ensemble.reads_pictures or not ensemble.names_exercises:
                raise CheckpointError(
                    f"The networks in {ensemble.folder} do not name exercises from poses, which live coaching needs: "
                    "choose other networks, or record without live coaching.",
                    setting=Setting.LIVE,
                )
            average: FloatArray | None = None
            scored_s = -np.inf
            while not self._closing.wait(LOOKS_EVERY_S):
                track = self._latest(WINDOW_S) if self._latest else None
                if track is None or not len(track) or track.times_s[-1] - scored_s < NAMED_EVERY_S:
                    continue
                if track.times_s[-1] - track.times_s[0] < SHORTEST_WINDOW_S:
                    continue
                scored_s = float(track.times_s[-1])
                weight = float(window_weights(track, (float(track.times_s[0]),), WINDOW_S)[0])
                if weight < MOVING_WEIGHT:
                    continue
                _, scores = ensemble.score(track)
                newest: FloatArray = np.append(scores.exercise.mean(0), scores.other.mean()).astype(np.float32)
                if average is None:
                    average = newest
                average += np.float32(NEW_SHARE * weight) * (newest - average)
                self.exercise = _named(average, ensemble)
        except Exception as failure:  # raised again by the thread that takes in poses
            self.failure = failure


def _named(average: FloatArray, ensemble: Ensemble) -> ExerciseScore | None:
    best = int(average[:-1].argmax())
    probability = float(average[best])
    if average[-1] >= ensemble.config.other_from or probability < ensemble.config.certain_from:
        return None
    return ExerciseScore(ensemble.classes.exercises[best], probability)


class LiveCoach:
    """Takes in one pose after another and says what to show and speak. Without a recogniser it only counts.

    frame_width, frame_height: pixels of the camera's picture. Thread-safe.
    """

    def __init__(self, frame_width: int, frame_height: int, recogniser: Recogniser | None = None) -> None:
        self._size = (frame_width, frame_height)
        self._counter = LiveCounter(frame_width, frame_height)
        self._recogniser = recogniser
        self._samples: list[tuple[float, FloatArray, FloatArray, float]] = []
        self._finished: dict[int, SetSummary] = {}
        self._cue: str | None = None
        self._cue_number = 0
        self._cue_given_s: dict[str, float] = {}
        self._last_s = 0.0
        self._one_at_a_time = threading.Lock()
        if recogniser:
            recogniser.follow(self.track)

    def see(self, time_s: float, sample: PoseSample | None) -> Coaching:
        """Take in the pose of a frame, None if nobody was found; `time_s` increases from call to call.

        Raises the error that stopped the recogniser.
        """
        if self._recogniser and self._recogniser.failure:
            raise self._recogniser.failure
        with self._one_at_a_time:
            return self._see(time_s, sample)

    def _see(self, time_s: float, sample: PoseSample | None) -> Coaching:
        nobody = np.zeros((len(LANDMARKS), 3), np.float32)
        landmarks, world, presence = (
            (sample.landmarks, sample.world, sample.presence) if sample else (nobody, nobody, 0.0)
        )
        self._last_s = time_s
        if self._recogniser:  # counting alone needs no history beyond the counter's own
            self._samples.append((time_s, landmarks, world, presence))
        exercise = self._recogniser.exercise if self._recogniser else None
        self._counter.exercise = exercise.name if exercise else None
        count = self._counter.update(time_s, landmarks, world, presence)
        if count.completed and count.latest and exercise and exercise.probability >= SURE_OF_EXERCISE:
            self._choose_cue(count.latest, time_s)
        if count.rest_s is not None:
            self._finish_set(count, exercise)
        latest = count.latest if count.repetitions or count.held_s is not None else None
        return Coaching(
            repetitions=count.repetitions,
            total=count.total,
            set_number=count.set_number,
            rest_s=count.rest_s,
            exercise=exercise,
            latest=latest.repetitions[-1] if latest and latest.repetitions else None,
            measure=latest.signal if latest else "",
            cue=self._cue,
            cue_number=self._cue_number,
            finished=tuple(self._finished.values()),
            held_s=count.held_s,
            cadence_per_min=cadence_per_min(self._counter.exercise, count.repetitions, count.lasted_s),
        )

    def finish(self) -> tuple[SetSummary, ...]:
        """All sets, including the current one, in which a repetition that is nearly complete counts."""
        with self._one_at_a_time:  # another thread may be taking in the last pose
            count = self._counter.finish()
            exercise = self._recogniser.exercise if self._recogniser else None
            self._finish_set(count, exercise)
            return tuple(self._finished.values())

    def track(self, last_s: float = np.inf) -> PoseTrack:
        """The poses of the last `last_s` seconds, by default all; times count from the first pose of the set."""
        samples = self._samples[:]
        first = len(samples)
        while first and samples[first - 1][0] > self._last_s - last_s:
            first -= 1
        times, landmarks, world, presence = zip(*samples[first:], strict=True) if samples[first:] else ((),) * 4
        begun_s = samples[0][0] if samples else 0.0
        return PoseTrack.stacked([time_s - begun_s for time_s in times], landmarks, world, presence, [self._size])

    def _choose_cue(self, latest: ExerciseSet, now_s: float) -> None:
        if self._cue_given_s and now_s - max(self._cue_given_s.values()) < CUE_EVERY_S:
            return
        silent = {cue for cue, given_s in self._cue_given_s.items() if now_s - given_s < SAME_CUE_EVERY_S}
        found = newest_cue(latest, silent)
        if found:
            self._cue, self._cue_number = found.sentence, self._cue_number + 1
            self._cue_given_s[found.cue] = now_s

    def _finish_set(self, count: LiveCount, exercise: ExerciseScore | None) -> None:
        if not count.repetitions and count.held_s is None:
            return
        name = exercise.name if exercise else None
        cadence = cadence_per_min(name, count.repetitions, count.lasted_s)
        summary = SetSummary(count.set_number, name, count.repetitions, count.held_s, cadence)
        before = self._finished.get(count.set_number)
        # an exercise that is recognised during the rest belongs to the next set
        if before is None or (before.repetitions, before.held_s) != (summary.repetitions, summary.held_s):
            self._finished[count.set_number] = summary

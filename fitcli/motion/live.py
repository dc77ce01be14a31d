"""Counts repetitions and holds during a set."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from fitcli.catalog import Exercise, catalog
from fitcli.motion.body import RATE_HZ, Array, Body, resample
from fitcli.motion.counting import Signal, build_set, choose_signal, rests_high
from fitcli.motion.holding import JUDGED_EVERY_S, LONGEST_WOBBLE_S, find_holds
from fitcli.motion.sets import REST_REPETITIONS, REST_S
from fitcli.pose.track import LANDMARKS, FloatArray, PoseTrack
from fitcli.results.sets import ExerciseSet
from fitcli.video import GAP_S

_HIPS = [LANDMARKS.index(f"{side} hip") for side in ("left", "right")]

MEMORY_S = 16.0
"""Seconds of video that are remembered: three slow repetitions."""
INTERVAL_S = 0.1
"""Seconds between two counts: more often takes time and adds nothing."""
BACK = 0.98
"""Share of the way back at which a repetition is announced: the rest is its slow end."""
NEARLY_BACK = 0.8
"""The same share for a movement that has stopped."""
STILL_PER_S = 0.1
"""Speed below which a movement has stopped, as a share of its amplitude a second."""
OVERLAP = 0.5
"""Share of a repetition's way out that may precede the end of the repetition before."""
UNDER_WAY = 0.35
"""Distance from rest, as a share of the amplitude, from which a repetition is under way."""
STAYED = 0.2
"""Farthest that the hips may move in a repetition, as a share of the body's size in the picture: else it is walking."""
SAME_SET_S = 0.5
"""A repetition may begin this much before its set: two counts differ by as much."""


@dataclass(frozen=True)
class LiveCount:
    """The state after a frame.

    repetitions, total: of the current set, and of all sets.
    set_number: counts from 1.
    completed: True in the one update that announces a repetition or measures a hold again.
    rest_s: time since the end of the set; None during a set and before the first.
    latest: the current set as far as it is remembered; None before its first repetition.
    held_s: how long the current set has held its position; None for repetitions.
    lasted_s: time from the start of the set's first repetition to the end of its last.
    """

    repetitions: int
    total: int
    set_number: int
    completed: bool
    rest_s: float | None = None
    latest: ExerciseSet | None = None
    held_s: float | None = None
    lasted_s: float = 0.0


class LiveCounter:
    """Counts repetitions, or the seconds of a hold, frame by frame: ten times a second, about 10 ms each on one core.

    frame_width, frame_height: pixels of the upright frame. `exercise` may be changed at any time; None counts any
    movement that repeats.
    """

    def __init__(self, frame_width: int, frame_height: int, exercise: str | None = None) -> None:
        self.exercise = exercise
        self._size = (frame_width, frame_height)
        self._samples: deque[tuple[float, FloatArray, FloatArray, float]] = deque()
        self._looked_s = -np.inf
        self._last_end_s: float | None = None
        self._set_start_s = -np.inf
        self._durations_s: list[float] = []
        self._repetitions = self._total = 0
        self._set_number = 1
        self._away = False
        self._latest: ExerciseSet | None = None
        self._hold_s: tuple[float, float] | None = None
        self._judged = 0

    def update(self, time_s: float, landmarks: FloatArray, world: FloatArray, presence: float = 1.0) -> LiveCount:
        """Add the landmarks of one frame, (33, 3) each as in `PoseTrack`, presence 0 for nobody; times rise.

        A gap ends the repetitions before it, which are then forgotten.
        """
        announced = 0
        if self._samples and time_s - self._samples[-1][0] > GAP_S:
            announced = self._look(self._samples[-1][0], ending=True)
            self._samples.clear()
        self._samples.append((time_s, landmarks, world, presence))
        while self._samples[0][0] < time_s - MEMORY_S:
            self._samples.popleft()
        if time_s - self._looked_s >= INTERVAL_S:
            self._looked_s = time_s
            announced += self._look(time_s)
        return self._count(time_s, announced)

    def finish(self) -> LiveCount:
        """The state after the last frame: a repetition that is nearly complete counts."""
        now_s = self._samples[-1][0] if self._samples else 0.0
        return self._count(now_s, self._look(now_s, ending=True) if self._samples else 0)

    def _count(self, now_s: float, announced: int) -> LiveCount:
        rest_s = held_s = None
        if self._hold_s is not None:
            held_s = self._hold_s[1] - self._hold_s[0]
            if now_s - self._hold_s[1] > LONGEST_WOBBLE_S:
                rest_s = now_s - self._hold_s[1]
        elif self._last_end_s is not None and not self._away and now_s - self._last_end_s > self._longest_pause_s():
            rest_s = now_s - self._last_end_s
        lasted_s = self._last_end_s - self._set_start_s if self._repetitions and self._last_end_s is not None else 0.0
        return LiveCount(
            self._repetitions, self._total, self._set_number, announced > 0, rest_s, self._latest, held_s, lasted_s
        )

    def _longest_pause_s(self) -> float:
        """The longest pause within a set, as in a whole video."""
        return max(REST_S, REST_REPETITIONS * float(np.median(self._durations_s or [0.0])))

    def _look(self, now_s: float, ending: bool = False) -> int:
        body = resample(self._track())
        known = catalog().described(self.exercise)
        if known.hold:
            return self._look_at_hold(body, known)
        signal = choose_signal(body, self.exercise, training=True)
        self._away = signal is not None and self._is_away(signal, body.times_s)
        if signal is None:
            return 0
        announced = 0
        for start_s, turn_s, end_s in self._complete(signal, body.times_s, ending):
            # The remembered part moves and the signal may change: a repetition is new if none of it was counted.
            if self._last_end_s is not None and start_s + OVERLAP * (turn_s - start_s) < self._last_end_s:
                continue
            if not self._stayed(start_s, end_s):
                continue
            if self._last_end_s is not None and start_s - self._last_end_s > self._longest_pause_s():
                self._begin_set()
            if self._hold_s is not None:
                if start_s < self._hold_s[1]:
                    continue
                self._begin_set()
            if self._repetitions == 0:
                self._set_start_s = start_s
                self._durations_s = []
            self._last_end_s = min(end_s, now_s)
            self._durations_s.append(end_s - start_s)
            self._repetitions += 1
            self._total += 1
            announced += 1
        if announced:
            self._latest = self._described(body, signal)
        return announced

    def _begin_set(self) -> None:
        self._set_number += 1
        self._repetitions = self._judged = 0
        self._hold_s = None

    def _look_at_hold(self, body: Body, exercise: Exercise) -> int:
        """Extend the current hold or begin the next; returns 1 if the hold is measured again, else 0."""
        holds = list(find_holds(body, exercise))
        if not holds:
            return 0
        latest = holds[-1]
        if self._hold_s is not None and latest.start_s <= self._hold_s[1] + LONGEST_WOBBLE_S:
            self._hold_s = (self._hold_s[0], max(self._hold_s[1], latest.end_s))
        else:
            if self._hold_s is not None or self._repetitions:
                self._begin_set()
            self._hold_s = (latest.start_s, latest.end_s)
        judged = int((self._hold_s[1] - self._hold_s[0]) / JUDGED_EVERY_S)
        if judged <= self._judged:
            return 0
        self._judged, self._latest = judged, latest
        return 1

    def _described(self, body: Body, signal: Signal) -> ExerciseSet | None:
        """The current set with the repetitions that are remembered."""
        found = build_set(body, signal, self.exercise)
        if found is None:
            return None
        own = [i for i, r in enumerate(found.repetitions) if r.start_s >= self._set_start_s - SAME_SET_S]
        return found.only(own) if own else None

    def _complete(self, signal: Signal, times_s: Array, ending: bool) -> list[tuple[float, float, float]]:
        """(start, turn, end) of the complete repetitions, and of the current one if it is nearly complete."""
        values, amplitude = signal.fused.values, signal.cycles.amplitude
        over = []
        for out, back in signal.cycles.paired(self._rests_high(signal, times_s)).pairs:
            under_way = back.end >= len(values) - 3
            done = abs(back.rise) / max(abs(out.rise), 1e-9)
            recent = values[-4:]
            stopped = ending or float(np.ptp(recent)) * RATE_HZ / 3 < STILL_PER_S * amplitude
            if not under_way or done >= BACK or (done >= NEARLY_BACK and stopped):
                over.append((float(times_s[out.start]), float(times_s[out.end]), float(times_s[back.end])))
        return over

    def _stayed(self, start_s: float, end_s: float) -> bool:
        """Whether the hips are where they were before the repetition."""
        seen = [(time_s, landmarks) for time_s, landmarks, _, presence in self._samples if presence > 0]
        times_s = np.array([time_s for time_s, _ in seen])
        points = np.stack([landmarks[:, :2] for _, landmarks in seen]) * self._size
        during = points[(times_s >= start_s) & (times_s <= end_s)]
        if not len(during):
            return True
        size = float(np.median(np.linalg.norm(np.ptp(during, axis=1), axis=1)))
        hips = points[:, _HIPS].mean(axis=1)
        before, after = (hips[np.abs(times_s - moment_s).argmin()] for moment_s in (start_s, end_s))
        return float(np.linalg.norm(after - before)) <= STAYED * size

    def _is_away(self, signal: Signal, times_s: Array) -> bool:
        """Whether a repetition is under way: the signal is not where the last one ended."""
        if self._last_end_s is None or self._last_end_s < times_s[0]:
            return False
        rest = float(np.interp(self._last_end_s, times_s, signal.fused.values))
        return abs(float(signal.fused.values[-1]) - rest) > UNDER_WAY * signal.cycles.amplitude

    def _rests_high(self, signal: Signal, times_s: Array) -> bool:
        """Whether rest is the high end: by the exercise, else by where the last repetition ended or the first began."""
        if self.exercise is not None:
            return rests_high(signal, self.exercise)
        if self._last_end_s is None or self._last_end_s < times_s[0]:
            return signal.cycles.halves[0].rise < 0
        low, high = np.percentile(signal.fused.values, (5, 95))
        return bool(np.interp(self._last_end_s, times_s, signal.fused.values) > (low + high) / 2)

    def _track(self) -> PoseTrack:
        times, landmarks, world, presence = zip(*self._samples, strict=True)
        return PoseTrack.stacked(times, landmarks, world, presence, [self._size])

"""Repetitions counted while they happen."""

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
"""Seconds of video that are looked back on: three slow repetitions."""
INTERVAL_S = 0.1
"""Seconds between two looks; more often costs time and tells nothing new."""
BACK = 0.98
"""A repetition is announced when this share of the way back is done: the rest is the slow end of it."""
NEARLY_BACK = 0.8
"""Or when this share is done and the movement has come to a stop."""
STILL_PER_S = 0.1
"""Slower than this share of the movement's amplitude a second counts as stopped."""
OVERLAP = 0.5
"""Share of a repetition's way out that may have passed before the one before it was announced as over."""
UNDER_WAY = 0.35
"""A movement this share of the amplitude away from rest is a repetition that goes on, not a rest."""
STAYED = 0.2
"""Share of the body's size in the picture that the hips may have moved by after a repetition: walkers do not train."""
SAME_SET_S = 0.5
"""A repetition that begins this much before the set was said to begin belongs to it: looks differ by so much."""


@dataclass(frozen=True)
class LiveCount:
    """The state after a frame: repetitions of the current set, of all sets, the set's number from 1.

    `held_s` is how long the current set has held its position, None where it is made of repetitions; `lasted_s` the
    time from its first repetition's start to its last one's end. `completed` is True in the one update in which a
    repetition was announced, or a hold was measured once more. `rest_s` is the time since then where the set is over,
    None while it runs or before the first. `latest` is the current set as far as it is remembered, None before its
    first repetition.
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
    """Counts repetitions, or the seconds of a hold, frame by frame; about 10 ms a look on one core, ten looks a second.

    frame_width, frame_height: pixels of the upright frame. `exercise` may be set or changed at any time, None follows
    whatever moves and comes back.
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
        """Take one frame's landmarks, (33, 3) each as in `PoseTrack`, presence 0 where nobody is; times rise.

        What was before a gap is at its end, and forgotten.
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
        """The state at the end, when no more frames will come: a repetition that is nearly back counts."""
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
        """As in a whole video: a longer pause ends the set."""
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
            # The memory slides and the chosen signal may change: a repetition is new when none of it was counted.
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
        """Follow the hold that ends last, a new one where it was left for longer than a wobble; 1 as it is measured."""
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
        """The current set's repetitions that are remembered, measured."""
        found = build_set(body, signal, self.exercise)
        if found is None:
            return None
        own = [i for i, r in enumerate(found.repetitions) if r.start_s >= self._set_start_s - SAME_SET_S]
        return found.only(own) if own else None

    def _complete(self, signal: Signal, times_s: Array, ending: bool) -> list[tuple[float, float, float]]:
        """(start, turn, end) of the repetitions that are over, the one under way included if it is nearly back."""
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
        """Whether rest is the high end: as known, or where the last repetition ended, or where the first began."""
        if self.exercise is not None:
            return rests_high(signal, self.exercise)
        if self._last_end_s is None or self._last_end_s < times_s[0]:
            return signal.cycles.halves[0].rise < 0
        low, high = np.percentile(signal.fused.values, (5, 95))
        return bool(np.interp(self._last_end_s, times_s, signal.fused.values) > (low + high) / 2)

    def _track(self) -> PoseTrack:
        times, landmarks, world, presence = zip(*self._samples, strict=True)
        return PoseTrack.stacked(times, landmarks, world, presence, [self._size])

"""Repetitions counted while they happen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from fitcli.motion.body import RATE_HZ, Array, resample
from fitcli.motion.counting import Signal, choose_signal, rests_high
from fitcli.pose.track import FloatArray, PoseTrack

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
SET_REST_S = 6.0
"""Without a repetition for this long, the next one opens a new set."""


@dataclass(frozen=True)
class LiveCount:
    """The state after a frame: repetitions of the current set, of all sets, the set's number from 1.

    `completed` is True in the one update in which a repetition was announced.
    """

    repetitions: int
    total: int
    set_number: int
    completed: bool


class LiveCounter:
    """Counts repetitions frame by frame; about 10 ms a look on one core, ten looks a second.

    frame_width, frame_height: pixels of the upright frame. `exercise` may be set or changed at any time, None follows
    whatever repeats (then the first repetition is announced with the second, when it is known to repeat).
    """

    def __init__(self, frame_width: int, frame_height: int, exercise: str | None = None) -> None:
        self.exercise = exercise
        self._size = (frame_width, frame_height)
        self._samples: deque[tuple[float, FloatArray, FloatArray, float]] = deque()
        self._looked_s = -np.inf
        self._last_end_s: float | None = None
        self._repetitions = self._total = 0
        self._set_number = 1

    def update(self, time_s: float, landmarks: FloatArray, world: FloatArray, presence: float = 1.0) -> LiveCount:
        """Take one frame's landmarks, (33, 3) each as in `PoseTrack`, presence 0 where nobody is; times rise."""
        self._samples.append((time_s, landmarks, world, presence))
        while self._samples[0][0] < time_s - MEMORY_S:
            self._samples.popleft()
        announced = 0
        if time_s - self._looked_s >= INTERVAL_S:
            self._looked_s = time_s
            announced = self._look(time_s)
        return LiveCount(self._repetitions, self._total, self._set_number, announced > 0)

    def _look(self, now_s: float) -> int:
        body = resample(self._track())
        signal = choose_signal(body, self.exercise)
        if signal is None:
            return 0
        announced = 0
        for start_s, turn_s, end_s in self._complete(signal, body.times_s):
            # The memory slides and the chosen signal may change: a repetition is new when none of it was counted.
            if self._last_end_s is not None and start_s + OVERLAP * (turn_s - start_s) < self._last_end_s:
                continue
            if self._last_end_s is not None and start_s - self._last_end_s > SET_REST_S:
                self._set_number += 1
                self._repetitions = 0
            self._last_end_s = min(end_s, now_s)
            self._repetitions += 1
            self._total += 1
            announced += 1
        return announced

    def _complete(self, signal: Signal, times_s: Array) -> list[tuple[float, float, float]]:
        """(start, turn, end) of the repetitions that are over, the one under way included if it is nearly back."""
        values, amplitude = signal.fused.values, signal.cycles.amplitude
        over = []
        for out, back in signal.cycles.paired(rests_high(signal, self.exercise)).pairs:
            under_way = back.end >= len(values) - 3
            done = abs(back.rise) / max(abs(out.rise), 1e-9)
            recent = values[-4:]
            stopped = float(np.ptp(recent)) * RATE_HZ / 3 < STILL_PER_S * amplitude
            if not under_way or done >= BACK or (done >= NEARLY_BACK and stopped):
                over.append((float(times_s[out.start]), float(times_s[out.end]), float(times_s[back.end])))
        return over

    def _track(self) -> PoseTrack:
        times, landmarks, world, presence = zip(*self._samples, strict=True)
        return PoseTrack(
            np.array(times, np.float64),
            np.stack(landmarks).astype(np.float32),
            np.stack(world).astype(np.float32),
            np.array(presence, np.float32),
            *self._size,
        )

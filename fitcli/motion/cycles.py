"""Out-and-back cycles of a one-dimensional signal, be it an angle, a path or the movement of the whole body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fitcli.motion.body import RATE_HZ, Array

REVERSAL = 0.45
"""Share of the amplitude by which a signal must return to count as turned (hysteresis)."""
FIRST_REVERSAL = 0.3
"""The same as a share of the whole range, for the first pass, which finds the amplitude."""
COMPLETE = 0.6
"""Share of the amplitude from which a half cycle is a full one; a smaller one at an edge is partial."""
NEIGHBOURS = 2
"""Half cycles on either side with which a half cycle is compared."""
LARGER_HALF = 0.7
"""Quantile of the neighbours' sizes that is a full half cycle: small wobbles do not lower it."""
STEP = 0.3
"""Factor on the clarity of a signal without a complete cycle: a step is no repetition."""
NOISE_FLOOR = 0.6
"""Share of the smallest amplitude of interest below which reversals are ignored."""
SINE_10_90 = 0.59
"""Share of the duration of a sinusoidal half cycle between 10 and 90 % of its way."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Half:
    """One half cycle: from extreme `start` to extreme `end` (sample indices), `rise` signed in the signal's unit."""

    start: int
    end: int
    rise: float


@dataclass(frozen=True)
class Cycles:
    """The half cycles of a signal in order, with alternating directions.

    `amplitude` is the median full half cycle. `clarity` is 1 for a clean, regular signal and near 0 for noise.
    """

    halves: tuple[Half, ...]
    amplitude: float
    clarity: float

    @cached_property
    def count(self) -> int:
        """Complete out-and-back cycles, wherever the first one begins."""
        return max(len(self.paired(rest_high).pairs) for rest_high in (True, False))

    @property
    def samples(self) -> int:
        """Samples from the first half cycle to the last; 0 without one."""
        return self.halves[-1].end - self.halves[0].start if self.halves else 0

    @property
    def half_s(self) -> float:
        """Median duration of a half cycle in seconds."""
        return float(np.median([half.end - half.start for half in self.halves])) / RATE_HZ

    def paired(self, rest_high: bool) -> Paired:
        """The cycles that leave the high end (`rest_high`) or the low one and come back, and the other half cycles."""
        pairs: list[tuple[Half, Half]] = []
        left_over: list[Half] = []
        waiting: Half | None = None
        for half, full in zip(self.halves, _are_full(self.halves), strict=True):
            leaves = (half.rise < 0) == rest_high
            if waiting is not None and not leaves and full and waiting.end == half.start:
                pairs.append((waiting, half))
                waiting = None
                continue
            if waiting is not None:
                left_over.append(waiting)
            waiting = half if leaves and full else None
            if waiting is None:
                left_over.append(half)
        if waiting is not None:
            left_over.append(waiting)
        return Paired(tuple(pairs), tuple(left_over), rest_high)


@dataclass(frozen=True)
class Paired:
    """Complete cycles as (out, back), half cycles that belong to none, and the end from which the cycles leave."""

    pairs: tuple[tuple[Half, Half], ...]
    left_over: tuple[Half, ...]
    rest_high: bool


NONE = Cycles((), 0.0, 0.0)


def find_cycles(values: Array, minimum: float) -> Cycles:
    """The out-and-back cycles of (M,) `values` at least `minimum` high, with thresholds relative to their amplitude."""
    if len(values) < 4:
        return NONE
    low, high = np.percentile(values, (3, 97))
    if high - low < minimum:
        return NONE
    floor = NOISE_FLOOR * minimum
    extremes = turning_points(values, max(floor, FIRST_REVERSAL * (high - low)))
    rises = np.abs(np.diff(values[extremes]))
    if not len(rises):
        return NONE
    extremes = turning_points(values, max(floor, REVERSAL * float(np.median(rises))))
    rises = np.diff(values[extremes])
    if not len(rises):
        return NONE
    halves = _merged([Half(int(a), int(b), float(r)) for (a, b), r in zip(pairwise(extremes), rises, strict=True)])
    amplitude = float(np.median([abs(half.rise) for half in halves]))
    if amplitude < minimum:
        return NONE
    cycles = Cycles(halves, amplitude, _clarity(values, halves, amplitude, minimum))
    return cycles if cycles.count else replace(cycles, clarity=STEP * cycles.clarity)


def _are_full(halves: Sequence[Half]) -> list[bool]:
    """For each half cycle, whether it is as large as its neighbours: a person tires, a camera moves."""
    sizes = [abs(half.rise) for half in halves]
    full = []
    for i, size in enumerate(sizes):
        near = sorted(sizes[max(0, i - NEIGHBOURS) : i + NEIGHBOURS + 1])
        full.append(size >= COMPLETE * near[round(LARGER_HALF * (len(near) - 1))])
    return full


def _merged(halves: list[Half]) -> tuple[Half, ...]:
    """The half cycles without wobbles: a small one inside joins the two that it interrupts."""
    while True:
        full = _are_full(halves)
        wobbles = [i for i in range(1, len(halves) - 1) if not full[i]]
        if not wobbles:
            return tuple(halves)
        i = min(wobbles, key=lambda i: abs(halves[i].rise))
        before, after = halves[i - 1], halves[i + 1]
        joined = Half(before.start, after.end, before.rise + halves[i].rise + after.rise)
        halves = [*halves[: i - 1], joined, *halves[i + 2 :]]


def turning_points(values: Array, reversal: float) -> Indices:
    """Indices of alternating lows and highs that are at least `reversal` apart, ends included (zigzag)."""
    found: list[int] = []
    low = high = 0
    direction = 0
    for i, value in enumerate(values.tolist()):
        if value > values[high]:
            high = i
        if value < values[low]:
            low = i
        if direction >= 0 and values[high] - value >= reversal:
            found.append(high)
            direction, low = -1, i
        elif direction <= 0 and value - values[low] >= reversal:
            found.append(low)
            direction, high = 1, i
    if direction:
        found.append(high if direction > 0 else low)
    return np.array(found, dtype=np.intp)


def _clarity(values: Array, halves: tuple[Half, ...], amplitude: float, minimum: float) -> float:
    """Clarity: how straight the signal runs between extremes, how regular the cycles are, how high above noise."""
    first, last = halves[0].start, halves[-1].end
    way = float(np.abs(np.diff(values[first : last + 1])).sum())
    straight = sum(abs(half.rise) for half in halves) / max(way, 1e-9)
    uneven = _variation([abs(half.rise) for half in halves[1:-1]])
    periods = [b.end - a.start for a, b in pairwise(halves)]
    # two or three half cycles show no regularity: the usual one is assumed
    irregular = _variation([float(p) for p in periods]) if len(periods) > 2 else 0.2
    strength = min(1.0, amplitude / (2 * minimum))
    return float(straight**4 * np.exp(-2 * uneven - irregular) * strength)


def _variation(values: list[float]) -> float:
    return float(np.std(values) / np.mean(values)) if len(values) > 1 else 0.0


def smoothed(values: Array, sigma_s: float) -> Array:
    """(M,) values smoothed with a Gaussian of that standard deviation; zero phase, edge values repeated."""
    reach = round(3 * sigma_s * RATE_HZ)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * RATE_HZ)) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def autocorrelation_period(values: Array) -> tuple[float, float]:
    """The period in seconds at which (M,) `values` repeat best, and their normalised autocorrelation there, 0..1.

    Slow drift is removed first. (0, 0) if fewer than two periods fit.
    """
    half = round(2 * RATE_HZ)
    padded = np.pad(values, half, mode="edge")
    drift = np.convolve(padded, np.ones(2 * half + 1) / (2 * half + 1), mode="valid")
    centred = values - (drift if len(values) > 4 * half else values.mean())
    n = len(centred)
    shortest, longest = round(0.4 * RATE_HZ), n // 2
    if longest <= shortest + 1 or not np.any(centred):
        return 0.0, 0.0
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    raw = np.fft.irfft(spectrum * spectrum.conj(), size)[:n]
    correlation = raw / np.maximum(raw[0] * (n - np.arange(n)) / n, 1e-12)
    # skip the peak at lag zero: a period is longer than the first lag of negative correlation
    below = np.flatnonzero(correlation[:longest] < 0)
    begin = max(shortest, int(below[0]) if len(below) else longest)
    if begin >= longest:
        return 0.0, 0.0
    best = begin + int(np.argmax(correlation[begin : longest + 1]))
    return best / RATE_HZ, float(np.clip(correlation[best], 0, 1))


def phase_bounds(times_s: Array, values: Array, half: Half) -> tuple[float, float]:
    """When the movement of a half cycle begins and ends, in seconds, without the pauses before and after it.

    The ends of a movement are blurred, but its 10 and 90 % crossings are sharp: the rest is extrapolated as sinusoidal.
    """
    part = (values[half.start : half.end + 1] - values[half.start]) / half.rise
    times = times_s[half.start : half.end + 1]
    leave = int(np.flatnonzero(part <= 0.1)[-1])
    arrive = leave + int(np.flatnonzero(part[leave:] >= 0.9)[0])
    t10 = _crossing(times, part, leave, 0.1)
    t90 = _crossing(times, part, arrive - 1, 0.9)
    lead = (t90 - t10) * (1 / SINE_10_90 - 1) / 2
    return max(float(times[0]), t10 - lead), min(float(times[-1]), t90 + lead)


def _crossing(times: Array, part: Array, i: int, level: float) -> float:
    i = min(max(i, 0), len(part) - 2)
    step = part[i + 1] - part[i]
    share = 0.0 if step <= 0 else float(np.clip((level - part[i]) / step, 0, 1))
    return float(times[i] + share * (times[i + 1] - times[i]))

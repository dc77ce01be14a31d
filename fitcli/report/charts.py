"""Curves with marks and ticks on a square of 100 x 100, which a page stretches to any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from fitcli.results.sets import ExerciseSet

MOST_POINTS = 600
"""Points of a curve, at most: more would only make the page larger."""
NUMBERED_UP_TO = 24
"""Repetitions of a set that are numbered, at most: more would overlap and are marked with dots."""
_HEADROOM = 0.08


@dataclass(frozen=True)
class Line:
    """A polyline as SVG `points`; `counted` if it belongs to a repetition or a hold."""

    points: str
    counted: bool


@dataclass(frozen=True)
class Tick:
    """A place on an axis, 0..100, and its label."""

    place: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A dot on the curve and its number, or ""."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Band:
    """The time span of a repetition or a hold, as places on the axis."""

    start: float
    width: float


@dataclass(frozen=True)
class Chart:
    """A curve, ready to be drawn; `spoken` is the text for screen readers."""

    spoken: str
    lines: tuple[Line, ...]
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def repetition_chart(exercise_set: ExerciseSet) -> Chart | None:
    """The signal of a set with its counted repetitions or its hold; None if the curve has fewer than two points."""
    curve = exercise_set.curve
    if len(curve.times_s) < 2:
        return None
    stride = max(1, len(curve.times_s) // MOST_POINTS)
    times, values = list(curve.times_s[::stride]), list(curve.values[::stride])
    across = _Scale(times[0], times[-1], 0.0)
    low, high = curve.shown
    down = _Scale(high, low, _HEADROOM)
    repetitions = exercise_set.repetitions

    def line(start_s: float, end_s: float, counted: bool) -> Line:
        inside = [(t, v) for t, v in zip(times, values, strict=True) if start_s <= t <= end_s]
        ends = [(t, curve.at(t)) for t in (start_s, end_s)]
        return _line([ends[0], *inside, ends[1]], across, down, counted=counted)

    unit = "°" if curve.unit == "deg" else ""
    spans = exercise_set.counted_s
    marked = f"{len(repetitions)} repetitions" if exercise_set.held_s is None else "the time that it was held"
    return Chart(
        f"{exercise_set.signal} over time, {marked} marked",
        (
            _line(list(zip(times, values, strict=True)), across, down),
            *(line(max(start_s, times[0]), min(end_s, times[-1]), True) for start_s, end_s in spans),
        ),
        tuple(Band(across.at(start_s), round(across.at(end_s) - across.at(start_s), 2)) for start_s, end_s in spans),
        tuple(
            Mark(across.at(r.turn_s), down.at(curve.at(r.turn_s)), str(i) if len(repetitions) <= NUMBERED_UP_TO else "")
            for i, r in enumerate(repetitions, 1)
        ),
        tuple(Tick(across.at(t), f"{t:g} s") for t in ticks(times[0], times[-1], 6)),
        tuple(Tick(down.at(v), f"{v:g}{unit}") for v in ticks(low, high, 4)),
    )


def trend_chart(values: Sequence[float], spoken: str, *, low: float, high: float, ends: tuple[str, str]) -> Chart:
    """A series of values between `low` and `high`; `ends` are the labels of the first and the last."""
    across = _Scale(0.0, float(max(len(values) - 1, 1)), 0.0)
    down = _Scale(high, low, _HEADROOM)
    points = [(float(i), value) for i, value in enumerate(values)]
    under = [Tick(0.0, ends[0]), Tick(100.0, ends[1])][: len(values)]
    return Chart(
        spoken,
        (_line(points, across, down, counted=True),),
        (),
        tuple(Mark(across.at(x), down.at(y), "") for x, y in points),
        tuple(under),
        tuple(Tick(down.at(v), f"{v:g}") for v in ticks(low, high, 3)),
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two values, at most `most`, in steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-6)
    power = 10.0 ** floor(log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) < most)
    return [round(step * number, 6) for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class _Scale:
    """Maps `low`..`high` to 0..100, with a margin of `room` at both ends, as a share."""

    low: float
    high: float
    room: float

    def at(self, value: float) -> float:
        span = self.high - self.low or 1.0
        share = (value - self.low) / span
        return round(100 * (self.room + share * (1 - 2 * self.room)), 2)


def _line(points: Sequence[tuple[float, float]], across: _Scale, down: _Scale, *, counted: bool = False) -> Line:
    return Line(" ".join(f"{across.at(x):g},{down.at(y):g}" for x, y in points), counted)

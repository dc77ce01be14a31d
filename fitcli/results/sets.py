"""What `motion` says of a video: sets, their repetitions, and what was measured in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fitcli.catalog import catalog

LEAST_SHOWN_DEG = 20.0
LEAST_FOR_CADENCE = 3
"""Repetitions from which their pace is told: two are no rhythm."""


@dataclass(frozen=True)
class Curve:
    """The repetition signal, sampled evenly, for redrawing: `values` in `unit` ("deg", "torso", "deviation").

    "torso" is a length as a share of the distance shoulders to hips, "deviation" standard deviations of the set's own
    principal movement.
    """

    times_s: tuple[float, ...]
    values: tuple[float, ...]
    unit: str

    @property
    def shown(self) -> tuple[float, float]:
        """Lowest and highest value to draw: at least `LEAST_SHOWN_DEG` apart, so that a hold looks still."""
        low, high = min(self.values), max(self.values)
        spare = max(0.0, LEAST_SHOWN_DEG - (high - low)) / 2 if self.unit == "deg" else 0.0
        return low - spare, high + spare

    def at(self, time_s: float) -> float:
        """The value at that time, interpolated."""
        return float(np.interp(time_s, self.times_s, self.values))


@dataclass(frozen=True)
class Repetition:
    """One complete repetition: out of the rest position to the turn, and back.

    `eccentric_s` is the time that the working muscle lengthens under load, `concentric_s` the time that it shortens;
    pauses at either end belong to neither. `range_of_motion_deg` is None where the signal is no joint angle;
    `left_deg` and `right_deg` are the two sides' own ranges, None where a side cannot be seen or the joint is the
    trunk's.
    """

    start_s: float
    turn_s: float
    end_s: float
    eccentric_s: float
    concentric_s: float
    range_of_motion_deg: float | None = None
    left_deg: float | None = None
    right_deg: float | None = None

    @property
    def difference_deg(self) -> float | None:
        """Left range of motion minus right."""
        return None if self.left_deg is None or self.right_deg is None else self.left_deg - self.right_deg


@dataclass(frozen=True)
class CueMeasurement:
    """One cue's measure in every repetition of a set; None where it could not be seen well enough.

    `cue` is the cue's name in the catalogue, `values` has one entry a repetition in the measure's own unit.
    """

    cue: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class CueFinding:
    """A cue as judged: `share` 0..1 of the judged repetitions broke it, `fired` where that is worth saying.

    `value` is the median of the measure over the repetitions that were judged (the ones that broke it, when it fired)
    and `threshold` the limit it is held against, both in `unit`.
    """

    cue: str
    fired: bool
    share: float
    value: float
    threshold: float
    unit: str
    sentence: str
    source: str


@dataclass(frozen=True)
class ScorePart:
    """One part of a set's score: `points` 0..100, `weight` its share of the total, `reason` one short sentence."""

    name: str
    points: float
    weight: float
    reason: str


@dataclass(frozen=True)
class SetScore:
    """A set's score 0..100: the weighted mean of its parts, which are all shown."""

    total: int
    parts: tuple[ScorePart, ...]


@dataclass(frozen=True)
class ExerciseSet:
    """A run of repetitions of one exercise without a rest between, or a position held.

    `exercise` is None where nobody named it. `held_s` is how long a position was held, None for repetitions; a hold has
    no repetitions, and its `measurements` are of every two seconds. `start_s`..`end_s` runs from the first movement of
    the first repetition to the end of the last, half ones included; `partial` counts the half repetitions at the edges.
    `signal` is what was followed ("elbow angle", "principal movement") and `method` how: "joint angle" for the
    catalogue's own signal of an exercise, "periodicity" for the general method, "held position". `side` is "left",
    "right" or "both", `view` the camera's: "front", "back", "side", "three-quarter" or "unknown". `cues` and `score`
    are empty until `coach` fills them.
    """

    exercise: str | None
    start_s: float
    end_s: float
    repetitions: tuple[Repetition, ...]
    partial: int
    signal: str
    method: str
    side: str
    view: str
    curve: Curve
    measurements: tuple[CueMeasurement, ...] = ()
    cues: tuple[CueFinding, ...] = ()
    score: SetScore | None = None
    held_s: float | None = None

    @property
    def counted_s(self) -> tuple[tuple[float, float], ...]:
        """(start, end) of everything that counts: each repetition, or the hold."""
        if self.held_s is not None:
            return ((self.start_s, self.end_s),)
        return tuple((repetition.start_s, repetition.end_s) for repetition in self.repetitions)

    @property
    def cadence_per_min(self) -> float | None:
        """Repetitions a minute from the first to the last, None for exercises that are not measured by it."""
        lasted_s = self.repetitions[-1].end_s - self.repetitions[0].start_s if self.repetitions else 0.0
        return cadence_per_min(self.exercise, len(self.repetitions), lasted_s)

    @property
    def eccentric_s(self) -> float:
        """Median seconds of lengthening a repetition; 0 without one."""
        return _median([r.eccentric_s for r in self.repetitions]) or 0.0

    @property
    def concentric_s(self) -> float:
        """Median seconds of shortening a repetition; 0 without one."""
        return _median([r.concentric_s for r in self.repetitions]) or 0.0

    @property
    def range_of_motion_deg(self) -> float | None:
        """Median range of motion, None where the signal is no joint angle."""
        return _median([r.range_of_motion_deg for r in self.repetitions])

    @property
    def difference_deg(self) -> float | None:
        """Median left-minus-right range of motion, None where one side is not seen."""
        return _median([r.difference_deg for r in self.repetitions])

    @property
    def range_drift(self) -> float | None:
        """How the range of motion changed from the first to the last third, as a share: -.2 means a fifth smaller.

        None under four repetitions, where a trend cannot be told from chance.
        """
        return _drift([r.range_of_motion_deg for r in self.repetitions])

    @property
    def duration_drift(self) -> float | None:
        """How a repetition's duration changed from the first to the last third, as a share: .3 means 30 % slower."""
        return _drift([r.end_s - r.start_s for r in self.repetitions])

    def to_json(self) -> dict[str, Any]:
        """The set's object in the documented JSON."""
        return {
            "exercise": self.exercise,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "repetitions": len(self.repetitions),
            "partial": self.partial,
            "held_s": _rounded(self.held_s, 1),
            "cadence_per_min": _rounded(self.cadence_per_min, 1),
            "tempo": {"eccentric_s": round(self.eccentric_s, 2), "concentric_s": round(self.concentric_s, 2)},
            "range_of_motion_deg": _rounded(self.range_of_motion_deg, 1),
            "difference_deg": _rounded(self.difference_deg, 1),
            "drift": {"range": _rounded(self.range_drift, 3), "duration": _rounded(self.duration_drift, 3)},
            "score": self.score and self.score.total,
            "score_parts": [
                {"name": p.name, "points": round(p.points), "weight": round(p.weight, 3), "reason": p.reason}
                for p in (self.score.parts if self.score else ())
            ],
            "cues": [
                {
                    "cue": c.cue,
                    "fired": c.fired,
                    "share": round(c.share, 3),
                    "value": round(c.value, 2),
                    "threshold": c.threshold,
                    "unit": c.unit,
                    "sentence": c.sentence,
                    "source": c.source,
                }
                for c in self.cues
            ],
            "signal": self.signal,
            "method": self.method,
            "side": self.side,
            "view": self.view,
            "repetition_list": [
                {
                    "start_s": round(r.start_s, 3),
                    "turn_s": round(r.turn_s, 3),
                    "end_s": round(r.end_s, 3),
                    "eccentric_s": round(r.eccentric_s, 3),
                    "concentric_s": round(r.concentric_s, 3),
                    "range_of_motion_deg": _rounded(r.range_of_motion_deg, 1),
                    "left_deg": _rounded(r.left_deg, 1),
                    "right_deg": _rounded(r.right_deg, 1),
                }
                for r in self.repetitions
            ],
            "curve": {
                "times_s": [round(t, 3) for t in self.curve.times_s],
                "values": [round(v, 2) for v in self.curve.values],
                "unit": self.curve.unit,
            },
        }


def cadence_per_min(exercise: str | None, repetitions: int, lasted_s: float) -> float | None:
    """Repetitions a minute, None for an exercise that is not measured by them, and for too few to be a rhythm."""
    paced = exercise in _paced() and repetitions >= LEAST_FOR_CADENCE and lasted_s > 0
    return 60 * repetitions / lasted_s if paced else None


@cache
def _paced() -> frozenset[str | None]:
    return frozenset(exercise.name for exercise in catalog().exercises if exercise.counted == "cadence")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _median(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else None


def _drift(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    third = len(known) // 3
    if len(known) < 4:
        return None
    third = max(1, third)
    first, last = float(np.mean(known[:third])), float(np.mean(known[-third:]))
    return (last - first) / first if first > 0 else None

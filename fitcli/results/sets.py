"""What `motion` finds in a video, as plain values: sets, their repetitions, and their measurements."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from statistics import fmean, median
from typing import Any, TypeVar

from fitcli.catalog import catalog

LEAST_SHOWN_DEG = 20.0
"""Smallest range of angles that a curve is drawn over, so that a hold looks still."""

LEAST_FOR_CADENCE = 3
"""Fewest repetitions that have a cadence: two are no rhythm."""

LEAST_FOR_DRIFT = 4
"""Fewest repetitions that show a trend: in fewer it may be chance."""

STATISTICS_FIELDS = {"cadence_per_min", "tempo", "range_of_motion_deg", "difference_deg", "drift"}
"""Fields of a set's JSON object that `SetStatistics` reads."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Curve:
    """The repetition signal, sampled evenly, so that it can be drawn: `values` in `unit`.

    The unit is "deg", "torso" (a length as a share of the distance from shoulders to hips) or "deviation" (standard
    deviations of the set's own principal movement).
    """

    times_s: tuple[float, ...]
    values: tuple[float, ...]
    unit: str

    @property
    def shown(self) -> tuple[float, float]:
        """Lowest and highest value to draw; angles are at least `LEAST_SHOWN_DEG` apart."""
        low, high = min(self.values), max(self.values)
        spare = max(0.0, LEAST_SHOWN_DEG - (high - low)) / 2 if self.unit == "deg" else 0.0
        return low - spare, high + spare

    def at(self, time_s: float) -> float:
        """The value at that time, interpolated linearly; outside of the curve, its nearest end."""
        after = bisect_left(self.times_s, time_s)
        if after in (0, len(self.times_s)):
            return self.values[0 if after == 0 else -1]
        begin_s, end_s = self.times_s[after - 1 : after + 1]
        low, high = self.values[after - 1 : after + 1]
        return low + (high - low) * (time_s - begin_s) / (end_s - begin_s)


@dataclass(frozen=True)
class Repetition:
    """One complete repetition: from the rest position to the turn, and back.

    `eccentric_s` is the time that the working muscle lengthens under load, `concentric_s` the time that it shortens;
    pauses at either end belong to neither. `range_of_motion_deg` is None unless the signal is a joint angle. `left_deg`
    and `right_deg` are the ranges of each side, None for a side that cannot be seen and for a joint of the trunk.
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
    """One cue's measure in every repetition of a set.

    `cue` is the cue's name in the catalogue. `values` has one entry a repetition, in the measure's own unit; None where
    the measure could not be seen well enough.
    """

    cue: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class CueFinding:
    """A judged cue: `share` 0..1 of the judged repetitions broke it, and `fired` says whether that is worth saying.

    `value` is the median of the measure over the judged repetitions (over those that broke the cue if it fired), and
    `threshold` is the limit that it is compared with; both are in `unit`.
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
    """A set's score 0..100: the weighted mean of its parts."""

    total: int
    parts: tuple[ScorePart, ...]


@dataclass(frozen=True)
class SetStatistics:
    """What the repetitions of a set amount to.

    cadence_per_min: repetitions a minute from the first to the last, None for exercises that are not measured by it.
    eccentric_s, concentric_s: median seconds of lengthening and shortening a repetition; 0 without a repetition.
    range_of_motion_deg: median range of motion, None unless the signal is a joint angle.
    difference_deg: median of the left range of motion minus the right, None where one side is not seen.
    range_drift, duration_drift: how the range of motion and the duration of a repetition changed from the first to the
        last third, as a share: -.2 means a fifth smaller; None under `LEAST_FOR_DRIFT` repetitions.
    """

    cadence_per_min: float | None
    eccentric_s: float
    concentric_s: float
    range_of_motion_deg: float | None
    difference_deg: float | None
    range_drift: float | None
    duration_drift: float | None

    @classmethod
    def of(cls, repetitions: Sequence[Repetition], exercise: str | None) -> SetStatistics:
        """The statistics of a set of that exercise."""
        lasted_s = repetitions[-1].end_s - repetitions[0].start_s if repetitions else 0.0
        ranges_deg = [r.range_of_motion_deg for r in repetitions]
        return cls(
            cadence_per_min=cadence_per_min(exercise, len(repetitions), lasted_s),
            eccentric_s=_median([r.eccentric_s for r in repetitions]) or 0.0,
            concentric_s=_median([r.concentric_s for r in repetitions]) or 0.0,
            range_of_motion_deg=_median(ranges_deg),
            difference_deg=_median([r.difference_deg for r in repetitions]),
            range_drift=_drift(ranges_deg),
            duration_drift=_drift([r.end_s - r.start_s for r in repetitions]),
        )

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> SetStatistics:
        """The statistics in a set's JSON object."""
        return cls(
            cadence_per_min=row["cadence_per_min"],
            eccentric_s=row["tempo"]["eccentric_s"],
            concentric_s=row["tempo"]["concentric_s"],
            range_of_motion_deg=row["range_of_motion_deg"],
            difference_deg=row["difference_deg"],
            range_drift=row["drift"]["range"],
            duration_drift=row["drift"]["duration"],
        )

    def to_json(self) -> dict[str, Any]:
        """The statistics' fields of a set's JSON object."""
        return {
            "cadence_per_min": _rounded(self.cadence_per_min, 1),
            "tempo": {"eccentric_s": round(self.eccentric_s, 2), "concentric_s": round(self.concentric_s, 2)},
            "range_of_motion_deg": _rounded(self.range_of_motion_deg, 1),
            "difference_deg": _rounded(self.difference_deg, 1),
            "drift": {"range": _rounded(self.range_drift, 3), "duration": _rounded(self.duration_drift, 3)},
        }


@dataclass(frozen=True)
class ExerciseSet:
    """A run of repetitions of one exercise without a rest between, or a held position.

    `exercise` is None for an unnamed movement. `held_s` is how long a position was held, None for repetitions; a hold
    has no repetitions, and its `measurements` are of every two seconds. `start_s`..`end_s` runs from the first movement
    of the first repetition to the end of the last, half ones included; `partial` counts the half repetitions at the
    edges. `signal` is what was followed ("elbow angle", "principal movement") and `method` how: "joint angle" for the
    catalogue's own signal of an exercise, "periodicity" for the general method, "held position". `side` is "left",
    "right" or "both"; `view` is the camera's: "front", "back", "side", "three-quarter" or "unknown". `cues` and `score`
    are empty until `coaching` fills them. `stored_statistics` are those of a set that was read from JSON, whose
    repetitions are rounded; None for any other.
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
    stored_statistics: SetStatistics | None = field(default=None, repr=False, compare=False)

    def only(self, indices: Sequence[int]) -> ExerciseSet:
        """The set with only these of its repetitions, and what was measured in them."""
        if len(indices) == len(self.repetitions):
            return self
        repetitions = tuple(self.repetitions[i] for i in indices)
        return replace(
            self,
            repetitions=repetitions,
            measurements=tuple(replace(m, values=tuple(m.values[i] for i in indices)) for m in self.measurements),
            start_s=repetitions[0].start_s,
            end_s=repetitions[-1].end_s,
            partial=0,
            stored_statistics=None,
        )

    @property
    def counted_s(self) -> tuple[tuple[float, float], ...]:
        """(start, end) of everything that counts: each repetition, or the hold."""
        if self.held_s is not None:
            return ((self.start_s, self.end_s),)
        return tuple((repetition.start_s, repetition.end_s) for repetition in self.repetitions)

    @cached_property
    def statistics(self) -> SetStatistics:
        """What the repetitions amount to."""
        return self.stored_statistics or SetStatistics.of(self.repetitions, self.exercise)

    @property
    def cadence_per_min(self) -> float | None:
        """As in `SetStatistics`."""
        return self.statistics.cadence_per_min

    @property
    def eccentric_s(self) -> float:
        """As in `SetStatistics`."""
        return self.statistics.eccentric_s

    @property
    def concentric_s(self) -> float:
        """As in `SetStatistics`."""
        return self.statistics.concentric_s

    @property
    def range_of_motion_deg(self) -> float | None:
        """As in `SetStatistics`."""
        return self.statistics.range_of_motion_deg

    @property
    def difference_deg(self) -> float | None:
        """As in `SetStatistics`."""
        return self.statistics.difference_deg

    @property
    def range_drift(self) -> float | None:
        """As in `SetStatistics`."""
        return self.statistics.range_drift

    @property
    def duration_drift(self) -> float | None:
        """As in `SetStatistics`."""
        return self.statistics.duration_drift

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> ExerciseSet:
        """The set that `to_json` wrote down; raises an error of `MALFORMED` for anything else.

        Fields that files of earlier versions lack have their defaults. `measurements` are not part of the JSON.
        """
        return cls(
            exercise=row["exercise"],
            start_s=row["start_s"],
            end_s=row["end_s"],
            repetitions=tuple(_from_fields(Repetition, repetition) for repetition in row["repetition_list"]),
            partial=row["partial"],
            signal=row["signal"],
            method=row["method"],
            side=row["side"],
            view=row["view"],
            curve=Curve(tuple(row["curve"]["times_s"]), tuple(row["curve"]["values"]), row["curve"]["unit"]),
            cues=tuple(_from_fields(CueFinding, cue) for cue in row["cues"]),
            score=(
                SetScore(row["score"], tuple(_from_fields(ScorePart, part) for part in row["score_parts"]))
                if row["score"] is not None
                else None
            ),
            held_s=row.get("held_s"),
            # Files of earlier versions hold fewer of them: there they follow from the repetitions.
            stored_statistics=SetStatistics.from_json(row) if row.keys() >= STATISTICS_FIELDS else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The set's object in the documented JSON."""
        return {
            "exercise": self.exercise,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "repetitions": len(self.repetitions),
            "partial": self.partial,
            "held_s": _rounded(self.held_s, 1),
            **self.statistics.to_json(),
            "score": None if self.score is None else self.score.total,
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
    """Repetitions a minute; None for an exercise that is not measured by them and for too few to be a rhythm."""
    paced = exercise in _paced() and repetitions >= LEAST_FOR_CADENCE and lasted_s > 0
    return 60 * repetitions / lasted_s if paced else None


@cache
def _paced() -> frozenset[str | None]:
    return frozenset(exercise.name for exercise in catalog().exercises if exercise.counted == "cadence")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _drift(values: Sequence[float | None]) -> float | None:
    """The mean of the last third compared with that of the first, as a share of it."""
    known = [value for value in values if value is not None]
    if len(known) < LEAST_FOR_DRIFT:
        return None
    third = len(known) // 3
    first, last = fmean(known[:third]), fmean(known[-third:])
    return (last - first) / first if first > 0 else None


def _from_fields(kind: type[_Value], row: dict[str, Any]) -> _Value:
    """A dataclass from the fields of that name: unknown ones are ignored, missing ones have their defaults."""
    names = [each.name for each in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: row[name] for name in names if name in row})

"""The exercises and muscle groups that fitcli knows, read from `exercises.toml`: facts are data, not code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class RepetitionSignal:
    """The movement that repetitions of one exercise are counted by.

    measure: the joint angle whose range is reported, a name of `fitcli.motion.measures.SIGNAL_MEASURES`.
    rest: "high" or "low", the angle between repetitions.
    concentric: "rising" or "falling", the direction of the angle while the working muscle shortens.
    minimum_deg, full_deg: range of the smallest movement that counts, and of a full repetition as the cues ask for it.
    path: a landmark and the reference that it moves away from, for views that show the angle badly.
    minimum_m, minimum_deep_m: length of the shortest path that counts, in the picture and in depth.
    fastest_s: duration of the fastest repetition that counts.
    """

    measure: str
    rest: str
    concentric: str
    minimum_deg: float
    full_deg: float
    path: tuple[str, str]
    minimum_m: float = 0.18
    minimum_deep_m: float = 0.26
    fastest_s: float = 0.75


@dataclass(frozen=True)
class Limit:
    """Bounds of a measure, in degrees, in a held position; `measure` as in `RepetitionSignal`.

    Within a second the measure moves by at most `steady`, which is the only condition of a limit without bounds.
    """

    measure: str
    at_least: float | None = None
    at_most: float | None = None
    steady: float = 20.0


@dataclass(frozen=True)
class Hold:
    """The position of an exercise that is counted in seconds: all `limits` hold at once. `measure` is drawn."""

    measure: str
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Cue:
    """One measurable point of form.

    measure, unit: a name of `fitcli.motion.posture.CUE_MEASURES`, and its unit.
    at: where the measure is read in a repetition: at "rest" or at the "turn", or its "minimum", "maximum" or "range"
        over the repetition. In a hold, every two seconds count as a repetition.
    at_least, at_most: the cue is broken below or above these.
    views: the camera's views from which the cue can be judged; "any" for all of them.
    sentence: what the user should do.
    source: where the limit comes from.
    """

    name: str
    measure: str
    at: str
    views: tuple[str, ...]
    sentence: str
    source: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def threshold(self) -> float:
        return self.at_least if self.at_least is not None else self.at_most or 0.0


@dataclass(frozen=True)
class Exercise:
    """One exercise of the catalogue; `muscles` is its ideal activation.

    `counted` is the unit of its sets: "repetitions" or "cadence" (repetitions and their rate), which have a `signal`,
    or "seconds", which have a `hold`.
    """

    id: int
    name: str
    muscles: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    counted: str = "repetitions"
    signal: RepetitionSignal | None = None
    hold: Hold | None = None
    cues: tuple[Cue, ...] = ()


OTHER = "other"
"""Class name of a movement that is none of the exercises that a network knows."""


@dataclass(frozen=True)
class Classes:
    """The names of the classes that networks score, in the order of the scores; "other" is in neither list."""

    exercises: tuple[str, ...]
    muscles: tuple[str, ...]

    def exercise_id(self, name: str | None) -> int:
        """The class id of an exercise; the id after the last for any other movement, -1 for None (unknown)."""
        if name is None:
            return -1
        return self.exercises.index(name) if name in self.exercises else len(self.exercises)

    def muscles_of(self, name: str) -> tuple[str, ...]:
        """The ideal muscles of an exercise that are among these classes; none for an exercise without an ideal."""
        ideal = catalog().described(name).muscles
        return tuple(muscle for muscle in self.muscles if muscle in ideal)


@dataclass(frozen=True)
class Catalog:
    """Exercises and muscle groups in the order that fitcli lists them; `paper` are those of arXiv 2406.06703."""

    exercises: tuple[Exercise, ...]
    muscles: tuple[str, ...]
    paper: Classes

    @property
    def classes(self) -> Classes:
        """All of them."""
        return Classes(self.exercise_names, self.muscles)

    @property
    def exercise_names(self) -> tuple[str, ...]:
        return tuple(exercise.name for exercise in self.exercises)

    def described(self, name: str | None) -> Exercise:
        """The exercise of that name; one without muscles, signal and cues if the catalogue lacks it."""
        try:
            return self.exercise(name or "")
        except KeyError:
            return Exercise(-1, name or "", ())

    def exercise(self, name: str) -> Exercise:
        """The exercise of that name or alias, ignoring case, hyphens and underscores; raises `KeyError`."""
        wanted = _key(name)
        for exercise in self.exercises:
            if wanted in map(_key, (exercise.name, *exercise.aliases)):
                return exercise
        raise KeyError(name)

    def union(self, lists: Iterable[Classes]) -> Classes:
        """Every class of several lists, once: those of the catalogue in its order, then the others in theirs."""
        lists = tuple(lists)
        exercises = dict.fromkeys(name for classes in lists for name in classes.exercises)
        muscles = dict.fromkeys(name for classes in lists for name in classes.muscles)
        return Classes(_ordered(exercises, self.exercise_names), _ordered(muscles, self.muscles))


def _ordered(names: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: known.index(name) if name in known else len(known)))


def _key(name: str) -> str:
    return name.casefold().replace("-", " ").replace("_", " ").strip()


@cache
def catalog() -> Catalog:
    """The catalogue that ships with fitcli."""
    table = tomllib.loads(resources.files(__package__).joinpath("exercises.toml").read_text(encoding="utf-8"))
    exercises = tuple(
        Exercise(
            i,
            row["name"],
            tuple(row["muscles"]),
            tuple(row["aliases"]),
            row.get("counted", "repetitions"),
            _signal(row["signal"]) if "signal" in row else None,
            _hold(row["hold"]) if "hold" in row else None,
            tuple(_cue(cue) for cue in row.get("cues", ())),
        )
        for i, row in enumerate(table["exercise"])
    )
    muscles = tuple(table["muscles"])
    paper = Classes(
        tuple(exercise.name for exercise in exercises[: table["paper"]["exercises"]]),
        muscles[: table["paper"]["muscles"]],
    )
    return Catalog(exercises, muscles, paper)


def _signal(row: dict[str, Any]) -> RepetitionSignal:
    return RepetitionSignal(**{**row, "path": tuple(row["path"])})


def _hold(row: dict[str, Any]) -> Hold:
    return Hold(row["measure"], tuple(Limit(**limit) for limit in row["limits"]))


def _cue(row: dict[str, Any]) -> Cue:
    return Cue(**{**row, "views": tuple(row["views"])})

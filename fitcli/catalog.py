"""The 16 exercises and 11 muscle groups, read from `exercises.toml`: facts are data, not code."""

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

    `measure` is the joint angle whose range is reported (a name of `fitcli.motion.measures.SIGNAL_MEASURES`). `rest`,
    "high" or "low", is where it is between repetitions; `concentric`, "rising" or "falling", its direction while the
    working muscle shortens. A repetition moves it by at least `minimum_deg`, a full one by about `full_deg` (between
    the positions that the cues ask for). `path` backs it up where the camera sees the angle badly: the landmark that
    travels, and the one it is seen from.
    """

    measure: str
    rest: str
    concentric: str
    minimum_deg: float
    full_deg: float
    path: tuple[str, str]


@dataclass(frozen=True)
class Cue:
    """One measurable point of form.

    `measure` is a name of `fitcli.motion.posture.CUE_MEASURES`, `unit` its unit. It is read in every repetition `at`
    its "rest" position or its "turn", or as the "minimum", "maximum" or "range" over the repetition, and the cue is
    broken where it is under `at_least` or over `at_most`. `views` are the camera's views in which it can be judged,
    "any" for all of them. `sentence` tells the user what to do; `source` is where the limit comes from.
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
    """One exercise of the catalogue; `muscles` is its ideal activation."""

    id: int
    name: str
    muscles: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    signal: RepetitionSignal | None = None
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Exercises and muscle groups in class-id order (arXiv 2406.06703)."""

    exercises: tuple[Exercise, ...]
    muscles: tuple[str, ...]

    @property
    def exercise_names(self) -> tuple[str, ...]:
        return tuple(exercise.name for exercise in self.exercises)

    def exercise(self, name: str) -> Exercise:
        """The exercise of that name or alias, letter case, hyphens and underscores aside; raises `KeyError`."""
        wanted = _key(name)
        for exercise in self.exercises:
            if wanted in map(_key, (exercise.name, *exercise.aliases)):
                return exercise
        raise KeyError(name)

    def with_muscles(self, muscles: Iterable[str]) -> tuple[Exercise, ...]:
        """Exercises whose ideal activation is exactly `muscles`: 12 distinct sets stand for 16 exercises."""
        wanted = frozenset(muscles)
        return tuple(exercise for exercise in self.exercises if frozenset(exercise.muscles) == wanted)


def _key(name: str) -> str:
    return name.casefold().replace("-", " ").replace("_", " ").strip()


@cache
def catalog() -> Catalog:
    """The catalogue that ships with fitcli."""
    table = tomllib.loads(resources.files(__package__).joinpath("exercises.toml").read_text(encoding="utf-8"))
    return Catalog(
        exercises=tuple(
            Exercise(
                i,
                row["name"],
                tuple(row["muscles"]),
                tuple(row["aliases"]),
                _signal(row["signal"]),
                tuple(_cue(cue) for cue in row.get("cues", ())),
            )
            for i, row in enumerate(table["exercise"])
        ),
        muscles=tuple(table["muscles"]),
    )


def _signal(row: dict[str, Any]) -> RepetitionSignal:
    moving, reference = row["path"]
    return RepetitionSignal(
        row["measure"],
        row["rest"],
        row["concentric"],
        float(row["minimum_deg"]),
        float(row["full_deg"]),
        (moving, reference),
    )


def _cue(row: dict[str, Any]) -> Cue:
    return Cue(**{**row, "views": tuple(row["views"])})

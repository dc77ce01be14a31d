"""The amount of work in words: repetitions, cadence, or the duration of a hold."""

from __future__ import annotations

from fitcli.catalog import catalog
from fitcli.results.analysis import Analysis


def plural(number: int, unit: str) -> str:
    """1 window, 2 windows."""
    return f"{number} {unit}{'' if number == 1 else 's'}"


def seconds(held_s: float) -> str:
    """A hold in whole seconds: 34 s, 1 min 34 s."""
    minutes, rest = divmod(int(held_s), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def pace(cadence_per_min: float) -> str:
    """A cadence: 52 a minute."""
    return f"{cadence_per_min:.0f} a minute"


def amount(repetitions: int, held_s: float | None = None, cadence_per_min: float | None = None) -> str:
    """The work of a set: "8 repetitions", "24 repetitions, 52 a minute", "held for 34 s"."""
    if held_s is not None:
        return f"held for {seconds(held_s)}"
    counted = plural(repetitions, "repetition")
    return counted if cadence_per_min is None else f"{counted}, {pace(cadence_per_min)}"


def counts_repetitions(analysis: Analysis) -> bool:
    """Whether the number of repetitions is of interest: not if there was a hold, or if one was expected."""
    if analysis.repetitions is None:
        return False
    in_seconds = {exercise.name for exercise in catalog().exercises if exercise.counted == "seconds"}
    expected = analysis.exercise is not None and analysis.exercise.name in in_seconds
    return analysis.repetitions > 0 or not (expected or any(one.held_s is not None for one in analysis.sets))


def total(analysis: Analysis) -> str:
    """The work of all sets of a video; "" if nothing was counted.

    The cadence is given only for a single set.
    """
    words = []
    if counts_repetitions(analysis):
        cadence = analysis.sets[0].cadence_per_min if len(analysis.sets) == 1 else None
        words.append(amount(analysis.repetitions or 0, None, cadence))
    if held := [one.held_s for one in analysis.sets if one.held_s is not None]:
        words.append(amount(0, sum(held)))
    return ", ".join(words)

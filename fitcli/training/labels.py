"""What a clip shows, and what that is to a network: the targets of its heads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fitcli.catalog import OTHER, catalog

if TYPE_CHECKING:
    from torch import Tensor

    from fitcli.network.spec import NetworkSpec

AMBIGUOUS = "ambiguous"
"""Name of a clip that shows a relative of one of the exercises: no evidence for or against any class."""

UNKNOWN = -100
"""Exercise target of a clip whose exercise is not known: cross-entropy's `ignore_index`."""


@dataclass(frozen=True)
class Labels:
    """What a clip shows, whatever classes a network has.

    exercise: a name of the catalogue, "other" for none of its exercises, None for unknown. muscles: target 0/1 of each
    of the catalogue's muscles, NaN where unknown.
    """

    exercise: str | None
    muscles: tuple[float, ...]

    @property
    def named(self) -> bool:
        """Whether the clip shows an exercise of the catalogue."""
        return self.exercise not in (None, OTHER)

    def muscle_targets(self, names: Iterable[str]) -> tuple[float, ...]:
        """The targets of these muscles, NaN for one that the catalogue does not have."""
        known = dict(zip(catalog().muscles, self.muscles, strict=True))
        return tuple(known.get(name, float("nan")) for name in names)


def labels_of(name: str) -> Labels:
    """The labels of a class name; raises `KeyError` for any other name than an exercise, "other" and "ambiguous"."""
    if name in (OTHER, AMBIGUOUS):
        unknown = (float("nan"),) * len(catalog().muscles)
        return Labels(OTHER if name == OTHER else None, unknown)
    exercise = catalog().exercise(name)
    return Labels(exercise.name, tuple(float(muscle in exercise.muscles) for muscle in catalog().muscles))


def targets(labels: Labels, spec: NetworkSpec) -> tuple[int, Tensor]:
    """A clip's class id among the spec's exercises, and its muscles (M,) in the spec's order.

    An exercise that the spec does not have is "other" to it; UNKNOWN where the spec has no such class either.
    """
    import torch

    names = spec.exercises
    exercise = labels.exercise if labels.exercise in names or labels.exercise is None else OTHER
    known = names.index(exercise) if exercise in names else UNKNOWN
    return known, torch.tensor(labels.muscle_targets(spec.muscles), dtype=torch.float32)

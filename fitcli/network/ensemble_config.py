"""Which networks form an ensemble, their weight on each head, and the parameters fitted on held-out clips."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fitcli.errors import CheckpointError
from fitcli.network.spec import NetworkSpec
from fitcli.outputs import replace_text

ENSEMBLE_FILE = "ensemble.json"

PAPER_WEIGHTS = {"slowfast": (0.25, 0.75), "x3d": (0.75, 0.25)}
"""Weight on the exercise and on the muscle head (arXiv 2406.06703), for a folder without an `ensemble.json`."""

EVEN = (0.5, 0.5)
"""The weights of any other network."""


@dataclass(frozen=True)
class Member:
    """One network of the ensemble and its share of each head's logits, 0..1."""

    checkpoint: str
    weight_exercise: float
    weight_muscle: float


@dataclass(frozen=True)
class EnsembleConfig:
    """The content of `ensemble.json` beside the checkpoints.

    temperature: divides the exercise logits before the softmax; fitted, with the thresholds, on held-out series.
    other_shift: added to the divided logit of "none of these", which training shows more often than users' videos do.
    agreement: how much confidence rises when several windows agree; see `WindowScores.pooled`.
    muscle_from_exercise: share, 0..1, of the muscle scores that comes from the exercise's probability times its ideal
        muscles.
    certain_from: the lowest confidence with which an exercise is named; below it the answer is "not sure".
    other_from: the lowest probability of "none of these" with which that is the answer.
    """

    members: tuple[Member, ...]
    temperature: float = 1.0
    other_shift: float = 0.0
    agreement: float = 0.0
    muscle_from_exercise: float = 0.0
    certain_from: float = 0.4
    other_from: float = 0.5

    def save(self, folder: Path) -> None:
        """Write `ensemble.json`."""
        replace_text(folder / ENSEMBLE_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> EnsembleConfig:
        """The folder's `ensemble.json`, or else the paper's weights for its checkpoints; raises `CheckpointError`."""
        path = folder / ENSEMBLE_FILE
        if not path.exists():
            return cls(cls.published(folder))
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            config = cls(**plain | {"members": tuple(Member(**member) for member in plain["members"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): correct it or delete it.") from error
        if not config.members:
            raise CheckpointError(f"{path} names no checkpoint: correct it or delete it.")
        return config

    @staticmethod
    def published(folder: Path) -> tuple[Member, ...]:
        """The checkpoints of a folder with the paper's weights, by file name."""
        names = [path.name for path in sorted(folder.glob("*.ckpt"))]
        return tuple(Member(name, *PAPER_WEIGHTS.get(Path(name).stem, EVEN)) for name in names)

    def fitted(self, specs: Sequence[NetworkSpec], folder: Path) -> EnsembleConfig:
        """This configuration checked against the networks, or without an `ensemble.json` the paper's weights for them.

        Raises `CheckpointError` if the file gives weight to a head that a network lacks.
        """
        if (folder / ENSEMBLE_FILE).exists():
            for member, spec in zip(self.members, specs, strict=True):
                for head, weight, names in (
                    ("exercise", member.weight_exercise, spec.exercises),
                    ("muscle", member.weight_muscle, spec.muscles),
                ):
                    if weight and not names:
                        raise CheckpointError(
                            f"{member.checkpoint} has no {head} head, but {folder / ENSEMBLE_FILE} gives it "
                            f"weight_{head} {weight:g}: set that to 0."
                        )
            return self
        return self.by_architecture(specs)

    def by_architecture(self, specs: Sequence[NetworkSpec]) -> EnsembleConfig:
        """This configuration with the paper's weights by architecture; those of a head are scaled to a sum of 1."""
        exercise = _shares(PAPER_WEIGHTS.get(s.architecture, EVEN)[0] if s.exercises else 0.0 for s in specs)
        muscle = _shares(PAPER_WEIGHTS.get(s.architecture, EVEN)[1] if s.muscles else 0.0 for s in specs)
        return replace(
            self,
            members=tuple(
                replace(m, weight_exercise=e, weight_muscle=w)
                for m, e, w in zip(self.members, exercise, muscle, strict=True)
            ),
        )


def _shares(weights: Iterable[float]) -> list[float]:
    weights = list(weights)
    return [round(weight / (sum(weights) or 1.0), 6) for weight in weights]

"""Which networks make up an ensemble, their weight on each head, and the numbers fitted on held-out clips."""

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


@dataclass(frozen=True)
class Member:
    """One network of the ensemble and its share of each head's logits, 0..1."""

    checkpoint: str
    weight_exercise: float
    weight_muscle: float


@dataclass(frozen=True)
class EnsembleConfig:
    """What `ensemble.json` beside the checkpoints says.

    temperature: divides the exercise logits before the softmax; fitted, with the thresholds, on held-out series.
    other_shift: added to the divided logit of "none of these": training shows that more often than users film it.
    agreement: how much surer several windows that agree are than one of them; see `WindowScores.pooled`.
    muscle_from_exercise: share, 0..1, of the muscle answer that is the exercise's probability times its ideal muscles.
    certain_from: the least confidence with which an exercise is named; below it the answer is "not sure".
    other_from: the probability of "none of these" from which that is the answer.
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
        """The folder's `ensemble.json`, or the paper's weights for what lies there; raises `CheckpointError`."""
        path = folder / ENSEMBLE_FILE
        if not path.exists():
            return cls(cls.published(folder))
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            config = cls(**plain | {"members": tuple(Member(**member) for member in plain["members"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): mend it or delete it.") from error
        if not config.members:
            raise CheckpointError(f"{path} names no checkpoint: mend it or delete it.")
        return config

    @staticmethod
    def published(folder: Path) -> tuple[Member, ...]:
        """The checkpoints of a folder with the paper's weights, which go by their names."""
        names = [path.name for path in sorted(folder.glob("*.ckpt"))]
        return tuple(Member(name, *PAPER_WEIGHTS.get(Path(name).stem, EVEN)) for name in names)

    def fitted(self, specs: Sequence[NetworkSpec], folder: Path) -> EnsembleConfig:
        """The same for networks that are known: without an `ensemble.json` the paper's weights go by architecture.

        A head is shared among the networks that have it. Raises `CheckpointError` where the file weighs a head that a
        network lacks.
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
                            f"weight_{head} {weight:g}: make that 0."
                        )
            return self
        return self.by_architecture(specs)

    def by_architecture(self, specs: Sequence[NetworkSpec]) -> EnsembleConfig:
        """The same with the paper's weights for the architectures; a head is shared among those that have it."""
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

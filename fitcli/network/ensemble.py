"""The weighted ensemble: networks, their weight on each head, and how scores of windows become one answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fitcli.catalog import catalog
from fitcli.errors import CheckpointError
from fitcli.network.runtime import Logits, Runtime, load_runtime
from fitcli.network.spec import OTHER, NetworkSpec
from fitcli.pose.clip import POINTS, ClipSpec, track_clips
from fitcli.pose.track import FloatArray, PoseTrack

ENSEMBLE_FILE = "ensemble.json"

PAPER_WEIGHTS = {"slowfast": (0.25, 0.75), "x3d": (0.75, 0.25)}
"""Weight on the exercise and on the muscle head (arXiv 2406.06703), for a folder without an `ensemble.json`."""


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
    muscle_from_exercise: share, 0..1, of the muscle answer that is the exercise's probability times its ideal muscles.
    certain_from: the least confidence with which an exercise is named; below it the answer is "not sure".
    other_from: the probability of "none of these" from which that is the answer.
    """

    members: tuple[Member, ...]
    temperature: float = 1.0
    muscle_from_exercise: float = 0.0
    certain_from: float = 0.4
    other_from: float = 0.5

    def save(self, folder: Path) -> None:
        """Write `ensemble.json`."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (folder / ENSEMBLE_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> EnsembleConfig:
        """The folder's `ensemble.json`, or the paper's weights for what lies there; raises `CheckpointError`."""
        path = folder / ENSEMBLE_FILE
        if not path.exists():
            names = [p.name for p in sorted(folder.glob("*.ckpt"))]
            return cls(tuple(Member(name, *PAPER_WEIGHTS.get(Path(name).stem, (0.5, 0.5))) for name in names))
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            config = cls(**plain | {"members": tuple(Member(**member) for member in plain["members"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): mend it or delete it.") from error
        if not config.members:
            raise CheckpointError(f"{path} names no checkpoint: mend it or delete it.")
        return config


@dataclass(frozen=True)
class WindowScores:
    """Probabilities of N windows. exercise: (N, 16); other: (N,); muscle: (N, 11), each 0..1."""

    exercise: FloatArray
    other: FloatArray
    muscle: FloatArray

    def pooled(self, weights: FloatArray) -> WindowScores:
        """The weighted mean over the windows, as one window. weights: (N,)."""
        share = (weights / max(float(weights.sum()), 1e-9)).astype(np.float32)[None]
        return WindowScores(share @ self.exercise, share @ self.other, share @ self.muscle)


class Ensemble:
    """The networks of a folder, ready to run."""

    def __init__(self, folder: Path, device: str = "auto", *, trust: bool = False) -> None:
        self.folder, self.config = folder, EnsembleConfig.load(folder)
        self.runtimes: tuple[Runtime, ...] = tuple(
            load_runtime(folder / member.checkpoint, device, trust=trust) for member in self.config.members
        )
        for member, runtime in zip(self.config.members, self.runtimes, strict=True):
            _check(member, runtime.spec)

    @property
    def device(self) -> str:
        """The device of the networks, for the user."""
        return self.runtimes[0].device

    @property
    def window_s(self) -> float:
        """Seconds of a window."""
        return self.runtimes[0].spec.window_s

    def score(self, track: PoseTrack) -> tuple[tuple[float, ...], WindowScores]:
        """Start times of the track's windows, and what the ensemble says of each."""
        starts: tuple[float, ...] = ()
        logits = []
        clips: dict[ClipSpec, FloatArray] = {}
        for runtime in self.runtimes:
            spec = ClipSpec(runtime.spec.frames, runtime.spec.window_s)
            if spec not in clips:
                starts, clips[spec] = track_clips(track, spec)
            logits.append(runtime(clips[spec]))
        return starts, combine(logits, self.config)


STILL_WEIGHT = 0.1
"""Weight of a window in which nobody moves, against one with full movement: a title card or a rest says little."""
FULL_MOVEMENT_M = 0.06
"""Mean travel of the landmarks about the hips (standard deviation, metres) from which a window counts in full."""


def window_weights(track: PoseTrack, starts: Sequence[float], window_s: float) -> FloatArray:
    """How much each window says, (N,) 0..1: how long somebody is seen in it, and whether they move."""
    weights = []
    for start in starts:
        part = track.between(start, start + window_s + 1e-3)
        seen = part.presence > 0
        moved = float(part.world[seen].std(0).mean()) if seen.sum() > 1 else 0.0
        weights.append(part.found * (STILL_WEIGHT + (1 - STILL_WEIGHT) * min(1.0, moved / FULL_MOVEMENT_M)))
    return np.asarray(weights, np.float32)


def combine(logits: Sequence[Logits], config: EnsembleConfig) -> WindowScores:
    """The ensemble's answer from each member's logits: weighted sums, softmax over exercises, sigmoid over muscles."""
    exercise = sum(m.weight_exercise * part.exercise for m, part in zip(config.members, logits, strict=True))
    muscle = sum(m.weight_muscle * part.muscle for m, part in zip(config.members, logits, strict=True))
    probabilities = softmax(np.asarray(exercise, np.float32) / config.temperature)
    count = len(catalog().exercises)
    named = probabilities[:, :count]
    other = probabilities[:, count] if probabilities.shape[1] > count else np.zeros(len(named), np.float32)
    working = 1 / (1 + np.exp(-np.asarray(muscle, np.float32)))
    share = config.muscle_from_exercise * (1 - other[:, None])
    # Where no exercise of the catalogue is seen, its ideal muscles say nothing and the muscle head answers alone.
    implied = named @ ideal_matrix() / np.maximum(1 - other[:, None], 1e-6)
    return WindowScores(named, other, (working * (1 - share) + implied * share).astype(np.float32))


def ideal_matrix() -> FloatArray:
    """The catalogue's ideal activations as 0/1, (16, 11)."""
    names = catalog().muscles
    matrix: FloatArray = np.array([[name in e.muscles for name in names] for e in catalog().exercises], np.float32)
    return matrix


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    shares: FloatArray = (exponentials / exponentials.sum(-1, keepdims=True)).astype(np.float32)
    return shares


def _check(member: Member, spec: NetworkSpec) -> None:
    names = tuple(name for name in spec.exercises if name != OTHER)
    if spec.input == "pose" and spec.channels != POINTS:
        raise CheckpointError(
            f"{member.checkpoint} reads other joints than this version of fitcli finds: train it anew."
        )
    if names != catalog().exercise_names:
        raise CheckpointError(f"{member.checkpoint} was trained on another list of exercises.")

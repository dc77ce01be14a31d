"""The weighted ensemble: networks, their weight on each head, and how scores of windows become one answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fitcli import interrupt
from fitcli.catalog import OTHER, Classes, catalog
from fitcli.errors import CheckpointError
from fitcli.network.device import Choice
from fitcli.network.ir import Announce, converted_spec
from fitcli.network.pose_clips import POINTS, ClipSpec, track_clips
from fitcli.network.rgb_clips import RgbClipSpec, RgbWindow, RgbWindows
from fitcli.network.runtime import Logits, Pending, Precision, Runtime, decide, digest, load_runtimes
from fitcli.network.spec import NetworkSpec
from fitcli.outputs import replace_text
from fitcli.pose.track import FloatArray, PoseTrack
from fitcli.video import Frame

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


@dataclass(frozen=True)
class WindowScores:
    """Probabilities of N windows. exercise: (N, E), or (N, 0) where no network names exercises; other: (N,);
    muscle: (N, M), each 0..1."""

    exercise: FloatArray
    other: FloatArray
    muscle: FloatArray

    def pooled(self, weights: FloatArray, agreement: float = 0.0) -> WindowScores:
        """The weighted mean over the windows, as one window. weights: (N,); where all are 0, every window counts.

        agreement: the mean's odds among the exercises are raised to 1 + agreement * ln(windows that count), since the
        mean of many windows is right more often than it is sure; 0 leaves it as it is.
        """
        if not weights.sum() > 0:
            weights = np.ones_like(weights)
        share = (weights / weights.sum()).astype(np.float32)[None]
        exercise = share @ self.exercise
        counting = 1 / float((share**2).sum())
        surer = exercise ** (1 + agreement * np.log(counting))
        surer *= exercise.sum(1, keepdims=True) / np.maximum(surer.sum(1, keepdims=True), np.finfo(np.float32).tiny)
        return WindowScores(surer.astype(np.float32), share @ self.other, share @ self.muscle)


@dataclass(frozen=True)
class Windows:
    """Where the windows of one video are, and what the ensemble says of each."""

    starts_s: tuple[float, ...]
    window_s: float
    scores: WindowScores


@dataclass(frozen=True)
class WindowLogits:
    """Where the windows of one video are, and each network's `aligned` logits of them, before any weighting."""

    starts_s: tuple[float, ...]
    window_s: float
    logits: tuple[Logits, ...]


def device_for(folder: Path, device: str = "auto", *, length_s: float | None = None, trust: bool = False) -> Choice:
    """The device for the networks of a folder on `length_s` seconds of video, None for a camera; see `decide`."""
    paths = [folder / member.checkpoint for member in EnsembleConfig.load(folder).members]
    return decide(paths, device, length_s=length_s, trust=trust)


def classes_of(specs: Iterable[NetworkSpec]) -> Classes:
    """What several networks know together; without a muscle head the muscles are those of the named exercise."""
    classes = catalog().union(spec.classes for spec in specs)
    if classes.muscles:
        return classes
    paper = catalog().paper
    within_paper = set(classes.exercises) <= set(paper.exercises)
    return replace(classes, muscles=paper.muscles if within_paper else catalog().muscles)


def known_classes(folder: Path) -> Classes | None:
    """What the networks of a folder know, read without loading them; None where one was never converted.

    Raises `CheckpointError` where the folder or its `ensemble.json` cannot be read.
    """
    paths = [folder / member.checkpoint for member in EnsembleConfig.load(folder).members]
    specs = [converted_spec(path, digest(path)) for path in paths]
    return None if None in specs else classes_of([spec for spec in specs if spec])


class Ensemble:
    """The networks of a folder, ready to run; `classes` are the exercises and muscles that they know together."""

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        *,
        trust: bool = False,
        precision: Precision = "auto",
        announce: Announce | None = None,
    ) -> None:
        config = EnsembleConfig.load(folder)
        paths = [folder / member.checkpoint for member in config.members]
        self.runtimes = load_runtimes(paths, device, trust=trust, precision=precision, announce=announce)
        for member, runtime in zip(config.members, self.runtimes, strict=True):
            _check(member, runtime.spec)
        self.folder = folder
        self.config = config.fitted([runtime.spec for runtime in self.runtimes], folder)
        self.classes = classes_of([runtime.spec for runtime in self.runtimes])

    @property
    def device(self) -> str:
        """The device of the networks, for the user."""
        return ", ".join(dict.fromkeys(runtime.device for runtime in self.runtimes))

    @property
    def reads_pictures(self) -> bool:
        """Whether any network is on the `rgb` input: then a `Reading` wants the video's frames."""
        return any(runtime.spec.input == "rgb" for runtime in self.runtimes)

    @property
    def names_exercises(self) -> bool:
        """Whether any network has an exercise head."""
        return any(runtime.spec.exercises for runtime in self.runtimes)

    @property
    def has_muscle_head(self) -> bool:
        """Whether any network has a muscle head; without one, muscles are those of the named exercise."""
        return any(runtime.spec.muscles for runtime in self.runtimes)

    @property
    def window_s(self) -> float:
        """Seconds of a window: of the widest, where the networks differ."""
        return max(runtime.spec.window_s for runtime in self.runtimes)

    def score(self, track: PoseTrack) -> tuple[tuple[float, ...], WindowScores]:
        """Start times of a track's windows, and what an ensemble on pose alone says of each.

        Raises `CheckpointError` where a network reads pictures, which a track does not hold.
        """
        if self.reads_pictures:
            raise CheckpointError(
                f"The networks in {self.folder} read pictures: record first, then `fitcli analyze` the video."
            )
        windows = Reading(self).score(track)
        return windows.starts_s, windows.scores


class Reading:
    """One video, as the ensemble reads it: pictures as they arrive, window by window, and the track at the end.

    reference: read the reference system's way: its first window alone, and a softmax over the muscle groups. Raises
    `CheckpointError` where the ensemble holds a network that is not on RGB.
    """

    def __init__(self, ensemble: Ensemble, *, reference: bool = False) -> None:
        if reference and any(runtime.spec.input != "rgb" for runtime in ensemble.runtimes):
            raise CheckpointError(
                "The reference's scores are those of its own networks, on RGB: name their folder with --checkpoints."
            )
        self.ensemble = ensemble
        self.reference = reference
        specs = dict.fromkeys(r.spec.clip for r in ensemble.runtimes if r.spec.input == "rgb")
        self._cutters = {spec: RgbWindows(spec) for spec in specs}
        self._starts: dict[RgbClipSpec, list[float]] = {spec: [] for spec in specs}
        self._pending: dict[int, Pending] = {}
        self._logits: list[list[Logits]] = [[] for _ in ensemble.runtimes]

    @property
    def wants_frames(self) -> bool:
        """Whether the next frame can matter."""
        return bool(self._cutters)

    def take(self, frame: Frame) -> None:
        """Read the next frame of the video, upright, in full size, in order."""
        for spec, cutter in list(self._cutters.items()):
            if window := cutter.push(frame):
                self._run(spec, window)
                if self.reference:
                    del self._cutters[spec]

    def score(self, track: PoseTrack) -> Windows:
        """What the ensemble says of the whole video, whose track this is; see `read` for the windows."""
        read = self.read(track)
        scores = combine(read.logits, self.ensemble.config, self.ensemble.classes, softmax_muscles=self.reference)
        return Windows(read.starts_s, read.window_s, scores)

    def read(self, track: PoseTrack) -> WindowLogits:
        """What each network says of the whole video, whose track this is; the windows are those of the widest network.

        Networks of other windows answer for one of these with the mean of theirs that overlap it.
        """
        for spec, cutter in self._cutters.items():
            if window := cutter.finish():
                self._run(spec, window)
        self._cutters = {}
        for number in list(self._pending):
            self._collect(number)
        parts = [
            self._on_pose(runtime, track) if runtime.spec.input == "pose" else self._on_rgb(i, runtime)
            for i, runtime in enumerate(self.ensemble.runtimes)
        ]
        widest = max(parts, key=lambda part: part.window_s)
        logits = tuple(
            aligned(part.at(widest.starts_s, widest.window_s, track), runtime.spec, self.ensemble.classes)
            for part, runtime in zip(parts, self.ensemble.runtimes, strict=True)
        )
        return WindowLogits(widest.starts_s, widest.window_s, logits)

    def _run(self, spec: RgbClipSpec, window: RgbWindow) -> None:
        self._starts[spec].append(window.start_s)
        for number, runtime in enumerate(self.ensemble.runtimes):
            if runtime.spec.input == "rgb" and runtime.spec.clip == spec:
                self._collect(number)  # one window at a time: memory stays flat however long the video is
                self._pending[number] = runtime.start(window.clip)

    def _collect(self, number: int) -> None:
        if wait := self._pending.pop(number, None):
            self._logits[number].append(wait())

    def _on_rgb(self, number: int, runtime: Runtime) -> _Answers:
        parts = self._logits[number]
        logits = Logits(np.concatenate([p.exercise for p in parts]), np.concatenate([p.muscle for p in parts]))
        return _Answers(tuple(self._starts[runtime.spec.clip]), runtime.spec.window_s, logits)

    def _on_pose(self, runtime: Runtime, track: PoseTrack) -> _Answers:
        starts, clips = track_clips(track, ClipSpec(runtime.spec.frames, runtime.spec.window_s))
        return _Answers(starts, runtime.spec.window_s, runtime(clips))


@dataclass(frozen=True)
class _Answers:
    """One network's logits and where its windows are."""

    starts_s: tuple[float, ...]
    window_s: float
    logits: Logits

    def at(self, starts_s: tuple[float, ...], window_s: float, track: PoseTrack) -> Logits:
        """The logits for other windows: the mean over those of ours that overlap, by how long; the nearest if none.

        Windows end where the track has a gap.
        """
        if (starts_s, window_s) == (self.starts_s, self.window_s):
            return self.logits
        ours, others = np.asarray(self.starts_s)[None], np.asarray(starts_s)[:, None]
        our_ends = np.array([[min(start + self.window_s, track.gap_after(start)) for start in self.starts_s]])
        other_ends = np.array([[min(start + window_s, track.gap_after(start))] for start in starts_s])
        overlap = np.minimum(our_ends, other_ends) - np.maximum(ours, others)
        nearest = overlap == overlap.max(1, keepdims=True)
        share = np.where(overlap.max(1, keepdims=True) > 0, overlap.clip(0), nearest)
        share = (share / share.sum(1, keepdims=True)).astype(np.float32)
        return Logits(share @ self.logits.exercise, share @ self.logits.muscle)


STILL_WEIGHT = 0.1
"""Weight of a window in which nobody moves, against one with full movement: a title card or a rest says little."""
FULL_MOVEMENT_M = 0.06
"""Mean travel of the landmarks about the hips (standard deviation, metres) from which a window counts in full."""


def window_weights(track: PoseTrack, starts: Sequence[float], window_s: float) -> FloatArray:
    """How much each window says, (N,) 0..1: how long somebody is seen in it, and whether they move.

    A window ends where the track has a gap.
    """
    weights = []
    for start in starts:
        interrupt.heed()
        part = track.between(start, min(start + window_s, track.gap_after(start)) + 1e-3)
        seen = part.presence > 0
        moved = float(part.world[seen].std(0).mean()) if seen.sum() > 1 else 0.0
        weights.append(part.found * (STILL_WEIGHT + (1 - STILL_WEIGHT) * min(1.0, moved / FULL_MOVEMENT_M)))
    return np.asarray(weights, np.float32)


def aligned(logits: Logits, spec: NetworkSpec, classes: Classes) -> Logits:
    """One network's logits in the order of `classes`, with NaN for what it does not know.

    exercise: (N, E + 1), "other" last; muscle: (N, M); (N, 0) where the network has no such head.
    """
    return Logits(
        _columns(logits.exercise, spec.exercises, (*classes.exercises, OTHER)),
        _columns(logits.muscle, spec.muscles, classes.muscles),
    )


def _columns(logits: FloatArray, names: tuple[str, ...], wanted: tuple[str, ...]) -> FloatArray:
    if not names:
        return logits
    columns = np.full((len(logits), len(wanted)), np.nan, np.float32)
    for number, name in enumerate(wanted):
        if name in names:
            columns[:, number] = logits[:, names.index(name)]
    return columns


def combine(
    logits: Sequence[Logits], config: EnsembleConfig, classes: Classes, *, softmax_muscles: bool = False
) -> WindowScores:
    """The ensemble's answer from each member's `aligned` logits, for E exercises and M muscles of `classes`.

    Logits are summed by weight, with a softmax over exercises and a sigmoid over muscles; each member votes on the
    classes that it knows. softmax_muscles: a softmax over the muscle groups, as the reference system shows them.
    """
    named, other = _exercises(logits, config, classes)
    implied = named @ ideal_matrix(classes) if named.shape[1] else None
    heads = [
        (m.weight_muscle, part.muscle) for m, part in zip(config.members, logits, strict=True) if part.muscle.shape[1]
    ]
    if not heads:  # exercise heads alone: the muscles are those of the exercise
        assert implied is not None
        return WindowScores(named, other, implied.astype(np.float32))
    total = _vote(heads)
    working = softmax(total) if softmax_muscles else 1 / (1 + np.exp(-total))
    if implied is None or softmax_muscles:
        return WindowScores(named, other, working.astype(np.float32))
    share = config.muscle_from_exercise * (1 - other[:, None])
    # Where no exercise of the catalogue is seen, its ideal muscles say nothing and the muscle head answers alone.
    implied = implied / np.maximum(1 - other[:, None], 1e-6)
    return WindowScores(named, other, (working * (1 - share) + implied * share).astype(np.float32))


Votes = Sequence[tuple[float, FloatArray]]
"""Each member's weight and its scores (N, K), NaN in the columns of classes that it does not know."""

UNKNOWN_LOGIT = np.float32(-30.0)
"""Of a class that no member with any weight knows: its probability is nothing."""


def _vote(parts: Votes) -> FloatArray:
    """The weighted sum (N, K); a class that only some know is weighed among those alone."""
    known = [~np.isnan(part[:1]) for _, part in parts]
    total = np.asarray(sum(weight * np.nan_to_num(part) for weight, part in parts), np.float32)
    if all(k.all() for k in known):
        return total
    everyone = sum(weight for weight, _ in parts) or 1.0
    voters = np.asarray(sum(weight * k for (weight, _), k in zip(parts, known, strict=True)), np.float32)
    return np.where(voters > 0, total * everyone / np.maximum(voters, 1e-9), UNKNOWN_LOGIT).astype(np.float32)


def _mean_vote(parts: Votes) -> FloatArray:
    """The weighted mean (N, K), each class's among those who know it."""
    return _vote(parts) / np.float32(sum(weight for weight, _ in parts) or 1.0)


def _exercises(logits: Sequence[Logits], config: EnsembleConfig, classes: Classes) -> tuple[FloatArray, FloatArray]:
    """Probabilities of the exercises, (N, E), or (N, 0) where no member has that head, and of none of them, (N,)."""
    count = len(classes.exercises)
    parts = [
        (m.weight_exercise, p.exercise) for m, p in zip(config.members, logits, strict=True) if p.exercise.shape[1]
    ]
    if not parts:
        windows = len(logits[0].muscle)
        return np.zeros((windows, 0), np.float32), np.zeros(windows, np.float32)
    parts = [part for part in parts if part[0] > 0] or parts
    known = np.stack([~np.isnan(part[0]) for _, part in parts])
    if (known == known[0]).all():
        probabilities = softmax(_tempered(_vote(parts), config))  # of a class that nobody knows it is nothing
        return probabilities[:, :count], probabilities[:, count]
    votes = [(weight, _log_probabilities(_tempered(part, config))) for weight, part in parts]
    pooled = _pooled(votes)
    knowing = [vote for vote, k in zip(votes, known, strict=True) if k[count]]
    # Who knows "none of these" says how likely it is, and all share out the rest.
    other = _pooled(knowing)[:, count] if knowing else np.zeros(len(pooled), np.float32)
    named = pooled[:, :count] / np.maximum(pooled[:, :count].sum(1, keepdims=True), 1e-9)
    return (named * (1 - other[:, None])).astype(np.float32), other


def _tempered(logits: FloatArray, config: EnsembleConfig) -> FloatArray:
    """Exercise logits (N, E + 1) as the ensemble reads them."""
    tempered: FloatArray = logits / np.float32(config.temperature)
    tempered[:, -1] += np.float32(config.other_shift)
    return tempered


def _log_probabilities(logits: FloatArray) -> FloatArray:
    """The logarithm of a softmax over the columns that are not NaN."""
    logarithms: FloatArray = logits - np.log(np.nansum(np.exp(logits), 1, keepdims=True))
    return logarithms


def _pooled(votes: Votes) -> FloatArray:
    """The weighted geometric mean of distributions over different classes, as one distribution (N, K).

    What a member calls "other" includes the classes that it does not know: those who know some of them share it out.
    A member without "other" says nothing of how likely the classes outside its own are.
    """
    everyone = softmax(_mean_vote(votes))
    total = np.zeros_like(everyone)
    for weight, logarithms in votes:
        missing = np.isnan(logarithms[0])
        own = np.exp(np.nan_to_num(logarithms, nan=-np.inf))
        if not missing.any():
            filled = own
        elif missing[-1]:
            filled = np.where(missing, everyone, own * (everyone * ~missing).sum(1, keepdims=True))
        else:
            outside = missing.copy()
            outside[-1] = True
            knowing = [vote for vote in votes if not np.isnan(vote[1][0][missing]).all()]
            among = softmax(_mean_vote(knowing)[:, outside]) if knowing else np.eye(1, outside.sum(), outside.sum() - 1)
            filled = own
            filled[:, outside] = own[:, -1:] * among
        total += np.float32(weight) * np.log(np.maximum(filled, 1e-12)).astype(np.float32)
    return softmax(total / np.float32(sum(weight for weight, _ in votes) or 1.0))


def ideal_matrix(classes: Classes) -> FloatArray:
    """The catalogue's ideal activations of these exercises as 0/1, (E, M); zeros for one that it does not have."""
    rows = [classes.muscles_of(name) for name in classes.exercises]
    matrix: FloatArray = np.array([[muscle in ideal for muscle in classes.muscles] for ideal in rows], np.float32)
    return matrix.reshape(len(classes.exercises), len(classes.muscles))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    shares: FloatArray = (exponentials / exponentials.sum(-1, keepdims=True)).astype(np.float32)
    return shares


def _check(member: Member, spec: NetworkSpec) -> None:
    if spec.input == "pose" and spec.channels != POINTS:
        raise CheckpointError(
            f"{member.checkpoint} reads other joints than this version of fitcli finds: train it anew."
        )

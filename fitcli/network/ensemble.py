"""The weighted ensemble: networks, their weight on each head, and how scores of windows become one answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fitcli.catalog import Classes, catalog
from fitcli.errors import CheckpointError, Setting
from fitcli.network.device import Choice
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.network.ir_cache import Announce, converted_spec
from fitcli.network.pose_clips import POINTS, ClipSpec, track_clips
from fitcli.network.rgb_clips import RgbClipSpec, RgbWindow, RgbWindows
from fitcli.network.runtime import ComputeType, Pending, Runtime, decide, load_runtimes
from fitcli.network.scores import Logits, WindowScores, aligned, combine
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import PoseTrack
from fitcli.video import Frame


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
    specs = [converted_spec(path) for path in paths]
    return None if None in specs else classes_of([spec for spec in specs if spec])


class Ensemble:
    """The networks of a folder, ready to run; `classes` are the exercises and muscles that they know together."""

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        *,
        trust: bool = False,
        compute_type: ComputeType = "auto",
        announce: Announce | None = None,
    ) -> None:
        config = EnsembleConfig.load(folder)
        paths = [folder / member.checkpoint for member in config.members]
        self.runtimes = load_runtimes(paths, device, trust=trust, compute_type=compute_type, announce=announce)
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
                "The reference's scores need its own networks, on RGB: name their folder.", setting=Setting.CHECKPOINTS
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


def _check(member: Member, spec: NetworkSpec) -> None:
    if spec.input == "pose" and spec.channels != POINTS:
        raise CheckpointError(
            f"{member.checkpoint} reads other joints than this version of fitcli finds: train it anew."
        )

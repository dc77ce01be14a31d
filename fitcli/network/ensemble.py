"""The weighted ensemble: the networks of a folder, run on the windows of a video."""

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
    """The windows of one video, by start times and length, and the ensemble's scores for each."""

    starts_s: tuple[float, ...]
    window_s: float
    scores: WindowScores


@dataclass(frozen=True)
class WindowLogits:
    """The windows of one video, by start times and length, and the `aligned` logits of each network, unweighted."""

    starts_s: tuple[float, ...]
    window_s: float
    logits: tuple[Logits, ...]


def device_for(folder: Path, device: str = "auto", *, length_s: float | None = None, trust: bool = False) -> Choice:
    """The device for the networks of a folder on `length_s` seconds of video (None for a camera), see `decide`."""
    paths = [folder / member.checkpoint for member in EnsembleConfig.load(folder).members]
    return decide(paths, device, length_s=length_s, trust=trust)


def classes_of(specs: Iterable[NetworkSpec]) -> Classes:
    """The classes that several networks know together.

    Without a muscle head, the muscles are the catalogue's (the paper's if all exercises are).
    """
    classes = catalog().union(spec.classes for spec in specs)
    if classes.muscles:
        return classes
    paper = catalog().paper
    within_paper = set(classes.exercises) <= set(paper.exercises)
    return replace(classes, muscles=paper.muscles if within_paper else catalog().muscles)


def known_classes(folder: Path) -> Classes | None:
    """The classes that the networks of a folder know, read without torch; None if one was never converted.

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
        config: EnsembleConfig | None = None,
    ) -> None:
        config = config or EnsembleConfig.load(folder)
        paths = [folder / member.checkpoint for member in config.members]
        self.runtimes = load_runtimes(paths, device, trust=trust, compute_type=compute_type, announce=announce)
        for member, runtime in zip(config.members, self.runtimes, strict=True):
            _check(member, runtime.spec)
        self.folder = folder
        self.config = config.fitted([runtime.spec for runtime in self.runtimes], folder)
        self.classes = classes_of([runtime.spec for runtime in self.runtimes])

    @property
    def device(self) -> str:
        """The device that the networks run on, in words for the user."""
        return ", ".join(dict.fromkeys(runtime.device for runtime in self.runtimes))

    @property
    def reads_pictures(self) -> bool:
        """Whether any network is on the `rgb` input, so that a `Reading` needs the video's frames."""
        return any(runtime.spec.input == "rgb" for runtime in self.runtimes)

    @property
    def names_exercises(self) -> bool:
        """Whether any network has an exercise head."""
        return any(runtime.spec.exercises for runtime in self.runtimes)

    @property
    def has_muscle_head(self) -> bool:
        """Whether any network has a muscle head; without one, the muscles are those of the recognised exercise."""
        return any(runtime.spec.muscles for runtime in self.runtimes)

    @property
    def window_s(self) -> float:
        """Seconds of a window; of the longest window if the networks differ."""
        return max(runtime.spec.window_s for runtime in self.runtimes)

    def require_no_pictures(self) -> None:
        """Raise `CheckpointError` if a network is on the `rgb` input: a track holds no pictures."""
        if self.reads_pictures:
            raise CheckpointError(
                f"The networks in {self.folder} read pictures: record first, then `fitcli analyze` the video."
            )

    def score(self, track: PoseTrack) -> tuple[tuple[float, ...], WindowScores]:
        """Start times of a track's windows, and the scores of an ensemble on pose alone for each.

        Raises as `require_no_pictures` does.
        """
        self.require_no_pictures()
        windows = Reading(self).score(track)
        return windows.starts_s, windows.scores


class Reading:
    """One video on its way through the ensemble: frames as they are decoded, by window, and the track at the end.

    reference: score as the reference system does, the first window alone and with a softmax over the muscle groups.
    Raises `CheckpointError` then if a network of the ensemble is not on RGB.
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
        """Whether any network still needs frames."""
        return bool(self._cutters)

    def take(self, frame: Frame) -> None:
        """Take the next frame of the video, upright and in full size."""
        for spec, cutter in list(self._cutters.items()):
            if window := cutter.push(frame):
                self._run(spec, window)
                if self.reference:
                    del self._cutters[spec]

    def score(self, track: PoseTrack) -> Windows:
        """The ensemble's scores for the whole video with this track; see `read` for the windows."""
        read = self.read(track)
        scores = combine(read.logits, self.ensemble.config, self.ensemble.classes, softmax_muscles=self.reference)
        return Windows(read.starts_s, read.window_s, scores)

    def read(self, track: PoseTrack) -> WindowLogits:
        """The logits of each network for the whole video with this track, in the longest windows of any network.

        A network with other windows answers for each of these with the mean of its own windows that overlap it.
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
    """One network's logits and its windows, by start times and length."""

    starts_s: tuple[float, ...]
    window_s: float
    logits: Logits

    def at(self, starts_s: tuple[float, ...], window_s: float, track: PoseTrack) -> Logits:
        """The logits for other windows: the mean of these windows, weighted by overlap; the nearest if none overlaps.

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
            f"{member.checkpoint} reads other joints than this version of fitcli finds: train it again."
        )

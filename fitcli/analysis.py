"""The pipeline: a video in, one immutable `Analysis` out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fitcli import interrupt
from fitcli.catalog import Classes, catalog
from fitcli.errors import CheckpointError, InvalidVideoError
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings, WindowScore

if TYPE_CHECKING:
    from fitcli.network.ensemble import Ensemble, Reading
    from fitcli.network.ir_cache import Announce
    from fitcli.pose.blazepose import BlazePose
    from fitcli.pose.track import FloatArray, PoseTrack
    from fitcli.results.sets import ExerciseSet
    from fitcli.video import Frame, Image, Listener, Watched


POSE_RATE_HZ = 15.0
"""Frames a second that are looked at: the rate of the sequences that the networks were trained on."""

LEAST_FOUND = 0.05
"""Share of the frames that must show somebody."""

WELL_FOUND = 0.98
"""Mean presence of the person over all frames from which the picture is taken to have its true shape."""


Progress = Callable[[float], None]
"""Called with the share of the work done, 0..1, a few times a second; a stretched video is followed twice, and the
share then begins again."""


def analyze_video(
    path: Path,
    *,
    checkpoints: Path | None = None,
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    trust_checkpoint: bool = False,
    reference_scores: bool = False,
    batch_s: float | None = None,
    progress: Progress | None = None,
    announce: Announce | None = None,
) -> Analysis:
    """Watch one video file and say which exercise it shows and which muscle groups work.

    reference_scores: read networks on RGB as the reference system does: the first two seconds, and muscles as shares of
    one whole (softmax) instead of each for itself. batch_s: seconds of video in all the files that are analysed one
    after the other, by which "auto" chooses the device; by default this part's. announce: hears one sentence before
    something that takes long.
    Raises a `FitcliError` for a file that cannot be read or is no video, a bad checkpoint, or a missing device.
    """
    # Imported here: the engines take a third of a second, and listing the history needs none of them.
    from fitcli.network.ensemble import Reading
    from fitcli.video import probe

    began = time.perf_counter()
    video = probe(path)
    if batch_s is None:
        batch_s = part_s(video.duration_s, start_s, end_s, reference_scores=reference_scores)
    # Compiling releases the interpreter: the hybrid and BlazePose get ready side by side.
    beside = ThreadPoolExecutor(2, thread_name_prefix="load")
    loading = beside.submit(_loaded, checkpoints, device, trust_checkpoint, batch_s, announce)
    compiling = beside.submit(_blazepose)
    beside.shutdown(wait=False)  # Ctrl-C does not wait for them
    interrupt.result(compiling)
    ensemble, device_reason = interrupt.result(loading)
    first, last = start_s or 0.0, min(end_s or video.duration_s, video.duration_s)
    reading = Reading(ensemble, reference=reference_scores)
    # Networks on pictures hear of the frames while the pose pass decodes them: one pass, whatever the ensemble reads.
    looking = _Looking(reading)
    listener = looking.listener if ensemble.reads_pictures else None
    followed = _follow(
        path,
        start_s=start_s,
        end_s=end_s,
        listener=listener,
        progress=progress and (lambda time_s: progress(min(1.0, (time_s - first) / max(last - first, 1e-6)))),
    )
    watched = followed.watched
    answer = _answer(path, followed.person, reading, breaks_off=watched.broken_off)
    return replace(
        answer,
        duration_s=video.duration_s if watched.length_s is None else watched.length_s,
        start_s=watched.first_s or 0.0,
        end_s=watched.last_s or 0.0,
        broken_off_s=watched.length_s if watched.broken_off else None,
        networks=_networks(ensemble),
        device=ensemble.device,
        device_reason=device_reason,
        timings=replace(
            answer.timings,
            decode_s=followed.decode_s - looking.elapsed_s,
            pose_s=followed.pose_s,
            network_s=answer.timings.network_s + looking.elapsed_s,
            total_s=time.perf_counter() - began,
        ),
        picture_stretch=followed.stretch,
        track=followed.person,
    )


def analyze_track(
    person: PoseTrack,
    name: str,
    *,
    checkpoints: Path | None = None,
    device: str = "auto",
    trust_checkpoint: bool = False,
) -> Analysis:
    """What `analyze_video` says, of a person who was followed already, as a live camera does; `name` stands for a file.

    Raises a `FitcliError` for a track that is too short, a bad checkpoint, or a missing device.
    """
    from fitcli.network.ensemble import Reading

    began = time.perf_counter()
    ensemble, device_reason = _loaded(checkpoints, device, trust_checkpoint)
    if ensemble.reads_pictures:
        raise CheckpointError(
            f"The networks in {ensemble.folder} read pictures: record first, then `fitcli analyze` the video."
        )
    answer = _answer(Path(name), person, Reading(ensemble))
    first, last = (float(person.times_s[i]) for i in (0, -1))
    return replace(
        answer,
        file=name,
        duration_s=last - first,
        start_s=first,
        end_s=last,
        networks=_networks(ensemble),
        device=ensemble.device,
        device_reason=device_reason,
        timings=replace(answer.timings, total_s=time.perf_counter() - began),
        track=person,
    )


def load_ensemble(*, checkpoints: Path | None = None, device: str = "auto", trust_checkpoint: bool = False) -> Ensemble:
    """The networks for a camera, loaded once; raises a `FitcliError` for a bad checkpoint or a missing device."""
    return _loaded(checkpoints, device, trust_checkpoint)[0]


def part_s(
    duration_s: float, start_s: float | None = None, end_s: float | None = None, *, reference_scores: bool = False
) -> float:
    """Seconds of a video that its networks read, of the part from `start_s` to `end_s`."""
    from fitcli.network.reference import WINDOW_S

    length_s = max(0.0, min(end_s or duration_s, duration_s) - (start_s or 0.0))
    return min(length_s, WINDOW_S) if reference_scores else length_s


def watch(path: Path, reading: Reading | None = None) -> PoseTrack:
    """Follow the person in a whole video file, as `analyze_video` does; a `reading` sees its pictures on the way."""
    return _follow(path, listener=_Looking(reading).listener if reading and reading.wants_frames else None).person


@dataclass(frozen=True)
class _Followed:
    """The person of a video, what was seen of the file, how many times its true width the picture is shown, and the
    seconds that it took."""

    person: PoseTrack
    watched: Watched
    stretch: float
    decode_s: float
    pose_s: float


def _follow(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    listener: Listener | None = None,
    progress: Callable[[float], None] | None = None,
) -> _Followed:
    """Follow the person in a video, and once more in its true shape where the picture turns out to be stretched.

    listener: hears the frames of the first time only, as the file shows them. progress: called with each frame's time,
    which begins again where the video is followed again.
    """
    from fitcli.pose.shape import Spread, picture_stretch
    from fitcli.pose.tracker import track
    from fitcli.video import Watched, frames

    model = _blazepose()
    began = time.perf_counter()
    watched = Watched()
    decoding = _Stopwatch(
        frames(path, rate_hz=POSE_RATE_HZ, start_s=start_s, end_s=end_s, listener=listener, watched=watched)
    )
    spread = Spread()
    person = track(_reported(spread.through(decoding), progress), model=model)
    decode_s, stretch = decoding.elapsed_s, 1.0
    if len(person) and float(person.presence.mean()) < WELL_FOUND:
        stretch = picture_stretch(spread.frames, model)
    if stretch != 1:
        decoding = _Stopwatch(frames(path, rate_hz=POSE_RATE_HZ, start_s=start_s, end_s=end_s, stretch=stretch))
        person = track(_reported(decoding, progress), model=model)
        decode_s += decoding.elapsed_s
    return _Followed(person, watched, stretch, decode_s, time.perf_counter() - began - decode_s)


def _answer(path: Path, person: PoseTrack, reading: Reading, *, breaks_off: bool = False) -> Analysis:
    from fitcli.network.scores import window_weights
    from fitcli.video import SHORTEST_S

    stretches = person.stretches()
    length_s = max((stretch.length_s for stretch in stretches), default=0.0)
    if length_s < SHORTEST_S:
        at_once = " without a gap" if len(stretches) > 1 else ", then the file breaks off" if breaks_off else ""
        raise InvalidVideoError(
            f"{path} shows only {length_s:.1f} s{at_once}: fitcli needs at least {SHORTEST_S:g} s to see a movement."
        )
    if person.found * len(person) < max(2, LEAST_FOUND * len(person)):
        return Analysis(
            str(path), Status.NO_PERSON, "Nobody was found in this video: is the whole body in the picture?"
        )
    began = time.perf_counter()
    ensemble = reading.ensemble
    classes = ensemble.classes
    read = reading.score(person)
    weights = window_weights(person, read.starts_s, read.window_s)
    pooled = read.scores.pooled(weights, ensemble.config.agreement)
    network_s = time.perf_counter() - began
    windows = tuple(
        WindowScore(
            start,
            min(start + read.window_s, person.gap_after(start), float(person.times_s[-1])),
            tuple(read.scores.exercise[i].tolist()),
            float(read.scores.other[i]),
            tuple(read.scores.muscle[i].tolist()),
            float(weights[i]),
        )
        for i, start in enumerate(read.starts_s)
    )
    ranked: list[ExerciseScore] = []
    consistent: tuple[str, ...] = ()
    exact = False
    if ensemble.names_exercises:
        ranked = sorted(
            (ExerciseScore(name, float(p)) for name, p in zip(classes.exercises, pooled.exercise[0], strict=True)),
            key=lambda score: -score.probability,
        )
        status, message = _verdict(ranked, float(pooled.other[0]), ensemble)
    else:
        consistent, exact = _fitting(pooled.muscle[0], classes, shares=reading.reference)
        listed = ", ".join(consistent)
        status = Status.OK
        if reading.reference:
            message = f"As the reference system reads it, two seconds in shares of 100 %, consistent with: {listed}."
        elif exact:
            message = f"The muscles that work are consistent with: {listed}."
        else:
            message = f"No exercise works exactly these muscles; the nearest: {listed}."
    named = ranked[0] if ranked and status is Status.OK else None
    ideal = classes.muscles_of(named.name) if named else ()
    # Muscles alone say how to count only where they are just those of a single exercise.
    by_muscles = consistent[0] if exact and len(consistent) == 1 else None
    sets = _sets(person, windows, classes, by_muscles, ensemble.config.other_from)
    answer = Analysis(
        str(path),
        status,
        message,
        exercise=named,
        exercises=tuple(ranked),
        muscles=tuple(
            MuscleScore(name, float(a), name in ideal)
            for name, a in zip(classes.muscles, pooled.muscle[0], strict=True)
        ),
        repetitions=sum(len(s.repetitions) for s in sets),
        sets=sets,
        timings=Timings(network_s=network_s),
        windows=windows,
        consistent_with=consistent,
        classes=classes,
        muscle_scores="softmax" if reading.reference and ensemble.has_muscle_head else "sigmoid",
    )
    if named and len(answer.performed) > 1:
        return replace(answer, message=f"This shows {', then '.join(answer.performed)}.")
    return answer


def _fitting(activations: FloatArray, classes: Classes, *, shares: bool) -> tuple[tuple[str, ...], bool]:
    """The exercises whose ideal muscles fit these activations (M,) best, and whether they are just those that work.

    Several, because several exercises work the same muscles: 12 distinct sets of them stand for the paper's 16. Muscles
    of the paper's list are held against its exercises.

    Best is the set of muscles under which the activations are most probable; for `shares` of one whole, which a
    softmax gives, the one nearest to equal shares of it.
    """
    import numpy as np

    from fitcli.network.scores import ideal_matrix

    paper = catalog().paper
    candidates = paper.exercises if classes.muscles == paper.muscles else catalog().exercise_names
    ideal = ideal_matrix(Classes(candidates, classes.muscles))
    if shares:
        fit = -np.abs(ideal / ideal.sum(1, keepdims=True) - activations).sum(1)
    else:
        likely = activations.astype(np.float64).clip(1e-6, 1 - 1e-6)
        fit = ideal @ np.log(likely) + (1 - ideal) @ np.log(1 - likely)
    nearest = int(fit.argmax())
    alike = (ideal == ideal[nearest]).all(1)
    names = tuple(name for name, same in zip(candidates, alike, strict=True) if same)
    return names, bool(((activations >= 0.5) == ideal[nearest]).all())


def _verdict(ranked: list[ExerciseScore], other: float, ensemble: Ensemble) -> tuple[Status, str]:
    best = ranked[0]
    config = ensemble.config
    if other >= config.other_from:
        return (
            Status.UNCERTAIN,
            f"This looks like none of the exercises I know; the nearest is {best.name} ({_percent(best.probability)}).",
        )
    if best.probability < config.certain_from:
        likely = ", then ".join(f"{score.name} ({_percent(score.probability)})" for score in ranked[:2])
        return Status.UNCERTAIN, f"Not sure: it looks most like {likely}."
    return Status.OK, f"This is {best.name} ({_percent(best.probability)})."


def _percent(probability: float) -> str:
    return f"{min(round(100 * probability), 99)}%"  # nothing is told as certain


def _sets(
    person: PoseTrack,
    windows: tuple[WindowScore, ...],
    classes: Classes,
    by_muscles: str | None,
    other_from: float,
) -> tuple[ExerciseSet, ...]:
    from fitcli.motion import WindowLabel, find_sets

    names = classes.exercises
    labels = []
    for window in windows:
        if not window.exercises:
            labels.append(WindowLabel(window.start_s, window.end_s, by_muscles, 1.0))
            continue
        best = max(range(len(names)), key=window.exercises.__getitem__)
        # Even odds where a whole video would be called none of the exercises, whatever users' videos mostly show.
        odds = window.other * (1 - other_from) / max((1 - window.other) * other_from, 1e-6)
        if odds > 1:
            labels.append(WindowLabel(window.start_s, window.end_s, None, odds / (1 + odds)))
        else:
            labels.append(WindowLabel(window.start_s, window.end_s, names[best], window.exercises[best]))
    return find_sets(person, labels)


def _networks(ensemble: Ensemble) -> tuple[NetworkUse, ...]:
    return tuple(
        NetworkUse(
            architecture=runtime.spec.architecture,
            input=runtime.spec.input,
            checkpoint=str(ensemble.folder / member.checkpoint),
            checkpoint_sha256=runtime.checkpoint_sha256,
            weight_exercise=member.weight_exercise,
            weight_muscle=member.weight_muscle,
        )
        for member, runtime in zip(ensemble.config.members, ensemble.runtimes, strict=True)
    )


def _loaded(
    checkpoints: Path | None,
    device: str,
    trust: bool,
    length_s: float | None = None,
    announce: Announce | None = None,
) -> tuple[Ensemble, str]:
    """The networks for `length_s` seconds of video, None for a camera, and why they run where they do."""
    from fitcli.network.ensemble import device_for
    from fitcli.network.folders import checkpoint_folder

    folder = checkpoint_folder(checkpoints)
    choice = device_for(folder, device, length_s=length_s, trust=trust)
    return _ensemble(folder, choice.device, trust, announce), choice.reason


@cache
def _ensemble(folder: Path, device: str, trust: bool, announce: Announce | None = None) -> Ensemble:
    # Kept for the next file of a batch: compiling the networks costs as much as a short clip.
    from fitcli.network.ensemble import Ensemble

    return Ensemble(folder, device, trust=trust, announce=announce)


@cache
def _blazepose() -> BlazePose:
    from fitcli.pose.blazepose import BlazePose
    from fitcli.pose.tracker import cores

    return BlazePose(streams=cores())


class _Looking:
    """Hands full-size frames to the networks that read pictures, and adds up the time that this takes."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.elapsed_s = 0.0

    @property
    def listener(self) -> Listener:
        from fitcli.network.rgb_clips import SOURCE_RATE_HZ
        from fitcli.video import Listener

        return Listener(self._hear, SOURCE_RATE_HZ)

    def _hear(self, time_s: float, render: Callable[[], Image]) -> None:
        from fitcli.video import Frame

        if self._reading.wants_frames:
            began = time.perf_counter()
            self._reading.take(Frame(time_s, render()))
            self.elapsed_s += time.perf_counter() - began


class _Stopwatch:
    """Iterates over frames and adds up the time that making them took."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.elapsed_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        began = time.perf_counter()
        try:
            return next(self._frames)
        finally:
            self.elapsed_s += time.perf_counter() - began


def _reported(frames: Iterable[Frame], progress: Callable[[float], None] | None) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if progress:
            progress(frame.time_s)

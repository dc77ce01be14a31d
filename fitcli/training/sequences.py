"""Pose sequences to train and evaluate on: flat landmark arrays and a table of clips, memory-mapped; or synthetic."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from fitcli.catalog import catalog
from fitcli.errors import InvalidVideoError, MissingInputError
from fitcli.network.spec import OTHER
from fitcli.pose.track import PoseTrack
from fitcli.training.repair import is_offset, without_offset
from fitcli.training.synthetic import ELSE, STILL, WALKING, synthesize

ARRAYS = ("landmarks", "world", "presence", "times")
SAMPLED_FRAMES = 2000
"""Frames that tell how the metric landmarks were measured."""

STILL_PAIR, SYNTHETIC = "still-pair", "synthetic"
"""Kinds that are treated in their own way: two photos of an exercise, and people who were never filmed."""

LONGEST_S = 20.0
"""Of a synthetic sequence: as long as the longest of the real ones."""

AMBIGUOUS = "ambiguous"
"""A relative of one of the exercises: no evidence for or against any class."""

SWEEP_S, SWEEP_FRAMES = 4.0, 60
"""A pair of photos becomes one slow repetition: there and back in this time."""

FINER_MUSCLES = {"middle back": "lats"}
"""Muscles of other vocabularies that may or may not be meant by one of ours: masked, neither taught nor counted."""


@dataclass(frozen=True)
class Labels:
    """exercise: class id, `len(catalog)` for none of them, None for unknown. muscles: target 0/1, NaN where unknown."""

    exercise: int | None
    muscles: tuple[float, ...]


@dataclass(frozen=True)
class Sequence:
    """One clip: a row of the table (see `load_sequences`), or a synthetic person. `read` gives its landmarks."""

    id: str
    split: str
    tier: str
    kind: str
    source: str
    series: str
    note: str
    repetitions: int | None
    labels: Labels
    read: Callable[[], PoseTrack] = field(repr=False, compare=False)

    @cached_property
    def track(self) -> PoseTrack:
        """The clip's landmarks, read once."""
        return self.read()

    @cached_property
    def fingerprint(self) -> bytes:
        """The same for two rows that are one clip, whatever each says of it."""
        return hashlib.sha256(self.read().landmarks.tobytes()).digest()


@dataclass(frozen=True)
class PoseArrays:
    """The memory-mapped arrays: landmarks and world (N, 33, 3), presence and times (N,).

    world_offset: the metric landmarks were measured in bfloat16 and are mended when read (`fitcli.training.repair`).
    """

    landmarks: np.ndarray
    world: np.ndarray
    presence: np.ndarray
    times: np.ndarray
    world_offset: bool


def load_sequences(folder: Path, split: str | None = None) -> list[Sequence]:
    """Every clip of `folder`'s table (of one split), in the table's order.

    The folder holds `clips.tsv` and `landmarks.npy`, `world.npy`, `presence.npy`, `times.npy`. Raises
    `MissingInputError` where one is absent and `InvalidVideoError` where the table does not fit the arrays.
    """
    table = folder / "clips.tsv"
    if not table.is_file():
        raise MissingInputError(f"{folder} is no folder of pose sequences: it has no clips.tsv.")
    try:
        landmarks, world, presence, times = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS)
        some = np.flatnonzero(presence)[:: max(1, len(presence) // SAMPLED_FRAMES)]
        arrays = PoseArrays(landmarks, world, presence, times, is_offset(world[some].astype(np.float32)))
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        sequences = [_sequence(row, arrays) for row in rows if split in (None, row["split"])]
    except FileNotFoundError as error:
        raise MissingInputError(f"{folder} is no folder of pose sequences: it has no {error.filename}.") from error
    except (ValueError, KeyError) as error:
        raise InvalidVideoError(f"{table} does not fit its format: {error}.") from error
    return sequences


def synthetic_sequences(each: int, seed: int) -> list[Sequence]:
    """People who were never filmed: `each` sequences of every exercise, and of none of them.

    The latter are 8 times `each` of other exercises, and an eighth of `each` who stand, and who walk.

    They are made when first read (some 20 ms each) and are the same ones for the same seed.
    """
    names = [*catalog().exercise_names * each, *(STILL, WALKING) * -(-each // 8), *(ELSE,) * (8 * each)]
    return [
        Sequence(
            id=f"synthetic:{number}",
            split="train",
            tier="",
            kind=SYNTHETIC,
            source=SYNTHETIC,
            series=f"synthetic:{number}",
            note=name,
            repetitions=None,
            labels=_synthetic_labels(name),
            read=partial(_synthetic_track, name, (seed, number)),
        )
        for number, name in enumerate(names)
    ]


def _synthetic_labels(name: str) -> Labels:
    muscles = catalog().muscles
    if name not in catalog().exercise_names:
        return Labels(len(catalog().exercises), (float("nan"),) * len(muscles))
    exercise = catalog().exercise(name)
    return Labels(exercise.id, tuple(float(muscle in exercise.muscles) for muscle in muscles))


def _synthetic_track(name: str, seed: tuple[int, int]) -> PoseTrack:
    track = synthesize(name, np.random.default_rng(seed)).track
    return track.between(float(track.times_s[0]), float(track.times_s[0]) + LONGEST_S)


def _sequence(row: dict[str, str], arrays: PoseArrays) -> Sequence:
    return Sequence(
        id=row["id"],
        split=row["split"],
        tier=row["tier"],
        kind=row["kind"],
        source=row["source"],
        series=row["series"],
        note=row["note"],
        repetitions=int(row["repetitions"]) if row["repetitions"] else None,
        labels=_labels(row),
        read=partial(
            _stored_track, arrays, _rows(row, arrays), row["kind"] == STILL_PAIR, int(row["width"]), int(row["height"])
        ),
    )


def _rows(row: dict[str, str], arrays: PoseArrays) -> slice:
    first, frames = int(row["first"]), int(row["frames"])
    if first + frames > len(arrays.times):
        raise ValueError(f"{row['id']} has frames that the arrays beside it do not hold")
    return slice(first, first + frames)


def _stored_track(arrays: PoseArrays, rows: slice, still_pair: bool, width: int, height: int) -> PoseTrack:
    """The landmarks of some rows; a still pair is swept from one photo to the other and back.

    Pairs that come already swept are taken apart and swept again: the pace of a sweep must not tell its origin.
    """
    times = arrays.times[rows].astype(np.float64)
    landmarks = arrays.landmarks[rows].astype(np.float32)
    world = arrays.world[rows].astype(np.float32)
    presence = arrays.presence[rows].astype(np.float32)
    if still_pair:
        there = np.linalg.norm(world - world[0], axis=-1).sum(-1).argmax()
        landmarks, world, presence = landmarks[[0, there]], world[[0, there]], presence[[0, there]]
        times = np.linspace(0, SWEEP_S, SWEEP_FRAMES)
        share = ((1 - np.cos(2 * np.pi * times / SWEEP_S)) / 2).astype(np.float32)
        landmarks, world = (a[0] + share[:, None, None] * (a[1] - a[0]) for a in (landmarks, world))
        presence = np.full(SWEEP_FRAMES, presence.min(), np.float32)
    if arrays.world_offset:
        seen = presence > 0
        world[seen] = without_offset(landmarks[seen], world[seen], width, height)
    return PoseTrack(times, landmarks, world, presence, width, height)


def _labels(row: dict[str, str]) -> Labels:
    names = catalog().muscles
    exercise = row["exercise"]
    if exercise in catalog().exercise_names:
        ideal = catalog().exercise(exercise).muscles
        muscles = tuple(float(name in ideal) for name in names)
        return Labels(catalog().exercise_names.index(exercise), muscles)
    if exercise not in (OTHER, AMBIGUOUS):
        raise ValueError(f"unknown exercise {exercise!r}")
    working = set(filter(None, row["primary"].split("|")))
    # The catalogue's ideal names some helpers (bench press: triceps) and leaves others out (shoulder press: triceps),
    # so a source's secondary muscles are no evidence either way.
    unsure = set(filter(None, row["secondary"].split("|"))) | {FINER_MUSCLES[m] for m in working if m in FINER_MUSCLES}
    muscles = tuple(
        1.0 if name in working else float("nan") if not working or name in unsure else 0.0 for name in names
    )
    return Labels(len(catalog().exercises) if exercise == OTHER else None, muscles)

"""Pose sequences to train and evaluate on: flat landmark arrays and a table of clips, memory-mapped; or synthetic."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from fitcli.catalog import OTHER, catalog
from fitcli.errors import InvalidVideoError, MissingInputError
from fitcli.pose.track import PoseTrack
from fitcli.training.labels import AMBIGUOUS, Labels, labels_of
from fitcli.training.synthetic.people import ELSE, STILL, WALKING, synthesize

ARRAYS = ("landmarks", "world", "presence", "times")

STILL_PAIR, SYNTHETIC = "still-pair", "synthetic"
"""Kinds that are treated in their own way: two photos of an exercise, and people who were never filmed."""

LONGEST_S = 20.0
"""Of a synthetic sequence: as long as the longest of the real ones."""

SWEEP_S, SWEEP_FRAMES = 4.0, 60
"""A pair of photos becomes one slow repetition: there and back in this time."""

OTHER_MUSCLE_NAMES = {"middle back": "upper back", "traps": "upper back"}
"""Names of the sources for muscles of the catalogue."""

FINER_MUSCLES = {"middle back": "lats"}
"""Muscles of other vocabularies that may or may not be meant by one of ours: masked, neither taught nor counted."""

MOVEMENTS_TABLE = "movements.tsv"
"""Beside `clips.tsv`: each clip's movement by a longer list (columns `id`, `movement`). What is no exercise of the
catalogue there is "other"."""


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
    """The memory-mapped arrays: landmarks and world (N, 33, 3), presence and times (N,)."""

    landmarks: np.ndarray
    world: np.ndarray
    presence: np.ndarray
    times: np.ndarray


def load_sequences(folder: Path, split: str | None = None) -> list[Sequence]:
    """Every clip of `folder`'s table (of one split), in the table's order.

    The folder holds `clips.tsv` and `landmarks.npy`, `world.npy`, `presence.npy`, `times.npy`. Raises
    `MissingInputError` where one is absent and `InvalidVideoError` where the table does not fit the arrays.
    """
    table = folder / "clips.tsv"
    if not table.is_file():
        raise MissingInputError(f"{folder} is not a folder of pose sequences: it has no clips.tsv.")
    try:
        arrays = PoseArrays(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS))
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        names = _movements(folder)
        sequences = [
            _sequence(row, arrays, names.get(row["id"], row["exercise"]))
            for row in rows
            if split in (None, row["split"])
        ]
    except FileNotFoundError as error:
        raise MissingInputError(f"{folder} is not a folder of pose sequences: it has no {error.filename}.") from error
    except (ValueError, KeyError) as error:
        raise InvalidVideoError(f"{table} does not fit its format: {error}.") from error
    return sequences


def listed_twice(
    sequences: Iterable[Sequence], on_progress: Callable[[float], None] | None = None
) -> list[tuple[Sequence, ...]]:
    """Groups of clips whose landmarks are equal under different ids, in the table's order.

    Such a clip counts double in training, and where its rows disagree it contradicts itself.
    """
    sequences = list(sequences)
    groups: dict[bytes, list[Sequence]] = {}
    for number, sequence in enumerate(sequences, 1):
        groups.setdefault(sequence.fingerprint, []).append(sequence)
        if on_progress:
            on_progress(number / len(sequences))
    return [tuple(group) for group in groups.values() if len(group) > 1]


def table_sha256(folder: Path) -> str:
    """Hex digest of what the folder's tables say of its clips: the same for the same clips and labels."""
    digest = hashlib.sha256((folder / "clips.tsv").read_bytes())
    movements = folder / MOVEMENTS_TABLE
    if movements.is_file():
        digest.update(movements.read_bytes())
    return digest.hexdigest()


def _movements(folder: Path) -> dict[str, str]:
    """The movement of each clip in the folder's `movements.tsv`; empty where there is none."""
    table = folder / MOVEMENTS_TABLE
    if not table.is_file():
        return {}
    exercises = (*catalog().exercise_names, AMBIGUOUS)
    with table.open(newline="", encoding="utf-8") as lines:
        return {
            row["id"]: row["movement"] if row["movement"] in exercises else OTHER
            for row in csv.DictReader(lines, delimiter="\t")
        }


def synthetic_sequences(each: int, seed: int) -> list[Sequence]:
    """People who were never filmed: `each` sequences of every exercise, and of none of them.

    The latter are 5 times `each` of other exercises, and an eighth of `each` who stand, and who walk.

    They are made when first read (some 20 ms each) and are the same ones for the same seed.
    """
    names = [*catalog().exercise_names * each, *(STILL, WALKING) * -(-each // 8), *(ELSE,) * (5 * each)]
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
            labels=labels_of(name if name in catalog().exercise_names else OTHER),
            read=partial(_synthetic_track, name, (seed, number)),
        )
        for number, name in enumerate(names)
    ]


def _synthetic_track(name: str, seed: tuple[int, int]) -> PoseTrack:
    track = synthesize(name, np.random.default_rng(seed)).track
    return track.between(float(track.times_s[0]), float(track.times_s[0]) + LONGEST_S)


def _sequence(row: dict[str, str], arrays: PoseArrays, exercise: str) -> Sequence:
    return Sequence(
        id=row["id"],
        split=row["split"],
        tier=row["tier"],
        kind=row["kind"],
        source=row["source"],
        series=row["series"],
        note=row["note"],
        repetitions=int(row["repetitions"]) if row["repetitions"] else None,
        labels=_labels(row, exercise),
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
    return PoseTrack(times, landmarks, world, presence, width, height)


def _labels(row: dict[str, str], exercise: str) -> Labels:
    names = catalog().muscles
    if exercise in catalog().exercise_names:
        return labels_of(exercise)
    if exercise not in (OTHER, AMBIGUOUS):
        raise ValueError(f"unknown exercise {exercise!r}")
    given = set(filter(None, row["primary"].split("|")))
    working = {OTHER_MUSCLE_NAMES.get(name, name) for name in given}
    # The catalogue's ideal names some helpers (bench press: triceps) and leaves others out (shoulder press: triceps),
    # so a source's secondary muscles are no evidence either way.
    helpers = {OTHER_MUSCLE_NAMES.get(name, name) for name in filter(None, row["secondary"].split("|"))}
    unsure = helpers | {FINER_MUSCLES[name] for name in given if name in FINER_MUSCLES}
    muscles = tuple(
        1.0 if name in working else float("nan") if not working or name in unsure else 0.0 for name in names
    )
    return Labels(OTHER if exercise == OTHER else None, muscles)

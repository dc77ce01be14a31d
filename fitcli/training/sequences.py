"""Pose sequences to train and evaluate on: flat landmark arrays and a table of clips, memory-mapped."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fitcli.catalog import catalog
from fitcli.errors import InvalidVideoError, MissingInputError
from fitcli.network.spec import OTHER
from fitcli.pose.track import PoseTrack
from fitcli.training.repair import is_offset, without_offset

ARRAYS = ("landmarks", "world", "presence", "times")
SAMPLED_FRAMES = 2000
"""Frames that tell how the metric landmarks were measured."""

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
    """One clip's row of the table and its landmarks (see `PoseSequences`)."""

    id: str
    split: str
    tier: str
    kind: str
    source: str
    series: str
    note: str
    repetitions: int | None
    labels: Labels
    arrays: PoseArrays
    first: int
    frames: int
    width: int
    height: int

    @cached_property
    def track(self) -> PoseTrack:
        """The clip's landmarks; a still pair is swept from one photo to the other and back."""
        rows = slice(self.first, self.first + self.frames)
        times = self.arrays.times[rows].astype(np.float64)
        landmarks = self.arrays.landmarks[rows].astype(np.float32)
        world = self.arrays.world[rows].astype(np.float32)
        presence = self.arrays.presence[rows].astype(np.float32)
        if self.kind == "still-pair" and self.frames == 2:
            times = np.linspace(0, SWEEP_S, SWEEP_FRAMES)
            share = ((1 - np.cos(2 * np.pi * times / SWEEP_S)) / 2).astype(np.float32)
            landmarks, world = (a[0] + share[:, None, None] * (a[1] - a[0]) for a in (landmarks, world))
            presence = np.full(SWEEP_FRAMES, presence.min(), np.float32)
        if self.arrays.world_offset:
            seen = presence > 0
            world[seen] = without_offset(landmarks[seen], world[seen], self.width, self.height)
        return PoseTrack(times, landmarks, world, presence, self.width, self.height)


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
    if any(s.first + s.frames > len(arrays.times) for s in sequences):
        raise InvalidVideoError(f"{table} names frames that the arrays beside it do not hold.")
    return sequences


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
        arrays=arrays,
        first=int(row["first"]),
        frames=int(row["frames"]),
        width=int(row["width"]),
        height=int(row["height"]),
    )


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

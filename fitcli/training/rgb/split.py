"""Train, val and test parts in which clips of one recording never straddle two, and the search for those that do."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Seq
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, Setting, StorageError
from fitcli.network.checkpoint import sha256
from fitcli.training.rgb.videos import (
    GROUP_TABLE,
    SPLITS,
    LabelledVideo,
    LeftOut,
    class_folders,
    list_videos,
    recording,
    refusal,
)
from fitcli.video import frames

PAPER_SHARES = (0.58, 0.21, 0.21)
"""Of train, val and test: about 1,218, 443 and 442 clips (arXiv 2406.06703)."""

LOOKS = 8
"""Pictures of a video that are compared, spread over its length."""
ALIKE_BITS = 5
"""Two pictures are alike if their difference hashes differ in no more of 64 bits (dHash, Krawetz 2013)."""


@dataclass(frozen=True)
class Clip:
    """A video to be put into a part. `group` names the recording that it was cut from, `digest` is its SHA-256."""

    path: Path
    name: str
    group: str
    digest: str


@dataclass(frozen=True)
class Assignment:
    """Where a clip goes: `split` is "train", "val" or "test", `target` its path below the new folder."""

    clip: Clip
    split: str
    target: str


@dataclass(frozen=True)
class Leak:
    """Two files of different parts that show the same thing; `why` is the sentence's end."""

    first: Path
    second: Path
    why: str


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: leaks between parts, unreadable or unusable files, and clips by part and class."""

    leaks: tuple[Leak, ...]
    left_out: tuple[LeftOut, ...]
    counts: Mapping[tuple[str, str], int]
    groups: Mapping[str, int]


def read_clips(
    folder: Path,
    *,
    labels: Path | None = None,
    pattern: str | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[Clip], list[LeftOut]]:
    """The clips of `<class>/*` below `folder`, or of a table (columns file, class and perhaps group), with groups.

    pattern: a regular expression searched in the file's path below `folder`; the group that matched, or the whole
    match, is the recording. Without one, `recording` reads it off the name. Files of equal content share a group.
    """
    try:
        key = re.compile(pattern) if pattern else None
    except re.error as error:
        raise InvalidVideoError(f"{pattern!r} is not a regular expression: {error}.") from error
    if not folder.is_dir():
        raise MissingInputError(f"{folder} is not a folder: name one that holds <exercise>/*.mp4.")
    clips, left_out = [], []
    listed = list(_tabled(folder, labels) if labels else ((p, n, "") for p, n in class_folders(folder)))
    for done, (path, name, group) in enumerate(listed, 1):
        if on_progress:
            on_progress(done / len(listed))
        reason = refusal(path, name) or (None if path.is_file() else "not there")
        found = key.search(path.relative_to(folder).as_posix()) if key else None
        if reason is None and key and found is None and not group:
            reason = "not matched by the regular expression"
        if reason:
            left_out.append(LeftOut(path, reason))
            continue
        if not group:
            group = found[found.lastindex or 0] if found else recording(path.stem, name)
        clips.append(Clip(path, name, group, sha256(path)))
    if not clips:
        reasons = "; ".join(dict.fromkeys(entry.reason for entry in left_out)) or "it is empty"
        raise MissingInputError(f"{folder} holds no labelled video ({reasons}): it needs <exercise>/*.mp4.")
    return _joined(clips), left_out


def plan(clips: Seq[Clip], shares: tuple[float, float, float] = PAPER_SHARES, seed: int = 0) -> list[Assignment]:
    """Deal whole groups to the parts so that every class comes as near to `shares` as groups allow."""
    members: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        members[clip.group].append(clip)
    wanted = np.array(shares) / sum(shares)
    totals = Counter(clip.name for clip in clips)
    names = sorted(totals)
    size = np.array([totals[name] for name in names])
    target = wanted[:, None] * size
    dealt = np.zeros_like(target)
    order = list(members)
    np.random.default_rng(seed).shuffle(order)
    part_of: dict[str, str] = {}
    # The largest groups first, while there is still room for them; sorting is stable, so the seed decides ties.
    for group in sorted(order, key=lambda g: -len(members[g])):
        counts = Counter(clip.name for clip in members[group])
        added = np.array([counts[name] for name in names], float)
        # How far each class would be from its share, in parts of the class, if the group went here.
        costs = [
            float((((dealt + np.eye(3)[[i]].T * added - target) / size) ** 2 / wanted.clip(1e-6)[:, None]).sum())
            if wanted[i]
            else float("inf")
            for i in range(3)
        ]
        best = int(np.argmin(costs))
        dealt[best] += added
        part_of[group] = SPLITS[best]
    return [Assignment(clip, part_of[clip.group], "") for clip in clips]


def write(assignments: Seq[Assignment], folder: Path, how: Literal["symlink", "copy"] = "symlink") -> list[Assignment]:
    """Make `folder` with `train|val|test/<class>/*` and `split.tsv`; returns the assignments with their targets.

    Raises `StorageError` where the folder holds something already or cannot be written; it is left as it was then.
    """
    check_new(folder)
    made = not folder.exists()
    try:
        return _written(assignments, folder, how)
    except BaseException:  # Ctrl-C too: half a split looks like a whole one
        for entry in (*SPLITS, GROUP_TABLE):
            shutil.rmtree(folder / entry, ignore_errors=True)
            with suppress(OSError):
                (folder / entry).unlink()
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def check_new(folder: Path) -> None:
    """Raise `StorageError` unless a split may be made in `folder`, which is new or empty."""
    try:
        used = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}): choose another folder.", setting=Setting.OUTPUT_FOLDER
        ) from error
    if used:
        raise StorageError(f"{folder} is not empty: name a new folder, so that no clip of an older split stays in it.")


def _written(assignments: Seq[Assignment], folder: Path, how: Literal["symlink", "copy"]) -> list[Assignment]:
    try:
        taken: set[str] = set()
        placed = []
        for entry in assignments:
            target = _free_name(f"{entry.split}/{entry.clip.name}/{entry.clip.path.name}", taken)
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(entry.clip.path, path, how)
            placed.append(replace(entry, target=target))
        with (folder / GROUP_TABLE).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, delimiter="\t")
            writer.writerow(("file", "split", "class", "group", "source", "sha256"))
            writer.writerows(
                (e.target, e.split, e.clip.name, e.clip.group, e.clip.path.resolve(), e.clip.digest) for e in placed
            )
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}): choose another folder.", setting=Setting.OUTPUT_FOLDER
        ) from error
    return placed


def scarce(assignments: Seq[Assignment]) -> dict[str, int]:
    """Classes of fewer recordings than parts, with how many: they cannot be in every part."""
    groups: dict[str, set[str]] = defaultdict(set)
    for entry in assignments:
        groups[entry.clip.name].add(entry.clip.group)
    return {name: len(of) for name, of in sorted(groups.items()) if len(of) < len(SPLITS)}


def name_warnings(assignments: Iterable[Assignment]) -> list[Leak]:
    """Clips of different parts whose names, read as `recording` does, are the same: perhaps one recording."""
    named: dict[str, list[Assignment]] = defaultdict(list)
    for entry in assignments:
        named[recording(entry.clip.path.stem, entry.clip.name).casefold()].append(entry)
    return [
        Leak(first.clip.path, second.clip.path, "have nearly the same name")
        for entries in named.values()
        for first, second in _across(entries, lambda e: e.split)
    ]


def check(folder: Path, *, on_progress: Callable[[float], None] | None = None) -> CheckReport:
    """Decode every file of a split data set and compare the parts: equal content, group, name or look."""
    listed = list_videos(folder)
    on_progress = on_progress or (lambda share: None)
    looks: dict[Path, np.ndarray] = {}
    unreadable = []
    for done, video in enumerate(listed.videos, 1):
        try:
            looks[video.path] = look(video.path)
        except FitcliError as error:
            unreadable.append(LeftOut.unreadable(video.path, error))
        on_progress(done / len(listed.videos))
    listed = listed.without(unreadable)
    leaks: dict[tuple[Path, Path], Leak] = {}
    # The surest evidence first: a pair is reported once.
    for why, pairs in (
        ("are the same file", _shared(listed.videos, lambda video: sha256(video.path))),
        ("are of one recording", _shared(listed.videos, lambda video: video.group) if listed.grouped else ()),
        ("look the same", _alike(listed.videos, looks)),
        (
            "have nearly the same name",
            _shared(listed.videos, lambda video: recording(video.path.stem, video.name).casefold()),
        ),
    ):
        for first, second in pairs:
            leaks.setdefault((first, second), Leak(first, second, why))
    groups = {name: len({video.group for video in listed.split(name)}) for name in SPLITS}
    counts = Counter((video.split, video.name) for video in listed.videos)
    return CheckReport(tuple(leaks.values()), listed.left_out, counts, groups)


def look(path: Path) -> np.ndarray:
    """Difference hashes of `LOOKS` pictures of a video, (LOOKS, 64) bool; raises as `fitcli.video.frames`."""
    from PIL import Image

    pictures = [frame.image for frame in frames(path, rate_hz=5.0, max_side=64)]
    chosen = np.linspace(0, len(pictures) - 1, LOOKS).round().astype(int)
    grey = [Image.fromarray(pictures[i]).convert("L").resize((9, 8), Image.Resampling.BILINEAR) for i in chosen]
    small = np.stack([np.asarray(picture, np.int16) for picture in grey])
    return np.asarray((small[:, :, 1:] > small[:, :, :-1]).reshape(LOOKS, 64))


Entry = TypeVar("Entry")


def _across(entries: Seq[Entry], part: Callable[[Entry], str]) -> Iterator[tuple[Entry, Entry]]:
    return ((a, b) for a, b in combinations(entries, 2) if part(a) != part(b))


def _shared(videos: Seq[LabelledVideo], key: Callable[[LabelledVideo], str]) -> Iterator[tuple[Path, Path]]:
    """Pairs of files of different parts with the same key."""
    found: dict[str, list[LabelledVideo]] = defaultdict(list)
    for video in videos:
        found[key(video)].append(video)
    for entries in found.values():
        for first, second in _across(entries, lambda video: video.split):
            yield first.path, second.path


def _alike(videos: Seq[LabelledVideo], looks: Mapping[Path, np.ndarray]) -> Iterator[tuple[Path, Path]]:
    """Pairs of files of different parts that look the same: every picture of one has its like in the other."""
    if not videos:
        return
    signs = np.stack([looks[video.path] for video in videos]).astype(np.float32) * 2 - 1  # (N, LOOKS, 64)
    every = signs.reshape(-1, 64)
    for i, video in enumerate(videos):
        # An augmentation that people bake into files: the same clip mirrored. A mirrored gradient has the other sign.
        mirrored = -signs[i].reshape(LOOKS, 8, 8)[:, :, ::-1].reshape(LOOKS, 64)
        for own in (signs[i], mirrored):
            near = ((64 - own @ every.T) / 2 <= ALIKE_BITS).reshape(LOOKS, len(videos), LOOKS)
            for j in np.flatnonzero(near.any(2).all(0) & near.any(0).all(1)).tolist():
                if j > i and videos[j].split != video.split:
                    yield video.path, videos[j].path


def _joined(clips: Seq[Clip]) -> list[Clip]:
    """The clips with groups joined that share a file of equal content."""
    leader: dict[str, str] = {clip.group: clip.group for clip in clips}

    def root(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    first_with: dict[str, str] = {}
    for clip in clips:
        other = first_with.setdefault(clip.digest, clip.group)
        leader[root(clip.group)] = root(other)
    return [replace(clip, group=root(clip.group)) for clip in clips]


def _tabled(folder: Path, table: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        for row in rows:
            yield folder / row["file"], row["class"], row.get("group") or ""
    except OSError as error:
        raise MissingInputError(f"The table {table} cannot be read: {error.strerror}.") from error
    except KeyError as error:
        raise InvalidVideoError(f"{table} has no column {error}: it needs the columns file and class.") from error


def _free_name(target: str, taken: set[str]) -> str:
    path = Path(target)
    name, number = target, 2
    while name in taken:
        name = path.with_name(f"{path.stem}~{number}{path.suffix}").as_posix()
        number += 1
    taken.add(name)
    return name


def _place(source: Path, target: Path, how: str) -> None:
    if how == "copy":
        shutil.copy2(source, target)
        return
    try:
        # Relative, so that the two folders may move together.
        target.symlink_to(os.path.relpath(source.resolve(), target.parent.resolve()))
    except (OSError, ValueError) as error:  # Windows without developer mode, or another drive; some network folders
        raise StorageError(
            f"Links cannot be made in {target.parent}: copy the videos.", setting=Setting.COPY
        ) from error

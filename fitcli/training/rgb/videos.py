"""A folder of labelled videos, `train|val|test/<class>/*`: which file is used for what, and why the others are not."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path

from fitcli.catalog import catalog
from fitcli.errors import FitcliError, MissingInputError
from fitcli.training.labels import Labels, labels_of
from fitcli.video import VIDEO_SUFFIXES

SPLITS = ("train", "val", "test")

GROUP_TABLE = "split.tsv"
"""Written by `fitcli dataset split` at the top of its folder: which recording every clip was cut from."""

SHORTEST_NAME = 3
"""A name with fewer letters than this says nothing of where a clip is from."""

_OTHER_NAMES = {"valid": "val", "validation": "val"}  # what other tools call the folder
_COPY_MARKS = re.compile(
    r"[\s_.-]*(\(\d+\)|\(?(copy|copie|kopie|flip(ped)?|mirror(ed)?|aug(mented)?|edit(ed)?)\)?)$", re.IGNORECASE
)
_COUNTER = re.compile(r"([\s_.-]+(clip|part|segment|seg|take|rep|set|p))?[\s_.-]*\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class LabelledVideo:
    """One file of a data set. `group` names the recording that it was cut from; clips of one group belong together."""

    path: Path
    split: str
    name: str
    labels: Labels
    group: str


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, and the reason. `error` is the sentence that reading it ended with, if it was read."""

    path: Path
    reason: str
    error: str = ""

    @classmethod
    def unreadable(cls, path: Path, error: FitcliError) -> LeftOut:
        """A file that cannot be decoded."""
        return cls(path, "cannot be read", str(error))

    @property
    def explanation(self) -> str:
        """The reason, with the error where there is one."""
        return f"{self.reason} ({self.error})" if self.error else self.reason


@dataclass(frozen=True)
class VideoFolder:
    """What a data set holds: every file is in one of the two lists. `grouped`: it names clips' recordings."""

    root: Path
    videos: tuple[LabelledVideo, ...]
    left_out: tuple[LeftOut, ...]
    grouped: bool = False

    def split(self, name: str) -> tuple[LabelledVideo, ...]:
        """The videos of "train", "val" or "test"."""
        return tuple(video for video in self.videos if video.split == name)

    def without(self, unreadable: Seq[LeftOut]) -> VideoFolder:
        """The same with files that turned out to be unreadable left out."""
        gone = {entry.path for entry in unreadable}
        kept = tuple(video for video in self.videos if video.path not in gone)
        return replace(self, videos=kept, left_out=(*self.left_out, *unreadable))

    @property
    def summary(self) -> str:
        """One sentence for the user: how many files of each split are used, and what became of the others."""
        counts = Counter(video.split for video in self.videos)
        used = ", ".join(f"{counts[name]} {name}" for name in SPLITS if counts[name]) or "none"
        if not self.left_out:
            return f"{len(self.videos)} videos: {used}; no file was left out."
        reasons = Counter(entry.reason for entry in self.left_out).most_common()
        listed = "; ".join(f"{n} {reason}" for reason, n in reasons[:3]) + ("; ..." if len(reasons) > 3 else "")
        return f"{len(self.videos)} videos: {used}; {len(self.left_out)} files left out: {listed}."

    @property
    def sha256(self) -> str:
        """Hex digest of which file is used for what: the same for the same files and labels, wherever they lie."""
        rows = sorted((self._relative(video.path), video.split, video.name) for video in self.videos)
        return hashlib.sha256(repr(rows).encode("utf-8", "surrogateescape")).hexdigest()

    def table(self) -> str:
        """Every file with its use, tab-separated: file, split, class, used (yes or no), reason."""
        rows = [(video.path, video.split, video.name, "yes", "") for video in self.videos]
        rows += [(entry.path, "", "", "no", entry.explanation) for entry in self.left_out]
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(("file", "split", "class", "used", "reason"))
        writer.writerows((self._relative(path), *rest) for path, *rest in sorted(rows))
        return stream.getvalue()

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def list_videos(root: Path) -> VideoFolder:
    """Read `root`: `train|val|test/<class>/` with videos at any depth; classes are exercises, their aliases or "other".

    Raises `MissingInputError` where there is no such folder or no video to train on.
    """
    if not root.is_dir():
        raise MissingInputError(f"{root} is not a folder: name one that holds train/<exercise>/*.mp4.")
    groups = _groups(root)
    videos: list[LabelledVideo] = []
    left_out: list[LeftOut] = []
    for path in sorted(p for p in root.rglob("*") if p.is_file() or p.is_symlink()):
        entry = _judge(root, path, groups)
        if isinstance(entry, LabelledVideo):
            videos.append(entry)
        elif entry is not None:
            left_out.append(entry)
    if not any(video.split == "train" for video in videos):
        reasons = "; ".join(dict.fromkeys(entry.reason for entry in left_out)) or "it is empty"
        raise MissingInputError(
            f"{root} holds no video to train on ({reasons}): it needs train/<exercise>/*.mp4, and "
            "`fitcli dataset split` makes such a folder."
        )
    return VideoFolder(root, tuple(videos), tuple(left_out), bool(groups))


def part_folders(root: Path) -> dict[str, Path]:
    """The folders of "train", "val" and "test" that a data set has, by the name of the part."""
    named = ((_OTHER_NAMES.get(path.name, path.name), path) for path in sorted(root.iterdir()) if path.is_dir())
    return {name: path for name, path in named if name in SPLITS}


def class_folders(root: Path) -> Iterator[tuple[Path, str]]:
    """The files below `<class>/` folders of `root` that are not split yet, each with the name of its class folder."""
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield path, folder.name


def refusal(path: Path, name: str) -> str | None:
    """Why a file in the folder of class `name` cannot be used, as far as its name tells; None where it can."""
    if path.name.startswith("."):
        return "hidden"
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return f"no video by its name (*{path.suffix})" if path.suffix else "no video by its name"
    try:
        labels_of(name)
    except KeyError:
        return f"in '{name}', which is not an exercise (see `fitcli exercises`)"
    return None


def recording(stem: str, name: str) -> str:
    """The recording that a clip of class `name` was cut from, as its file name tells.

    Copy marks and one counter at the end go, so that `anna_squat_03 (copy)` is of `anna_squat`; where nothing but the
    class would be left, as of `squat_03`, the counter is all that tells clips apart and stays.
    """
    whole = stem
    while (shorter := _COPY_MARKS.sub("", whole)) and shorter != whole:
        whole = shorter
    bare = _COUNTER.sub("", whole)
    if len(bare) < SHORTEST_NAME or _letters(bare) in _class_names(name):
        return f"{name}/{whole}"
    return bare


def _judge(root: Path, path: Path, groups: dict[str, str]) -> LabelledVideo | LeftOut | None:
    relative = path.relative_to(root)
    if relative.as_posix() == GROUP_TABLE:
        return None
    split = _OTHER_NAMES.get(relative.parts[0], relative.parts[0])
    if split not in SPLITS:
        return LeftOut(path, "not in train, val or test")
    if len(relative.parts) < 3:
        return LeftOut(path, "in no class folder")
    name = relative.parts[1]
    reason = refusal(path, name) or (None if path.exists() else "a link to nothing")
    if reason:
        return LeftOut(path, reason)
    group = groups.get(relative.as_posix(), recording(path.stem, name))
    return LabelledVideo(path, split, name, labels_of(name), group)


def _groups(root: Path) -> dict[str, str]:
    table = root / GROUP_TABLE
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8-sig") as lines:
        return {row["file"]: row["group"] for row in csv.DictReader(lines, delimiter="\t") if row.get("group")}


def _class_names(name: str) -> set[str]:
    try:
        exercise = catalog().exercise(name)
    except KeyError:
        return {_letters(name)}
    return {_letters(known) for known in (name, exercise.name, *exercise.aliases)}


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold()))

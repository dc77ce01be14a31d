"""Clips whose exercise is known, and an ensemble's scores for them, computed as in `fitcli analyze`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fitcli.catalog import OTHER
from fitcli.errors import CheckpointError, FitcliError, InvalidVideoError, MissingInputError
from fitcli.network.ensemble import Ensemble, Reading
from fitcli.network.scores import Logits, window_weights
from fitcli.pose.track import FloatArray, PoseTrack
from fitcli.training.labels import Labels, labels_of
from fitcli.training.pose.folds import held_out
from fitcli.training.pose.sequences import Sequence, load_sequences


@dataclass(frozen=True)
class ScoredClip:
    """Each member's `aligned` logits of each window of a clip, before any weighting; `weights` is (N,)."""

    id: str
    group: str
    labels: Labels
    logits: tuple[Logits, ...]
    weights: FloatArray

    @classmethod
    def of(cls, identity: str, group: str, labels: Labels, track: PoseTrack, reading: Reading) -> ScoredClip:
        """A clip whose track is known; `reading` has seen its pictures where the ensemble reads any."""
        read = reading.read(track)
        return cls(identity, group, labels, read.logits, window_weights(track, read.starts_s, read.window_s))


@dataclass(frozen=True)
class LabelledClips:
    """Pose sequences (a folder with `clips.tsv`) or videos (`<class>/*.mp4`, or a table with `file` and `class`).

    split: of the pose sequences, None for all. labels: the table of videos. fold: (k, n) stands for what training with
    that fold left out, as far as somebody moves in it, instead of a split.
    """

    folder: Path
    split: str | None = "dev"
    labels: Path | None = None
    fold: tuple[int, int] | None = None

    def scored(
        self, ensemble: Ensemble, failed: list[str], on_progress: Callable[[float], None] | None = None
    ) -> Iterator[ScoredClip]:
        """Each clip with the answers of the ensemble's networks. failed: gets a sentence for each unreadable file."""
        on_progress = on_progress or (lambda share: None)
        if self._holds_sequences:
            yield from self._scored_sequences(ensemble, on_progress)
            return
        if self.fold:
            raise MissingInputError(f"{self.folder} holds no pose sequences, and only they have folds.")
        from fitcli.analysis import PictureListener
        from fitcli.pose.blazepose import BlazePose
        from fitcli.pose.follow import follow
        from fitcli.pose.tracker import cores

        model = BlazePose(streams=cores())
        videos = self._videos()
        for i, (path, name, group) in enumerate(videos, 1):
            try:
                reading = Reading(ensemble)
                person = follow(path, model, listener=PictureListener(reading).listener).track
                yield ScoredClip.of(path.name, group, labels_of(name), person, reading)
            except FitcliError as error:
                failed.append(str(error))
            on_progress(i / len(videos))

    def length_s(self) -> float:
        """Seconds of all the clips together."""
        if self._holds_sequences:
            tracks = [sequence.track for sequence in self._sequences()]
            return sum(float(track.times_s[-1] - track.times_s[0]) for track in tracks if len(track))
        from fitcli.video import probe

        length_s = 0.0
        for path, _, _ in self._videos():
            with suppress(FitcliError):  # reported when it is scored
                length_s += probe(path).duration_s
        return length_s

    @property
    def _holds_sequences(self) -> bool:
        return (self.folder / "clips.tsv").is_file()

    def _scored_sequences(self, ensemble: Ensemble, on_progress: Callable[[float], None]) -> Iterator[ScoredClip]:
        if ensemble.reads_pictures:
            raise CheckpointError(
                f"{self.folder} holds pose sequences, but {ensemble.folder} has networks that read pictures: "
                "name a folder of videos."
            )
        sequences = self._sequences()
        for i, sequence in enumerate(sequences, 1):
            group = f"{sequence.tier} {sequence.note}" if sequence.tier else ""
            yield ScoredClip.of(sequence.id, group, sequence.labels, sequence.track, Reading(ensemble))
            on_progress(i / len(sequences))

    def _sequences(self) -> list[Sequence]:
        if self.fold:
            return held_out(load_sequences(self.folder, "train"), *self.fold)
        return load_sequences(self.folder, self.split)

    def _videos(self) -> list[tuple[Path, str, str]]:
        return _listed(self.folder, self.labels) if self.labels else _in_class_folders(self.folder)


def _in_class_folders(folder: Path) -> list[tuple[Path, str, str]]:
    from fitcli.video import expand

    videos = []
    for child in sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else ():
        try:
            labels_of(child.name)
        except KeyError:
            raise InvalidVideoError(
                f"{child} is not named after an exercise: `fitcli exercises` lists the names; 'other' is for all else."
            ) from None
        videos += [(path, child.name, "") for path in expand(child)]
    return videos


def _listed(folder: Path, table: Path) -> list[tuple[Path, str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        videos = [
            (
                folder / r["file"],
                r.get("class") or OTHER,
                f"{r['tier'].split(':')[0]} {r['note']}" if r.get("tier") else "",
            )
            for r in rows
        ]
        for _, name, _ in videos:
            labels_of(name)
    except OSError as error:
        raise MissingInputError(f"The table {table} cannot be read: {error.strerror}.") from error
    except KeyError as error:
        raise InvalidVideoError(
            f"{table} has no column or exercise {error}: it needs the columns file and class."
        ) from error
    return videos

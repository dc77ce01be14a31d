"""Accuracy on videos that show only a part of the person, as in front of a laptop on a table.

Each labelled video is copied without the lower part of the person (for a person lying down, the farther part along the
width of the picture), and the same networks recognise both. It also compares BlazePose's guesses outside the cropped
picture with what it saw there in the whole one, which is what `fitcli.training.pose.augment` imitates.

    python benchmarks/cropped.py clips/dev clips/dev.tsv [--keep .72] [--other clips/dev_other clips/dev_other.tsv]
                                 [--checkpoints DIR --checkpoints DIR ...]

The tables have the columns `file` and `class`.
"""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from fitcli.network.ensemble import Ensemble, Reading
from fitcli.network.folders import checkpoint_folder
from fitcli.pose.follow import follow
from fitcli.pose.track import PoseTrack
from fitcli.training.evaluation.evaluate import measure
from fitcli.training.evaluation.labelled_clips import ScoredClip
from fitcli.training.labels import labels_of
from fitcli.video import VideoWriter, frames

BANDS = (0.0, 0.1, 0.2, 0.3, 0.45)
"""Bounds of the bands beyond the picture's edge, in extents of the person, in which guesses are evaluated."""


class Cut:
    """Where to crop a video: at the share `keep` of the person, along the longer side of their bounding box.

    axis: 0 to crop the width, 1 the height. edge: the new end, as a share of that side.
    """

    def __init__(self, person: PoseTrack, keep: float) -> None:
        seen = person.landmarks[person.presence > 0][..., :2]
        low, high = (np.percentile(end, q, axis=0) for end, q in ((seen.min(1), 5), (seen.max(1), 95)))
        extent = (high - low) * (person.frame_width, person.frame_height)
        self.axis = int(extent[1] >= extent[0])
        self.extent = float((high - low)[self.axis])
        self.edge = float(np.clip(low[self.axis] + keep * self.extent, 0.2, 1))

    def copy(self, source: Path, target: Path) -> None:
        """Write the video, cropped at the edge."""
        pictures = frames(source, rate_hz=None, max_side=None)
        first = next(pictures)
        height, width = first.image.shape[:2]
        rows, columns = (round(height * self.edge), width) if self.axis else (height, round(width * self.edge))
        with VideoWriter(target, columns, rows) as writer:
            for frame in chain([first], pictures):
                writer.write(frame.image[:rows, :columns], frame.time_s)


def guesses(whole: PoseTrack, cropped: PoseTrack, cut: Cut) -> np.ndarray:
    """For each landmark outside of the cropped picture: the distance in extents, the error in metres, the visibility.

    (N, 3). The error is the root mean square over the three axes of the hip-centred coordinates.
    """
    count = min(len(whole), len(cropped))
    both = (whole.presence[:count] > 0) & (cropped.presence[:count] > 0)
    there, guessed = ((one.landmarks[:count][both], one.world[:count][both]) for one in (whole, cropped))
    beyond = (there[0][..., cut.axis] - cut.edge) / cut.extent
    error = np.sqrt(np.square(guessed[1] - there[1]).mean(-1))
    return np.stack([beyond, error, guessed[0][..., 2]], -1)[beyond > 0]


def main(
    folder: Path,
    labels: Path,
    keep: Annotated[float, typer.Option(help="Share of the person that stays in the picture.")] = 0.72,
    other: Annotated[tuple[Path, Path] | None, typer.Option(help="Videos of other exercises, and their table.")] = None,
    checkpoints: Annotated[
        list[Path] | None, typer.Option(help="Networks on pose; the default ones otherwise.")
    ] = None,
) -> None:
    """Measure both kinds of videos and print two tables."""
    ensembles = {str(path): Ensemble(path, "cpu") for path in checkpoints or [checkpoint_folder(None)]}
    answers: dict[tuple[str, str], list[ScoredClip]] = defaultdict(list)
    seen: list[np.ndarray] = []
    for videos, table in [(folder, labels), *([other] if other else [])]:
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        for row in progress(rows, f"Following people in {videos.name}"):
            whole = follow(videos / row["file"]).track
            cut = Cut(whole, keep)
            with tempfile.TemporaryDirectory() as temporary:
                cut.copy(videos / row["file"], Path(temporary) / "cropped.mp4")
                cropped = follow(Path(temporary) / "cropped.mp4").track
            seen.append(guesses(whole, cropped, cut))
            named = labels_of(row["class"])
            for networks, ensemble in ensembles.items():
                for kind, person in (("whole", whole), ("cropped", cropped)):
                    clip = ScoredClip.of(row["file"], "", named, person, Reading(ensemble))
                    answers[networks, kind].append(clip)
    console = Console()
    result = Table(title=f"{keep:.0%} of the person in the picture", title_justify="left")
    for heading in ("networks", "picture", "clips", "top-1", "top-3", "macro", "ECE", "others recognised", "refused"):
        result.add_column(heading, justify="left" if heading in ("networks", "picture") else "right")
    for (networks, kind), clips in answers.items():
        measured = measure(kind, clips, ensembles[networks].config, ensembles[networks].classes)
        assert measured.exercise
        result.add_row(
            networks,
            kind,
            str(measured.exercise.clips),
            *(
                f"{value:.3f}"
                for value in (measured.exercise.top1, measured.exercise.top3, measured.exercise.macro_top1)
            ),
            f"{measured.exercise.calibration_error:.3f}",
            f"{measured.other.recognised:.2f}" if measured.other.clips else "",
            f"{measured.other.refused:.2f}",
        )
    console.print(result)
    outside = np.concatenate(seen)
    guessed = Table(title="Guesses outside the picture", title_justify="left")
    for heading in ("extents beyond the edge", "landmarks", "error, m (quartiles)", "visibility (quartiles)"):
        guessed.add_column(heading, justify="right")
    for low, high in zip(BANDS, (*BANDS[1:], np.inf), strict=True):
        band = outside[(outside[:, 0] >= low) & (outside[:, 0] < high)]
        if len(band):
            quartiles = [" ".join(f"{q:.2f}" for q in np.quantile(band[:, i], (0.25, 0.5, 0.75))) for i in (1, 2)]
            guessed.add_row(f"{low:g} to {high:g}", str(len(band)), *quartiles)
    console.print(guessed)


if __name__ == "__main__":
    typer.run(main)

"""`--save-video` and `--report`: where pictures go, checked before anything is analysed, and how they come about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fitcli.analysis import Analysis
from fitcli.cli.console import complain, progress, stdout
from fitcli.errors import FitcliError, StorageError
from fitcli.history import Session
from fitcli.interrupt import interruptible
from fitcli.report.terminal import printable, short_path

PANEL = "Pictures"
VIDEO_SUFFIXES = (".mp4", ".m4v")
PAGE_SUFFIXES = (".html", ".htm")


@dataclass(frozen=True)
class Target:
    """What was written after an option: a file, or a folder for one file a video."""

    path: Path
    folder: bool

    @classmethod
    def parse(cls, written: str) -> Target:
        """A path that ends in a slash, or a folder that is there, stands for a folder."""
        separators = tuple(filter(None, (os.sep, os.altsep)))
        return cls(Path(written), written.endswith(separators) or Path(written).is_dir())

    def file(self, suffixes: Sequence[str], option: str) -> Path:
        """The one file that this names; raises `typer.BadParameter` for a name of another kind."""
        if self.folder:
            raise typer.BadParameter(
                f"{self.path} is a folder: name a file that ends in {suffixes[0]}.", param_hint=option
            )
        if self.path.suffix.lower() not in suffixes:
            raise typer.BadParameter(f"{self.path} must end in {suffixes[0]}.", param_hint=option)
        return self.path

    def files(self, sources: Sequence[Path], suffixes: Sequence[str], option: str) -> list[Path]:
        """One file for each source; two sources of one name get squat.mp4 and squat-2.mp4."""
        if not self.folder:
            named = self.file(suffixes, option)
            if len(sources) > 1:
                raise typer.BadParameter(
                    f"{named} is one file for {len(sources)} videos: name a folder, {named.stem}{os.sep}",
                    param_hint=option,
                )
            return [named]
        files: list[Path] = []
        for source in sources:
            numbered, number = self.path / f"{source.stem}{suffixes[0]}", 1
            while numbered in files:
                number += 1
                numbered = self.path / f"{source.stem}-{number}{suffixes[0]}"
            files.append(numbered)
        return files


SaveVideo = Annotated[
    Target | None,
    typer.Option(
        "--save-video",
        parser=Target.parse,
        metavar="MP4|DIR/",
        help="Write the video with skeleton, repetitions, joint angle and muscles drawn on it.",
        rich_help_panel=PANEL,
    ),
]
Report = Annotated[
    Target | None,
    typer.Option(
        "--report",
        parser=Target.parse,
        metavar="HTML|DIR/",
        help="Write everything as one page for a browser, with a picture from the video.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class Pictures:
    """The files that one analysis is drawn into; None where nobody asked."""

    video: Path | None = None
    report: Path | None = None


NO_PICTURES = Pictures()


def plan_pictures(sources: Sequence[Path], video: Target | None, report: Target | None) -> list[Pictures]:
    """The pictures of each source, all of them free to be written; `typer.BadParameter` or `StorageError` otherwise."""
    videos = video.files(sources, VIDEO_SUFFIXES, "--save-video") if video else [None] * len(sources)
    reports = report.files(sources, PAGE_SUFFIXES, "--report") if report else [None] * len(sources)
    for target in (video, report):
        if target and target.folder:
            _make(target.path)
    for path in (*videos, *reports):
        if path:
            check_free(path)
    return [Pictures(*pair) for pair in zip(videos, reports, strict=True)]


def check_free(path: Path) -> None:
    """Raise `StorageError` unless a new file can be written there: what exists, an input above all, is left alone."""
    if path.exists() or path.is_symlink():
        raise StorageError(f"{path} is there already: choose another name.")
    try:
        with path.open("xb"):
            pass
        path.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{path} cannot be written ({reason}): choose another place.") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"The folder {folder} cannot be made ({reason}): choose another place.") from error


def draw_pictures(
    analysis: Analysis,
    pictures: Pictures,
    *,
    source: Path | None,
    session: Session | None = None,
    weight_kg: float | None = None,
    note: str = "",
    shown: bool = True,
    verbose: bool = False,
) -> tuple[Pictures, int]:
    """Write what was asked for; returns what was written, and the exit code that this leaves.

    `source` is the video while there is one; without it a report has no photograph and no video is written. What fails
    is told on stderr and does not keep the rest from being written. `shown` draws a progress bar.
    """
    code = 0
    written = {"video": pictures.video, "report": pictures.report}
    for kind, path in tuple(written.items()):
        if path is None:
            continue
        try:
            if kind == "video":
                _draw_video(analysis, source, path, shown=shown)
            else:
                _draw_report(analysis, source, path, session, weight_kg, note)
        except FitcliError as error:
            written[kind] = None
            code = complain(error, verbose=verbose)
    return Pictures(written["video"], written["report"]), code


def tell_pictures(written: Pictures) -> None:
    """Say where the pictures are."""
    for name, path in (("video", written.video), ("report", written.report)):
        if path:
            stdout().print(f"{name} written to {short_path(path)}", soft_wrap=True)


def _draw_video(analysis: Analysis, source: Path | None, path: Path, *, shown: bool) -> None:
    from fitcli.report.annotated import annotate  # numpy and Pillow

    if source is None:
        raise StorageError(f"{path} is not written: nothing was filmed.")
    with interruptible(), progress(f"drawing {printable(path.name)}", shown=shown) as report:
        annotate(analysis, source, path, progress=report)


def _draw_report(
    analysis: Analysis,
    source: Path | None,
    path: Path,
    session: Session | None,
    weight_kg: float | None,
    note: str,
) -> None:
    from fitcli.keypose import key_poses, picture_moment
    from fitcli.report.html import Remembered, report_page, write_page  # Jinja2

    with interruptible():
        poses = key_poses(analysis)
        moment = picture_moment(poses)
        picture = None
        if source and moment:
            from fitcli.report.annotated import key_picture  # Pillow

            exercise_set = analysis.sets[moment.set_number - 1] if moment.set_number else None
            picture = key_picture(source, moment, exercise_set, stretch=analysis.picture_stretch)
        remembered = Remembered(
            session.created if session else datetime.now().astimezone(),
            session_id=session.id if session else "",
            weight_kg=weight_kg,
            note=note,
        )
        write_page(path, report_page(analysis, remembered, picture=picture, poses=poses))

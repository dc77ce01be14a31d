"""`--save-video` and `--report`: their files, checked before anything is analysed, and how they are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import complain, progress, stdout
from fitcli.errors import FitcliError, StorageError
from fitcli.history.store import Session
from fitcli.interrupt import interruptible
from fitcli.outputs import HTML, MP4, FileFormat, Identity, Output, claim, make_folder
from fitcli.report.terminal import printable, short_path
from fitcli.results.analysis import Analysis


@dataclass(frozen=True)
class Target:
    """The value of such an option: one file, or a folder that gets one file a video."""

    path: Path
    folder: bool

    @classmethod
    def parse(cls, written: str) -> Target:
        """A path that ends in a separator or names an existing folder is a folder."""
        path = options.given_path(written)
        return cls(path, written.endswith(options.separators()) or path.is_dir())

    def files(self, sources: Sequence[Path], format: FileFormat, option: str) -> list[Path]:
        """One file for each source; two sources with the same name get squat.mp4 and squat-2.mp4."""
        if not self.folder:
            if len(sources) > 1:
                raise typer.BadParameter(
                    f"{self.path} is one file for {len(sources)} videos: name a folder, {self.path.stem}{os.sep}",
                    param_hint=option,
                )
            return [self.path]
        suffix = format.suffixes[0]
        files: list[Path] = []
        for source in sources:
            numbered, number = self.path / f"{source.stem}{suffix}", 1
            while numbered in files:
                number += 1
                numbered = self.path / f"{source.stem}-{number}{suffix}"
            files.append(numbered)
        return files


SaveVideo = Annotated[
    Target | None,
    typer.Option(
        "--save-video",
        parser=Target.parse,
        metavar="MP4|DIR/",
        help="Draw skeleton, count and muscles on the video.",
        rich_help_panel=options.FILES,
    ),
]
Report = Annotated[
    Target | None,
    typer.Option(
        "--report",
        parser=Target.parse,
        metavar="HTML|DIR/",
        help="Write the answer as a page for a browser.",
        rich_help_panel=options.FILES,
    ),
]


@dataclass(frozen=True)
class Pictures:
    """The files that show one analysis; None for those that were not requested."""

    video: Output | None = None
    report: Output | None = None


NO_PICTURES = Pictures()


def plan_pictures(
    sources: Sequence[Path],
    video: Target | None,
    report: Target | None,
    *,
    overwrite: bool = False,
    inputs: frozenset[Identity] = frozenset(),
) -> list[Pictures]:
    """The pictures of each source, all of which can be written.

    sources: they give the files in a folder their names. inputs: the files that the command reads. Raises
    `typer.BadParameter` if several sources would share one file, and whatever `outputs.claim` raises.
    """

    def claimed(target: Target | None, format: FileFormat, option: str) -> list[Output] | list[None]:
        if target is None:
            return [None] * len(sources)
        files = target.files(sources, format, option)
        if target.folder:
            make_folder(target.path)
        return [claim(file, format, overwrite=overwrite, inputs=inputs) for file in files]

    videos, reports = claimed(video, MP4, "--save-video"), claimed(report, HTML, "--report")
    return [Pictures(*pair) for pair in zip(videos, reports, strict=True)]


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
    """Write the pictures; returns those that were written, and the exit code.

    source: the video; without it, a report has no photograph and no video can be written. shown: whether to show a
    progress bar. An error is reported on stderr, and the other files are still written.
    """
    code = 0
    written = {"video": pictures.video, "report": pictures.report}
    for kind, output in tuple(written.items()):
        if output is None:
            continue
        try:
            if kind == "video":
                _draw_video(analysis, source, output, shown=shown)
            else:
                _draw_report(analysis, source, output, session, weight_kg, note)
        except FitcliError as error:
            written[kind] = None
            code = complain(error, verbose=verbose)
    return Pictures(written["video"], written["report"]), code


def tell_pictures(written: Pictures) -> None:
    """Print the paths of the pictures."""
    for name, output in (("video", written.video), ("report", written.report)):
        if output:
            stdout().print(f"{name} written to {short_path(output.path)}", soft_wrap=True)


def _draw_video(analysis: Analysis, source: Path | None, output: Output, *, shown: bool) -> None:
    from fitcli.report.annotated import annotate  # numpy and Pillow

    if source is None:
        raise StorageError(f"{output.path} cannot be written: nothing was filmed.")
    label = f"drawing {printable(output.path.name)}"
    with interruptible(), progress(label, shown=shown) as report, output.writing() as path:
        annotate(analysis, source, path, on_progress=report)


def _draw_report(
    analysis: Analysis,
    source: Path | None,
    output: Output,
    session: Session | None,
    weight_kg: float | None,
    note: str,
) -> None:
    from fitcli.history.key_poses import key_poses, picture_moment
    from fitcli.report.html import Remembered, report_page  # Jinja2

    with interruptible():
        poses = session.key_poses() if session else key_poses(analysis)
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
        output.write_text(report_page(analysis, remembered, picture=picture, poses=poses))

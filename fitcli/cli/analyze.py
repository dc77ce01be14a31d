"""`fitcli analyze`: videos in, answers out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from fitcli.analysis import Coach
from fitcli.cli import options
from fitcli.cli.console import INTERRUPTED, complain, exit_code, explain, progress, stdout
from fitcli.cli.console import note as tell
from fitcli.cli.pictures import NO_PICTURES, Pictures, Report, SaveVideo, plan_pictures
from fitcli.cli.present import Presentation, present, print_json, speak
from fitcli.errors import FitcliError
from fitcli.interrupt import interruptible
from fitcli.outputs import WAV, Output, claim, identities
from fitcli.report import terminal
from fitcli.report.terminal import BatchRow
from fitcli.results.analysis import Analysis, Status

_PART = "Part of the video"


def analyze(
    videos: Annotated[
        list[Path],
        typer.Argument(
            parser=options.given_path, metavar="VIDEO", help="Video files, and folders of them.", show_default=False
        ),
    ],
    start: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Begin here.", rich_help_panel=_PART)
    ] = None,
    end: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="End here.", rich_help_panel=_PART)
    ] = None,
    json: options.Json = False,
    top: options.Top = 3,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    save_video: SaveVideo = None,
    report: Report = None,
    voice: options.Spoken = None,
    voice_file: options.VoiceFile = None,
    overwrite: options.Overwrite = False,
    lang: options.Lang = None,
    sessions: options.Sessions = None,
    no_save: options.NoSave = False,
    weight: options.Weight = None,
    note: options.Note = "",
    checkpoints: options.Checkpoints = None,
    device: options.OnDevice = options.Device.auto,
    trust_checkpoint: options.TrustCheckpoint = False,
    reference_scores: options.ReferenceScores = False,
) -> None:
    """Say which exercise a video shows, which muscle groups work and what to change."""
    _check_part(start, end)
    how = Presentation(
        json=json,
        quiet=quiet,
        verbose=verbose,
        top=top,
        save=not no_save,
        sessions=sessions,
        weight_kg=weight,
        note=note,
        voice=voice,
        lang=lang,
    )
    coach = Coach(checkpoints=checkpoints, device=device.value, trust_checkpoint=trust_checkpoint, announce=tell)
    batch = _Batch(how)
    files: dict[Path, FitcliError | None] = {}
    speech: Output | None = None
    try:
        with interruptible() as check:
            files = _files(videos)
            good = [file for file, error in files.items() if error is None]
            batch_s = _batch_s(good, device, start, end, reference_scores=reference_scores)
            read = identities(good)
            speech = claim(voice_file, WAV, overwrite=overwrite, inputs=read) if voice_file else None
            planned = plan_pictures(good, save_video, report, overwrite=overwrite, inputs=read)
            pictures = dict(zip(good, planned, strict=True))
            for number, (file, error) in enumerate(files.items(), 1):
                try:
                    if error:
                        raise error
                    name = terminal.printable(file.name)
                    label = name if len(files) == 1 else f"{number}/{len(files)} {name}"
                    with progress(label, shown=not (json or quiet)) as share:
                        analysis = coach.analyze(
                            file,
                            start_s=start,
                            end_s=end,
                            reference_scores=reference_scores,
                            batch_s=batch_s,
                            progress=share,
                        )
                except Exception as problem:  # whatever is wrong with one file, the others are still analysed
                    batch.fail(file, problem)
                else:
                    batch.add(analysis, pictures.get(file, NO_PICTURES))
                check()
    except KeyboardInterrupt:
        batch.summarise()
        tell(f"Stopped: {batch.done} of {len(files)} files were analysed" + (" and stored." if how.save else "."))
        raise typer.Exit(INTERRUPTED) from None
    batch.summarise()
    batch.codes.append(speak(batch.analyses, how, speech))
    raise typer.Exit(exit_code(batch.codes))


class _Batch:
    """The files that are through: each told at once, all of them once more in a table at the end."""

    def __init__(self, how: Presentation) -> None:
        self.how = how
        self.rows: list[BatchRow] = []
        self.codes: list[int] = []

    @property
    def analyses(self) -> Iterable[Analysis]:
        return (row.analysis for row in self.rows if row.analysis)

    @property
    def done(self) -> int:
        return sum(1 for _ in self.analyses)

    def add(self, analysis: Analysis, pictures: Pictures) -> None:
        self.rows.append(BatchRow(analysis.file, analysis))
        self.codes.append(present(analysis, self.how, pictures, source=Path(analysis.file)))

    def fail(self, file: Path, error: Exception) -> None:
        self.rows.append(BatchRow(str(file), None))
        self.codes.append(complain(error, verbose=self.how.verbose))
        if self.how.json:
            print_json(Analysis(str(file), Status.ERROR, explain(error)), None)

    def summarise(self) -> None:
        if len(self.rows) > 1 and not (self.how.json or self.how.quiet):
            stdout().print("", terminal.summary(self.rows), sep="\n")


def _batch_s(
    files: list[Path], device: options.Device, start: float | None, end: float | None, *, reference_scores: bool
) -> float | None:
    """Seconds of video in all files, where the device is chosen by it; None leaves each to itself."""
    from fitcli.network.device import Machine

    if len(files) < 2 or device is not options.Device.auto or not Machine.here().offers_cuda:
        return None
    from fitcli.analysis import part_s
    from fitcli.video import probe

    total_s = 0.0
    for file in files:
        with suppress(FitcliError):  # reported when it is analysed
            total_s += part_s(probe(file).duration_s, start, end, reference_scores=reference_scores)
    return total_s


def _check_part(start: float | None, end: float | None) -> None:
    if not all(value is None or math.isfinite(value) for value in (start, end)):
        raise typer.BadParameter("--start and --end are seconds from the start of the video.")
    if end is not None and end <= (start or 0):
        raise typer.BadParameter(f"--end {end:g} must come after --start {start or 0:g}.")


def _files(paths: Iterable[Path]) -> dict[Path, FitcliError | None]:
    """Every file that the arguments stand for, once, in order; an argument that stands for none has its error."""
    from fitcli.video import expand  # numpy, for those who analyse

    files: dict[Path, FitcliError | None] = {}
    for path in paths:
        try:
            files |= dict.fromkeys(expand(path))
        except FitcliError as error:
            files[path] = error
    return files

"""`fitcli analyze`: videos in, answers out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fitcli.analysis import Coach
from fitcli.batch.files import batch_files, length_s
from fitcli.batch.jobs import Batch, Outcome
from fitcli.batch.table import summary
from fitcli.cli import options
from fitcli.cli.console import INTERRUPTED, complain, exit_code, explain, progress, stdout
from fitcli.cli.console import note as tell
from fitcli.cli.pictures import NO_PICTURES, Pictures, Report, SaveVideo, Target, plan_pictures
from fitcli.cli.present import Presentation, present, print_json, speak
from fitcli.interrupt import interruptible
from fitcli.outputs import WAV, Output, claim, identities
from fitcli.report.terminal import printable
from fitcli.results.analysis import Analysis, Status

_PART = "Part of the video"


def analyze(
    videos: Annotated[
        list[Path],
        typer.Argument(
            parser=options.given_path, metavar="VIDEO", help="Video files and folders of them.", show_default=False
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
    voice_file: options.VoiceFile = None,
    overwrite: options.Overwrite = False,
    voice: options.Spoken = None,
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
    analysed = _AnalyzeOptions(
        videos=videos,
        start_s=start,
        end_s=end,
        save_video=save_video,
        report=report,
        voice_file=voice_file,
        overwrite=overwrite,
        coach=Coach(checkpoints=checkpoints, device=device.value, trust_checkpoint=trust_checkpoint, announce=tell),
        device=device,
        reference_scores=reference_scores,
        presentation=Presentation(
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
        ),
    )
    raise typer.Exit(_run(analysed))


@dataclass(frozen=True)
class _AnalyzeOptions:
    """The options of `fitcli analyze`."""

    videos: list[Path]
    start_s: float | None
    end_s: float | None
    save_video: Target | None
    report: Target | None
    voice_file: Path | None
    overwrite: bool
    coach: Coach
    device: options.Device
    reference_scores: bool
    presentation: Presentation


def _run(analysed: _AnalyzeOptions) -> int:
    """Analyse and present every file; returns the exit code."""
    presentation = analysed.presentation
    batch = Batch([])
    codes: list[int] = []
    speech: Output | None = None
    try:
        with interruptible():
            batch = Batch(batch_files(analysed.videos))
            good = [file.path for file in batch.files if not file.problem]
            inputs = identities(good)
            if analysed.voice_file:
                speech = claim(analysed.voice_file, WAV, overwrite=analysed.overwrite, inputs=inputs)
            planned = plan_pictures(
                good, analysed.save_video, analysed.report, overwrite=analysed.overwrite, inputs=inputs
            )
            pictures = dict(zip(good, planned, strict=True))
            for outcome in batch.run(_analysis_function(analysed, batch)):
                codes.append(_present(outcome, presentation, pictures.get(outcome.path, NO_PICTURES)))
    except KeyboardInterrupt:
        _summarise(batch, presentation)
        done = f"{len(batch.analyses)} of {len(batch.files)} files were analysed"
        tell(f"Stopped: {done}" + (" and stored." if presentation.save else "."))
        return INTERRUPTED
    _summarise(batch, presentation)
    codes.append(speak(batch.analyses, presentation, speech))
    return exit_code(codes)


def _analysis_function(analysed: _AnalyzeOptions, batch: Batch) -> Callable[[int, Path], Analysis]:
    """The function that analyses one file of the batch, under a progress bar."""
    batch_s = _batch_s(batch, analysed)
    shown = not (analysed.presentation.json or analysed.presentation.quiet)

    def analyse(number: int, path: Path) -> Analysis:
        name = printable(path.name)
        label = name if len(batch.files) == 1 else f"{number}/{len(batch.files)} {name}"
        with progress(label, shown=shown) as on_progress:
            return analysed.coach.analyze(
                path,
                start_s=analysed.start_s,
                end_s=analysed.end_s,
                reference_scores=analysed.reference_scores,
                batch_s=batch_s,
                progress=on_progress,
            )

    return analyse


def _batch_s(batch: Batch, analysed: _AnalyzeOptions) -> float | None:
    """Seconds of video in all files, for the choice of the device; None chooses the device for each file by itself."""
    from fitcli.network.device import Machine

    good = [file for file in batch.files if not file.problem]
    if len(good) < 2 or analysed.device is not options.Device.auto or not Machine.here().offers_cuda:
        return None
    return length_s(good, analysed.start_s, analysed.end_s, reference_scores=analysed.reference_scores)


def _present(outcome: Outcome, presentation: Presentation, pictures: Pictures) -> int:
    """Present the outcome of one file; returns its exit code."""
    result = outcome.result
    if isinstance(result, Analysis):
        return present(result, presentation, pictures, source=outcome.path)
    code = complain(result, verbose=presentation.verbose)
    if presentation.json:
        print_json(Analysis(str(outcome.path), Status.ERROR, explain(result)), None)
    return code


def _summarise(batch: Batch, presentation: Presentation) -> None:
    """Print all outcomes once more as a table, if there are several."""
    if len(batch.outcomes) > 1 and not (presentation.json or presentation.quiet):
        stdout().print("", summary(batch.outcomes), sep="\n")


def _check_part(start: float | None, end: float | None) -> None:
    if not all(value is None or math.isfinite(value) for value in (start, end)):
        raise typer.BadParameter("--start and --end are seconds from the start of the video.")
    if end is not None and end <= (start or 0):
        raise typer.BadParameter(f"--end {end:g} must come after --start {start or 0:g}.")

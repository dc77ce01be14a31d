"""`fitcli record`: a set in front of the camera, coached live or not, then an answer like that of `fitcli analyze`."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from fitcli.analysis import Coach
from fitcli.cli import options
from fitcli.cli.console import INTERRUPTED, exit_code
from fitcli.cli.console import note as tell
from fitcli.cli.pictures import Report, SaveVideo
from fitcli.cli.present import Presentation
from fitcli.cli.set_files import NamedFiles
from fitcli.cli.sets import RecordOptions, Sets
from fitcli.outputs import identities

DURATION_S = 10.0
"""Default length of a set that is not coached live."""

_CAMERA = "Camera"
_SET = "Set"


def record(
    camera: Annotated[
        str,
        typer.Option(
            parser=options.given_name,
            metavar="CAMERA",
            help="Number, device, stream or video file.",
            rich_help_panel=_CAMERA,
        ),
    ] = "0",
    resolution: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Resolution to request; 1280x720 by default.", rich_help_panel=_CAMERA),
    ] = None,
    no_preview: Annotated[
        bool, typer.Option("--no-preview", help="Do not open a preview window.", rich_help_panel=_CAMERA)
    ] = False,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Mirror the preview; by default only for cameras.",
            show_default=False,
            rich_help_panel=_CAMERA,
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Count and coach while you train, until q or Ctrl-C.",
            rich_help_panel=_SET,
        ),
    ] = False,
    reps: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="With --live: stop after N repetitions.", rich_help_panel=_SET
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            metavar="SECONDS",
            help=f"{DURATION_S:.0f} by default, no limit with --live.",
            rich_help_panel=_SET,
        ),
    ] = None,
    countdown: Annotated[
        int, typer.Option(min=0, max=60, metavar="SECONDS", help="Time to get ready.", rich_help_panel=_SET)
    ] = 3,
    loop: Annotated[
        bool, typer.Option("--loop", help="Record set after set, one session each, until Ctrl-C.", rich_help_panel=_SET)
    ] = False,
    rest: Annotated[
        int,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="Rest between sets.", rich_help_panel=_SET),
    ] = 60,
    keep_video: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_output,
            metavar="MP4",
            help="Keep the recorded video; it is deleted otherwise.",
            rich_help_panel=options.FILES,
        ),
    ] = None,
    save_video: SaveVideo = None,
    report: Report = None,
    voice_file: options.VoiceFile = None,
    overwrite: options.Overwrite = False,
    no_beep: Annotated[bool, typer.Option("--no-beep", help="Play no tones.", rich_help_panel=options.VOICE)] = False,
    voice: options.Spoken = None,
    weight: options.Weight = None,
    note: options.Note = "",
    lang: options.Lang = None,
    json: options.Json = False,
    top: options.Top = 3,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sessions: options.Sessions = None,
    no_save: options.NoSave = False,
    checkpoints: options.Checkpoints = None,
    device: options.OnDevice = options.Device.auto,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Record a set with the camera; name the exercise, show which muscle groups work, say what to change.

    The video is deleted after the analysis unless --keep-video names a file for it. With --live, nothing is filmed
    without --keep-video.
    """
    if reps and not live:
        raise typer.BadParameter("repetitions are counted while you train: add --live.", param_hint="--reps")
    if live and loop:
        raise typer.BadParameter("--live continues from set to set by itself: leave out --loop.", param_hint="--loop")
    if live and save_video and not keep_video:
        raise typer.BadParameter("--live makes no video to draw on: add --keep-video FILE.", param_hint="--save-video")
    files = NamedFiles(keep_video, save_video, report, voice_file, overwrite, identities([Path(camera)]))
    files.check(loop=loop)  # before anybody gets ready
    recorded = RecordOptions(
        camera=camera,
        resolution=resolution,
        preview=not no_preview,
        mirror=mirror,
        duration_s=duration or (math.inf if live else DURATION_S),
        countdown_s=countdown,
        rest_s=rest if loop else None,
        live=live,
        repetitions=reps,
        beeps=not no_beep,
        files=files,
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
        coach=Coach(checkpoints=checkpoints, device=device.value, trust_checkpoint=trust_checkpoint),
    )
    try:
        with _termination_interrupts(), Sets(recorded) as sets:
            codes = sets.run()
    except KeyboardInterrupt:
        tell("Stopped.")
        # The analysis may still run in native code, which does not survive the interpreter's ordinary end.
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    raise typer.Exit(exit_code(codes) if codes else INTERRUPTED)


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that a closed terminal leaves no video behind either."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)

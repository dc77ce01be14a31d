"""`fitcli evaluate`: how right the checkpoints are on labelled clips."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, progress, stdout


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="CLIPS", help="Pose sequences, or folders of videos named after their exercise.")
    ],
    split: Annotated[str, typer.Option(help="Which split of the pose sequences.")] = "dev",
    fold: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Measure on the training series that --fold K/N left out."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="TSV", help="A table with the columns file and class, for videos in one folder."),
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Save the confusion matrix as a picture.")
    ] = None,
    json: options.Json = False,
    checkpoints: options.Checkpoints = None,
    device: options.OnDevice = options.Device.auto,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Measure the ensemble, each network alone and the ensemble weights on clips whose exercise is known."""
    # The engines and torchmetrics take seconds to import.
    from fitcli.cli.train import need_training_extra, parse_fold

    part = parse_fold(fold)
    need_training_extra()
    from fitcli.network import checkpoint_folder
    from fitcli.network.device import Machine
    from fitcli.network.ensemble import Ensemble, device_for
    from fitcli.report import metrics
    from fitcli.training.evaluate import evaluate as measure
    from fitcli.training.evaluate import total_s

    networks = checkpoint_folder(checkpoints)
    length_s = total_s(folder, split=split, labels=labels, fold=part) if Machine.here().offers_cuda else None
    choice = device_for(networks, device.value, length_s=length_s, trust=trust_checkpoint)
    ensemble = Ensemble(networks, choice.device, trust=trust_checkpoint)
    with progress("evaluating", shown=not json) as report_progress:
        report = measure(folder, ensemble, split=split, labels=labels, fold=part, progress=report_progress)
    if json:
        typer.echo(json_format.dumps(metrics.report_json(report)))
    else:
        stdout().print(metrics.report_table(report))
    if confusion:
        metrics.save_confusion(report, confusion)
        note(f"Confusion matrix: {confusion}")
    raise typer.Exit(5 if report.failed else 0)

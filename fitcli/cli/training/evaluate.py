"""`fitcli evaluate`: how right the checkpoints are on labelled clips."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, progress, stdout
from fitcli.outputs import PLOT, Identity, claim, identities


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=options.given_path,
            metavar="CLIPS",
            help="Pose sequences, or folders of videos named after their exercise.",
        ),
    ],
    split: Annotated[str, typer.Option(help="Which split of the pose sequences.")] = "dev",
    fold: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Measure on the training series that --fold K/N left out."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="TSV",
            help="A table with the columns file and class, for videos in one folder.",
        ),
    ] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_output,
            metavar="PNG",
            help="Save the confusion matrix as a picture: PNG, PDF or SVG, by the name's ending.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    checkpoints: options.Checkpoints = None,
    device: options.OnDevice = options.Device.auto,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Measure the ensemble, each network alone and the ensemble weights on clips whose exercise is known."""
    # The engines and torchmetrics take seconds to import.
    from fitcli.cli.training.extra import needs_training_extra
    from fitcli.cli.training.run_options import parse_fold

    part = parse_fold(fold)
    plot = claim(confusion, PLOT, overwrite=overwrite, inputs=_read(folder, labels)) if confusion else None
    needs_training_extra()
    from fitcli.network.device import Machine
    from fitcli.network.ensemble import Ensemble, device_for
    from fitcli.network.folders import checkpoint_folder
    from fitcli.training.evaluation import tables
    from fitcli.training.evaluation.evaluate import evaluate as measure
    from fitcli.training.evaluation.evaluate import total_s

    networks = checkpoint_folder(checkpoints)
    length_s = total_s(folder, split=split, labels=labels, fold=part) if Machine.here().offers_cuda else None
    choice = device_for(networks, device.value, length_s=length_s, trust=trust_checkpoint)
    ensemble = Ensemble(networks, choice.device, trust=trust_checkpoint)
    with progress("evaluating", shown=not json) as report_progress:
        report = measure(folder, ensemble, split=split, labels=labels, fold=part, progress=report_progress)
    if json:
        typer.echo(json_format.dumps(tables.report_json(report)))
    else:
        stdout().print(tables.report_table(report))
    if plot and report.ensemble.exercise is None:
        note(f"{plot.path} is not written: no clip of a known exercise was measured.")
    elif plot:
        with plot.writing() as path:
            tables.save_confusion(report, path)
        note(f"Confusion matrix: {plot.path}")
    raise typer.Exit(5 if report.failed else 0)


def _read(folder: Path, labels: Path | None) -> frozenset[Identity]:
    """The files that are measured on; a picture in their folder is none of them."""
    clips = [path for path in folder.rglob("*") if path.suffix.lower() not in PLOT.suffixes]
    return identities([*clips, *([labels] if labels else [])])

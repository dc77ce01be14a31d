"""`fitcli evaluate`: how right the checkpoints are on labelled clips."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, progress, stdout
from fitcli.cli.training.extra import needs_training_extra
from fitcli.cli.training.run_options import check_fold, parse_fold
from fitcli.outputs import PLOT, Identity, claim, identities

if TYPE_CHECKING:
    from fitcli.network.ensemble import Ensemble
    from fitcli.network.ensemble_config import EnsembleConfig
    from fitcli.training.evaluation.labelled_clips import LabelledClips


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=options.given_path,
            metavar="CLIPS",
            help="Pose sequences, folders of videos named after their exercise, or the folder of a training run.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path, metavar="DATA", help="For a run: the data set, if not the one of its recipe."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the pose sequences (dev), or of a run's videos.")] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N", callback=check_fold, help="Measure on the training series that this fold left out."
        ),
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
    plot = claim(confusion, PLOT, overwrite=overwrite, inputs=_read(folder, labels)) if confusion else None
    needs_training_extra()
    # The engines and torchmetrics take seconds to import.
    from fitcli.network.ensemble_config import EnsembleConfig, Member
    from fitcli.network.folders import checkpoint_folder
    from fitcli.training.evaluation import tables
    from fitcli.training.evaluation.evaluate import evaluate as measure
    from fitcli.training.evaluation.labelled_clips import LabelledClips
    from fitcli.training.evaluation.runs import Choice, clips_of
    from fitcli.training.run_folder import finished_run, is_run

    part = parse_fold(fold)
    if is_run(folder) and not checkpoints:
        run = finished_run(folder)
        measured = clips_of(run, Choice(data, split, part), note)
        networks = run.checkpoint.parent
        config = EnsembleConfig((Member(run.checkpoint.name, 1.0, 1.0),))
    elif data:
        raise typer.BadParameter(f"{folder} is not the folder of a training run.", param_hint="CLIPS")
    else:
        measured = LabelledClips(folder, split or "dev", labels, part)
        networks = checkpoint_folder(checkpoints)
        config = EnsembleConfig.load(networks)
    ensemble = _loaded(networks, config, measured, device.value, trust=trust_checkpoint)
    with progress("evaluating", shown=not json) as on_progress:
        report = measure(measured, ensemble, on_progress)
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


def _loaded(folder: Path, config: EnsembleConfig, measured: LabelledClips, device: str, *, trust: bool) -> Ensemble:
    """The networks, on the device that is quicker for these clips."""
    from fitcli.network.device import Machine
    from fitcli.network.ensemble import Ensemble
    from fitcli.network.runtime import decide

    length_s = measured.length_s() if Machine.here().offers_cuda else None
    paths = [folder / member.checkpoint for member in config.members]
    choice = decide(paths, device, length_s=length_s, trust=trust)
    return Ensemble(folder, choice.device, trust=trust, config=config)


def _read(folder: Path, labels: Path | None) -> frozenset[Identity]:
    """The files that are measured on; a picture in their folder is none of them."""
    clips = [path for path in folder.rglob("*") if path.suffix.lower() not in PLOT.suffixes]
    return identities([*clips, *([labels] if labels else [])])

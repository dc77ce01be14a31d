"""`fitcli checkpoints calibrate`: the numbers of `ensemble.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note
from fitcli.cli.training.extra import needs_training_extra


def calibrate(
    poses: Annotated[
        Path,
        typer.Argument(parser=options.given_path, metavar="POSES", help="The pose sequences that were trained on."),
    ],
    runs: Annotated[
        list[Path],
        typer.Option(
            "--fold",
            parser=options.given_path,
            metavar="DIR",
            help="Folder of networks trained with --fold K/N; once for each K, in order.",
        ),
    ],
    folds: Annotated[int | None, typer.Option(min=2, help="N of these folds; default: how many are given.")] = None,
    elsewhere: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="DATA",
            help="Labelled clips of other sources, as for `fitcli evaluate`: they set when an exercise is refused.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="TSV",
            help="Table of the videos in --elsewhere, as for `fitcli evaluate`.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--to", parser=options.given_path, metavar="DIR", help="Folder of the ensemble.")
    ] = Path("checkpoints"),
) -> None:
    """Choose the ensemble's weights, temperature and thresholds on series that the --fold networks never saw."""
    if labels and not elsewhere:
        raise typer.BadParameter("it lists the videos of --elsewhere: name their folder.", param_hint="--labels")
    if elsewhere and not elsewhere.exists():
        raise typer.BadParameter(f"{elsewhere} does not exist: check the name.", param_hint="--elsewhere")
    needs_training_extra()
    from fitcli.network.ensemble import Ensemble
    from fitcli.network.ensemble_config import EnsembleConfig
    from fitcli.training.evaluation.calibrate import calibrate as choose
    from fitcli.training.evaluation.calibrate import cross_validated, with_refusal
    from fitcli.training.evaluation.labelled_clips import LabelledClips

    EnsembleConfig.load(folder)  # fails now rather than replace a file that is not a configuration
    clips, classes = cross_validated(poses, runs, folds or len(runs))
    config = choose(clips, [path.name for path in sorted(folder.glob("*.ckpt"))], classes)
    config.save(folder)
    note(f"Chosen on {len(clips)} clips: {folder / 'ensemble.json'}")
    if elsewhere:
        unread: list[str] = []
        ensemble = Ensemble(folder, "cpu")
        unseen = list(LabelledClips(elsewhere, labels=labels).scored(ensemble, unread))
        for sentence in unread:
            note(sentence)
        with_refusal(config, unseen, ensemble.classes).save(folder)
        note(f"When an exercise is refused: chosen on {len(unseen)} clips in {elsewhere}")

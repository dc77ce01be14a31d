"""`fitcli train pose`: pose sequences in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitcli.cli import options
from fitcli.cli.training import recipe_file, run_options
from fitcli.cli.training.runs import run_all

if TYPE_CHECKING:
    from fitcli.training.pose.train import PoseOptions


BATCH, LEARNING_RATE = 32, 2e-3


class Architecture(StrEnum):
    slowfast = "slowfast"
    x3d = "x3d"
    tcn = "tcn"


def train_pose(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(parser=options.given_path, metavar="DATA", help="Folder of clips.tsv and its arrays.")
    ],
    architecture: Annotated[
        Architecture,
        typer.Option(
            "--architecture", "-a", metavar="NAME", help="slowfast, x3d or tcn.", rich_help_panel=run_options.NETWORK
        ),
    ],
    recipe: run_options.Recipe = None,
    run: run_options.Run = None,
    initialize: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="CKPT",
            help="Start from the weights of this checkpoint.",
            rich_help_panel=run_options.NETWORK,
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            parser=options.given_path,
            metavar="CKPT",
            help="Learn the answers of this network too; may be repeated. One with a fold teaches what it left out.",
            rich_help_panel=run_options.NETWORK,
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            callback=run_options.check_fold,
            help="Leave out part K (from 0) of N, by series.",
            rich_help_panel=run_options.TRAINING,
        ),
    ] = None,
    synthetic: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Synthetic clips per exercise (150).",
            rich_help_panel=run_options.TRAINING,
            show_default=False,
        ),
    ] = 150,
    epochs: run_options.Epochs = 30,
    draws: run_options.Draws = None,
    batch: Annotated[int, run_options.batch(BATCH)] = BATCH,
    accumulate: run_options.Accumulate = 1,
    learning_rate: Annotated[float, run_options.learning_rate(LEARNING_RATE)] = LEARNING_RATE,
    seed: run_options.Seed = 0,
    overwrite: run_options.Overwrite = False,
    quiet: run_options.Quiet = False,
    device: run_options.OnDevice = options.Device.auto,
    devices: run_options.Devices = "auto",
    nodes: run_options.Nodes = 1,
    precision: run_options.Precision = run_options.ComputeType.auto,
    threads: run_options.Threads = None,
    workers: run_options.Workers = None,
) -> None:
    """Train a network on pose sequences. The same command goes on after an interruption."""
    run_all(context, lambda given: _train(context, given))


def _train(context: typer.Context, given: Mapping[str, Any]) -> Path:
    from fitcli.training.pose.train import train

    return train(_options(context, given))


def _options(context: typer.Context, given: Mapping[str, Any]) -> PoseOptions:
    from fitcli.network.spec import DEFAULT_SPECS
    from fitcli.training.pose.train import PoseOptions

    return PoseOptions(
        poses=given["data"],
        run=given["run"],
        spec=DEFAULT_SPECS[given["architecture"]],
        epochs=given["epochs"],
        batch=given["batch"],
        learning_rate=given["learning_rate"],
        draws_per_epoch=given["draws"],
        fold=run_options.parse_fold(given["fold"]),
        initialize=given["initialize"],
        synthetic=given["synthetic"],
        teachers=tuple(given["teacher"] or ()),
        seed=given["seed"],
        hardware=run_options.hardware(given),
        progress_bar=not given["quiet"],
        recipe_toml=recipe_file.text(context, given),
    )

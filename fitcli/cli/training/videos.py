"""`fitcli train videos`: folders of videos in, a checkpoint out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stages
from fitcli.cli.training import recipe_file, run_options
from fitcli.cli.training.runs import run_all

if TYPE_CHECKING:
    from fitcli.training.rgb.train import RgbOptions

BATCH, LEARNING_RATE = 8, 1e-4
WEIGHT_DECAY = {"adam": 0.0, "adamw": 0.05}
"""Default of each optimizer."""


class Architecture(StrEnum):
    x3d_xs = "x3d_xs"
    x3d_s = "x3d_s"
    x3d_m = "x3d_m"
    x3d_l = "x3d_l"
    slowfast_r18 = "slowfast_r18"
    slowfast_r50 = "slowfast_r50"
    slowfast_r101 = "slowfast_r101"


Heads = StrEnum("Heads", ["exercise", "muscle", "both"])
Loss = StrEnum("Loss", ["bce", "published"])
Optimizer = StrEnum("Optimizer", ["adam", "adamw"])
Schedule = StrEnum("Schedule", ["constant", "cosine"])


def train_videos(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(parser=options.given_path, metavar="DATA", help="Folder of train|val|test/<exercise>/*.mp4."),
    ],
    architecture: Annotated[
        Architecture,
        typer.Option(
            "--architecture",
            "-a",
            metavar="NAME",
            help="x3d_xs, x3d_s, x3d_m, x3d_l, slowfast_r18, slowfast_r50 or slowfast_r101.",
            rich_help_panel=run_options.NETWORK,
        ),
    ],
    recipe: run_options.Recipe = None,
    run: run_options.Run = None,
    heads: Annotated[
        Heads,
        typer.Option(
            metavar="NAME",
            help="What it answers: exercise, muscle or both (both).",
            show_default=False,
            rich_help_panel=run_options.NETWORK,
        ),
    ] = Heads.both,
    pretrained: Annotated[
        str,
        typer.Option(
            parser=options.given_name,
            metavar="NAME",
            help="First weights: kinetics, none or a file of such weights (kinetics).",
            show_default=False,
            rich_help_panel=run_options.NETWORK,
        ),
    ] = "kinetics",
    initialize: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="CKPT",
            help="Start from the weights of this checkpoint instead.",
            rich_help_panel=run_options.NETWORK,
        ),
    ] = None,
    new_heads: Annotated[
        bool,
        typer.Option(
            "--new-heads", help="Take only the backbone of that checkpoint.", rich_help_panel=run_options.NETWORK
        ),
    ] = False,
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="Train only the heads.", rich_help_panel=run_options.NETWORK)
    ] = False,
    channel_reduction: Annotated[
        int,
        typer.Option(
            min=2,
            max=16,
            metavar="N",
            help="Ratio of channels between SlowFast's pathways (8).",
            show_default=False,
            rich_help_panel=run_options.NETWORK,
        ),
    ] = 8,
    frames: Annotated[
        int | None,
        typer.Option(min=4, metavar="N", help="Frames of a clip (as published).", rich_help_panel=run_options.NETWORK),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=64, metavar="N", help="Pixels of a clip's side (as published).", rich_help_panel=run_options.NETWORK
        ),
    ] = None,
    window: Annotated[
        float,
        typer.Option(
            min=0.5,
            metavar="S",
            help="Seconds of a clip (2.13).",
            show_default=False,
            rich_help_panel=run_options.NETWORK,
        ),
    ] = 64 / 30,
    epochs: run_options.Epochs = 30,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=run_options.TRAINING,
            help="End N epochs after the lowest validation loss.",
        ),
    ] = None,
    draws: run_options.Draws = None,
    batch: Annotated[int, run_options.batch(BATCH)] = BATCH,
    accumulate: run_options.Accumulate = 1,
    learning_rate: Annotated[float, run_options.learning_rate(LEARNING_RATE)] = LEARNING_RATE,
    schedule: Annotated[
        Schedule,
        typer.Option(
            metavar="NAME",
            rich_help_panel=run_options.TRAINING,
            help="constant, or cosine after a warm-up (constant).",
            show_default=False,
        ),
    ] = Schedule.constant,
    optimizer: Annotated[
        Optimizer,
        typer.Option(
            metavar="NAME", rich_help_panel=run_options.TRAINING, help="adam or adamw (adam).", show_default=False
        ),
    ] = Optimizer.adam,
    weight_decay: Annotated[
        float | None,
        typer.Option(min=0, metavar="R", rich_help_panel=run_options.TRAINING, help="Default: 0 (adam), 0.05 (adamw)."),
    ] = None,
    loss: Annotated[
        Loss,
        typer.Option(
            metavar="NAME",
            rich_help_panel=run_options.TRAINING,
            help="Of the muscles: bce or published (bce).",
            show_default=False,
        ),
    ] = Loss.bce,
    seed: run_options.Seed = 0,
    cache: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="DIR",
            rich_help_panel=run_options.HARDWARE,
            help="Folder for decoded frames (your cache folder).",
        ),
    ] = None,
    overwrite: run_options.Overwrite = False,
    quiet: run_options.Quiet = False,
    device: run_options.OnDevice = options.Device.auto,
    devices: run_options.Devices = "auto",
    nodes: run_options.Nodes = 1,
    precision: run_options.Precision = run_options.ComputeType.auto,
    threads: run_options.Threads = None,
    workers: run_options.Workers = None,
) -> None:
    """Train a network on videos. The same command goes on after an interruption."""
    run_all(context, lambda given: _train(_options(context, given)))


def _options(context: typer.Context, given: Mapping[str, Any]) -> RgbOptions:
    from fitcli.training.rgb.module import RgbRecipe
    from fitcli.training.rgb.train import RgbOptions

    decay = WEIGHT_DECAY[given["optimizer"]] if given["weight_decay"] is None else given["weight_decay"]
    return RgbOptions(
        videos=given["data"],
        run=given["run"],
        architecture=given["architecture"],
        heads=given["heads"],
        channel_reduction=given["channel_reduction"],
        pretrained=given["pretrained"],
        initialize=given["initialize"],
        new_heads=given["new_heads"],
        recipe=RgbRecipe(
            learning_rate=given["learning_rate"],
            weight_decay=decay,
            optimizer=given["optimizer"],
            schedule=given["schedule"],
            loss=given["loss"],
            freeze_backbone=given["freeze_backbone"],
        ),
        epochs=given["epochs"],
        batch=given["batch"],
        draws_per_epoch=given["draws"],
        patience=given["early_stopping"],
        frames=given["frames"],
        side=given["side"],
        window_s=given["window"],
        cache=given["cache"],
        decoders=os.cpu_count() or 1,
        seed=given["seed"],
        hardware=run_options.hardware(given),
        progress_bar=not given["quiet"],
        recipe_toml=recipe_file.text(context, given),
    )


def _train(wanted: RgbOptions) -> Path:
    """Train, and report which files are used and whether clips came fast enough."""
    from fitcli.training.rgb.train import train_rgb
    from fitcli.training.trainer import is_first_process

    first = is_first_process()
    with stages(shown=first and wanted.progress_bar) as on_progress:
        done = train_rgb(wanted, on_progress, note if first else None)
    if first and done.clips_per_s:
        note(f"{done.clips_per_s:.1f} clips/s; {done.waited:.0%} of the time the network waited for clips.")
    return done.checkpoint

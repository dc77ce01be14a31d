"""`fitcli train`: pose sequences in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli.console import note
from fitcli.errors import FitcliError


class Precision(StrEnum):
    auto = "auto"
    bf16 = "bf16-mixed"
    half = "16-mixed"
    single = "32-true"


class Architecture(StrEnum):
    slowfast = "slowfast"
    x3d = "x3d"


def parse_fold(text: str | None) -> tuple[int, int] | None:
    """(k, n) of "k/n"; raises `typer.BadParameter` for anything else."""
    if text is None:
        return None
    k, _, n = text.partition("/")
    if not (k.isdigit() and n.isdigit() and 0 <= int(k) < int(n) and int(n) >= 2):
        raise typer.BadParameter(f"{text!r} is no fold: write 0/3 for the first of three.")
    return int(k), int(n)


class MissingTrainingError(FitcliError):
    """The extra packages for training are not installed."""

    exit_code = 10


@contextmanager
def needs_training_extra() -> Iterator[None]:
    """Turns the lack of a package that only trainers install into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingTrainingError(f"This needs {error.name}: pip install 'fitcli[train]'.") from error


def train(
    poses: Annotated[Path, typer.Argument(metavar="POSES", help="Folder of pose sequences (clips.tsv and arrays).")],
    architecture: Annotated[Architecture, typer.Option("--architecture", "-a", help="Which network of the hybrid.")],
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for logs and checkpoints; goes on from what lies there."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the draws.")] = 30,
    draws: Annotated[
        int | None, typer.Option(min=1, help="Clips drawn an epoch, classes balanced; default: as many as there are.")
    ] = None,
    batch: Annotated[int, typer.Option(min=2, help="Clips a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=1e-7, max=1, help="Peak learning rate of AdamW.")] = 2e-3,
    fold: Annotated[
        str | None, typer.Option(metavar="K/N", help="Leave the K-th (from 0) of N parts out, cut by series.")
    ] = None,
    initialize: Annotated[
        Path | None, typer.Option(metavar="CKPT", help="Start from the weights of this checkpoint: fine-tuning.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, draws and augmentation.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's own choice.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw and augment clips.")] = 0,
    devices: Annotated[str, typer.Option(help="How many devices of the accelerator, or auto.")] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="auto is bfloat16 where the machine has it natively, else 32 bits.")
    ] = Precision.auto,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train one network of the hybrid on pose sequences; start it again to go on after an interruption."""
    parts = parse_fold(fold)
    with needs_training_extra():
        # torch and Lightning: seconds of import
        from fitcli.network.spec import DEFAULT_SPECS
        from fitcli.training.train import TrainOptions
        from fitcli.training.train import train as fit
    folder = run or Path("runs") / architecture.value
    path = fit(
        TrainOptions(
            poses=poses,
            run=folder,
            spec=DEFAULT_SPECS[architecture.value],
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            draws_per_epoch=draws,
            fold=parts,
            initialize=initialize,
            seed=seed,
            threads=threads,
            precision=precision.value,
            workers=workers,
            devices=devices,
            progress=not quiet,
        )
    )
    note(f"Trained: {path}. Log: tensorboard --logdir {folder}")

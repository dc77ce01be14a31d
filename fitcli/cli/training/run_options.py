"""Options that `fitcli train pose` and `fitcli train videos` share, and what they are called below the command line."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitcli.cli import options
from fitcli.cli.training import recipe_file

if TYPE_CHECKING:
    from fitcli.training.trainer import Hardware

NETWORK, TRAINING, HARDWARE = "Network", "Training", "Hardware"


class ComputeType(StrEnum):
    auto = "auto"
    bf16 = "bf16-mixed"
    half = "16-mixed"
    single = "32-true"


def parse_fold(text: str | None) -> tuple[int, int] | None:
    """(k, n) of "k/n"; raises `typer.BadParameter` for anything else."""
    if text is None:
        return None
    k, _, n = text.partition("/")
    if not (k.isdigit() and n.isdigit() and 0 <= int(k) < int(n) and int(n) >= 2):
        raise typer.BadParameter(f"{text!r} is not a fold: write 0/3 for the first of three.")
    return int(k), int(n)


def check_fold(text: str | None) -> str | None:
    """The same text; raises `typer.BadParameter` where it names no fold."""
    parse_fold(text)
    return text


def check_learning_rate(rate: float) -> float:
    """The same number; raises `typer.BadParameter` where it is not a learning rate."""
    if not 0 < rate <= 1:
        raise typer.BadParameter(f"{rate:g} is not a learning rate: it must be above 0 and at most 1.")
    return rate


def parse_devices(text: str) -> str:
    """A number of devices, or "auto"; raises `typer.BadParameter` for anything else."""
    if text != "auto" and not (text.isdigit() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is not a number of devices: write 2, or auto.")
    return text


Recipe = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        parser=options.given_path,
        metavar="FILE",
        is_eager=True,
        callback=recipe_file.apply,
        rich_help_panel=TRAINING,
        help="TOML file of options; those given here win.",
    ),
]
Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        parser=options.given_path,
        metavar="DIR",
        rich_help_panel=TRAINING,
        help="Folder of the run, new or interrupted (runs/NAME).",
    ),
]
Epochs = Annotated[
    int,
    typer.Option(
        "--epochs",
        min=1,
        metavar="N",
        rich_help_panel=TRAINING,
        help="How often the draws are repeated (30).",
        show_default=False,
    ),
]
Draws = Annotated[
    int | None,
    typer.Option("--draws", min=1, metavar="N", rich_help_panel=TRAINING, help="Clips per epoch (as many as exist)."),
]
Accumulate = Annotated[
    int,
    typer.Option(
        "--accumulate",
        min=1,
        metavar="N",
        rich_help_panel=TRAINING,
        help="Parts that a batch is computed in (1).",
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        rich_help_panel=TRAINING,
        help="Seed of weights, draws and augmentation (0).",
        show_default=False,
    ),
]
OnDevice = Annotated[
    options.Device,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where to train: auto, cpu or cuda (auto).",
        show_default=False,
        rich_help_panel=HARDWARE,
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        "--devices",
        metavar="N|auto",
        parser=parse_devices,
        help="Devices per machine (auto: every GPU).",
        show_default=False,
        rich_help_panel=HARDWARE,
    ),
]
Nodes = Annotated[
    int,
    typer.Option(
        "--nodes",
        min=1,
        metavar="N",
        help="Machines; start the command on each (1).",
        show_default=False,
        rich_help_panel=HARDWARE,
    ),
]
Precision = Annotated[
    ComputeType,
    typer.Option(
        "--precision",
        metavar="TYPE",
        help="Compute type: auto, bf16-mixed, 16-mixed or 32-true (auto).",
        show_default=False,
        rich_help_panel=HARDWARE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, metavar="N", help="CPU threads (chosen by torch).", rich_help_panel=HARDWARE),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        metavar="N",
        help="Processes that load clips (CPU: 0, GPU: up to 8).",
        rich_help_panel=HARDWARE,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the checkpoint of another run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def batch(default: int) -> Any:
    """`--batch` with the default of one input."""
    help = f"Clips per step, over all devices ({default})."
    return typer.Option("--batch", min=1, metavar="N", help=help, show_default=False, rich_help_panel=TRAINING)


def learning_rate(default: float) -> Any:
    """`--learning-rate` with the default of one input."""
    return typer.Option(
        "--learning-rate",
        metavar="R",
        callback=check_learning_rate,
        rich_help_panel=TRAINING,
        help=f"Peak learning rate ({default:g}).",
        show_default=False,
    )


def hardware(given: Mapping[str, Any]) -> Hardware:
    """Where to train, from the options above."""
    from fitcli.training.trainer import Hardware, default_workers

    workers = given["workers"]
    return Hardware(
        device=given["device"],
        devices=given["devices"],
        nodes=given["nodes"],
        precision=given["precision"],
        accumulate=given["accumulate"],
        workers=default_workers(given["device"]) if workers is None else workers,
        threads=given["threads"],
    )

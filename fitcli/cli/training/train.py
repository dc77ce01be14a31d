"""`fitcli train`: pose sequences or videos in, a checkpoint out."""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitcli import remedy
from fitcli.cache import provide_temporary_folder
from fitcli.cli import options
from fitcli.cli.console import note, stages
from fitcli.errors import MissingTrainingError
from fitcli.outputs import Output

if TYPE_CHECKING:
    from fitcli.training.rgb.train import RgbOptions

DATA = "What is trained"
RECIPE = "Recipe"
HARDWARE = "Hardware"


class Precision(StrEnum):
    auto = "auto"
    bf16 = "bf16-mixed"
    half = "16-mixed"
    single = "32-true"


class Input(StrEnum):
    pose = "pose"
    rgb = "rgb"


class Architecture(StrEnum):
    slowfast = "slowfast"
    x3d = "x3d"
    tcn = "tcn"
    x3d_xs = "x3d_xs"
    x3d_s = "x3d_s"
    x3d_m = "x3d_m"
    x3d_l = "x3d_l"
    slowfast_r18 = "slowfast_r18"
    slowfast_r50 = "slowfast_r50"
    slowfast_r101 = "slowfast_r101"


class Heads(StrEnum):
    exercise = "exercise"
    muscle = "muscle"
    both = "both"


class Loss(StrEnum):
    bce = "bce"
    published = "published"


class Optimizer(StrEnum):
    adam = "adam"
    adamw = "adamw"


class Schedule(StrEnum):
    constant = "constant"
    cosine = "cosine"


ON_POSE = (Architecture.slowfast, Architecture.x3d, Architecture.tcn)
"""The architectures that read pose sequences; the others read videos."""


def parse_fold(text: str | None) -> tuple[int, int] | None:
    """(k, n) of "k/n"; raises `typer.BadParameter` for anything else."""
    if text is None:
        return None
    k, _, n = text.partition("/")
    if not (k.isdigit() and n.isdigit() and 0 <= int(k) < int(n) and int(n) >= 2):
        raise typer.BadParameter(f"{text!r} is no fold: write 0/3 for the first of three.")
    return int(k), int(n)


def parse_devices(text: str) -> str:
    """A number of devices, or "auto"; a `typer.BadParameter` for anything else."""
    if text != "auto" and not (text.isdigit() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is no number of devices: write 2, or auto.")
    return text


def need_training_extra() -> None:
    """Raises `MissingTrainingError`, with the command that helps, where a package of the extra `train` is missing.

    Called before any work, because most of these packages are imported late.
    """
    # It comes along with torchmetrics and tells the whole world when it looks for fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if remedy.lacking("train"):
        raise MissingTrainingError(remedy.not_installed("This command", "train"))
    provide_temporary_folder()  # where matplotlib goes if its own cache cannot be written, and it insists on one


POSE_ONLY = ("fold", "synthetic", "teacher")
RGB_ONLY = (
    *("heads", "pretrained", "new_heads", "freeze_backbone", "channel_reduction", "frames", "side", "window"),
    *("optimizer", "weight_decay", "schedule", "loss", "early_stopping", "cache"),
)


def train(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            parser=options.given_path,
            metavar="DATA",
            help="Folder of pose sequences (clips.tsv and arrays), or of train|val|test/<exercise>/*.mp4.",
        ),
    ],
    architecture: Annotated[
        Architecture,
        typer.Option(
            "--architecture",
            "-a",
            help="slowfast, x3d and tcn (which teaches them) read pose sequences, the others videos.",
            rich_help_panel=DATA,
        ),
    ],
    input: Annotated[Input, typer.Option(help="What DATA holds: pose sequences or videos.", rich_help_panel=DATA)] = (
        Input.pose
    ),
    run: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="DIR",
            help="Folder for logs and checkpoints; goes on from what lies there.",
            rich_help_panel=DATA,
        ),
    ] = None,
    synthetic: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="pose: synthetic people doing each exercise, beside the real ones; default 150.",
            show_default=False,
            rich_help_panel=DATA,
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            parser=options.given_path,
            metavar="CKPT",
            help="pose: learn this network's answers too; a teacher with a --fold teaches what it left out.",
            rich_help_panel=DATA,
        ),
    ] = None,
    heads: Annotated[Heads, typer.Option(help="rgb: what the network answers.", rich_help_panel=DATA)] = Heads.both,
    pretrained: Annotated[
        str,
        typer.Option(
            parser=options.given_name,
            metavar="kinetics|none|FILE",
            help="rgb: start from Kinetics weights (downloaded once), from nothing, or from a file of such weights.",
            rich_help_panel=DATA,
        ),
    ] = "kinetics",
    initialize: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="CKPT",
            help="Start from the weights of this checkpoint: fine-tuning.",
            rich_help_panel=DATA,
        ),
    ] = None,
    new_heads: Annotated[
        bool,
        typer.Option("--new-heads", help="rgb: of --initialize take the backbone alone.", rich_help_panel=DATA),
    ] = False,
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="rgb: train the heads alone.", rich_help_panel=DATA)
    ] = False,
    channel_reduction: Annotated[
        int,
        typer.Option(
            min=2, max=16, help="rgb: SlowFast's ratio of channels between its pathways.", rich_help_panel=DATA
        ),
    ] = 8,
    frames: Annotated[
        int | None, typer.Option(min=4, help="rgb: frames of a clip; default: as published.", rich_help_panel=DATA)
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(min=64, help="rgb: pixels of a clip's side; default: as published.", rich_help_panel=DATA),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(min=0.5, help="rgb: seconds of a clip; default: the paper's 2.13.", rich_help_panel=DATA),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N", help="pose: leave the K-th (from 0) of N parts out, cut by series.", rich_help_panel=DATA
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the draws.", rich_help_panel=RECIPE)] = 30,
    draws: Annotated[
        int | None,
        typer.Option(min=1, help="Clips drawn an epoch; default: as many as there are.", rich_help_panel=RECIPE),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips a step, of all devices together; default: 32 (pose), 8 (rgb).",
            show_default=False,
            rich_help_panel=RECIPE,
        ),
    ] = None,
    accumulate: Annotated[
        int,
        typer.Option(min=1, help="Parts that a batch is computed in, to need less memory.", rich_help_panel=RECIPE),
    ] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-7,
            max=1,
            help="Peak learning rate; default: 2e-3 (pose), 1e-4 (rgb).",
            show_default=False,
            rich_help_panel=RECIPE,
        ),
    ] = None,
    optimizer: Annotated[Optimizer, typer.Option(help="rgb: as published, or AdamW.", rich_help_panel=RECIPE)] = (
        Optimizer.adam
    ),
    weight_decay: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="rgb: default: 0 (adam), 0.05 (adamw).",
            show_default=False,
            rich_help_panel=RECIPE,
        ),
    ] = None,
    schedule: Annotated[
        Schedule, typer.Option(help="rgb: of the learning rate; cosine warms up first.", rich_help_panel=RECIPE)
    ] = Schedule.constant,
    loss: Annotated[
        Loss,
        typer.Option(
            help="rgb: of the muscles: one question a muscle, or the published cross-entropy.", rich_help_panel=RECIPE
        ),
    ] = Loss.bce,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            metavar="PATIENCE",
            min=1,
            help="rgb: end after so many epochs without a lower validation loss.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of weights, draws and augmentation.", rich_help_panel=RECIPE)
    ] = 0,
    device: options.OnDevice = options.Device.auto,
    devices: Annotated[
        str,
        typer.Option(
            metavar="N|auto",
            parser=parse_devices,
            help="Devices on each machine; auto is every GPU, or one process without.",
            rich_help_panel=HARDWARE,
        ),
    ] = "auto",
    nodes: Annotated[
        int, typer.Option(min=1, help="Machines; start the same command on each.", rich_help_panel=HARDWARE)
    ] = 1,
    precision: Annotated[
        Precision,
        typer.Option(
            help="auto is bfloat16 where the machine has it natively, else 32 bits.", rich_help_panel=HARDWARE
        ),
    ] = Precision.auto,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; default: torch's own choice.", rich_help_panel=HARDWARE)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that make clips, for each device; default: 0 on a CPU, up to 8 for a GPU.",
            show_default=False,
            rich_help_panel=HARDWARE,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="DIR",
            help="rgb: folder for decoded frames, about 1 MB a second of video; default: your cache folder.",
            show_default=False,
            rich_help_panel=HARDWARE,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train one network of the hybrid; start the same command again to go on after an interruption."""
    if (architecture in ON_POSE) != (input is Input.pose):
        known = ", ".join(a for a in Architecture if (a in ON_POSE) == (input is Input.pose))
        raise typer.BadParameter(f"{architecture.value} does not read --input {input.value}: choose one of {known}.")
    _no_stray_options(context, input)
    parts = parse_fold(fold)
    need_training_extra()
    # torch and Lightning: seconds of import
    from fitcli.training.resume import resume_file
    from fitcli.training.trainer import Hardware, default_workers, is_first_process, quieten

    quieten()
    hardware = Hardware(
        device=device.value,
        devices=devices,
        nodes=nodes,
        precision=precision.value,
        accumulate=accumulate,
        workers=default_workers(device.value) if workers is None else workers,
        threads=threads,
    )
    folder = run or Path("runs") / architecture.value
    interrupted = resume_file(folder)
    if not interrupted:  # of another run, or no run's folder at all
        Output(folder / f"{architecture.value}.ckpt", overwrite).check_free()
    if is_first_process() and interrupted:
        note(f"Going on from {interrupted}.")
    if input is Input.pose:
        from fitcli.network.spec import DEFAULT_SPECS
        from fitcli.training.pose.train import SYNTHETIC_EACH, TrainOptions
        from fitcli.training.pose.train import train as fit

        path = fit(
            TrainOptions(
                poses=data,
                run=folder,
                spec=DEFAULT_SPECS[architecture.value],
                epochs=epochs,
                batch=batch or 32,
                learning_rate=learning_rate or 2e-3,
                draws_per_epoch=draws,
                fold=parts,
                initialize=initialize,
                synthetic=SYNTHETIC_EACH if synthetic is None else synthetic,
                teachers=tuple(teacher or ()),
                seed=seed,
                hardware=hardware,
                progress=not quiet,
            )
        )
    else:
        from fitcli.training.rgb.clips import PAPER_WINDOW_S
        from fitcli.training.rgb.module import RgbRecipe
        from fitcli.training.rgb.train import RgbOptions

        path = _on_videos(
            RgbOptions(
                videos=data,
                run=folder,
                architecture=architecture.value,
                heads=heads.value,
                channel_reduction=channel_reduction,
                pretrained=pretrained,
                initialize=initialize,
                new_heads=new_heads,
                recipe=RgbRecipe(
                    learning_rate=learning_rate or 1e-4,
                    weight_decay=(0.05 if optimizer is Optimizer.adamw else 0.0)
                    if weight_decay is None
                    else weight_decay,
                    optimizer=optimizer.value,
                    schedule=schedule.value,
                    loss=loss.value,
                    freeze_backbone=freeze_backbone,
                ),
                epochs=epochs,
                batch=batch or 8,
                draws_per_epoch=draws,
                patience=early_stopping,
                frames=frames,
                side=side,
                window_s=window or PAPER_WINDOW_S,
                cache=cache,
                decoders=os.cpu_count() or 1,
                seed=seed,
                hardware=hardware,
                progress=not quiet,
            )
        )
    if is_first_process():
        note(f"Trained: {path}. Log: tensorboard --logdir {folder}")


def _no_stray_options(context: typer.Context, given: Input) -> None:
    """Refuse what the input does not use: an option without effect is a result that is not what it seems."""
    for name in RGB_ONLY if given is Input.pose else POSE_ONLY:
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE":
            other = next(kind for kind in Input if kind is not given)
            raise typer.BadParameter(f"--{name.replace('_', '-')} is for --input {other.value}.")


def _on_videos(wanted: RgbOptions) -> Path:
    """Train on videos and tell what was used and whether clips came fast enough."""
    from fitcli.training.rgb.train import train_rgb
    from fitcli.training.trainer import is_first_process

    first = is_first_process()
    with stages(shown=first and wanted.progress) as report:
        done = train_rgb(wanted, report, note if first else None)
    if first and done.clips_per_s:
        note(f"{done.clips_per_s:.1f} clips/s; {done.waited:.0%} of the time the network waited for clips.")
    return done.checkpoint

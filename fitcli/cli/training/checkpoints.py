"""`fitcli checkpoints`: put trained networks together, convert them, say what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stdout
from fitcli.cli.help import App
from fitcli.cli.training.calibrate import calibrate
from fitcli.cli.training.checkpoint_facts import chosen, info, verify_command
from fitcli.cli.training.extra import needs_training_extra
from fitcli.errors import StorageError
from fitcli.outputs import CHECKPOINT, Output, check_distinct, claim, identities, make_folder

app = App(help="Put trained networks together, convert them, say what they are.", no_args_is_help=True)


@app.command()
def assemble(
    networks: Annotated[
        list[Path],
        typer.Argument(parser=options.given_path, metavar="CKPT", help="The trained networks of the hybrid."),
    ],
    folder: Annotated[
        Path, typer.Option("--to", parser=options.given_path, metavar="DIR", help="Folder for the ensemble.")
    ] = Path("checkpoints"),
    poses: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="POSES",
            help="Measure each network on split dev and note it in its file.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Copy trained networks to a folder and convert them to OpenVINO IR; those of the same names keep their weights."""
    from fitcli.network.checkpoint import FORMAT, load_checkpoint, save_checkpoint
    from fitcli.network.convert import convert
    from fitcli.network.ensemble_config import EnsembleConfig

    if poses:
        needs_training_extra()
    # What is wrong with one is said before anything is written.
    loaded = [load_checkpoint(path, trust=trust_checkpoint) for path in networks]
    targets = _targets(networks, folder, overwrite=overwrite)
    for path, network, output in zip(networks, loaded, targets, strict=True):
        if poses and output is None and network.origin != FORMAT:
            raise StorageError(f"{path} would be replaced: name another folder with --to.")
    for path, network, output in zip(networks, loaded, targets, strict=True):
        target = folder / path.name
        if output:
            save_checkpoint(output, network)  # of the reference system's files this makes plain data
        if poses:
            from fitcli.training.evaluation.evaluate import network_metrics

            save_checkpoint(target, replace(network, metrics=network_metrics(target, poses)))
        convert(target, target.with_suffix(".xml"), trust=trust_checkpoint)
        note(f"Converted {target}")
    config = EnsembleConfig.load(folder)
    others = {member.checkpoint for member in config.members} != {path.name for path in folder.glob("*.ckpt")}
    if others:
        config = replace(config, members=EnsembleConfig.published(folder))
        note("Other networks than before, with the paper's weights: `fitcli checkpoints calibrate` fits them.")
    specs = [load_checkpoint(folder / member.checkpoint, trust=trust_checkpoint).spec for member in config.members]
    (config.by_architecture(specs) if others else config.fitted(specs, folder)).save(folder)


@app.command("convert")
def convert_command(
    networks: Annotated[
        list[Path],
        typer.Argument(
            parser=options.given_path,
            metavar="CKPT",
            help="Checkpoints of fitcli or of the reference system, or folders.",
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--to",
            parser=options.given_path,
            metavar="DIR",
            help="Folder for what comes out; their own to convert in place.",
        ),
    ],
    overwrite: options.Overwrite = False,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Convert checkpoints to fitcli's own format, which is plain data, with OpenVINO IR beside them."""
    from fitcli.network.checkpoint import FORMAT, load_checkpoint, require_torch, save_checkpoint
    from fitcli.network.convert import convert
    from fitcli.network.ensemble_config import ENSEMBLE_FILE
    from fitcli.network.ir import ir_beside

    files = _files(networks)
    require_torch(f"Converting {files[0]}")
    for path, output in zip(files, _targets(files, folder, overwrite=overwrite), strict=True):
        loaded = load_checkpoint(path, trust=trust_checkpoint)
        target = folder / path.name
        if output:
            save_checkpoint(output, loaded)
        elif loaded.origin != FORMAT:
            raise StorageError(f"{path} would be replaced: name another folder with --to.")
        note(f"Converting {path} ...")
        convert(target, ir_beside(target))
        stdout().print(f"{target} and {ir_beside(target).name}", soft_wrap=True)
    for weights in (path / ENSEMBLE_FILE for path in networks):
        if weights.is_file() and not (folder / ENSEMBLE_FILE).exists():
            Output(folder / ENSEMBLE_FILE).write_text(weights.read_text(encoding="utf-8"))


@app.command("average")
def average_command(
    networks: Annotated[
        list[Path],
        typer.Argument(
            parser=options.given_path, metavar="CKPT CKPT", help="One network, and what more training made of it."
        ),
    ],
    target: Annotated[
        Path, typer.Option("--to", parser=options.given_output, metavar="CKPT", help="Where the mean goes.")
    ],
    overwrite: options.Overwrite = False,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Write the mean of the weights of several networks that were trained on from one start."""
    from fitcli.network.average import average
    from fitcli.network.checkpoint import save_checkpoint

    if len(networks) < 2:
        raise typer.BadParameter("A mean needs two networks or more.", param_hint="CKPT")
    output = claim(target, CHECKPOINT, overwrite=overwrite, inputs=identities(networks))
    mean = average(networks, trust=trust_checkpoint)
    stdout().print(str(save_checkpoint(output, mean)), soft_wrap=True)


def _targets(networks: list[Path], folder: Path, *, overwrite: bool) -> list[Output | None]:
    """The checkpoints to write to a folder, all of them free; None for one that lies there and stays as it is.

    Raises `OutputNameError` for two of one name, and `StorageError` where a checkpoint or what is converted from it may
    not be written.
    """
    from fitcli.network.ir import ir_beside, is_ir

    make_folder(folder)
    read = identities(networks)
    outputs: list[Output | None] = []
    for path in networks:
        target = folder / path.name
        there = target.exists() and path.exists() and target.samefile(path)
        outputs.append(None if there else Output(target, overwrite, read))
        ir = ir_beside(target)
        if not (there and is_ir(ir)):
            for file in (ir, ir.with_suffix(".bin")):
                Output(file, overwrite, read).check()
    for output in outputs:
        if output:
            output.check()
    check_distinct(*outputs)
    return outputs


def _files(paths: list[Path]) -> list[Path]:
    """The checkpoints among files and folders, each once."""
    return list(dict.fromkeys(file for path in paths for file in chosen(path, None)))


app.command("verify")(verify_command)
app.command()(calibrate)
app.command()(info)

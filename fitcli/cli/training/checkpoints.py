"""`fitcli checkpoints`: put trained networks together, convert them, say what they are."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from fitcli.cli import options
from fitcli.cli.console import explain, note, stdout
from fitcli.cli.help import App
from fitcli.cli.training.extra import needs_training_extra
from fitcli.errors import CheckpointError, FitcliError, StorageError
from fitcli.outputs import CHECKPOINT, Output, check_distinct, claim, identities, make_folder

app = App(help="Put trained networks together, convert them, say what they are.", no_args_is_help=True)

Chosen = Annotated[
    Path | None,
    typer.Argument(
        parser=options.given_path, metavar="[PATH]", help="A checkpoint or a folder; by default those in use."
    ),
]


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


@app.command("verify")
def verify_command(
    checkpoint: Chosen = None,
    checkpoints: options.Checkpoints = None,
    json: options.Json = False,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Check checkpoints: readable, complete, the catalogue's classes, and the same answer from both engines."""
    from rich.table import Table

    from fitcli.network.verify import verify

    failed = False
    for path in _chosen(checkpoint, checkpoints):
        checks = [
            {
                "name": check.name,
                "passed": check.passed,
                "found": explain(FitcliError(check.found, setting=check.setting)),
            }
            for check in verify(path, trust=trust_checkpoint, announce=note)
        ]
        failed |= not all(check["passed"] for check in checks)
        if json:
            typer.echo(json_format.dumps({"checkpoint": str(path), "checks": checks}))
            continue
        table = Table(box=None, pad_edge=False, show_header=False, title=str(path), title_justify="left")
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for check in checks:
            table.add_row(
                Text("ok", "green") if check["passed"] else Text("failed", "red"),
                str(check["name"]),
                str(check["found"]),
            )
        stdout().print(table, "")
    if failed:
        raise typer.Exit(CheckpointError.exit_code)


@app.command()
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

    EnsembleConfig.load(folder)  # a file of that name that is no such configuration is not replaced
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


@app.command()
def info(
    checkpoint: Chosen = None,
    checkpoints: options.Checkpoints = None,
    json: options.Json = False,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Say what checkpoints are: architecture, input, heads, weights, metrics, training."""
    from rich.table import Table

    from fitcli.network.checkpoint import digest, load_checkpoint
    from fitcli.network.ensemble_config import EnsembleConfig, Member
    from fitcli.network.ir_cache import converted_spec

    paths = _chosen(checkpoint, checkpoints)
    folder = paths[0].parent
    loaded = [load_checkpoint(path, trust=trust_checkpoint) for path in paths]
    specs = [each.spec for each in loaded]
    if checkpoint is None or checkpoint.is_dir():
        members = EnsembleConfig.load(folder).fitted(specs, folder).members
    else:  # one file, which answers alone
        members = (Member(paths[0].name, float(bool(specs[0].exercises)), float(bool(specs[0].muscles))),)
    facts: list[dict[str, Any]] = []
    for path, content, member in zip(paths, loaded, members, strict=True):
        facts.append(
            {
                "checkpoint": member.checkpoint,
                "sha256": digest(path),
                "format": content.origin,
                "weight_exercise": member.weight_exercise,
                "weight_muscle": member.weight_muscle,
                "parameters": content.parameters,
                "heads": {
                    head: len(names)
                    for head, names in (("exercise", content.spec.exercises), ("muscle", content.spec.muscles))
                    if names
                },
                "converted": converted_spec(path) is not None,
                "network": content.spec.to_plain(),
                "metrics": content.metrics,
                "training": content.provenance
                and asdict(content.provenance) | {"left_out": content.provenance.left_out},
            }
        )
    if json:
        typer.echo(json_format.dumps({"folder": str(folder), "networks": facts}))
        return
    for fact in facts:
        table = Table(box=None, pad_edge=False, title=str(folder / str(fact["checkpoint"])), title_justify="left")
        table.add_column("", style="bold")
        table.add_column("", overflow="fold")
        rows = {key: value for key, value in fact.items() if not isinstance(value, dict)}
        rows["heads"] = [f"{head} ({size})" for head, size in fact["heads"].items()]
        for group in ("network", "metrics", "training"):
            rows |= fact[group] or {}
        for key, value in rows.items():
            if value in (None, "", []):
                continue
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            table.add_row(key.replace("_", " "), shown)
        stdout().print(table, "")


def _chosen(checkpoint: Path | None, folder: Path | None) -> list[Path]:
    """The checkpoints that an argument or `--checkpoints` stands for: a file, or a folder's ensemble."""
    from fitcli.network.ensemble_config import EnsembleConfig
    from fitcli.network.folders import checkpoint_folder

    if checkpoint and not checkpoint.is_dir():
        return [checkpoint]
    used = checkpoint_folder(checkpoint or folder)
    return [used / member.checkpoint for member in EnsembleConfig.load(used).members]


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
    return list(dict.fromkeys(file for path in paths for file in _chosen(path, None)))

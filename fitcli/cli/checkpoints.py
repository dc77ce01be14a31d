"""`fitcli checkpoints`: put trained networks together, convert them, say what they are."""

from __future__ import annotations

import json as json_format
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stdout
from fitcli.cli.train import needs_training_extra

app = typer.Typer(help="Put trained networks together, convert them, say what they are.", no_args_is_help=True)


@app.command()
def assemble(
    networks: Annotated[list[Path], typer.Argument(metavar="CKPT", help="The trained networks of the hybrid.")],
    folder: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for the ensemble.")] = Path("checkpoints"),
    poses: Annotated[
        Path | None, typer.Option(metavar="POSES", help="Measure each network on split dev and note it in its file.")
    ] = None,
) -> None:
    """Copy trained networks to a folder and convert them to OpenVINO IR; weights in ensemble.json stay as they are."""
    from fitcli.network.checkpoint import load_checkpoint, save_checkpoint
    from fitcli.network.convert import convert
    from fitcli.network.ensemble import EnsembleConfig

    folder.mkdir(parents=True, exist_ok=True)
    for path in networks:
        target = folder / path.name
        if path.resolve() != target.resolve():
            shutil.copyfile(path, target)
        if poses:
            with needs_training_extra():
                from fitcli.training.evaluate import network_metrics
            loaded = load_checkpoint(target)
            save_checkpoint(target, replace(loaded, metrics=network_metrics(target, poses)))
        convert(target, target.with_suffix(".xml"))
        note(f"Converted {target}")
    EnsembleConfig.load(folder).save(folder)


@app.command()
def calibrate(
    poses: Annotated[Path, typer.Argument(metavar="POSES", help="The pose sequences that were trained on.")],
    runs: Annotated[
        list[Path],
        typer.Option(
            "--fold", metavar="DIR", help="Folder of networks trained with --fold K/N; once for each K, in order."
        ),
    ],
    folds: Annotated[int | None, typer.Option(min=2, help="N of these folds; default: how many are given.")] = None,
    folder: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of the ensemble.")] = Path("checkpoints"),
) -> None:
    """Choose the ensemble's weights, temperature and thresholds on series that the --fold networks never saw."""
    with needs_training_extra():
        from fitcli.training.calibrate import calibrate as choose
        from fitcli.training.calibrate import cross_validated
    clips = cross_validated(poses, runs, folds or len(runs))
    config = choose(clips, [path.name for path in sorted(folder.glob("*.ckpt"))])
    config.save(folder)
    note(f"Chosen on {len(clips)} clips: {folder / 'ensemble.json'}")


@app.command()
def info(
    checkpoints: options.Checkpoints = None,
    json: options.Json = False,
) -> None:
    """Say what the checkpoints in use are: architecture, input, weights, metrics, training."""
    from rich.table import Table

    from fitcli.network import checkpoint_folder
    from fitcli.network.checkpoint import load_checkpoint, sha256
    from fitcli.network.ensemble import EnsembleConfig

    folder = checkpoint_folder(checkpoints)
    facts: list[dict[str, Any]] = []
    for member in EnsembleConfig.load(folder).members:
        path = folder / member.checkpoint
        loaded = load_checkpoint(path)
        facts.append(
            {
                "checkpoint": member.checkpoint,
                "sha256": sha256(path),
                "weight_exercise": member.weight_exercise,
                "weight_muscle": member.weight_muscle,
                "parameters": loaded.parameters,
                "network": loaded.spec.to_plain(),
                "metrics": loaded.metrics,
                "training": loaded.provenance and asdict(loaded.provenance),
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
        for group in ("network", "metrics", "training"):
            rows |= fact[group] or {}
        for key, value in rows.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            table.add_row(key.replace("_", " "), shown)
        stdout().print(table, "")

"""`fitcli checkpoints verify` and `info`: what checkpoints are, and whether they work."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from fitcli.cli import options
from fitcli.cli.console import explain, note, stdout
from fitcli.errors import CheckpointError, FitcliError

Chosen = Annotated[
    Path | None,
    typer.Argument(
        parser=options.given_path, metavar="[PATH]", help="A checkpoint or a folder; by default those in use."
    ),
]


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
    for path in chosen(checkpoint, checkpoints):
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

    paths = chosen(checkpoint, checkpoints)
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


def chosen(checkpoint: Path | None, folder: Path | None) -> list[Path]:
    """The checkpoints that an argument or `--checkpoints` stands for: a file, or a folder's ensemble."""
    from fitcli.network.ensemble_config import EnsembleConfig
    from fitcli.network.folders import checkpoint_folder

    if checkpoint and not checkpoint.is_dir():
        return [checkpoint]
    used = checkpoint_folder(checkpoint or folder)
    return [used / member.checkpoint for member in EnsembleConfig.load(used).members]

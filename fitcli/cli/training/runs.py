"""What both commands of `fitcli train` do around a run: go on from an earlier one, keep its record, report its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from fitcli.cli.console import note
from fitcli.cli.training import recipe_file
from fitcli.cli.training.extra import needs_training_extra
from fitcli.outputs import Output


def run_all(context: typer.Context, train: Callable[[Mapping[str, Any]], Path]) -> None:
    """Train every stage of the command with `train`, which takes its options (see `recipe_file.stages`)."""
    needs_training_extra()
    every = recipe_file.stages(context)
    for number, given in enumerate(every, 1):
        if len(every) > 1:
            _note(f"Stage {number} of {len(every)}: {given['run']}")
        if number < len(every) and (given["run"] / f"{given['architecture']}.ckpt").exists():
            continue
        _run(given, train)


def _run(given: Mapping[str, Any], train: Callable[[Mapping[str, Any]], Path]) -> None:
    # torch and Lightning take seconds to import.
    from fitcli.training.resume import resume_file
    from fitcli.training.run_folder import recorded
    from fitcli.training.trainer import quieten

    quieten()
    folder = given["run"]
    interrupted = resume_file(folder)
    if interrupted:
        _note(f"Going on from {interrupted}.")
    else:  # a checkpoint here belongs to another run; nothing is written beside it, the log of a failure included
        Output(folder / f"{given['architecture']}.ckpt", given["overwrite"]).check_free()
    with recorded(folder):
        path = train(given)
    _note(f"Trained: {path}. Log: tensorboard --logdir {folder}")


def _note(sentence: str) -> None:
    from fitcli.training.trainer import is_first_process

    if is_first_process():
        note(sentence)

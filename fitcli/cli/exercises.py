"""`fitcli exercises`: the exercises of the catalogue."""

from __future__ import annotations

import json as jsonlib
import sys

from fitcli.catalog import catalog
from fitcli.cli import options
from fitcli.cli.console import note, stdout
from fitcli.errors import CheckpointError
from fitcli.report import terminal


def exercises(checkpoints: options.Checkpoints = None, json: options.Json = False) -> None:
    """List the exercises that fitcli knows and the muscle groups that they work."""
    from fitcli.network.ensemble import known_classes  # numpy
    from fitcli.network.folders import checkpoint_folder

    known = catalog()
    try:
        folder = checkpoint_folder(checkpoints)
        classes = known_classes(folder)
    except CheckpointError:
        if checkpoints:
            raise
        classes = None  # the catalogue does not depend on networks
    if json:
        for exercise in known.exercises:
            fields = {
                "id": exercise.id,
                "name": exercise.name,
                "muscles": list(exercise.muscles),
                "aliases": list(exercise.aliases),
                "counted": exercise.counted,
                "recognised": None if classes is None else exercise.name in classes.exercises,
            }
            sys.stdout.write(jsonlib.dumps(fields) + "\n")
        return
    console = stdout()
    console.print(terminal.catalogue(known, console.width))
    if classes is None:
        return
    if missing := [exercise.name for exercise in known.exercises if exercise.name not in classes.exercises]:
        note(f"The networks in {folder} do not recognise: {', '.join(missing)}.")
    if own := [name for name in classes.exercises if name not in known.exercise_names]:
        note(f"They also recognise: {', '.join(own)}.")

"""`fitcli exercises`: the catalogue."""

from __future__ import annotations

import json as jsonlib
import sys

from fitcli.catalog import catalog
from fitcli.cli import options
from fitcli.cli.console import stdout
from fitcli.report import terminal


def exercises(json: options.Json = False) -> None:
    """List the exercises that fitcli knows, and the muscle groups they are meant to work."""
    known = catalog()
    if not json:
        console = stdout()
        console.print(terminal.catalogue(known, console.width))
        return
    for exercise in known.exercises:
        fields = {
            "id": exercise.id,
            "name": exercise.name,
            "muscles": list(exercise.muscles),
            "aliases": list(exercise.aliases),
            "counted": exercise.counted,
        }
        sys.stdout.write(jsonlib.dumps(fields) + "\n")

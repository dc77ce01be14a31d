"""`fitcli doctor`: what works on this machine, and the command that mends what does not."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from fitcli.cli import options
from fitcli.cli.console import stderr, stdout
from fitcli.doctor import Check, Verdict, examine, works

_MARKS = {
    Verdict.OK: ("ok", "green"),
    Verdict.ABSENT: ("-", "bright_black"),
    Verdict.LIMITED: ("limited", "yellow"),
    Verdict.BROKEN: ("broken", "bold red"),
}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    sessions: options.Sessions = None,
    checkpoints: options.Checkpoints = None,
) -> None:
    """Show what works on this machine, and the command that mends what does not.

    The exit code is 0 only if fitcli analyze works; cameras, sound and displays are for other commands.
    """
    console = stderr()
    with console.status("Trying every part ...") if console.is_terminal else console:
        checks = list(examine(checkpoints=checkpoints, sessions=sessions))
    if json:
        answer = {"works": works(checks), "checks": [check.to_json() for check in checks]}
        sys.stdout.write(jsonlib.dumps(answer) + "\n")
    else:
        stdout().print(_table(checks))
        verdict = (
            "fitcli analyze works here." if works(checks) else "fitcli analyze does not work here: mend what is broken."
        )
        stdout().print(verdict, style="green" if works(checks) else "red")
    raise typer.Exit(0 if works(checks) else 1)


def _table(checks: list[Check]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Part", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Found", overflow="fold")
    for check in checks:
        word, style = _MARKS[check.verdict]
        found = Text(check.found)
        if check.remedy:
            found.append(f"\nTry: {check.remedy.here}", "cyan")
        table.add_row(check.name, Text(word, style), found)
    return table

"""`fitcli doctor`: what works on this machine, and the commands that fix the rest."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import Annotated

import typer
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
    """Show what works on this machine, and the commands that fix the rest.

    The exit code is 0 if fitcli analyze works; only other commands need cameras, sound and displays.
    """
    console = stderr()
    with console.status("Trying every part ...") if console.is_terminal else console:
        checks = list(examine(checkpoints=checkpoints, sessions=sessions))
    if json:
        answer = {"works": works(checks), "checks": [check.to_json() for check in checks]}
        sys.stdout.write(jsonlib.dumps(answer) + "\n")
    else:
        _show(checks)
        verdict = (
            "fitcli analyze works here." if works(checks) else "fitcli analyze does not work here: fix what is broken."
        )
        stdout().print(verdict, style="green" if works(checks) else "red")
    raise typer.Exit(0 if works(checks) else 1)


def _show(checks: list[Check]) -> None:
    """Print a table. Every command stands on one line of its own, so that it can be copied whole."""
    console = stdout()
    widths = [max(len(cell) for cell in column) for column in zip(*map(_cells, checks), ("Part", ""), strict=True)]
    console.print(_row(("Part", "", "Found"), widths), style="bold", end="")
    console.rule(style="bright_black")
    for check in checks:
        name, word = _cells(check)
        console.print(_row((name, word, check.found), widths, _MARKS[check.verdict][1]), end="")
        if check.remedy:
            console.print(Text(f"  Try: {check.remedy.here}", "cyan"), soft_wrap=True)


def _cells(check: Check) -> tuple[str, str]:
    return check.name, _MARKS[check.verdict][0]


def _row(cells: tuple[str, str, str], widths: list[int], style: str = "") -> Table:
    """One row of the table, with the column widths of all rows."""
    row = Table.grid(padding=(0, 2))
    for width in widths:
        row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    name, word, found = cells
    row.add_row(Text(name), Text(word, style), Text(found))
    return row

"""A batch as a table, one row a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from fitcli.batch.jobs import Outcome
from fitcli.report.terminal import length, percent, plain_table, printable, short_status, working


def summary(outcomes: Sequence[Outcome]) -> Table:
    """The outcomes of a batch for the terminal."""
    table = plain_table()
    table.add_column("file", overflow="fold", ratio=2)
    table.add_column("exercise", ratio=2)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("muscles that work", ratio=2)
    table.add_column("length", justify="right", no_wrap=True)
    for outcome in outcomes:
        file, analysis = Text(printable(str(outcome.path))), outcome.result
        if isinstance(analysis, Exception):
            table.add_row(file, Text("not analysed", "red"), "", "", "")
            continue
        if analysis.exercise:
            exercise, sure = Text(analysis.exercise.name), percent(analysis.exercise.probability)
        else:
            exercise, sure = Text(short_status(analysis), "yellow"), ""
        table.add_row(file, exercise, sure, Text(working(analysis)), length(analysis.duration_s))
    return table

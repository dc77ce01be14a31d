"""What the terminal shows of the history: stored sessions, and progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fitcli.history.progress import TrainingProgress, best_set
from fitcli.history.store import Session
from fitcli.report.amounts import plural, seconds
from fitcli.report.blocks import Amounts, BesideBodyMap
from fitcli.report.terminal import (
    IDLE,
    MAX_WIDTH,
    TARGET,
    Bar,
    kilograms,
    percent,
    plain_table,
    printable,
    short_status,
    working,
)

SHOWN_SESSIONS = 24
"""Latest sessions of one exercise that a line shows: more do not fit 80 columns."""


def history(sessions: Iterable[Session], *, wide: bool) -> Table:
    """Stored sessions, one line each, in the given order; `wide` adds the muscles, which do not fit 80 columns.

    There is a column of weights if any session has one.
    """
    listed = list(sessions)
    table = plain_table()
    table.add_column("when", no_wrap=True)
    table.add_column("exercise", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    # the seconds of holds share the column of the repetitions: another one does not fit 80 columns
    table.add_column(
        "done" if any(session.set_holds_s for session in listed) else "reps", justify="right", no_wrap=True
    )
    table.add_column("score", justify="right", no_wrap=True)
    weighted = any(session.weight_kg for session in listed)
    if weighted:
        table.add_column("weight", justify="right", no_wrap=True)
    if wide:
        table.add_column("muscles that work")
    table.add_column("file", max_width=18 if wide and weighted else 30)  # shrinks to fit: names do not wrap
    table.add_column("id", style="bright_black", no_wrap=True)
    for session in listed:
        analysis = session.analysis
        if analysis.exercise:
            exercise, sure = Text(analysis.exercise.name), percent(analysis.exercise.probability)
        else:
            exercise, sure = Text(short_status(analysis), "yellow"), ""
        table.add_row(
            f"{session.created.astimezone():%Y-%m-%d %H:%M}",
            exercise,
            sure,
            _done(session),
            score(session.score),
            *([kilograms(session.weight_kg)] if weighted else []),
            *([Text(working(analysis))] if wide else []),
            Text(printable(Path(analysis.file).name), no_wrap=True, overflow="ellipsis"),
            session.id,
        )
    return table


def _done(session: Session) -> str:
    """The repetitions of a session, or the seconds of its longest hold."""
    if session.set_holds_s:
        return seconds(max(session.set_holds_s))
    return "" if session.analysis.repetitions is None else str(session.analysis.repetitions)


def progress(progress: TrainingProgress) -> RenderableType:
    """The progress over a history, as tables."""
    began = f" since {progress.first}" if progress.first else ""
    streak = f"{plural(progress.days_in_a_row, 'day')}, {plural(progress.weeks_in_a_row, 'week')}"
    parts: list[RenderableType] = [Text(f"{plural(progress.sessions, 'session')}{began}; streak: {streak}", "bold")]
    if progress.repetitions:
        parts += ["", Amounts("repetitions a week", [week.repetitions for week in progress.shown_weeks])]
    if any(week.held_s for week in progress.shown_weeks):
        parts += ["", Amounts("seconds held a week", [round(week.held_s) for week in progress.shown_weeks])]
    if progress.best:
        best = plain_table()
        best.add_column("best set", no_wrap=True)
        best.add_column("weight", justify="right", no_wrap=True)
        best.add_column("reps", justify="right", no_wrap=True)
        measured = {
            "held": ["" if row.held_s is None else seconds(row.held_s) for row in progress.best],
            "a minute": ["" if row.cadence_per_min is None else f"{row.cadence_per_min:.0f}" for row in progress.best],
        }
        measured = {head: cells for head, cells in measured.items() if any(cells)}
        for head in measured:
            best.add_column(head, justify="right", no_wrap=True)
        best.add_column("1RM (Epley)", justify="right", no_wrap=True)
        best.add_column("when", no_wrap=True)
        best.add_column("id", style="bright_black", no_wrap=True)
        for number, row in enumerate(progress.best):
            best.add_row(
                row.exercise,
                kilograms(row.session.weight_kg),
                "" if row.repetitions is None else str(row.repetitions),
                *(cells[number] for cells in measured.values()),
                kilograms(row.one_repetition_max_kg),
                f"{row.session.created.astimezone():%Y-%m-%d}",
                row.session.id,
            )
        parts += ["", best]
    if progress.trends:
        trends = plain_table()
        trends.add_column("score", no_wrap=True)
        trends.add_column("before", justify="right", no_wrap=True)
        trends.add_column("latest", justify="right", no_wrap=True)
        trends.add_column("change", justify="right", no_wrap=True)
        for trend in progress.trends:
            change = round(trend.latest) - round(trend.before)
            trends.add_row(trend.exercise, score(trend.before), score(trend.latest), f"{change:+d}")
        parts += ["", trends]
    muscles = plain_table()
    muscles.add_column("muscle", no_wrap=True)
    muscles.add_column("sessions in 7 days", justify="right", no_wrap=True)
    muscles.add_column("last trained", no_wrap=True)
    for muscle in progress.muscles:
        last = "never" if muscle.last is None else str(muscle.last)
        mark = Text(f"{last}, neglected", IDLE) if muscle.neglected else Text(last)
        muscles.add_row(muscle.name, str(muscle.sessions), mark)
    return Group(*parts, "", muscles)


def lifted(session: Session) -> str:
    """The weight of a session and the estimated one-repetition maximum; "" without a weight."""
    if not session.weight_kg:
        return ""
    best = best_set(session)
    estimate = best.one_repetition_max_kg if best else None
    return kilograms(session.weight_kg) + (f" (1RM {kilograms(estimate)}, Epley)" if estimate else "")


def score(points: float | None) -> str:
    """A score of 0 to 100; "" for None."""
    return "" if points is None else str(round(points))


def chart(progress: TrainingProgress) -> RenderableType:
    """The weeks since the first session, at most twelve, the muscles of the last 7 days, scores and records."""
    shown = progress.shown_weeks
    repetitions = any(week.repetitions for week in shown)
    weeks = [(f"week of {week.monday}", week.repetitions if repetitions else week.sessions) for week in shown]
    muscles = [(muscle.name, muscle.sessions) for muscle in progress.muscles]
    most = max((sessions for _, sessions in muscles), default=0)
    parts: list[RenderableType] = [
        Text(f"{'repetitions' if repetitions else 'sessions'} a week", "bold"),
        _bars(weeks),
        "",
        Text("sessions in the last 7 days in which each muscle worked", "bold"),
        BesideBodyMap(_bars(muscles), {name: sessions / most if most else 0.0 for name, sessions in muscles}),
    ]
    wide = max(map(len, progress.exercises), default=0)
    for title, reached in (
        ("score from session to session", progress.scores),
        ("estimated one-repetition maximum (Epley), kg", progress.maxima),
        ("longest hold, s", progress.holds),
        ("repetitions a minute", progress.cadences),
    ):
        lines = {name: [round(each.value) for each in reached(name)][-SHOWN_SESSIONS:] for name in progress.exercises}
        columns = max(map(len, lines.values()), default=0)
        rows = [
            Amounts(name.ljust(wide), values, base=min(values) * 3 // 4, columns=columns)
            for name, values in lines.items()
            if len(values) > 1
        ]
        if rows:
            parts += ["", Text(title, "bold"), *rows]
    return Constrain(Group(*parts), MAX_WIDTH)


def _bars(rows: Sequence[tuple[str, int]]) -> Table:
    """Amounts as bars, the greatest of full width."""
    most = max((amount for _, amount in rows), default=0)
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for name, amount in rows:
        table.add_row(name, Bar(amount / most if most else 0, TARGET, notch=False), str(amount))
    return table

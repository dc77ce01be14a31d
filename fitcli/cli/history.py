"""`fitcli history`: the stored sessions, single ones, and their statistics."""

from __future__ import annotations

import json as jsonlib
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from fitcli.catalog import catalog
from fitcli.cli import history_files, options
from fitcli.cli.console import stdout
from fitcli.cli.help import App
from fitcli.cli.pictures import Pictures, tell_pictures
from fitcli.history.progress import training_progress
from fitcli.history.store import Session, SessionStore, sessions_folder
from fitcli.outputs import HTML, Output, claim, identities
from fitcli.report import past, terminal

app = App(invoke_without_command=True)

_AGO = re.compile(r"(?P<number>\d+)\s*(?P<unit>[hdwmy])")
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "m": timedelta(days=30),
    "y": timedelta(days=365),
}

ExerciseName = Annotated[
    str | None, typer.Option("--exercise", metavar="NAME", help="Only this exercise; its other names work too.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only since then: 12h, 3d, 2w, 6m, 1y or a date such as 2026-11-01."),
]


@app.callback()
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most N sessions.")] = 20,
    exercise: ExerciseName = None,
    since: Since = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print a table for spreadsheets.", rich_help_panel=options.ANSWER)
    ] = False,
    json: options.Json = False,
    sessions: options.Sessions = None,
) -> None:
    """List the stored sessions, newest first."""
    if context.invoked_subcommand:
        return
    store = SessionStore(sessions_folder(sessions))
    chosen = list(islice(_chosen(store, exercise, since), limit))
    history_files.report_skipped(store)
    console = stdout()
    if json:
        for session in chosen:
            sys.stdout.write(jsonlib.dumps(session.to_json()) + "\n")
    elif csv:
        history_files.print_csv(chosen)
    elif chosen:
        console.print(past.history(chosen, wide=console.width >= terminal.MAX_WIDTH))
    elif exercise or since:
        console.print("No stored session matches: fitcli history shows them all.")
    else:
        _say_empty(store)


@app.command()
def show(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a session, or its beginning.")],
    json: options.Json = False,
    top: options.Top = 3,
    verbose: options.Verbose = False,
    sessions: options.Sessions = None,
) -> None:
    """Show a stored session as it was shown at first."""
    session = SessionStore(sessions_folder(sessions)).find(session_id)
    if json:
        sys.stdout.write(jsonlib.dumps(session.to_json()) + "\n")
        return
    moment = f"{session.created.astimezone():%Y-%m-%d %H:%M}"
    stored = ", ".join(filter(None, (moment, past.lifted(session), session.note)))
    saved = terminal.short_path(session.path)
    stdout().print(terminal.result(session.whole(), top=top, saved=saved, stored=stored, verbose=verbose))


@app.command()
def stats(
    exercise: ExerciseName = None,
    since: Since = None,
    json: options.Json = False,
    sessions: options.Sessions = None,
) -> None:
    """Show streaks, best sets, scores, and which muscles were trained or neglected."""
    store = SessionStore(sessions_folder(sessions))
    summed = training_progress(_chosen(store, exercise, since), datetime.now().astimezone())
    history_files.report_skipped(store)
    if json:
        fields = asdict(summed)
        fields["best"] = [
            {
                "exercise": best.exercise,
                "session": best.session.id,
                "weight_kg": best.session.weight_kg,
                "repetitions": best.repetitions,
                "one_repetition_max_kg": best.one_repetition_max_kg,
                "held_s": best.held_s,
                "cadence_per_min": best.cadence_per_min,
            }
            for best in summed.best
        ]
        sys.stdout.write(jsonlib.dumps(fields, default=str) + "\n")
    elif summed.sessions:
        stdout().print(past.progress(summed))
    else:
        _say_empty(store)


@app.command()
def chart(
    exercise: ExerciseName = None,
    since: Since = None,
    html: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_output,
            metavar="HTML",
            help="Write a page for a browser instead, with body map and trends.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    sessions: options.Sessions = None,
) -> None:
    """Draw charts of the last weeks, the muscles of the last seven days, and the scores."""
    now = datetime.now().astimezone()
    store = SessionStore(sessions_folder(sessions))
    page = _claim_page(html, store, overwrite=overwrite) if html else None
    summed = training_progress(_chosen(store, exercise, since), now)
    history_files.report_skipped(store)
    if not summed.sessions:
        _say_empty(store)
    elif page:
        from fitcli.report.html import progress_page  # Jinja2

        page.write_text(progress_page(summed, now))
        tell_pictures(Pictures(report=page))
    else:
        stdout().print(past.chart(summed))


@app.command()
def report(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a session, or its beginning.")],
    to: Annotated[
        Path, typer.Argument(parser=options.given_output, metavar="HTML", help="The page to write.", show_default=False)
    ],
    overwrite: options.Overwrite = False,
    sessions: options.Sessions = None,
) -> None:
    """Write a stored session as a page for a browser, without its video."""
    store = SessionStore(sessions_folder(sessions))
    page = _claim_page(to, store, overwrite=overwrite)
    session = store.find(session_id)

    from fitcli.report.html import Remembered, report_page  # Jinja2

    remembered = Remembered(session.created, session.fitcli, session.id, session.weight_kg, session.note)
    page.write_text(report_page(session.whole(), remembered, poses=session.key_poses()))
    tell_pictures(Pictures(report=page))


app.command("export")(history_files.export)
app.command("import")(history_files.import_)
app.command()(history_files.delete)
app.command()(history_files.undo)


def _claim_page(to: Path, store: SessionStore, *, overwrite: bool) -> Output:
    """The page to write; raises `StorageError` if it may not be written, for example over a file of the history."""
    return claim(to, HTML, overwrite=overwrite, inputs=identities(store.files()))


def _say_empty(store: SessionStore) -> None:
    folder = terminal.short_path(store.folder)
    stdout().print(f"No session is stored in {folder} yet. To store the first: fitcli analyze VIDEO", soft_wrap=True)


def _chosen(store: SessionStore, exercise: str | None, since: str | None) -> Iterator[Session]:
    name = _exercise_name(exercise)
    earliest = _moment(since) if since else None
    for session in store.sessions():
        if earliest and session.created < earliest:
            continue
        if name is None or (session.analysis.exercise and session.analysis.exercise.name == name):
            yield session


def _exercise_name(given: str | None) -> str | None:
    if given is None:
        return None
    try:
        return catalog().exercise(given).name
    except KeyError:
        raise typer.BadParameter(f"there is no exercise {given!r}: fitcli exercises lists them.") from None


def _moment(since: str) -> datetime:
    """The time of "2w" (two weeks ago) or "2026-11-01" (the start of that day in local time)."""
    now = datetime.now().astimezone()
    try:
        if ago := _AGO.fullmatch(since.strip().lower()):
            return now - int(ago["number"]) * _UNITS[ago["unit"]]
        return datetime.fromisoformat(since).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"--since {since!r} is neither a time ago, such as 12h, 3d, 2w, 6m or 1y, nor a date such as 2026-11-01."
        ) from None

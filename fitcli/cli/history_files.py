"""`fitcli history export`, `import`, `delete` and `undo`, and the table of `fitcli history --csv`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stdout
from fitcli.cli.options import STREAM
from fitcli.errors import MissingInputError, StorageError
from fitcli.history.store import Session, SessionStore, sessions_folder
from fitcli.outputs import JSON_LINES, claim, identities
from fitcli.report import past, terminal
from fitcli.report.amounts import plural

_COLUMNS = (
    "id", "created", "status", "exercise", "confidence", "repetitions", "score", "weight_kg", "muscles", "duration_s",
    "file", "note", "held_s", "cadence_per_min",
)  # fmt: skip


def report_skipped(store: SessionStore) -> None:
    """Print one line on stderr for each session file that could not be read."""
    for skipped in store.skipped:
        note(terminal.printable(skipped.reason), style="yellow")


def print_csv(sessions: Iterable[Session]) -> None:
    """Print sessions as a table for spreadsheets, one row each."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(_COLUMNS)
    for session in sessions:
        analysis = session.analysis
        named = analysis.exercise
        table.writerow(
            (
                session.id,
                session.created.isoformat(timespec="seconds"),
                analysis.status.value,
                named.name if named else "",
                f"{named.probability:.4f}" if named else "",
                analysis.repetitions,
                past.score(session.score),
                session.weight_kg,
                terminal.working(analysis),
                f"{analysis.duration_s:.3f}",
                analysis.file,
                session.note,
                max(session.set_holds_s, default=""),
                max(session.set_cadences_per_min, default=""),
            )
        )


def export(
    to: Annotated[
        Path | None,
        typer.Argument(
            parser=options.given_file_or_stream, metavar="FILE", help="JSON Lines file; otherwise, or -, stdout."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    sessions: options.Sessions = None,
) -> None:
    """Write all sessions as JSON Lines, oldest first, as a backup or for another machine."""
    store = SessionStore(sessions_folder(sessions))
    output = None
    if to is not None and to != STREAM:
        output = claim(to, JSON_LINES, overwrite=overwrite, inputs=identities(store.files()))
    lines = [json.dumps(session.to_json()) + "\n" for session in store.sessions()][::-1]
    report_skipped(store)
    if output is None:
        _print(lines)
        return
    output.write_text("".join(lines))
    stdout().print(f"{plural(len(lines), 'session')} written to {terminal.short_path(output.path)}.", soft_wrap=True)


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            parser=options.given_file_or_stream,
            metavar="FILE",
            help="File that fitcli history export wrote; - is stdin.",
            show_default=False,
        ),
    ],
    sessions: options.Sessions = None,
) -> None:
    """Add the sessions of an export; existing ones stay as they are."""
    store = SessionStore(sessions_folder(sessions))
    name = "stdin" if source == STREAM else str(source)
    try:
        # a closed stdin is None; some editors begin UTF-8 with a byte order mark
        content = source.read_bytes() if source != STREAM else sys.stdin.buffer.read() if sys.stdin else b""
        lines = content.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"{name} does not exist: check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"{name} cannot be read: give a file that fitcli history export wrote.") from error
    added, bad = 0, []
    for number, line in enumerate(lines, 1):
        try:
            added += store.add(json.loads(line))
        except ValueError:
            bad.append(number)
    known = len(lines) - added - len(bad)
    stdout().print(f"{plural(added, 'session')} added, {known} already stored.")
    if bad:
        where = ", ".join(map(str, bad[:5])) + (" ..." if len(bad) > 5 else "")
        raise MissingInputError(f"{name}: {plural(len(bad), 'line')} without a session ({where}).")


def _print(lines: list[str]) -> None:
    """Write to stdout and flush: an error at the end of the program could not be reported any more."""
    try:
        sys.stdout.writelines(lines)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"The export cannot be written to stdout ({(error.strerror or '').lower()}).") from error


def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of sessions, or their beginnings.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sessions: options.Sessions = None,
) -> None:
    """Delete sessions; fitcli history undo restores them."""
    store = SessionStore(sessions_folder(sessions))
    chosen: dict[str, Session] = {session.id: session for session in map(store.find, ids)}
    count = plural(len(chosen), "session")
    if not yes:
        for session in chosen.values():
            named = session.analysis.exercise
            note(f"{session.id}  {session.created.astimezone():%Y-%m-%d %H:%M}  {named.name if named else 'not sure'}")
        typer.confirm(f"Delete {count}?", abort=True, err=True)
    store.delete(chosen.values())
    stdout().print(f"{count} deleted. To bring {'it' if len(chosen) == 1 else 'them'} back: fitcli history undo")


def undo(sessions: options.Sessions = None) -> None:
    """Restore the sessions that were deleted last."""
    restored = SessionStore(sessions_folder(sessions)).undo()
    stdout().print(f"{plural(restored, 'session')} brought back." if restored else "Nothing was deleted.")

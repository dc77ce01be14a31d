"""`fitcli history export, import, delete, undo`: sessions moved out, in, away and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, stdout
from fitcli.errors import MissingInputError, StorageError
from fitcli.history import Session, SessionStore, sessions_folder
from fitcli.report import terminal
from fitcli.report.amounts import plural


def tell_skipped(store: SessionStore) -> None:
    """One line on stderr for each session file that could not be read."""
    for skipped in store.skipped:
        note(terminal.printable(skipped.reason), style="yellow")


def export(
    to: Annotated[Path | None, typer.Argument(metavar="FILE", help="JSON Lines file; otherwise stdout.")] = None,
    sessions: options.Sessions = None,
) -> None:
    """Write all sessions as JSON Lines, oldest first: a backup, or the way to another machine."""
    store = SessionStore(sessions_folder(sessions))
    lines = [json.dumps(session.to_json()) + "\n" for session in store.sessions()][::-1]
    tell_skipped(store)
    if to is None:
        sys.stdout.writelines(lines)
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.writelines(lines)
    except FileExistsError:
        raise StorageError(f"{to} is there already: choose another name.") from None
    except OSError as error:
        raise StorageError(f"{to} cannot be written ({(error.strerror or '').lower()}): choose another.") from error
    stdout().print(f"{plural(len(lines), 'session')} written to {terminal.short_path(to)}.", soft_wrap=True)


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="What fitcli history export wrote.", show_default=False)
    ],
    sessions: options.Sessions = None,
) -> None:
    """Add sessions from an export; those that are here already stay as they are."""
    store = SessionStore(sessions_folder(sessions))
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise MissingInputError(f"{source} does not exist: check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"{source} cannot be read: give a file that fitcli history export wrote.") from error
    added, bad = 0, []
    for number, line in enumerate(lines, 1):
        try:
            added += store.add(json.loads(line))
        except ValueError:
            bad.append(number)
    known = len(lines) - added - len(bad)
    stdout().print(f"{plural(added, 'session')} added, {known} here already.")
    if bad:
        where = ", ".join(map(str, bad[:5])) + (" ..." if len(bad) > 5 else "")
        raise MissingInputError(f"{source}: {plural(len(bad), 'line')} held no session ({where}).")


def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids in the history, or their beginnings.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sessions: options.Sessions = None,
) -> None:
    """Delete sessions; fitcli history undo brings them back."""
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
    """Bring back what was deleted last."""
    restored = SessionStore(sessions_folder(sessions)).undo()
    stdout().print(f"{plural(restored, 'session')} brought back." if restored else "Nothing was deleted.")

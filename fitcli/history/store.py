"""The session store: one JSON file a session in one folder; no file is ever overwritten or deleted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitcli.errors import MissingInputError, Setting, StorageError
from fitcli.history.key_poses import KeyPose, key_poses
from fitcli.results.analysis import MALFORMED, Analysis
from fitcli.version import __version__

SCHEMA, SCHEMA_WITHOUT_HOLDS = 3, 2
"""Versions of a session file: the newest, and that of a session without a hold, which earlier releases read as well.

Adding a field does not raise the version: readers give a missing field its default and ignore an unknown one. The
version rises when a field changes its meaning, or when readers must know a new one, such as a set without repetitions.
`_MIGRATIONS` then brings older files forward while they are read; the files themselves are not changed."""

_DELETED = ".deleted"
"""Folder for deleted sessions, inside the sessions' folder: one folder a deletion, named by its time."""

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3}Z-[a-z0-9-]+-(?P<id>[0-9a-f]{8})\.json")


@dataclass(frozen=True)
class Session:
    """One stored analysis, with what only the person knows: the weight moved and a note.

    created: local time with its UTC offset.
    fitcli: the version that stored the session.
    analysis: without its sets, which `whole` adds.
    score: mean of the sets' scores, 0..100; None if no set has one.
    set_repetitions: repetitions of each set of the named exercise, holds excepted.
    set_holds_s: seconds of each hold of the named exercise.
    set_cadences_per_min: cadence of each set of the named exercise, if the exercise is measured by it.
    fields: what the file holds.
    """

    id: str
    created: datetime
    fitcli: str
    analysis: Analysis
    path: Path
    weight_kg: float | None = None
    note: str = ""
    score: float | None = None
    set_repetitions: tuple[int, ...] = ()
    set_holds_s: tuple[float, ...] = ()
    set_cadences_per_min: tuple[float, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """What the session's file holds, including fields of later versions."""
        return self.fields

    def whole(self) -> Analysis:
        """The analysis with its sets, as a report needs it; raises `StorageError` if they are damaged."""
        try:
            return replace(self.analysis, sets=Analysis.from_json(self.fields["analysis"]).sets)
        except MALFORMED as error:
            raise StorageError(f"The sets in {self.path} are damaged.") from error

    def key_poses(self) -> tuple[KeyPose, ...]:
        """The poses that represent the video in a report; raises `StorageError` if they are damaged."""
        try:
            return tuple(KeyPose.from_json(row) for row in _forward(self.fields)["poses"])
        except MALFORMED as error:
            raise StorageError(f"The poses in {self.path} are damaged.") from error


@dataclass(frozen=True)
class Skipped:
    """A session file that cannot be read; `reason` is one sentence about what happened to it."""

    path: Path
    reason: str


def sessions_folder(explicit: Path | None = None) -> Path:
    """The folder of sessions: `explicit`, else $FITCLI_SESSIONS, else ./sessions if it exists, else the user's data
    folder.

    Raises `StorageError` for a user without a home folder.
    """
    if explicit is not None:
        return explicit
    if named := os.environ.get("FITCLI_SESSIONS"):
        return Path(named)
    here = Path("sessions")
    if here.is_dir():
        return here
    # Imported here because most runs need neither: they name a folder, or there is one in the current folder.
    from platformdirs import user_data_path

    from fitcli.cache import users_folder

    try:
        return users_folder(lambda: user_data_path("fitcli", appauthor=False)) / "sessions"
    except OSError as error:
        raise StorageError(
            "This user has no home folder for sessions: set FITCLI_SESSIONS, or name a folder.",
            setting=Setting.SESSIONS,
        ) from error


@dataclass
class SessionStore:
    """The sessions in one folder. Any number of processes may use it at once.

    `sessions()` adds to `skipped`. Every method raises `StorageError` if the folder cannot be used.
    """

    folder: Path
    skipped: list[Skipped] = field(default_factory=list)

    def save(self, analysis: Analysis, *, weight_kg: float | None = None, note: str = "") -> Session:
        """Store an analysis and return the session; a failure leaves no half-written file."""
        created = datetime.now().astimezone()
        identifier = secrets.token_hex(4)
        path = self.folder / _file_name(identifier, created, analysis)
        fields = {
            "schema": SCHEMA if any(one.held_s is not None for one in analysis.sets) else SCHEMA_WITHOUT_HOLDS,
            "id": identifier,
            "created": created.isoformat(timespec="milliseconds"),
            "fitcli": __version__,
            "weight_kg": weight_kg,
            "note": note,
            "analysis": analysis.to_json(),
            # Landmarks without a picture can be drawn again, and nobody is recognised by them.
            "poses": [pose.to_json() for pose in key_poses(analysis)],
        }
        self._write(path, fields)
        return _session(fields, path)

    def sessions(self) -> Iterator[Session]:
        """Stored sessions, newest first, read one at a time: the newest twenty cost twenty files.

        A damaged file is renamed to `*.unreadable` and ignored from then on. Files of other programs are ignored.
        """
        for name in self._names():
            path = self.folder / name
            try:
                yield _read(path)
            except FileNotFoundError:  # another process moved it since the folder was listed
                continue
            except OSError as error:
                self.skipped.append(Skipped(path, f"{path} cannot be read ({_reason(error)})."))
            except _NewerSchemaError:
                self.skipped.append(Skipped(path, f"{path} was stored by a newer fitcli: update to see it."))
            except MALFORMED:
                self.skipped.append(_set_aside(path))

    def files(self) -> Iterator[Path]:
        """Every file of the history, including deleted and unreadable ones; none if the folder does not exist."""
        return (path for path in self.folder.rglob("*") if path.is_file()) if self.folder.is_dir() else iter(())

    def find(self, start: str) -> Session:
        """The one session whose id begins with `start`; raises `MissingInputError` if there is none, or several."""
        found = [name for name in self._names() if _identifier(name).startswith(start.strip().lower())]
        if not start.strip() or not found:
            raise MissingInputError(f"No session's id begins with {start!r}: `fitcli history` lists them.")
        if len(found) > 1:
            raise MissingInputError(f"The ids of {len(found)} sessions begin with {start!r}: give more of it.")
        path = self.folder / found[0]
        try:
            return _read(path)
        except _NewerSchemaError:
            raise StorageError(f"{path} was stored by a newer fitcli: update to see it.") from None
        except MALFORMED:
            raise StorageError(f"{_set_aside(path).reason}") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({_reason(error)}): check its permissions.") from error

    def add(self, fields: dict[str, Any]) -> bool:
        """Store a session that `Session.to_json` wrote down; returns False if this folder has it already.

        Raises `ValueError` for anything that is not a session.
        """
        try:
            session = _session(fields, self.folder)
        except (*MALFORMED, _NewerSchemaError) as error:
            raise ValueError("no session of this version of fitcli") from error
        name = _file_name(session.id, session.created, session.analysis)
        if not _NAME.fullmatch(name):  # the id came from outside and becomes a file name
            raise ValueError("no id of a session")
        if any(_identifier(known) == session.id for known in self._names()):
            return False
        self._write(self.folder / name, fields)
        return True

    def delete(self, sessions: Iterable[Session]) -> None:
        """Delete sessions together; `undo` restores them."""
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").replace(":", "-")
        batch = self.folder / _DELETED / stamp
        try:
            batch.mkdir(parents=True)
            for session in sessions:
                session.path.rename(batch / session.path.name)
        except OSError as error:
            raise StorageError(f"The sessions in {self.folder} cannot be deleted ({_reason(error)}).") from error

    def undo(self) -> int:
        """Restore the sessions that were deleted together last; returns their number, 0 if none is left."""
        try:
            deleted = sorted((self.folder / _DELETED).iterdir(), reverse=True)
            if not deleted:
                return 0
            files = list(deleted[0].iterdir())
            for file in files:
                file.rename(self.folder / file.name)
            deleted[0].rmdir()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StorageError(f"The sessions in {self.folder} cannot be brought back ({_reason(error)}).") from error
        return len(files)

    def _names(self) -> list[str]:
        """Session files, newest first."""
        try:
            return sorted(
                (entry.name for entry in os.scandir(self.folder) if _NAME.fullmatch(entry.name)), reverse=True
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(
                f"The sessions in {self.folder} cannot be read ({_reason(error)}): check that folder, or choose "
                "another.",
                setting=Setting.SESSIONS,
            ) from error

    def _write(self, path: Path, fields: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_durably(path, json.dumps(fields, indent=1) + "\n")
        except OSError as error:
            raise StorageError(
                f"The session could not be saved in {self.folder} ({_reason(error)}): make room or permit writing "
                "there, or choose another folder.",
                setting=Setting.SESSIONS,
            ) from error


class _NewerSchemaError(Exception):
    """The file has the schema of a later version; it is not damaged."""


def _file_name(identifier: str, created: datetime, analysis: Analysis) -> str:
    # In UTC names sort by time, whatever the time zone.
    stamp = created.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(":", "-")
    answer = analysis.exercise.name if analysis.exercise else " or ".join(analysis.consistent_with) or analysis.status
    slug = re.sub(r"[^a-z0-9]+", "-", answer).strip("-")
    return f"{stamp}-{slug}-{identifier}.json"


def _identifier(name: str) -> str:
    return name.removesuffix(".json").rpartition("-")[2]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _write_durably(path: Path, text: str) -> None:
    """Write another file, flush it to the disk and rename it: readers, crashes and power cuts see all or nothing."""
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        with hidden.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        hidden.rename(path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    # The rename is an entry of the folder, which is flushed too. Windows cannot open a folder and some network file
    # systems refuse to flush one: the session is written all the same.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> Session:
    return _session(json.loads(path.read_bytes()), path)


def _with_poses(fields: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: sessions keep key poses; older ones have none."""
    return {**fields, "poses": []}


def _unchanged(fields: dict[str, Any]) -> dict[str, Any]:
    """From 2 to 3: a set may be a hold; older sets have repetitions."""
    return fields


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _with_poses, 2: _unchanged}
"""Brings a session of that version to the next one."""


def _forward(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as this version has them."""
    version = fields["schema"]
    if version > SCHEMA:
        raise _NewerSchemaError
    while version < SCHEMA:
        fields = _MIGRATIONS[version](fields)
        version += 1
    return fields


def _session(written: dict[str, Any], path: Path) -> Session:
    fields = _forward(written)
    created = datetime.fromisoformat(fields["created"])
    weight = fields.get("weight_kg")
    sets = fields["analysis"].get("sets", ())
    analysis = Analysis.from_json({**fields["analysis"], "sets": ()})  # most readers list sessions and need no set
    scores = [float(row["score"]) for row in sets if row.get("score") is not None]
    named = analysis.exercise.name if analysis.exercise else None
    done = [row for row in sets if named and row["exercise"] == named]
    holds, cadences = ([row[key] for row in done if row.get(key) is not None] for key in ("held_s", "cadence_per_min"))
    return Session(
        id=str(fields["id"]),
        created=created if created.tzinfo else created.astimezone(),
        fitcli=str(fields["fitcli"]),
        analysis=analysis,
        path=path,
        weight_kg=None if weight is None else float(weight),
        note=str(fields.get("note") or ""),
        score=sum(scores) / len(scores) if scores else None,
        set_repetitions=tuple(int(row["repetitions"]) for row in done if row.get("held_s") is None),
        set_holds_s=tuple(map(float, holds)),
        set_cadences_per_min=tuple(map(float, cadences)),
        fields=written,
    )


def _set_aside(path: Path) -> Skipped:
    for ending in ("", *(f".{number}" for number in range(2, 100))):
        aside = path.with_name(f"{path.name}.unreadable{ending}")
        if not aside.exists():
            break
    try:
        path.rename(aside)
    except OSError:
        return Skipped(path, f"{path} is damaged.")
    return Skipped(path, f"{path} is damaged and was set aside as {aside.name}.")

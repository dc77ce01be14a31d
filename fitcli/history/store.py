"""The session store: one JSON file a session in one folder; nothing is ever overwritten or thrown away."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fitcli.catalog import Classes, catalog
from fitcli.errors import MissingInputError, StorageError
from fitcli.history.key_poses import KeyPose, key_poses
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings, WindowScore
from fitcli.version import __version__

if TYPE_CHECKING:
    from fitcli.results.sets import ExerciseSet

SCHEMA, SCHEMA_WITHOUT_HOLDS = 3, 2
"""Versions of a session file: the newest, and that of a session without a hold, which earlier releases read as well.

Fields may be added without raising it: readers give a missing one its default and leave an unknown one alone. It rises
when a field changes its meaning or readers need a new one, as a set without repetitions does; `_MIGRATIONS` then brings
older files forward while they are read. The files themselves stay as they were written."""

_Kind = TypeVar("_Kind")

_DELETED = ".deleted"
"""Folder inside the sessions' folder where deleted ones go: one folder a deletion, named by its moment."""

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3}Z-[a-z0-9-]+-(?P<id>[0-9a-f]{8})\.json")


@dataclass(frozen=True)
class Session:
    """One stored analysis, with what only the person knows: the weight moved, in kilograms, and a note.

    `created` is local time with its UTC offset, `fitcli` the version that stored it. `analysis` is without its sets,
    which `whole` adds; `score`, 0..100, is the mean of those that have one. Of the named exercise, `set_repetitions`
    counts each set that has any, `set_holds_s` is how long each hold lasted, and `set_cadences_per_min` the pace of
    each set that is measured by it. `fields` is what the file holds.
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
        """What the session's file holds, fields of a later version included."""
        return self.fields

    def whole(self) -> Analysis:
        """The analysis with its sets, as a report needs it; raises `StorageError` where they are damaged."""
        try:
            return replace(self.analysis, sets=_sets(self.fields["analysis"].get("sets", ())))
        except _DAMAGE as error:
            raise StorageError(f"The sets in {self.path} are damaged.") from error

    def key_poses(self) -> tuple[KeyPose, ...]:
        """The poses that stand for the video, for a report without it; raises `StorageError` where they are damaged."""
        try:
            return tuple(KeyPose.from_json(row) for row in _forward(self.fields)["poses"])
        except _DAMAGE as error:
            raise StorageError(f"The poses in {self.path} are damaged.") from error


@dataclass(frozen=True)
class Skipped:
    """A session file that could not be read; `reason` is one sentence that says what became of it."""

    path: Path
    reason: str


def sessions_folder(explicit: Path | None = None) -> Path:
    """Where sessions live: `explicit`, else $FITCLI_SESSIONS, else ./sessions if there, else the user's data folder.

    Raises `StorageError` for a user without a home folder.
    """
    if explicit is not None:
        return explicit
    if named := os.environ.get("FITCLI_SESSIONS"):
        return Path(named)
    here = Path("sessions")
    if here.is_dir():
        return here
    # Only here: most runs name a folder or stand beside one.
    from platformdirs import user_data_path

    from fitcli.cache import users_folder

    try:
        return users_folder(lambda: user_data_path("fitcli", appauthor=False)) / "sessions"
    except OSError as error:
        raise StorageError(
            "This user has no home folder for sessions: name a folder with --sessions, or set FITCLI_SESSIONS."
        ) from error


@dataclass
class SessionStore:
    """The sessions in one folder. Any number of processes may use it at once.

    `skipped` fills while `sessions()` is read. Every method raises `StorageError` where the folder cannot be used.
    """

    folder: Path
    skipped: list[Skipped] = field(default_factory=list)

    def save(self, analysis: Analysis, *, weight_kg: float | None = None, note: str = "") -> Session:
        """Store an analysis and return the session; where that fails nothing half-written stays behind."""
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
            # landmarks and no picture: enough to draw the movement again, and nobody is recognised
            "poses": [pose.to_json() for pose in key_poses(analysis)],
        }
        self._write(path, fields)
        return _session(fields, path)

    def sessions(self) -> Iterator[Session]:
        """Stored sessions, newest first, read one at a time, so that the newest twenty cost twenty files.

        A damaged file is renamed to `*.unreadable` and never seen again; files of other programs are left alone.
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
            except _DAMAGE:
                self.skipped.append(_set_aside(path))

    def files(self) -> Iterator[Path]:
        """Every file of the history, deleted and set aside ones included; none where there is no folder."""
        return (path for path in self.folder.rglob("*") if path.is_file()) if self.folder.is_dir() else iter(())

    def find(self, start: str) -> Session:
        """The one session whose id begins with `start`; raises `MissingInputError` where there is none, or several."""
        found = [name for name in self._names() if _identifier(name).startswith(start.strip().lower())]
        if not start.strip() or not found:
            raise MissingInputError(f"No session's id begins with {start!r}: fitcli history lists them.")
        if len(found) > 1:
            raise MissingInputError(f"The ids of {len(found)} sessions begin with {start!r}: give more of it.")
        path = self.folder / found[0]
        try:
            return _read(path)
        except _NewerSchemaError:
            raise StorageError(f"{path} was stored by a newer fitcli: update to see it.") from None
        except _DAMAGE:
            raise StorageError(f"{_set_aside(path).reason}") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({_reason(error)}): check its permissions.") from error

    def add(self, fields: dict[str, Any]) -> bool:
        """Store a session that `Session.to_json` wrote down, here or elsewhere; False where it is here already.

        Raises `ValueError` for anything else.
        """
        try:
            session = _session(fields, self.folder)
        except (*_DAMAGE, _NewerSchemaError) as error:
            raise ValueError("no session of this version of fitcli") from error
        name = _file_name(session.id, session.created, session.analysis)
        if not _NAME.fullmatch(name):  # the id came from outside and becomes a file name
            raise ValueError("no id of a session")
        if any(_identifier(known) == session.id for known in self._names()):
            return False
        self._write(self.folder / name, fields)
        return True

    def delete(self, sessions: Iterable[Session]) -> None:
        """Put sessions aside together; `undo` brings them back."""
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").replace(":", "-")
        batch = self.folder / _DELETED / stamp
        try:
            batch.mkdir(parents=True)
            for session in sessions:
                session.path.rename(batch / session.path.name)
        except OSError as error:
            raise StorageError(f"The sessions in {self.folder} cannot be deleted ({_reason(error)}).") from error

    def undo(self) -> int:
        """Bring back what was deleted together last; returns how many sessions that were, 0 where nothing is left."""
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
                f"The sessions in {self.folder} cannot be read ({_reason(error)}): check the folder, or choose another "
                "with --sessions."
            ) from error

    def _write(self, path: Path, fields: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_durably(path, json.dumps(fields, indent=1) + "\n")
        except OSError as error:
            raise StorageError(
                f"The session could not be saved in {self.folder} ({_reason(error)}): make room or permit writing "
                "there, or choose another folder with --sessions."
            ) from error


class _NewerSchemaError(Exception):
    """The file follows a schema that this version does not know; it is not damaged."""


_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged session raises."""


def _file_name(identifier: str, created: datetime, analysis: Analysis) -> str:
    # UTC, so that names sort by time whatever the clock and the traveller do
    stamp = created.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(":", "-")
    said = analysis.exercise.name if analysis.exercise else " or ".join(analysis.consistent_with) or analysis.status
    slug = re.sub(r"[^a-z0-9]+", "-", said).strip("-")
    return f"{stamp}-{slug}-{identifier}.json"


def _identifier(name: str) -> str:
    return name.removesuffix(".json").rpartition("-")[2]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _write_durably(path: Path, text: str) -> None:
    """Write under another name, force it to the disk, rename: readers, crashes and power cuts see all or nothing."""
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
    # The rename itself lives in the folder. Windows cannot open one and some network file systems refuse: there the
    # session is written all the same.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> Session:
    return _session(json.loads(path.read_bytes()), path)


def _with_poses(fields: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: sessions keep key poses; those of before have none."""
    return {**fields, "poses": []}


def _as_it_is(fields: dict[str, Any]) -> dict[str, Any]:
    """From 2 to 3: a set may be a hold; those of before have repetitions."""
    return fields


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _with_poses, 2: _as_it_is}
"""What brings a session of that version to the next one."""


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
    analysis = _analysis(fields["analysis"])
    sets = fields["analysis"].get("sets", ())
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


def _analysis(fields: dict[str, Any]) -> Analysis:
    """The `Analysis` that `Analysis.to_json` wrote down, without its sets; raises one of `_DAMAGE` for another."""
    named = fields["exercise"]
    start_s, end_s = fields["analysed_s"]
    took = fields["timings_s"]
    return Analysis(
        file=fields["file"],
        status=Status(fields["status"]),
        message=fields["message"],
        duration_s=float(fields["duration_s"]),
        start_s=float(start_s),
        end_s=float(end_s),
        exercise=ExerciseScore(named["name"], float(named["confidence"])) if named else None,
        exercises=tuple(ExerciseScore(row["name"], float(row["probability"])) for row in fields["exercises"]),
        muscles=tuple(MuscleScore(row["name"], float(row["activation"]), row["ideal"]) for row in fields["muscles"]),
        repetitions=fields["repetitions"],
        feedback=tuple(fields["feedback"]),
        networks=tuple(
            NetworkUse(
                architecture=row["architecture"],
                input=row["input"],
                checkpoint=row["checkpoint"],
                checkpoint_sha256=row["checkpoint_sha256"],
                weight_exercise=row["weight_exercise"],
                weight_muscle=row["weight_muscle"],
            )
            for row in fields["networks"]
        ),
        device=fields["device"],
        device_reason=fields.get("device_reason") or "",
        timings=Timings(took["decode"], took["pose"], took["network"], took["total"]),
        windows=tuple(
            WindowScore(
                start_s=row["start_s"],
                end_s=row["end_s"],
                exercises=tuple(row["exercises"]),
                other=row["other"],
                muscles=tuple(row["muscles"]),
                weight=row["weight"],
            )
            for row in fields.get("windows", ())
        ),
        consistent_with=tuple(fields.get("consistent_with", ())),
        muscle_scores=fields.get("muscle_scores", "sigmoid"),
        picture_stretch=float(fields.get("picture_stretch", 1.0)),
        broken_off_s=None if fields.get("broken_off_s") is None else float(fields["broken_off_s"]),
        classes=_classes(fields.get("classes")),
    )


def _classes(fields: dict[str, Any] | None) -> Classes:
    """The order of the scores of each window; files of before 29 exercises were known mean the paper's."""
    return Classes(tuple(fields["exercises"]), tuple(fields["muscles"])) if fields else catalog().paper


def _sets(rows: Iterable[dict[str, Any]]) -> tuple[ExerciseSet, ...]:
    """The sets that `ExerciseSet.to_json` wrote down."""
    # The room brings numpy: a tenth of a second, which listing the history does without.
    from fitcli.results.sets import CueFinding, Curve, ExerciseSet, Repetition, ScorePart, SetScore

    return tuple(
        ExerciseSet(
            exercise=row["exercise"],
            start_s=row["start_s"],
            end_s=row["end_s"],
            repetitions=tuple(_record(Repetition, repetition) for repetition in row["repetition_list"]),
            partial=row["partial"],
            signal=row["signal"],
            method=row["method"],
            side=row["side"],
            view=row["view"],
            curve=Curve(tuple(row["curve"]["times_s"]), tuple(row["curve"]["values"]), row["curve"]["unit"]),
            cues=tuple(_record(CueFinding, cue) for cue in row["cues"]),
            score=(
                SetScore(row["score"], tuple(_record(ScorePart, part) for part in row["score_parts"]))
                if row["score"] is not None
                else None
            ),
            held_s=row.get("held_s"),
        )
        for row in rows
    )


def _record(kind: type[_Kind], row: dict[str, Any]) -> _Kind:
    """A dataclass from the fields of that name: unknown ones are left alone, missing ones have their default."""
    names = [each.name for each in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: row[name] for name in names if name in row})

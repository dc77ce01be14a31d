"""Files that a user names: checked before the work, written whole or not at all, and never over another file unasked.

Every command that writes a named file claims it first and writes it through the `Output` that it gets. The rule:

- An existing file, a symbolic link that leads nowhere included, is refused unless the user asked to overwrite.
- A file that is read by the same command is refused always, whatever name, symbolic or hard link it is called by.
- A link is followed: overwriting replaces the file that it leads to and leaves the link.
- A folder is refused: a file has a name. A missing parent folder is refused and not made: it may be a typing error.
- A parent folder that cannot be written to is found by creating a file in it.
- A device, a FIFO or a socket (`/dev/null`, `/dev/stdout` in a pipe) is refused: it cannot be replaced as a whole.
- The ending of another format is refused. Text formats take unknown endings and none.

The content goes to a new file with an unpredictable name in the same folder, which takes the final name once it is
complete. A file that another program created under that name meanwhile stays.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fitcli.errors import OutputNameError, Setting, StorageError

PREFIX = ".fitcli-"
"""How the name of a file begins that is not complete yet."""

_UNSPECIFIC = ("text/plain", "application/octet-stream")
"""Media types whose endings name no format in particular."""


@dataclass(frozen=True)
class FileFormat:
    """A format and the endings of its files, the usual one first; `any_ending` allows those that name no other."""

    suffixes: tuple[str, ...]
    any_ending: bool = False

    def check(self, path: Path) -> None:
        """Raise `OutputNameError` for the name of a file of another format."""
        suffix = path.suffix.lower()
        if suffix not in self.suffixes and not (self.any_ending and not _names_a_format(suffix)):
            raise OutputNameError(f"{path} must end in {self.suffixes[0]}.")


WAV = FileFormat((".wav", ".wave"))
MP4 = FileFormat((".mp4", ".m4v"))
HTML = FileFormat((".html", ".htm"))
PLOT = FileFormat((".png", ".pdf", ".svg"))
CHECKPOINT = FileFormat((".ckpt",))
JSON_LINES = FileFormat((".jsonl", ".ndjson", ".json"), any_ending=True)
MARKDOWN = FileFormat((".md",), any_ending=True)

_OWN = {".m4v", ".mkv", ".webm", ".flac", ".ogg", ".onnx", ".ckpt"}
"""Endings that name a format although not every Python knows their media type."""

Identity = tuple[int, int]
"""Device and inode of a file: the same for all its names."""


@dataclass(frozen=True)
class Output:
    """A file to write. `inputs` are the files that are read by the same command."""

    path: Path
    overwrite: bool = False
    inputs: frozenset[Identity] = frozenset()

    def check(self) -> None:
        """Raise `StorageError` unless the file can be written, `OutputNameError` for a folder."""
        self.check_free()
        with self._creating():
            folder = self._target.parent
            if not folder.is_dir():
                raise StorageError(f"{self.path} cannot be written (there is no folder {folder}): make it first.")
            self._create().unlink()

    def check_free(self) -> None:
        """Raise `StorageError` where a file is in the way, `OutputNameError` where a folder is."""
        with self._creating():
            self._check_existing()

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A new, empty file to write to, which becomes the output at the end of the block.

        After an exception, Ctrl-C included, it is removed and nothing is left. An `OSError` of the block, or a
        `StorageError` because of one, becomes a `StorageError` that names the output.
        """
        with self._creating():
            temporary = self._create()
            try:
                yield temporary
                self._publish(temporary)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def write_text(self, text: str) -> None:
        """Write the file as UTF-8; raises `StorageError`."""
        with self.writing() as temporary:
            temporary.write_bytes(text.encode("utf-8"))

    def make_room(self) -> Path:
        """Remove the file that was asked to be overwritten, for one that is created under its final name.

        Returns the path to create, where there is no file now. Raises what `check` raises.
        """
        self.check()
        with self._creating():
            if self.overwrite:
                self._target.unlink(missing_ok=True)
        return self._target

    @property
    def _target(self) -> Path:
        # A symbolic link is followed, so that what is replaced is the file and not the link to it.
        return Path(os.path.realpath(self.path)) if self.path.is_symlink() else self.path

    def _check_existing(self) -> None:
        if not os.path.lexists(self.path):
            return
        found = self.path.stat() if self.path.exists() else None
        if found and stat.S_ISDIR(found.st_mode):
            raise OutputNameError(f"{self.path} is a folder: name a file.")
        if found and (found.st_dev, found.st_ino) in self.inputs:
            raise StorageError(f"{self.path} already exists and is an input of this command: choose another name.")
        if found and not stat.S_ISREG(found.st_mode):
            raise StorageError(f"{self.path} already exists and is not a regular file: choose another name.")
        if not self.overwrite:
            raise self._exists()
        if found and not os.access(self.path, os.W_OK):
            raise StorageError(f"{self.path} is write-protected: choose another name.")

    def _create(self) -> Path:
        # The format's ending, because some libraries choose the format by it.
        path = self._target.parent / f"{PREFIX}{secrets.token_hex(8)}{self.path.suffix}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        return path

    def _publish(self, temporary: Path) -> None:
        _flush_to_disk(temporary)
        self._check_existing()
        if not self.overwrite:
            _rename_to_new(temporary, self._target)
            return
        with contextlib.suppress(OSError):  # new, or a file system without permissions
            temporary.chmod(stat.S_IMODE(self._target.stat().st_mode))
        temporary.replace(self._target)

    @contextmanager
    def _creating(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            raise self._unwritable(error) from error
        except StorageError as error:
            if isinstance(error.__cause__, OSError):  # it names the temporary file
                raise self._unwritable(error.__cause__) from error.__cause__
            raise

    def _exists(self) -> StorageError:
        return StorageError(
            f"{self.path} already exists: choose another name, or overwrite it.", setting=Setting.OVERWRITE
        )

    def _unwritable(self, error: OSError) -> StorageError:
        reason = (error.strerror or str(error)).lower()
        return StorageError(f"{self.path} cannot be written ({reason}): choose another place, or make room there.")


def claim(
    path: Path, format: FileFormat, *, overwrite: bool = False, inputs: frozenset[Identity] = frozenset()
) -> Output:
    """The output at `path`, which can be written: called before any work starts. `inputs` come from `identities`.

    Raises `OutputNameError` for a name that cannot be right and `StorageError` for a file that may not or cannot be
    written. The format is checked first: its error is the user's typing error.
    """
    folder = False
    with contextlib.suppress(OSError):
        folder = path.is_dir()
    if not folder:  # which has a sentence of its own
        format.check(path)
    output = Output(path, overwrite, inputs)
    output.check()
    return output


def identities(paths: Iterable[Path]) -> frozenset[Identity]:
    """What tells the files among `paths` from all others; those that are not there have none."""
    found = set()
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def check_distinct(*outputs: Output | None) -> None:
    """Raise `OutputNameError` where two outputs of one command are one file."""
    places = [os.path.realpath(output.path) for output in outputs if output]
    for place in places:
        if places.count(place) > 1:
            raise OutputNameError(f"{place} is named for two outputs: choose another name for one of them.")


def make_folder(folder: Path) -> None:
    """Make a folder, and those around it, unless it exists; raises `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"The folder {folder} cannot be made ({reason}): choose another place.") from error


def replace_text(path: Path, text: str) -> None:
    """Write a file that fitcli keeps for itself, as UTF-8, over its older version; raises `StorageError`."""
    Output(path, overwrite=True).write_text(text)


def _names_a_format(suffix: str) -> bool:
    """Whether an ending stands for a format, as ".mp4" and ".gz" do; the same on every machine."""
    from mimetypes import MimeTypes  # only where an ending is not one of the format's own

    known = MimeTypes()
    kind = known.types_map[True].get(suffix) or known.types_map[False].get(suffix)
    return suffix in _OWN or suffix in known.encodings_map or (kind is not None and kind not in _UNSPECIFIC)


def _flush_to_disk(path: Path) -> None:
    """After a power cut the name must not stand for an empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _rename_to_new(temporary: Path, target: Path) -> None:
    """Give a file its final name; raises `FileExistsError` where another has it by now."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network folders have no hard links
        if sys.platform == "win32":
            temporary.rename(target)  # fails there where the name is taken
            return
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # takes the name, unless it is taken
        try:
            temporary.replace(target)
        except OSError:
            target.unlink()
            raise

"""Output files that a user names: checked before the work, written atomically, and never overwritten unasked.

Each command that writes a named file claims it first and writes it through the `Output` that it gets. The rules:

- An existing file, or a dangling symbolic link, is refused unless the user asked to overwrite it.
- An input of the same command is always refused, under any name, symbolic link or hard link.
- A symbolic link is followed: overwriting replaces its target and leaves the link.
- A folder is refused. A missing parent folder is refused and not created, because it may be a typing error.
- A parent folder is tested for write access by creating a file in it.
- A device, a FIFO or a socket (`/dev/null`, `/dev/stdout` in a pipe) is refused: it cannot be replaced as a whole.
- The suffix of another format is refused. Text formats accept unknown suffixes and none.

The content goes to a new file with an unpredictable name in the same folder, which is renamed once it is complete. A
file that another program creates under the final name in the meantime stays.
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
"""Prefix of the names of incomplete files."""

_UNSPECIFIC = ("text/plain", "application/octet-stream")
"""Media types whose suffixes name no particular format."""


@dataclass(frozen=True)
class FileFormat:
    """A format and its suffixes, the usual one first; `any_suffix` allows suffixes that name no other format."""

    suffixes: tuple[str, ...]
    any_suffix: bool = False

    def check(self, path: Path) -> None:
        """Raise `OutputNameError` if the suffix is that of another format."""
        suffix = path.suffix.lower()
        if suffix not in self.suffixes and not (self.any_suffix and not _names_a_format(suffix)):
            raise OutputNameError(f"{path} must end in {self.suffixes[0]}.")


WAV = FileFormat((".wav", ".wave"))
MP4 = FileFormat((".mp4", ".m4v"))
HTML = FileFormat((".html", ".htm"))
PLOT = FileFormat((".png", ".pdf", ".svg"))
CHECKPOINT = FileFormat((".ckpt",))
JSON_LINES = FileFormat((".jsonl", ".ndjson", ".json"), any_suffix=True)
MARKDOWN = FileFormat((".md",), any_suffix=True)

_OWN = {".m4v", ".mkv", ".webm", ".flac", ".ogg", ".onnx", ".ckpt"}
"""Suffixes that name a format, but whose media type some versions of Python do not know."""

Identity = tuple[int, int]
"""Device and inode of a file, which are the same for all its names."""


@dataclass(frozen=True)
class Output:
    """A file to write. `inputs` are the files that the same command reads."""

    path: Path
    overwrite: bool = False
    inputs: frozenset[Identity] = frozenset()

    def check(self) -> None:
        """Raise `StorageError` unless the file can be written, `OutputNameError` for a folder."""
        self.check_free()
        with self._creating():
            folder = self._target.parent
            if not folder.is_dir():
                raise StorageError(f"{self.path} cannot be written (there is no folder {folder}): create it first.")
            self._create().unlink()

    def check_free(self) -> None:
        """Raise `StorageError` if the name is taken by a file, `OutputNameError` if by a folder."""
        with self._creating():
            self._check_existing()

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A new, empty file to write to, which becomes the output at the end of the block.

        It is removed after any exception, including Ctrl-C. An `OSError` in the block, or a `StorageError` caused by
        one, becomes a `StorageError` that names the output.
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
        """Remove the file to overwrite, for a writer that creates the output under its final name.

        Returns the path to create. Raises as `check` does.
        """
        self.check()
        with self._creating():
            if self.overwrite:
                self._target.unlink(missing_ok=True)
        return self._target

    @property
    def _target(self) -> Path:
        # A symbolic link is followed, so that its target is replaced and not the link.
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
        # With the format's suffix, because some libraries choose the format by it.
        path = self._target.parent / f"{PREFIX}{secrets.token_hex(8)}{self.path.suffix}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        return path

    def _publish(self, temporary: Path) -> None:
        _flush_to_disk(temporary)
        self._check_existing()
        if not self.overwrite:
            _rename_to_new(temporary, self._target)
            return
        with contextlib.suppress(OSError):  # a new file, or a file system without permissions
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
            if isinstance(error.__cause__, OSError):  # its message names the temporary file
                raise self._unwritable(error.__cause__) from error.__cause__
            raise

    def _exists(self) -> StorageError:
        return StorageError(
            f"{self.path} already exists: choose another name, or overwrite it.", setting=Setting.OVERWRITE
        )

    def _unwritable(self, error: OSError) -> StorageError:
        reason = (error.strerror or str(error)).lower()
        return StorageError(
            f"{self.path} cannot be written ({reason}): choose another folder, or free some space there."
        )


def claim(
    path: Path, format: FileFormat, *, overwrite: bool = False, inputs: frozenset[Identity] = frozenset()
) -> Output:
    """The output at `path`, checked before any work starts. `inputs` come from `identities`.

    Raises `OutputNameError` for an invalid name, and `StorageError` for a file that must not or cannot be written. The
    format is checked first, because its error is a typing error of the user.
    """
    folder = False
    with contextlib.suppress(OSError):
        folder = path.is_dir()
    if not folder:  # a folder has a message of its own
        format.check(path)
    output = Output(path, overwrite, inputs)
    output.check()
    return output


def identities(paths: Iterable[Path]) -> frozenset[Identity]:
    """The identities of the files in `paths`; missing files have none."""
    found = set()
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def check_distinct(*outputs: Output | None) -> None:
    """Raise `OutputNameError` if two outputs of one command are the same file."""
    places = [os.path.realpath(output.path) for output in outputs if output]
    for place in places:
        if places.count(place) > 1:
            raise OutputNameError(f"{place} is named for two outputs: choose another name for one of them.")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, unless it exists; raises `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"The folder {folder} cannot be created ({reason}): choose another one.") from error


def replace_text(path: Path, text: str) -> None:
    """Write one of fitcli's own files as UTF-8, replacing its older version; raises `StorageError`."""
    Output(path, overwrite=True).write_text(text)


def _names_a_format(suffix: str) -> bool:
    """Whether a suffix stands for a format, as ".mp4" and ".gz" do; the same on every machine."""
    from mimetypes import MimeTypes  # rarely needed

    known = MimeTypes()
    kind = known.types_map[True].get(suffix) or known.types_map[False].get(suffix)
    return suffix in _OWN or suffix in known.encodings_map or (kind is not None and kind not in _UNSPECIFIC)


def _flush_to_disk(path: Path) -> None:
    """Flush a file, so that its name does not stand for an empty file after a power cut."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _rename_to_new(temporary: Path, target: Path) -> None:
    """Give a file its final name; raises `FileExistsError` if another file has it by now."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems have no hard links
        if sys.platform == "win32":
            temporary.rename(target)  # fails if the name is taken
            return
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # reserves the name, or fails if it is taken
        try:
            temporary.replace(target)
        except OSError:
            target.unlink()
            raise

"""The user's cache: it makes later runs faster, and no run depends on it.

With a cache that is full, read-only or without a home folder, runs are slower and give the same answers. The reason is
logged once for each folder; `fitcli -v` prints the log.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)
_logged: set[str] = set()
_logging = threading.Lock()  # networks are loaded in parallel

_TRIAL_BYTES = 1 << 16  # an empty file fits on a full disk
_MEMORY = Path("/dev/shm")  # Linux: files in memory, writable even where everything else is read-only


def cache_path(name: str) -> Path:
    """The path of `name` in the user's cache, whether or not it can be written.

    Raises `OSError` for a user without a home folder.
    """
    from platformdirs import user_cache_path  # most commands use no cache

    return users_folder(lambda: user_cache_path("fitcli")) / name


def users_folder(find: Callable[[], Path]) -> Path:
    """The folder of this user that platformdirs finds; raises `OSError` for a user without a home folder."""
    try:
        folder = find()
    except RuntimeError:  # newer versions raise if `~` cannot be expanded; older ones return it
        folder = Path("~")
    if not folder.is_absolute():
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder", str(folder))
    return folder


@cache
def cache_folder(name: str) -> Path | None:
    """The folder `name` of the user's cache, created if necessary; None if nothing can be written there."""
    try:
        folder = cache_path(name)
        try_writing(folder)
    except OSError as error:
        without(f"{error.filename or name} cannot be used as cache ({error.strerror or error})")
        return None
    return folder


def try_writing(folder: Path) -> None:
    """Create `folder` if necessary and write a test file there; raises `OSError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(_TRIAL_BYTES))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def without(reason: str) -> None:
    """Log, once, why a run continues without a cache."""
    with _logging:
        if reason not in _logged:
            _logged.add(reason)
            _log.info("%s: this run continues without it, which is slower.", reason)


def provide_temporary_folder() -> None:
    """Put temporary files of this process and its children in memory if no folder for them can be written."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        with suppress(OSError):
            try_writing(_MEMORY)
            tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is deleted after the block; raises `OSError` if none can be created."""
    provide_temporary_folder()
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)

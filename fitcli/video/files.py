"""Finds the video files that an argument stands for, and opens each safely for decoding."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli import interrupt
from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, UnreadableInputError

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts")
)
"""Suffixes of video files in a folder; a file that the user names may have any suffix."""

_THREAD_PIXELS = 48_000_000  # frames that decoder threads hold at once: 8 threads up to 1080p, 1 at 8K
_MAX_THREADS = 8
_TEXT_CODECS = frozenset(("ansi", "bintext", "xbin", "idf"))  # FFmpeg draws text files as if they were videos
_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"))  # what an MP4 or MOV file begins with
_ATTACHED_PICTURE = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a song


def expand(path: Path) -> list[Path]:
    """The video files that one argument of a command stands for: the file itself, or a folder's videos, sorted.

    Folders are searched recursively, without hidden files and folders. A path to a file is returned unchecked: `probe`
    and `frames` judge it. Raises `MissingInputError` for a path that does not exist or a folder without videos, and
    `UnreadableInputError` for a folder that cannot be listed.
    """
    mode = file_status(path).st_mode
    if not stat.S_ISDIR(mode):
        return [path]
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be listed ({error.strerror}): check its permissions.") from error
    found = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name) for name in names if not name.startswith(".") and _looks_like_video(name)]
    if not found:
        known = " ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
        raise MissingInputError(f"{path} holds no video: put files in it whose names end in one of {known}.")
    return sorted(found)


def _looks_like_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def file_status(path: Path) -> os.stat_result:
    """The status of a file; raises `MissingInputError` or `UnreadableInputError`."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(f"{path} does not exist: check the name.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableInputError(f"{path} cannot be opened ({reason}): check its name and permissions.") from error


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file for decoding; each reason why that fails has a sentence of its own."""
    import av

    status = file_status(path)
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableInputError(f"{path} is a folder: give a video file.")
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait forever
        raise UnreadableInputError(f"{path} is a pipe, socket or device: save the video to a file first.")
    if status.st_size == 0:
        raise InvalidVideoError(f"{path} is empty: copy or export the video again.")
    try:
        file = _File(path)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    with file:
        try:
            # A file object, because FFmpeg takes some names for addresses. With no protocol allowed, a playlist or link
            # inside the file opens nothing else, on this machine or on a network.
            container = av.open(file, "r", options={"protocol_whitelist": "none"}, **_lenient_metadata())
        except (av.FFmpegError, ValueError) as error:
            interrupt.heed()
            raise _not_a_video(path) from error
        with container:
            interrupt.heed()
            yield container, _video_stream(path, container)


class _File(io.FileIO):
    """A file whose damaged index may point anywhere: `seek` reports a bad position to FFmpeg instead of raising.

    After Ctrl-C, `read` reports the end of the file, so that FFmpeg stops searching a long one.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        return b"" if interrupt.pressed() else super().read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except OSError:
            return -1


def _lenient_metadata() -> dict[str, Any]:
    """Options of `av.open` that make it accept tags in encodings other than UTF-8.

    PyAV up to 18 raises unless it is asked to ignore them. PyAV 19 always replaces them and has no such option.
    """
    from av.container import Container

    return {"metadata_errors": "ignore"} if hasattr(Container, "metadata_errors") else {}


def _not_a_video(path: Path) -> InvalidVideoError:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in _MP4_BOXES:
        return InvalidVideoError(
            f"{path} is cut off: its index, which ends an MP4 or MOV file, is missing. Copy or export it again."
        )
    return InvalidVideoError(f"{path} is not a video, whatever its name: give a video file.")


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The stream to decode, set up for several threads."""
    streams = [s for s in container.streams.video if not s.disposition & _ATTACHED_PICTURE]
    if not streams:
        if container.streams.audio:
            raise InvalidVideoError(f"{path} holds sound and no picture: give a video file.")
        raise InvalidVideoError(f"{path} holds no video: give a video file.")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    context = stream.codec_context
    if context is not None and context.name in _TEXT_CODECS:
        raise _not_a_video(path)
    if context is None:
        raise InvalidVideoError(f"{path} is in a video format that cannot be decoded: export it as MP4 (H.264).")
    pixels = max(context.width * context.height, 1)
    context.thread_count = max(1, min(_MAX_THREADS, os.cpu_count() or 1, _THREAD_PIXELS // pixels))
    context.thread_type = "AUTO"
    return stream


def no_frames(path: Path) -> FitcliError:
    """The error for a file of which no frame decodes."""
    return InvalidVideoError(f"{path} has no frame that can be decoded: copy or export the video again.")

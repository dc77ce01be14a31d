"""Times that a container states: claims, each trusted only for the kinds of container that get it right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av.container import InputContainer
    from av.video.stream import VideoStream

UNTIMED_CONTAINERS = frozenset(("mpeg", "mpegts"))  # they state no duration, and FFmpeg guesses one
_STREAM_TIMED_CONTAINERS = ("mov", "avi")  # their index states when the pictures end
_FILE_TIMED_CONTAINER = "flv"  # it states when the file ends, which may be the end of the sound


def claimed_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """The duration in seconds that the container states, or None."""
    if container.format.name in UNTIMED_CONTAINERS:
        return None
    if stream.duration and stream.time_base:
        claimed = float(stream.duration * stream.time_base)
    else:  # Matroska states when the video ends, counted from zero and not from the first frame
        claimed = ((container.duration or 0) - max(container.start_time or 0, 0)) / 1_000_000
    return claimed if claimed > 0 else None


def stated_end_s(path: Path, container: InputContainer, stream: VideoStream) -> float | None:
    """When the pictures end according to the file, on its own clock; None if it does not state that.

    Only statements that complete files get right count. A Matroska file states when its longest stream ends, and may be
    wrong even about that, so its statement counts only if bytes of the file are missing.
    """
    kind = container.format.name
    if kind.startswith(_STREAM_TIMED_CONTAINERS) and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    alone = kind == _FILE_TIMED_CONTAINER and len(container.streams) == 1
    if container.duration and (alone or (kind.startswith("matroska") and _matroska_is_cut(path))):
        return container.duration / 1_000_000
    return None


def _matroska_is_cut(path: Path) -> bool:
    """Whether a Matroska file is shorter than its segment, or does not state its length (RFC 8794, RFC 9559)."""
    with path.open("rb") as file:
        head = file.read(4096)

    def number(at: int) -> tuple[int, int, bool]:
        """The variable-length number at this offset, the offset after it, and whether it means "unknown"."""
        length = 9 - head[at].bit_length()
        value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
        return value, at + length, value == (1 << 7 * length) - 1

    try:
        size, at, _ = number(4)
        size, at, unknown = number(at + size + 4)
    except IndexError:
        return True
    return unknown or at + size > path.stat().st_size

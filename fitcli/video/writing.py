"""Writes video files: MP4 with the true times of the frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fitcli.errors import FitcliError, StorageError
from fitcli.video.picture import Image
from fitcli.video.reading import probe

# The index moves to the front when the file is closed, so that a browser starts playing at once.
_QUICK_START = {"movflags": "faststart"}
# An index every second (1,000,000 us), replaced by one for the whole file when it is closed.
_LASTING = {"movflags": "hybrid_fragmented", "frag_duration": "1000000", "flush_packets": "1"}
_CLOCK = Fraction(1, 90_000)  # VideoWriter's tick, the MPEG system clock: exact enough for any camera
_LONGEST_STEP = 2**31 - 2  # ticks that MP4 can hold between two frames: 6.6 hours


class VideoWriter:
    """Writes RGB frames to an MP4 (H.264, yuv420p) at their true times, which plays in any browser.

    A context manager. The frame rate is variable: times count from the first frame. yuv420p needs an even width and
    height, so the last column or row of odd ones is repeated. Leaving the block finishes the file even after an
    exception, so an interrupted recording stays playable; without any frame there is no file. Raises `StorageError` if
    the file cannot be created or the disk is full, and leaves no file.

    lasting: for a recording, which cannot be made again. The file must be new, and however the program ends, it plays
    up to the last second or two; a full disk does not delete it either.
    """

    def __init__(self, path: Path, width: int, height: int, *, lasting: bool = False) -> None:
        import av

        self.path = path
        self.width = width
        self.height = height
        self._lasting = lasting
        self._first_s: float | None = None
        self._last_pts = -1
        self._closed = False
        if lasting:
            self._create()
        with self._storage():
            self._container = av.open(f"file:{path}", "w", format="mp4", options=_LASTING if lasting else _QUICK_START)
            # No B-frames: with uneven frame times they make the container state too short a duration.
            how = {"preset": "veryfast", "crf": "21", "bf": "0"}
            self._stream = self._container.add_stream("libx264", rate=30, options=how)
        self._stream.width = width + width % 2
        self._stream.height = height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK
        with self._storage():
            self._container.start_encoding()  # creates the file before anything is recorded

    def _create(self) -> None:
        """Create the file, so that FFmpeg cannot overwrite an existing one."""
        try:
            self.path.open("xb").close()
        except FileExistsError as error:
            raise StorageError(f"{self.path} already exists: choose another name.") from error
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, image: Image, time_s: float) -> None:
        """Add one (height, width, 3) uint8 RGB frame shown at `time_s`; times must rise."""
        import av

        if image.shape != (self.height, self.width, 3):
            raise ValueError(f"frame of shape {image.shape}, expected {(self.height, self.width, 3)}")
        if self._first_s is None:
            self._first_s = time_s
        if self.width % 2 or self.height % 2:
            image = np.pad(image, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        # Two frames of a camera may have the same time, which the encoder refuses; a tick of 11 us is invisible.
        pts = max(self._last_pts + 1, round((time_s - self._first_s) / _CLOCK))
        self._last_pts = min(pts, self._last_pts + _LONGEST_STEP)
        frame.pts = self._last_pts
        frame.time_base = _CLOCK
        with self._storage():
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the frames that the encoder still holds, and the index; called when the `with` block ends."""
        if self._closed:
            return
        with self._storage():
            if self._first_s is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            self._closed = True
        if self._first_s is None:
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # FFmpeg's errors are OSErrors where the system gave the reason
            kept = self._discard()
            raise self._unwritable(error, kept=kept) from error

    def _unwritable(self, error: OSError, *, kept: bool = False) -> StorageError:
        reason = error.strerror or "unknown reason"
        end = " to its end, and holds the recording up to then" if kept else ""
        return StorageError(f"{self.path} cannot be written{end} ({reason}): free some space or choose another folder.")

    def _discard(self) -> bool:
        """Remove an unfinished file, which no player opens without its index. Returns whether it is kept."""
        self._closed = True
        # Closing writes again and fails again, but the file handle must be released.
        with suppress(OSError, AttributeError):
            self._container.close()
        if self._lasting and _plays(self.path):
            return True
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plays(path: Path) -> bool:
    try:
        return probe(path).duration_s > 0
    except FitcliError:
        return False

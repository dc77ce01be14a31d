"""Captures frames on a thread of its own, each with its arrival time; encoding loses none, and lost frames are counted.

`Camera` reads frames on one thread and passes them on without ever waiting. `Recorder` encodes them on another, from a
bounded queue. Consumers that need only the newest frame (preview, pose) take it from `Camera.newest`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fitcli.camera.newest import Newest
from fitcli.camera.source import CameraFrame, Resolution, Source, is_live, open_source
from fitcli.errors import CameraError, FitcliError
from fitcli.remedy import CAMERA_ACCESS
from fitcli.video import VideoWriter, fitted

OPEN_LIMIT_S = 5.0
"""A camera that has not delivered a frame by then never will."""

STALL_LIMIT_S = 5.0
"""A camera that delivers nothing for this long is unplugged or hangs."""

QUEUE_BYTES = 192 * 1024**2
"""Size of the frames that may wait for the encoder: 2.3 s of 720p at 30 frames a second."""

RATE_WINDOW_S = 2.0
"""Time over which the frame rate is measured."""

LAST_FRAME_S = 1 / 30
"""How long `VideoWriter` shows the last frame of a file."""

HOLD_AFTER_S = 0.1
"""If the last frame came earlier than this before the end, it is shown until the end."""


@dataclass(frozen=True)
class Recording:
    """A finished recording: the file, its duration, and the numbers of frames written and dropped."""

    path: Path
    duration_s: float
    frames: int
    dropped: int
    width: int
    height: int

    @property
    def rate_hz(self) -> float:
        """The camera's measured frame rate."""
        return self.frames / self.duration_s if self.duration_s else 0.0


class Recorder:
    """Writes frames to a file on a thread of its own, for `duration_s` from the arrival of the first frame."""

    def __init__(self, path: Path, duration_s: float) -> None:
        self.started_s: float | None = None
        self.dropped = 0
        self._path = path
        self._limit_s = duration_s
        self._frames: queue.Queue[CameraFrame | None] = queue.Queue()
        self._accepting = True
        self._written = 0
        self._last_s = 0.0
        self._end_s = 0.0
        self._size = (0, 0)
        self._failure: FitcliError | None = None
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first frame, up to `duration_s`."""
        return 0.0 if self.started_s is None else min(time.monotonic() - self.started_s, self._limit_s)

    @property
    def done(self) -> bool:
        """Whether the time is up, or writing failed."""
        return self._failure is not None or (self.started_s is not None and self.elapsed_s >= self._limit_s)

    def offer(self, frame: CameraFrame) -> None:
        """Take a frame from the capture thread; never waits."""
        if not self._accepting:
            return
        if self.started_s is None:
            self.started_s = frame.arrival_s
        if frame.arrival_s - self.started_s >= self._limit_s:
            return
        if self._frames.qsize() * frame.image.nbytes > QUEUE_BYTES:
            self.dropped += 1
        else:
            self._frames.put(frame)

    def finish(self, ended_s: float | None = None) -> Recording:
        """Finish the file and wait until it is complete.

        `ended_s` is when the camera's picture ended, on the monotonic clock; None if it has not. Raises `StorageError`
        if the file could not be written, and `CameraError` if no frame came.
        """
        self._accepting = False
        end_s = time.monotonic() if ended_s is None else ended_s
        self._end_s = min(end_s, (self.started_s or 0.0) + self._limit_s)
        self._frames.put(None)
        self._thread.join()
        if self._failure:
            raise self._failure
        if not self._written or self.started_s is None:
            raise CameraError("The camera delivered no picture while recording: check its cable and try again.")
        return Recording(self._path, self._end_s - self.started_s, self._written, self.dropped, *self._size)

    def _write(self) -> None:
        try:
            first = self._frames.get()
            if first is None:
                return
            height, width = first.image.shape[:2]
            self._size = (width, height)
            with VideoWriter(self._path, width, height, lasting=True) as writer:
                last = first
                frame: CameraFrame | None = first
                while frame is not None:
                    writer.write(frame.image, frame.arrival_s)
                    self._written += 1
                    last = frame
                    frame = self._frames.get()
                if self._end_s - last.arrival_s > HOLD_AFTER_S:
                    # The last picture is shown until the end. Otherwise a slow camera makes the file too short.
                    writer.write(last.image, self._end_s - LAST_FRAME_S)
        except FitcliError as failure:
            self._failure = failure


class Camera:
    """A camera, stream or file, read on a thread of its own; a context manager.

    Opening raises a `FitcliError` with the reason: no camera, in use, no permission, or no frame within 5 s.
    """

    def __init__(self, camera: str, resolution: Resolution | None = None) -> None:
        self.name = f"camera {camera}" if is_live(camera) else camera
        self.live = is_live(camera)
        self.is_file = not self.live and "://" not in camera
        self.newest: Newest[CameraFrame] = Newest()
        self._camera = camera
        self._resolution = resolution
        self._source: Source | None = None
        self._recorder: Recorder | None = None
        self._failure: FitcliError | None = None
        self._arrivals_s: deque[float] = deque(maxlen=240)
        self._opened = threading.Event()
        self._ended = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._capture, name="camera", daemon=True)

    def open(self) -> Camera:
        """Start the capture and wait for the first frame; raises a `FitcliError`."""
        self._thread.start()
        deadline_s = time.monotonic() + OPEN_LIMIT_S
        while time.monotonic() < deadline_s and not self._ended.is_set():
            if self.newest.wait_for_other_than(None, 0.05):
                return self
        self._closing.set()
        if self._failure:
            raise self._failure
        if not self._opened.is_set():
            raise CameraError(f"{self._what} did not open within {OPEN_LIMIT_S:.0f} s: {self._check}.")
        if self._ended.is_set():
            raise CameraError(f"{self._what} opens but delivers no picture: {self._check}.")
        raise CameraError(f"{self._what} opens but delivered no picture within {OPEN_LIMIT_S:.0f} s: {self._check}.")

    @property
    def picture(self) -> CameraFrame:
        """The newest frame; there is one from `open` on."""
        frame = self.newest.get()
        assert frame
        return frame

    @property
    def rate_hz(self) -> float:
        """Frames a second over the last two seconds."""
        now_s = time.monotonic()
        recent = [arrival_s for arrival_s in tuple(self._arrivals_s) if now_s - arrival_s < RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0

    @property
    def ended_s(self) -> float | None:
        """When the picture ended, on the monotonic clock: no more frames, or none for 5 s; None if it has not."""
        last_s = self._arrivals_s[-1]
        ended = self._ended.is_set() or time.monotonic() - last_s > STALL_LIMIT_S
        return last_s + LAST_FRAME_S if ended else None

    def begin(self, recorder: Recorder | None = None) -> None:
        """Start playing, for a file, and pass every frame from now on to `recorder`, if given."""
        assert self._source
        self._source.rolling = True
        self._recorder = recorder

    def pause(self) -> None:
        """Pass frames to `newest` only; a file pauses."""
        assert self._source
        self._source.rolling = False
        self._recorder = None

    def close(self) -> None:
        """End the capture without waiting for a driver that hangs."""
        self._closing.set()
        self._thread.join(timeout=1.0)

    @property
    def _what(self) -> str:
        return self.name[0].upper() + self.name[1:] if self.live else self.name

    @property
    def _check(self) -> str:
        if not self.live:
            return "check the address and that this machine reaches it"
        return f"unplug it and plug it in again, close other programs that use it, or {CAMERA_ACCESS.here}"

    def _capture(self) -> None:
        try:
            self._source = open_source(self._camera, self._resolution)
            self._opened.set()
            try:
                size: tuple[int, int] | None = None
                while not self._closing.is_set() and (frame := self._source.read()) is not None:
                    size = size or (frame.image.shape[1], frame.image.shape[0])
                    # A stream or file may change its size; the preview and the recording cannot.
                    frame = CameraFrame(frame.arrival_s, fitted(frame.image, *size))
                    self._arrivals_s.append(frame.arrival_s)
                    self.newest.put(frame)
                    if recorder := self._recorder:
                        recorder.offer(frame)
            finally:
                self._source.close()
        except FitcliError as failure:
            self._failure = failure
        finally:
            self._ended.set()

    def __enter__(self) -> Camera:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

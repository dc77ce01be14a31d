"""Sources of frames: a camera, a network stream, or a video file that plays like a camera."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fitcli.errors import CameraError, Setting
from fitcli.remedy import CAMERA_ACCESS, OPENCV, OPENCV_PACKAGE, Remedy
from fitcli.video import Frame, Image, frames

DEFAULT_RESOLUTION = "1280x720"
"""720p, which nearly every webcam delivers at 30 frames a second, and which is more than pose needs."""

STILL_RATE_HZ = 30.0
"""The rate at which a paused file repeats its frame."""

HIGHEST_INDEX = 8
"""The number of indices to try on systems without a list of cameras (macOS, Windows)."""


@dataclass(frozen=True)
class CameraFrame:
    """One picture: `arrival_s`, when it arrived on the monotonic clock, and `image` (H, W, 3) uint8 RGB."""

    arrival_s: float
    image: Image


@dataclass(frozen=True)
class Resolution:
    """The requested size in pixels; the camera delivers the nearest that it supports."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Resolution:
        """Parse "1280x720"; raises `CameraError`."""
        width, _, height = text.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise CameraError(
                f"'{text}' is not a resolution: give width x height, such as {DEFAULT_RESOLUTION}.",
                setting=Setting.RESOLUTION,
            )
        return cls(int(width), int(height))


class Source(Protocol):
    """Anything that delivers frames as they arrive."""

    rolling: bool
    """Set while recording. Until then a file pauses on its frame, like a person who waits for the start."""

    def read(self) -> CameraFrame | None:
        """Wait for the next frame; None after the last one."""

    def close(self) -> None: ...


def is_live(camera: str) -> bool:
    """Whether `camera` names a camera of this machine, and not a stream or a file."""
    return camera.isdecimal() or camera.startswith("/dev/")


def open_source(camera: str, resolution: Resolution | None) -> Source:
    """Open a camera by index or device path, a stream by its URL, or a file by its path; raises a `FitcliError`.

    This waits for slow or hanging drivers, so `Camera` calls it on its own thread with a time limit.
    """
    if is_live(camera):
        return _open_device(camera, resolution or Resolution.parse(DEFAULT_RESOLUTION))
    if "://" in camera:
        return _open_stream(camera)
    return _File(Path(camera), resolution)


def opencv() -> Any:
    """Import OpenCV, with the terminal output of it, FFmpeg and Qt turned off; raises `CameraError`."""
    for name, value in {
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
        "QT_LOGGING_RULES": "*=false",
        # macOS asks for permission when the camera starts; OpenCV's own request works only on the main thread.
        "OPENCV_AVFOUNDATION_SKIP_AUTH": "1",
    }.items():
        os.environ.setdefault(name, value)
    try:
        import cv2  # needs system libraries that a bare server lacks
    except ImportError as error:
        raise CameraError(f"OpenCV does not load ({error}): {opencv_remedy(error).here}") from error
    return cv2


def opencv_remedy(error: BaseException | None) -> Remedy:
    """The remedy for OpenCV failing to load with `error`: system libraries, or the package itself."""
    # Only the message of the dynamic linker distinguishes the two.
    return OPENCV if "shared object" in str(error) else OPENCV_PACKAGE


def _open_device(camera: str, resolution: Resolution) -> Source:
    """A camera of this machine."""
    path = Path(f"/dev/video{camera}" if camera.isdecimal() else camera)
    if sys.platform == "linux":
        _check_device(path)
    cv2 = opencv()
    number = path.name.removeprefix("video")
    # With an explicit backend, because OpenCV would try all others before it fails.
    system = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    capture = cv2.VideoCapture(int(number) if number.isdecimal() else str(path), system)
    if not capture.isOpened():
        raise _unopened(camera, path)
    # Most webcams deliver 720p at the full frame rate only as MJPG.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, resolution.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, resolution.height)
    return _Capture(capture)


def _open_stream(url: str) -> Source:
    """A camera on the network, or any other address that FFmpeg opens."""
    cv2 = opencv()
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise CameraError(f"The stream {url} cannot be opened: check the address and that this machine reaches it.")
    return _Capture(capture)


class _Capture:
    """An open OpenCV capture."""

    rolling = False

    def __init__(self, capture: Any) -> None:
        self._capture = capture

    def read(self) -> CameraFrame | None:
        if not self._capture.grab():
            return None
        arrival_s = time.monotonic()  # before decoding, whose time varies
        decoded, image = self._capture.retrieve()
        cv2 = opencv()
        return CameraFrame(arrival_s, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) if decoded else None

    def close(self) -> None:
        self._capture.release()


class _File:
    """A video file that plays in real time while `rolling` is set and pauses otherwise."""

    def __init__(self, path: Path, resolution: Resolution | None) -> None:
        self.rolling = False
        if path.is_dir() or not path.exists():
            raise CameraError(f"There is no camera or video file '{path}': {_name_another()}.", setting=Setting.CAMERA)
        side = max(resolution.width, resolution.height) if resolution else None
        self._frames = frames(path, rate_hz=None, max_side=side)
        self._next: Frame | None = next(self._frames)
        self._zero_s: float | None = None

    def read(self) -> CameraFrame | None:
        if self._next is None:
            return None
        if not self.rolling:
            self._zero_s = None
            time.sleep(1 / STILL_RATE_HZ)
            if not self.rolling:  # it may have started meanwhile
                return CameraFrame(time.monotonic(), self._next.image)
        if self._zero_s is None:
            self._zero_s = time.monotonic() - self._next.time_s
        time.sleep(max(0.0, self._zero_s + self._next.time_s - time.monotonic()))
        frame = CameraFrame(time.monotonic(), self._next.image)
        self._next = next(self._frames, None)
        return frame

    def close(self) -> None:
        pass


def cameras() -> list[str]:
    """The cameras that the system lists, or the indices to try if it has no list."""
    if sys.platform == "linux":
        return sorted(
            (str(path) for path in Path("/dev").glob("video*")),
            key=lambda name: int("0" + name.removeprefix("/dev/video")),
        )
    return [str(index) for index in range(HIGHEST_INDEX)]


def _name_another() -> str:
    """What to do instead of using a camera that does not work: a clause that ends with naming another one."""
    if sys.platform != "linux":
        return "run `fitcli doctor` for the cameras that work, and name one of them"
    found = cameras()
    if not found:
        return "this machine has no camera; plug one in, or name a video file or a stream"
    return f"this machine has {', '.join(found)}; name {'it' if len(found) == 1 else 'one of them'}"


def _check_device(path: Path) -> None:
    """Raise `CameraError` for a missing or forbidden device file, which OpenCV does not distinguish."""
    if not path.exists():
        raise CameraError(f"There is no camera {path}: {_name_another()}.", setting=Setting.CAMERA)
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise CameraError(f"Permission denied for camera {path}: {CAMERA_ACCESS.here}")


def _unopened(camera: str, path: Path) -> CameraError:
    """The error for a camera that OpenCV does not open."""
    if sys.platform == "darwin":
        return CameraError(
            f"Camera {camera} cannot be opened: close other programs that use it, or {CAMERA_ACCESS.here}."
        )
    if sys.platform == "linux" and (holder := _holder(path)):
        return CameraError(f"Camera {path} is in use by {holder}: close it and try again.")
    reason = "another program uses it, or it is not a camera"
    return CameraError(f"Camera {camera} cannot be opened: {reason}; {_name_another()}.", setting=Setting.CAMERA)


def _holder(device: Path) -> str | None:
    """The name of another process that has the device open, if this user may see it."""
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if handle.parts[2] != str(os.getpid()) and handle.readlink() == device:
                name = Path("/proc", handle.parts[2], "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {handle.parts[2]})"
        except OSError:  # a process of another user, or one that has just ended
            continue
    return None

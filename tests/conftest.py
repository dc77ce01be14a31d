"""Video files made on the spot: every test's film is small, real and written by the codec it is about."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt
import pytest

# A runner in the background ignores Ctrl-C, and what it starts inherits that; the tests that press it need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)

CLOCK = Fraction(1, 90_000)


def picture(width: int, height: int, shade: int) -> npt.NDArray[np.uint8]:
    """Red upper left, green upper right, blue lower left, and a grey of `shade` lower right: which way is up shows."""
    image = np.zeros((height, width, 3), np.uint8)
    middle_y, middle_x = height // 2, width // 2
    image[:middle_y, :middle_x, 0] = 255
    image[:middle_y, middle_x:, 1] = 255
    image[middle_y:, :middle_x, 2] = 255
    image[middle_y:, middle_x:] = shade
    return image


class MakeVideo(Protocol):
    def __call__(
        self,
        path: Path,
        *,
        times_s: Sequence[float] | None = None,
        frames: int = 30,
        rate_hz: int = 30,
        size: tuple[int, int] = (160, 120),
        codec: str = "libx264",
        pixels: str = "yuv420p",
        rotation_deg: int = 0,
        mirrored: bool = False,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
        format: str | None = None,
    ) -> Path: ...


@pytest.fixture
def make_video() -> MakeVideo:
    """Write a video: `picture` frames whose shade tells the frame's number, (number * 8) % 256.

    times_s gives every frame its own time; without it there are `frames` frames at `rate_hz`. rotation_deg is how far
    clockwise a player has to turn the stored picture.
    """

    def make(
        path: Path,
        *,
        times_s: Sequence[float] | None = None,
        frames: int = 30,
        rate_hz: int = 30,
        size: tuple[int, int] = (160, 120),
        codec: str = "libx264",
        pixels: str = "yuv420p",
        rotation_deg: int = 0,
        mirrored: bool = False,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
        format: str | None = None,
    ) -> Path:
        with av.open(f"file:{path}", "w", format=format, options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate_hz, options=codec_options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            if times_s is not None:
                stream.codec_context.time_base = CLOCK
            if rotation_deg or mirrored:
                stream.set_display_rotation(-rotation_deg, hflip=mirrored)
            count = frames if times_s is None else len(times_s)
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(picture(*size, (number * 8) % 256), format="rgb24")
                if times_s is not None:
                    frame.pts, frame.time_base = round(times_s[number] / CLOCK), CLOCK
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make
